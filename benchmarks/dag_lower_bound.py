"""How near a run's time with a language model is to the least that the DAG allows.

    python -m benchmarks.dag_lower_bound

Documents the demo project through a loopback server that takes 0.5 s for each answer. A node can be asked only after
the nodes it reads are answered, so the least time is 0.5 s for each node of the longest chain of asked ones. Prints how
much more it was between the first request and the last answer, and what start-up and writing took around that.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import dbt_describe
from dbt_describe.project import load_project
from dbt_describe.project.graph import parents_of, topological_order
from dbt_describe.schedule import waits_for
from integration_tests.conftest import DBT, build_demo, run_in
from integration_tests.openai_server import OpenAIServer

LATENCY_S = 0.5
RUNS = 3


def longest_chain(demo: Path, asked: set[str]) -> int:
    """Nodes on the longest way through the asked ones."""
    project = load_project(demo, demo / "target/manifest.json")
    order = topological_order(project.nodes)
    above = waits_for(order, {name: parents_of(node) for name, node in project.nodes.items()}, asked)
    length: dict[str, int] = {}
    for name in (name for name in order if name in asked):
        length[name] = 1 + max((length[parent] for parent in above[name]), default=0)
    return max(length.values())


def measure(built: Path, directory: Path) -> None:
    """Document a copy of the demo and print the line of this run."""
    demo = shutil.copytree(built, directory)
    asked = {row.unique_id for row in dbt_describe.plan(demo, profiles_dir=demo).estimates if row.asked}
    bound_s = longest_chain(demo, asked) * LATENCY_S
    with OpenAIServer(latency_s=LATENCY_S) as server:
        command = [str(DBT.parent / "dbt-describe"), "document", "--profiles-dir", ".", "--model", "openai/loopback"]
        started_s = time.monotonic()
        run_in(demo, *command, OPENAI_API_KEY="k", OPENAI_BASE_URL=server.base_url)
        wall_s = time.monotonic() - started_s
    first_s = min(request.started_s for request in server.requests)
    asking_s = max(request.finished_s for request in server.requests) - first_s
    print(
        f"{len(asked):>5} nodes {len(server.requests):>5} calls  asking {asking_s:.2f} s = {asking_s / bound_s:.3f} × "
        f"the bound of {bound_s:.1f} s; start-up {first_s - started_s:.2f} s, the rest "
        f"{wall_s - asking_s - (first_s - started_s):.2f} s"
    )


def main() -> None:
    """Build the demo once, and measure."""
    with tempfile.TemporaryDirectory() as scratch:
        built = Path(scratch) / "built"
        build_demo(built)
        for number in range(RUNS):
            measure(built, Path(scratch) / f"run{number}" / "shop")


if __name__ == "__main__":
    main()
