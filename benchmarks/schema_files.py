"""How fast a large project's schema files are edited, on two processes, and how much memory that takes.

    python -m benchmarks.schema_files

1,000 files of 200 columns (21 KB, 700 lines), half of the columns without a description. Once a single description goes
into each file, once all 100. A file's time is all that a run spends on it: it is read, edited, proved, written and
synced to the disk; starting the processes counts, too. Every file is then compared with what it should be. Prints
also the CPU that a file takes, what calls of fsync took, summed over both processes, the most memory that one of them
held after the first 100 files and after all, and what plain `yaml.load` takes for the same files on the same processes:
seconds are the machine's, the ratio to that is ours. Exits 1 where the ratio or the memory isn't kept.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import yaml

from dbt_describe.schema_files import DescriptionEdit, prepare_change, write_change

if TYPE_CHECKING:
    from _typeshed import HasFileno

FILES = 1000
FILES_IN_A_FOLDER = 50
PROCESSES = 2
CHUNK = 25
COLUMNS = tuple(f"column_{number:03d}" for number in range(200))
MISSING = COLUMNS[::2]
MOST_S = 5.0
"""For one description in each file, on an idle machine."""
MOST_LOADS = 1.5
"""The same in times that `yaml.load` takes for the files, with the loader written in C."""
MOST_GROWTH_MB = 2.0
"""After the first 100 files."""
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


class Chunk(msgspec.Struct, frozen=True):
    """What one process did with some files."""

    cpu_s: float
    fsync_s: float
    peak_mb: float
    """The most memory that the process has held so far."""


def model_text(model: str) -> str:
    """A schema file with one model."""
    lines = ["version: 2", "", "models:", f"  - name: {model}", "    description: A wide table.", "    columns:"]
    for number, column in enumerate(COLUMNS):
        lines.append(f"      - name: {column}")
        if column not in MISSING:
            lines.append(f"        description: The amount number {number} of an order, in cents.")
        lines.append("        data_type: varchar")
        if column in MISSING:
            lines += ["        data_tests:", "          - not_null"]
    return "\n".join(lines) + "\n"


def new_text(column: str) -> str:
    """The description that a column gets."""
    return f"What {column} holds, in a few plain words."


def write_files(root: Path) -> list[Path]:
    """The files to edit."""
    paths = [root / f"folder_{number // FILES_IN_A_FOLDER}" / f"model_{number}.yml" for number in range(FILES)]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text(model_text(path.stem), encoding="utf-8")
    return paths


def edit_files(paths: list[Path], root: Path, described: tuple[str, ...]) -> Chunk:
    """Describe these columns in each file."""
    started_cpu_s, waited_s = time.process_time(), 0.0
    system_fsync = os.fsync

    def timed_fsync(fd: int | HasFileno) -> None:
        nonlocal waited_s
        started_s = time.perf_counter()
        system_fsync(fd)
        waited_s += time.perf_counter() - started_s

    os.fsync = timed_fsync
    try:
        for path in paths:
            edits = [
                DescriptionEdit("model", path.stem, new_text(column), column=column, column_order=COLUMNS)
                for column in described
            ]
            write_change(prepare_change(path, edits, root), root)
    finally:
        os.fsync = system_fsync
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_BYTES / 2**20
    return Chunk(time.process_time() - started_cpu_s, waited_s, peak_mb)


def load_files(paths: list[Path]) -> None:
    """Read each file as dbt does."""
    for path in paths:
        yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)


def changed_bytes(path: Path, described: tuple[str, ...]) -> int:
    """Bytes that differ from the file as it was, once the lines that should be new are taken out of it."""
    inserted = {new_text(column) for column in described}
    lines = path.read_bytes().decode().splitlines(keepends=True)
    kept = [line for line in lines if line.strip().removeprefix("description: ") not in inserted]
    assert len(lines) - len(kept) == len(described)
    before, after = model_text(path.stem).encode(), "".join(kept).encode()
    return sum(one != other for one, other in zip_longest(before, after))


def seconds_to_load(chunks: list[list[Path]]) -> float:
    """What `yaml.load` of the files takes on as many processes."""
    started_s = time.perf_counter()
    with ProcessPoolExecutor(PROCESSES) as pool:
        list(pool.map(load_files, chunks))
    return time.perf_counter() - started_s


class Edited(msgspec.Struct, frozen=True):
    """All files, edited once."""

    described: int
    """In each file."""
    wall_s: float
    load_s: float
    cpu_s: float
    fsync_s: float
    first_mb: float
    last_mb: float
    changed_bytes: int

    @property
    def is_kept(self) -> bool:
        """Whether the bounds are."""
        is_fast = self.described > 1 or self.wall_s <= max(MOST_S, MOST_LOADS * self.load_s)
        return is_fast and self.changed_bytes == 0 and self.last_mb - self.first_mb <= MOST_GROWTH_MB

    def __str__(self) -> str:
        return (
            f"{self.described:>3} descriptions in each of {FILES} files: {self.wall_s:.2f} s, "
            f"{FILES / self.wall_s:.0f} files/s, {self.wall_s / self.load_s:.2f} x yaml.load ({self.load_s:.2f} s); "
            f"{self.cpu_s / FILES * 1000:.1f} ms CPU a file, fsync {self.fsync_s:.2f} s in all; {self.changed_bytes} "
            f"bytes changed outside of the inserted lines; peak memory {self.first_mb:.1f} MB after 100 files, "
            f"{self.last_mb:.1f} MB after {FILES}"
        )


def measure(described: tuple[str, ...]) -> Edited:
    """Edit all files."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        paths = write_files(root)
        chunks = [paths[start : start + CHUNK] for start in range(0, FILES, CHUNK)]
        started_s = time.perf_counter()
        with ProcessPoolExecutor(PROCESSES) as pool:
            done = list(pool.map(partial(edit_files, root=root, described=described), chunks))
        wall_s = time.perf_counter() - started_s
        load_s = seconds_to_load(chunks)
        changed = sum(changed_bytes(path, described) for path in paths)
    return Edited(
        described=len(described),
        wall_s=wall_s,
        load_s=load_s,
        cpu_s=sum(chunk.cpu_s for chunk in done),
        fsync_s=sum(chunk.fsync_s for chunk in done),
        first_mb=max(chunk.peak_mb for chunk in done[: 100 // CHUNK]),
        last_mb=max(chunk.peak_mb for chunk in done),
        changed_bytes=changed,
    )


def main() -> int:
    """Measure one description a file, then all that are missing."""
    print(
        f"at most {MOST_S:.0f} s for one description in each file on {PROCESSES} processes of an idle machine; "
        f"in any case at most {MOST_LOADS} x yaml.load"
    )
    kept = []
    for described in (MISSING[:1], MISSING):
        edited = measure(described)
        print(edited)
        kept.append(edited.is_kept)
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
