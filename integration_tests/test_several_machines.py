"""The shell of docs/how-to/several-machines.md on copies of the demo project, as the jobs of one workflow run it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dbt_describe as library
from integration_tests.conftest import DBT, commit_all, run_in, touch_manifest
from integration_tests.openai_server import OpenAIServer
from integration_tests.test_llm_run import node_of
from tests.ci_examples import SHARD_EXAMPLES, script_of

SHARDS = 2
WORKFLOW = SHARD_EXAMPLES[".github/workflows/describe.yml"]
FAKE_GH = """\
#!{python}
import sys
assert sys.argv[1:] == ["pr", "create", "--fill"], sys.argv
"""


class Jobs:
    """The machines of a workflow: a checkout each, with the same artifacts, and a store of its own."""

    def __init__(self, demo: Path, directory: Path, server: OpenAIServer) -> None:
        self._demo = demo
        self._directory = directory
        self._server = server

    def checkout(self, name: str) -> Path:
        """The files of a job: its project is in `shop`."""
        shop = self._directory / name / "shop"
        shutil.copytree(self._demo, shop)
        touch_manifest(shop)
        run_in(shop, "git", "update-index", "--refresh")
        (shop.parent / "temp").mkdir()
        return shop

    def run(self, shop: Path, step: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a step as GitHub does where it has no `shell`."""
        given = {
            "RUNNER_TEMP": str(shop.parent / "temp"),
            "DBT_PROFILES_DIR": ".",
            "DBT_DESCRIBE_MODEL": "openai/loopback",
            "OPENAI_API_KEY": "k",
            "OPENAI_BASE_URL": self._server.base_url,
            "PATH": f"{self._directory}:{DBT.parent}:/usr/bin:/bin",
        }
        return run_in(shop, "bash", "-e", "-c", script_of(WORKFLOW, step), check=True, **(given | environ))

    def describe(self, index: int) -> subprocess.CompletedProcess[str]:
        """What the job of one shard does."""
        return self.run(self.checkout(f"shard-{index}"), "Describe", SHARD=f"{index}/{SHARDS}")


def test_shards_describe_side_by_side_and_are_put_together_without_asking_anything_again(
    demo: Path, tmp_path: Path
) -> None:
    commit_all(demo, "settings")
    (tmp_path / "gh").write_text(FAKE_GH.format(python=sys.executable), encoding="utf-8")
    (tmp_path / "gh").chmod(0o755)
    planned = library.plan(demo, profiles_dir=demo)
    with OpenAIServer() as server:
        jobs = Jobs(demo, tmp_path, server)
        with ThreadPoolExecutor(SHARDS) as machines:
            done = list(machines.map(jobs.describe, range(1, SHARDS + 1)))
        asked = [node_of(request) for request in server.requests]
        last = jobs.checkout("propose")
        shards = last.parent / "temp/shards"
        for index in range(1, SHARDS + 1):
            patch = shards / f"shard-{index}/descriptions.patch"
            patch.parent.mkdir(parents=True)
            shutil.copyfile(tmp_path / f"shard-{index}/temp/descriptions.patch", patch)
        together = jobs.run(last, "Put together")
        assert len(server.requests) == len(asked), together.stdout

    assert sorted(asked) == sorted(one.unique_id for one in planned.estimates if one.asked)
    for index, job in enumerate(done, start=1):
        assert f"\nShard {index}/{SHARDS}: " in job.stdout
    assert "copy texts of another shard" in "".join(job.stdout for job in done)
    # All that the shards left is described now: as much as was missing.
    assert re.search(r"^Described (\d+) of \1 missing descriptions", together.stdout, re.MULTILINE), together.stdout

    run_in(tmp_path, "git", "init", "--quiet", "--bare", "origin")
    run_in(last, "git", "remote", "add", "origin", str(tmp_path / "origin"))
    jobs.run(last, "Propose", GITHUB_RUN_ID="7")
    pushed = run_in(tmp_path / "origin", "git", "show", "--stat", "--format=%s", "descriptions-7").stdout
    assert pushed.startswith("Describe what is missing\n")
    assert "models/marts/marts.yml" in pushed
