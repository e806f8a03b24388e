"""`dbt-describe runs list`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from dbt_describe.cli.main import cli
from dbt_describe.runs.records import Runs
from dbt_describe.runs.states import RunRecord


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DBT_DESCRIBE_STORE", str(tmp_path))
    return tmp_path


def shown(*words: str) -> str:
    done = CliRunner().invoke(cli, ["runs", "list", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_without_runs_it_says_so(store: Path) -> None:
    assert (shown(), shown("--json")) == ("No run is known yet.\n", "[]\n")


def test_runs_are_shown_with_how_far_they_came(store: Path) -> None:
    runs = Runs(store, lambda: 1_794_830_400.0)
    call = {"select": ["marts", "a b"], "use_cache": False, "verify": False, "project_dir": "/home/me/shop"}
    runs.begin(
        RunRecord(id="r1", project="/home/me/shop", started=1_794_830_400.0, call=call, model="openai/m", goes=("r1",)),
        {"model.shop.a": "1", "model.shop.b": "2"},
    )
    runs.end_node("r1", "model.shop.a")
    runs.end("r1", "out_of_budget", "The budget is reached.")
    files = {"files": ["/home/me/shop/models/a.sql"]}
    runs.begin(
        RunRecord(
            id="r2", project="/home/me/shop", started=1_794_830_400.0, call=files, withheld=("vars",), goes=("r2",)
        ),
        {},
    )
    runs.end("r2", "finished")
    runs.close()
    assert shown() == (
        "run  state          nodes done  project  model     called with\n"
        "r2   finished           0 of 0  shop               --vars … models/a.sql\n"
        "r1   out of budget      1 of 2  shop     openai/m  --select marts --select 'a b' --no-cache --no-verify\n"
    )
    (first,) = json.loads(shown("--json", "--limit", "1"))
    assert first["run"] == "r2"
    assert json.loads(shown("--json"))[1] == {
        "run": "r1",
        "project": "/home/me/shop",
        "state": "out_of_budget",
        "started": "2026-11-16T12:00:00Z",
        "ended": "2026-11-16T12:00:00Z",
        "nodes": 2,
        "done": 1,
        "model": "openai/m",
        "call": call,
        "withheld": [],
        "message": "The budget is reached.",
        "replaced_by": "",
        "process": 0,
        "goes": ["r1"],
    }


def test_of_a_call_with_long_paths_the_options_are_shown_and_the_paths_cut_inside(store: Path) -> None:
    runs = Runs(store, lambda: 1_794_830_400.0)
    far = f"/mnt/{'very-' * 30}far/away/shop"
    call = {
        "manifest": f"{far}/target/manifest.json",
        "catalog": "/builds/of/somebody/else/entirely/catalog.json",
        "select": ["path:models/staging"],
        "batch": True,
        "max_cost": "0.05",
    }
    runs.begin(RunRecord(id="r1", project=far, started=0.0, call=call, model="openai/gpt-6-luna", goes=("r1",)), {})
    runs.close()
    assert (
        shown()
        .splitlines()[1]
        .endswith(
            "  openai/gpt-6-luna  --batch --max-cost 0.05 --select path:models/staging "
            "--catalog '/builds/…e/entirely/catalog.json' --manifest target/manifest.json"
        )
    )
