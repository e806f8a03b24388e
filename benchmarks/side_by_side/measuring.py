"""A command's time, CPU and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
_SAMPLED_EVERY_S = 0.2
_LONGEST_S = 1800.0


class Finished(msgspec.Struct, frozen=True):
    """A command that has ended."""

    returncode: int
    wall_s: float
    cpu_s: float
    """Of the process and of all that it waited for, in user and system mode."""
    peak_mb: float
    """Of all its processes together where Linux tells (sampled), else of the largest."""
    output: str
    """Its last 2,000 characters."""


def run_measured(
    words: Sequence[str], directory: Path, environ: Mapping[str, str], longest_s: float = _LONGEST_S
) -> Finished:
    """Run a command to its end, or for `longest_s` at most."""
    log = directory.with_name(f"{directory.name}.log")
    started_s = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(  # the caller's own words
            words, cwd=directory, env=dict(environ), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        ended = threading.Event()
        peak = _Peak(process.pid, ended)
        timer = threading.Timer(longest_s, process.kill)
        peak.start()
        timer.start()
        # `wait4` and not `Popen.wait`: it tells what this one command used.
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started_s
        process.returncode = os.waitstatus_to_exitcode(status)
        timer.cancel()
        ended.set()
        peak.join()
    return Finished(
        returncode=process.returncode,
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=max(usage.ru_maxrss * _MAXRSS_BYTES, peak.most_bytes) / 2**20,
        output=log.read_text(encoding="utf-8", errors="replace")[-2000:],
    )


class _Peak(threading.Thread):
    """Looks now and then at how much memory a process and its descendants hold."""

    def __init__(self, pid: int, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self._pid, self._ended = pid, ended
        self.most_bytes = 0

    def run(self) -> None:
        while not self._ended.wait(_SAMPLED_EVERY_S):
            self.most_bytes = max(self.most_bytes, sum(map(_proportional_bytes, _descendants(self._pid))))


def _descendants(pid: int) -> list[int]:
    """A process and all below it; none where there is no /proc."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, children.read_text(encoding="ascii").split())
            except OSError:
                continue
    return found


def _proportional_bytes(pid: int) -> int:
    """A process's memory, what it shares being divided by all that share it."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
