"""The documentation's page on benchmarks: its tables are written by those that measure."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import msgspec

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/explanation/benchmarks.md"
RESULTS = ROOT / "benchmarks/results"
END = "<!-- end of tables -->"


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured."""

    cores: int
    processor: str
    memory_gb: float
    system: str
    python: str
    measured_at: str

    def __str__(self) -> str:
        return (
            f"Measured {self.measured_at} on {self.cores} cores ({self.processor}), {self.memory_gb:.0f} GB, "
            f"{self.system}, Python {self.python}"
        )


def this_machine() -> Machine:
    """Where this runs."""
    names = (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name"))
    return Machine(
        cores=os.cpu_count() or 1,
        processor=next(names, platform.machine()),
        memory_gb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        system=f"{platform.system()} {platform.release().partition('-')[0]}",
        python=platform.python_version(),
        measured_at=datetime.now(UTC).date().isoformat(),
    )


def with_tables(page: str, tables: str, target: str = "bench") -> str:
    """The page with these tables between the marks of one of the Makefile's targets."""
    begin = f"<!-- tables: written by `make {target}` -->"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(END)
    return f"{before}{begin}\n\n{tables}\n\n{END}{after}"


def table(head: str, columns: list[str], rows: list[tuple[str, list[str]]]) -> str:
    """A table in Markdown."""
    lines = [f"| {head} | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows]
    return "\n".join(lines)


def keep(results: msgspec.Struct, name: str) -> None:
    """Write what was measured as JSON."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / name).write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []
