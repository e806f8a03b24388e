"""The projects that the tools describe: built once with dbt, and put back as they were before each run."""

from __future__ import annotations

import functools
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.side_by_side import chains, demo, torture
from benchmarks.side_by_side.schema_texts import Place
from benchmarks.side_by_side.tools import OURS, clean_environment
from integration_tests.conftest import touch_manifest

_FEWEST_CHARACTERS = 8
"""Of a line of SQL that tells one model from another."""


class Work(msgspec.Struct, frozen=True):
    """A project to describe."""

    name: str
    title: str
    directory: Path
    """Always the same one, as dbt keeps absolute paths."""
    write: Callable[[Path], None]
    latency_s: float
    families: Sequence[Sequence[Place]] = ()
    """Columns that are copies of one another, under one name."""
    computed: Sequence[tuple[Place, Place]] = ()
    """Columns that are computed from one of the same name: that one, and the computed one."""

    @property
    def _built(self) -> Path:
        return self.directory.with_name(f"{self.directory.name}.built")

    def build(self) -> None:
        """Write the project and build it in DuckDB, with manifest and catalog."""
        self.write(self.directory)
        for words in (("build", "--resource-type", "seed", "--resource-type", "model"), ("docs", "generate")):
            done = run_dbt(self.directory, *words)
            if done.returncode:
                raise RuntimeError(f"dbt {' '.join(words)} in {self.directory}:\n{done.stdout}")
        shutil.copytree(self.directory, self._built)

    def restore(self) -> None:
        """Put the project back as it was built, its manifest fresh."""
        shutil.rmtree(self.directory)
        shutil.copytree(self._built, self.directory)
        touch_manifest(self.directory)

    def nodes(self) -> Mapping[str, Mapping[str, object]]:
        """The nodes of the manifest."""
        nodes = json.loads((self._built / "target/manifest.json").read_text(encoding="utf-8"))["nodes"]
        return {name: node for name, node in nodes.items() if node["resource_type"] in ("model", "seed")}


def run_dbt(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Call dbt as the tools' users do beforehand."""
    return subprocess.run(
        [str(OURS / "bin/dbt"), "--quiet", *words, "--profiles-dir", "."],
        cwd=directory,
        env=clean_environment(OURS),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def longest_chain(nodes: Mapping[str, Mapping[str, object]]) -> int:
    """Nodes on the longest way through the DAG: as many answers, one after the other, are the least that can be."""
    parents = {name: _parents(node) & nodes.keys() for name, node in nodes.items()}
    length: dict[str, int] = {}

    def measured(name: str) -> int:
        if name not in length:
            length[name] = 1 + max(map(measured, parents[name]), default=0)
        return length[name]

    return max(map(measured, nodes))


def _parents(node: Mapping[str, object]) -> set[str]:
    depends_on = node.get("depends_on")
    return set(depends_on.get("nodes", [])) if isinstance(depends_on, dict) else set()


def squeezed_lines(text: str) -> frozenset[str]:
    """The lines of a text that are long enough to tell it from others, without what is only layout."""
    lines = (re.sub(r"\s+", " ", line).strip(" ,") for line in text.splitlines())
    return frozenset(line for line in lines if len(line) >= _FEWEST_CHARACTERS)


def all_works(scratch: Path, *, quick: bool) -> tuple[Work, Work]:
    """The demo and the generated project."""
    size = chains.Chains(5, 4) if quick else chains.Chains()
    return (
        Work(
            name="demo",
            title=f"dbt-osmosis's demo: {demo.NODES} nodes, 51 columns",
            directory=scratch / "demo",
            write=demo.write_demo,
            latency_s=0.05 if quick else 0.5,
            families=demo.FAMILIES,
            computed=demo.COMPUTED,
        ),
        Work(
            name="chains",
            title=f"generated: {size.nodes} models × 12 columns, 8 of 12 passed through",
            directory=scratch / "chains",
            write=functools.partial(chains.write_chains, size=size),
            latency_s=0.05 if quick else 0.3,
            families=chains.families_of(size),
        ),
    )


def torture_work(scratch: Path) -> Work:
    """The demo with a schema file as people write them."""
    return Work("torture", "the demo with one schema file", scratch / "torture", torture.write_torture, latency_s=0.02)
