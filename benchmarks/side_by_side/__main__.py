"""Compare the tools, print the tables, and keep them as JSON, as a chart and in the documentation.

python -m benchmarks.side_by_side [--quick] [--only WORD]
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from benchmarks.pages import PAGE, this_machine, with_tables
from benchmarks.side_by_side.chart import chart
from benchmarks.side_by_side.results import Comparison, Fault, Result, Torture
from benchmarks.side_by_side.runs import compare, on_torture, with_one_fault
from benchmarks.side_by_side.table import markdown, summary
from benchmarks.side_by_side.tools import OURS, ROOT, TOOLS, Tool, compile_bytecode
from benchmarks.side_by_side.works import all_works, torture_work

SCRATCH = ROOT / ".bench"
RESULTS = ROOT / "benchmarks/results/side_by_side.json"
CHART = ROOT / "docs/explanation/benchmarks.svg"
Tables = Callable[[Comparison], str]
PAGES: Mapping[Path, Tables] = {PAGE: markdown, ROOT / "README.md": summary}
"""Where tables are shown."""
DBT_PACKAGES = ("dbt-core", "dbt-duckdb")


class Session:
    """One call of the benchmark: where it works, and what it has measured."""

    def __init__(self, scratch: Path, *, quick: bool) -> None:
        self._scratch = scratch
        self.works = all_works(scratch, quick=quick)
        self.torture = torture_work(scratch)
        self.results: list[Result] = []
        self.faults: list[Fault] = []
        self.tortures: list[Torture] = []
        self._stores = 0

    def build(self) -> None:
        """Write and build the projects in an empty directory."""
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir(parents=True)
        for work in (*self.works, self.torture):
            say(f"building {work.name} …")
            work.build()

    def measure(self, tool: Tool) -> None:
        """Everything about one tool."""
        for work in self.works:
            say(f"{tool.name} on {work.name} …")
            self.results.append(compare(tool, work, self._store()))
        good = next(result for result in self.results if (result.work, result.tool) == ("demo", tool.name))
        say(f"{tool.name} with a bad answer, and on a schema file as people write them …")
        self.faults.append(with_one_fault(tool, self.works[0], self._store(), good))
        self.tortures.append(on_torture(tool, self.torture, self._store()))

    def comparison(self, missing: tuple[str, ...]) -> Comparison:
        """What was measured."""
        order = {work.name: place for place, work in enumerate(self.works)}
        return Comparison(
            machine=this_machine(),
            versions={name: version_of(name) for name in DBT_PACKAGES},
            latencies_s={work.name: work.latency_s for work in self.works},
            titles={work.name: work.title for work in self.works},
            results=tuple(sorted(self.results, key=lambda result: order[result.work])),
            faults=tuple(self.faults),
            tortures=tuple(self.tortures),
            missing=missing,
        )

    def _store(self) -> Path:
        self._stores += 1
        return self._scratch / f"store_{self._stores}"


def say(text: str) -> None:
    """Tell what goes on, beside what is printed."""
    print(text, file=sys.stderr, flush=True)


def version_of(package: str) -> str:
    """Of a package in our environment, where dbt builds the projects."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    done = subprocess.run([str(OURS / "bin/python"), "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def added(known: Comparison, new: Comparison) -> Comparison:
    """A comparison with the tools of another one in it, in the tools' order; these win."""
    order = {tool.name: place for place, tool in enumerate(TOOLS)}
    works = list(new.titles)
    fresh = {result.tool for result in new.results}
    results = [one for one in known.results if one.tool not in fresh] + list(new.results)
    faults = [one for one in known.faults if one.tool not in fresh] + list(new.faults)
    tortures = [one for one in known.tortures if one.tool not in fresh] + list(new.tortures)
    return msgspec.structs.replace(
        new,
        results=tuple(sorted(results, key=lambda one: (works.index(one.work), order[one.tool]))),
        faults=tuple(sorted(faults, key=lambda one: order[one.tool])),
        tortures=tuple(sorted(tortures, key=lambda one: order[one.tool])),
        missing=tuple(name for name in known.missing if name not in fresh),
    )


def keep(comparison: Comparison, results: Path, picture: Path, pages: Mapping[Path, Tables]) -> None:
    """Write the JSON, the chart and the tables of pages."""
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_bytes(msgspec.json.format(msgspec.json.encode(comparison)) + b"\n")
    picture.write_text(chart(comparison), encoding="utf-8")
    for path, tables in pages.items():
        path.write_text(with_tables(path.read_text(encoding="utf-8"), tables(comparison)), encoding="utf-8")


def main() -> int:
    """Measure all tools that are there."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="answers come sooner, the generated project is smaller")
    parser.add_argument(
        "--only",
        default="",
        metavar="WORD",
        help="this tool, or those with this in their name; the others' numbers stay",
    )
    options = parser.parse_args()
    chosen = [tool for tool in TOOLS if tool.name == options.only] or [
        tool for tool in TOOLS if options.only in tool.name
    ]
    session = Session(SCRATCH / "projects", quick=options.quick)
    session.build()
    for tool in chosen:
        if tool.is_installed:
            compile_bytecode(tool.venv)
            session.measure(tool)
            # What is there already, should a later tool fail.
            (SCRATCH / "partial.json").write_bytes(msgspec.json.encode(session.comparison(())))
        else:
            say(f"{tool.name} isn't installed: no column of its own")
    comparison = session.comparison(tuple(tool.name for tool in chosen if not tool.is_installed))
    results, picture = (SCRATCH / "results.json", SCRATCH / "chart.svg") if options.quick else (RESULTS, CHART)
    if options.only and results.exists():
        comparison = added(msgspec.json.decode(results.read_bytes(), type=Comparison), comparison)
    print(markdown(comparison))
    keep(comparison, results, picture, {} if options.quick else PAGES)
    say(f"kept in {results} and {picture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
