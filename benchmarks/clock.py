"""What stages of a run take: time, CPU and memory."""

from __future__ import annotations

import functools
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


class Stage(msgspec.Struct, frozen=True):
    """One stage of a run."""

    name: str
    wall_s: float
    cpu_s: float
    held_mb: float
    """When it has ended."""
    peak_mb: float
    """The most so far."""


class Clock:
    """Measures calls of functions that a run makes."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []

    def watch(self, module: ModuleType, function: str, stage: str) -> None:
        """From now on, calls of the function that the module knows by this name are the stage."""
        inner: Callable[..., Any] = getattr(module, function)

        @functools.wraps(inner)
        def measured(*arguments: Any, **named: Any) -> Any:  # whatever the function takes and gives
            return self.time(stage, functools.partial(inner, *arguments, **named))

        setattr(module, function, measured)

    def time(self, stage: str, call: Callable[[], Any]) -> Any:
        """Call, and note what it took; what stages inside of it took is theirs alone."""
        known = len(self.stages)
        started_s, started_cpu_s = time.perf_counter(), cpu_s()
        found = call()
        wall_s, used_s = time.perf_counter() - started_s, cpu_s() - started_cpu_s
        inside = self.stages[known:]
        self.stages.append(
            Stage(
                name=stage,
                wall_s=wall_s - sum(one.wall_s for one in inside),
                cpu_s=used_s - sum(one.cpu_s for one in inside),
                held_mb=held_mb(),
                peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_BYTES / 2**20,
            )
        )
        return found


def cpu_s() -> float:
    """Of this process and of its children that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def held_mb() -> float:
    """What this process holds now; 0 where the system doesn't tell."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text(encoding="ascii").split()[1]) * resource.getpagesize() / 2**20 if statm.exists() else 0.0
