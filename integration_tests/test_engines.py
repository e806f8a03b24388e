"""The demo project is the same, whichever dbt has built it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dbt_describe.project.engines import parse_engine
from integration_tests import demo_facts
from integration_tests.conftest import Run
from integration_tests.engine import ENGINE


@pytest.mark.engine
def test_every_dbt_tells_the_same_of_the_demo(demo: Path) -> None:
    project = demo_facts.load_demo(demo)
    engine = parse_engine(project.dbt_version)
    assert engine is not None
    assert (engine.major, engine.minor) == ENGINE
    assert project.warnings == ()
    assert demo_facts.facts_of(project) == json.loads(demo_facts.PATH.read_text(encoding="utf-8"))


@pytest.mark.engine
def test_every_dbts_manifest_is_fresh_and_its_sql_is_followed(dbt_describe: Run) -> None:
    planned = dbt_describe("plan")
    assert planned.returncode == 0, planned.stderr
    assert "Running" not in planned.stderr
    assert "no lineage" not in planned.stdout + planned.stderr
