"""What is selected here is what `dbt ls` selects."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from dbt_describe.errors import SelectionError
from dbt_describe.project import load_project
from dbt_describe.project.dbt import DbtInvocation, list_unique_ids
from dbt_describe.project.selection import INDIRECT, Selectors, find_nodes
from dbt_describe.project.selection.methods import OUTSIDE
from integration_tests.conftest import DBT, Run, clean_environment, commit_all, touch_manifest
from integration_tests.engine import MATCHES_WILDCARDS_WITH_NAMES
from integration_tests.selection_cases import DEMO, LAB, STATE, Options
from integration_tests.selection_project import change_project, write_project

DBT_LS = Path(__file__).with_name("dbt_ls.py")
Listed = list[str] | None
"""unique_ids in their order, or None: refused."""


def listed_by_dbt(project_dir: Path, cases: Sequence[Options]) -> list[Listed]:
    """What `dbt ls` answers to each of the options. The manifest is in target/ then."""
    done = subprocess.run(
        [sys.executable, str(DBT_LS), str(project_dir)],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=False,
        env=clean_environment(),
    )
    assert done.returncode == 0, done.stderr
    return [None if isinstance(found, str) else found for found in json.loads(done.stdout)]


def listed_here(project_dir: Path, cases: Sequence[Options]) -> list[Listed]:
    """What is selected over the manifest, without what isn't in dbt's graph."""
    project = load_project(project_dir, project_dir / "target/manifest.json")
    found: list[Listed] = []
    for options in cases:
        try:
            unique_ids = find_nodes(project, selectors_of(options, project_dir)).unique_ids
        except SelectionError:
            found.append(None)
        else:
            found.append(sorted(name for name in unique_ids if project.nodes[name].resource_type not in OUTSIDE))
    return found


def selectors_of(options: Options, project_dir: Path) -> Selectors:
    given = dict(zip(options[::2], options[1::2], strict=True))
    state = given.get("--state")
    return Selectors(
        select=given.get("--select", ""),
        exclude=given.get("--exclude", ""),
        selector=given.get("--selector", ""),
        state=project_dir / state if state else None,
        indirect=next(mode for mode in INDIRECT if mode == given.get("--indirect-selection", "eager")),
    )


def assert_same(project_dir: Path, cases: Sequence[Options]) -> None:
    theirs = listed_by_dbt(project_dir, cases)
    ours = listed_here(project_dir, cases)
    different = {
        " ".join(options): (set(mine or ()) - set(others or ()), set(others or ()) - set(mine or ()))
        for options, mine, others in zip(cases, ours, theirs, strict=True)
        if mine != others
    }
    assert different == {}, "options → (selected here alone, by dbt alone)"
    assert sum(map(bool, theirs)) > len(cases) / 2, "cases that select nothing prove little"


@pytest.mark.engine
def test_the_demo_s_nodes_are_selected_as_dbt_does_it(demo: Path) -> None:
    assert_same(demo, [case for case in DEMO if MATCHES_WILDCARDS_WITH_NAMES or "fct_*" not in case])


@pytest.mark.skipif(not DBT.exists(), reason="dbt isn't installed beside this Python")
@pytest.mark.parametrize("step", [3, 1], ids=["each third", "all"])
@pytest.mark.slow
def test_every_method_with_every_operator_selects_what_dbt_selects_before_and_after_a_change(
    step: int, tmp_path: Path
) -> None:
    write_project(tmp_path)
    assert_same(tmp_path, LAB[::step])
    (tmp_path / "state").mkdir()
    shutil.copy(tmp_path / "target/manifest.json", tmp_path / "state/manifest.json")
    change_project(tmp_path)
    assert_same(tmp_path, STATE[::step])


def test_dbt_is_asked_for_what_it_alone_knows(demo: Path) -> None:
    options = Selectors("result:success,fct_orders", state=demo / "target", indirect="empty").options()
    found = list_unique_ids(DbtInvocation(demo, profiles_dir=demo), options)
    assert found == {"model.corner_shop.fct_orders"}


def test_changed_takes_what_git_shows(demo: Path, dbt_describe: Run) -> None:
    nothing = dbt_describe("plan", "--changed")
    assert "No node to describe is selected whose files changed since HEAD." in nothing.stderr
    model = demo / "models/marts/fct_product_sales.sql"
    model.write_text(model.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    touch_manifest(demo)
    assert "fct_product_sales" in dbt_describe("plan", "--changed").stdout
    commit_all(demo, "changed")
    assert "No node to describe is selected whose files changed since HEAD." in dbt_describe("plan", "--changed").stderr
    since = dbt_describe("plan", "--changed", "HEAD~1").stdout
    assert "fct_product_sales" in since
    assert "fct_orders" not in since
