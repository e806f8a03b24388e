"""Where new descriptions go, on a real project: dbt must read them there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from dbt_describe.project.ignored import is_ignored, read_ignore_patterns
from integration_tests.conftest import DBT, Run, run_in

PAGE = Path(__file__).parent.parent / "docs/how-to/choose-schema-files.md"
INTERMEDIATE = ("int_order_totals", "int_orders_numbered", "int_payments_by_order")


def yaml_of_the_page(name: str) -> str:
    """The YAML that the page shows of a file."""
    blocks: list[str] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return next(block for block in blocks if block.startswith(f"# {name}\n"))


def read_by_dbt(demo: Path) -> dict[str, str]:
    """The schema files of models and snapshots that dbt finds described columns for."""
    run_in(demo, str(DBT), "--quiet", "parse", "--profiles-dir", ".")
    manifest = json.loads((demo / "target/manifest.json").read_text(encoding="utf-8"))
    return {
        node["name"]: node["patch_path"].partition("://")[2]
        for node in manifest["nodes"].values()
        if node["resource_type"] in ("model", "snapshot")
        and any(column["description"] for column in node["columns"].values())
    }


def change_project(demo: Path, changes: Mapping[str, Any]) -> None:
    """Put settings into dbt_project.yml, those of `models` merged by directory."""
    path = demo / "dbt_project.yml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    for directory, own in changes.get("models", {}).get("corner_shop", {}).items():
        settings["models"]["corner_shop"][directory] |= own
    settings |= {key: value for key, value in changes.items() if key != "models"}
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")


@pytest.mark.engine
def test_a_template_leads_to_files_that_dbt_reads(demo: Path, dbt_describe: Run) -> None:
    (demo / "dbt-describe.yml").write_text(yaml_of_the_page("dbt-describe.yml"), encoding="utf-8")
    plan = dbt_describe("plan").stdout
    shown = re.findall(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    assert [line for line in shown.splitlines() if line not in plan] == []
    assert dbt_describe("document").returncode == 0
    files = read_by_dbt(demo)
    assert [files[name] for name in INTERMEDIATE] == [f"models/intermediate/{name}.yml" for name in INTERMEDIATE]
    assert files["orders_snapshot"] == "snapshots/_snapshots.yml"
    assert files["fct_product_sales"] == "models/marts/marts.yml"


@pytest.mark.slow
def test_dbt_osmosis_s_paths_lead_to_files_that_dbt_reads(demo: Path, dbt_describe: Run) -> None:
    change_project(demo, yaml.safe_load(yaml_of_the_page("dbt_project.yml")))
    (demo / "models/marts/marts.yml").unlink()
    assert dbt_describe("document").returncode == 0
    files = read_by_dbt(demo)
    assert {files[name] for name in INTERMEDIATE} == {"models/docs/intermediate_view.yml"}
    assert files["fct_orders"] == "models/marts/_fct_orders.yml"
    assert files["orders_snapshot"] == "snapshots/_snapshots__snapshots.yml"


@pytest.mark.slow
def test_a_file_that_all_directories_share_takes_new_directories_in(demo: Path, dbt_describe: Run) -> None:
    texts = [demo / "models/staging/_staging.yml", demo / "models/marts/marts.yml"]
    models = [entry for text in texts for entry in yaml.safe_load(text.read_text(encoding="utf-8"))["models"]]
    for text in texts:
        text.unlink()
    (demo / "models/schema.yml").write_text(yaml.safe_dump({"version": 2, "models": models}), encoding="utf-8")
    assert dbt_describe("document").returncode == 0
    assert set(read_by_dbt(demo).values()) == {"models/schema.yml", "snapshots/_snapshots__snapshots.yml"}


@pytest.mark.slow
def test_dbt_reads_models_and_snapshots_in_every_directory_of_its_own(demo: Path, dbt_describe: Run) -> None:
    text = 'schema_path: {models: "macros/all", snapshots: "seeds/{section}"}'
    (demo / "dbt-describe.yml").write_text(text, encoding="utf-8")
    (demo / "macros").mkdir(exist_ok=True)
    assert dbt_describe("document").returncode == 0
    files = read_by_dbt(demo)
    assert (files["int_order_totals"], files["orders_snapshot"]) == ("macros/all.yml", "seeds/snapshots.yml")


@pytest.mark.parametrize("template", ["docs/{model}.yml", "models/marts/marts.yml/{model}.yml"])
def test_a_place_that_can_t_be_is_told_before_anything_is_written_there(
    template: str, demo: Path, dbt_describe: Run
) -> None:
    (demo / "dbt-describe.yml").write_text(f'schema_path: "{template}"', encoding="utf-8")
    done = dbt_describe("plan")
    assert (done.returncode, "Failed:" in done.stdout) == (3, True)
    assert "int_order_totals" in done.stdout.partition("Failed:")[2]
    assert "int_order_totals" not in done.stdout.partition("Failed:")[0]
    assert dbt_describe("document").returncode == 3
    assert not (demo / "docs").exists()


@pytest.mark.slow
def test_a_file_that_dbtignore_hides_is_told_before_anything_is_written(demo: Path, dbt_describe: Run) -> None:
    (demo / ".dbtignore").write_text("_inter*.yml", encoding="utf-8")
    for _ in range(2):
        done = dbt_describe("document")
        assert done.returncode == 3
        assert "models/intermediate/_intermediate__models.yml, which dbt passes over (.dbtignore)" in done.stdout
        assert not (demo / "models/intermediate/_intermediate__models.yml").exists()
    assert read_by_dbt(demo)["orders_snapshot"] == "snapshots/_snapshots__snapshots.yml"


@pytest.mark.engine
def test_dbtignore_is_read_as_dbt_reads_it(demo: Path) -> None:
    lines = "_[ak]*.yml\n!_kept.yml\n/models/docs/\nmodels/**/x.yml\n"
    (demo / ".dbtignore").write_text(lines, encoding="utf-8")
    files = ("models/_a.yml", "models/_kept.yml", "models/docs/b.yml", "models/y/x.yml", "macros/x.yml", "models/z.yml")
    for name in files:
        (demo / name).parent.mkdir(exist_ok=True)
        exposure = {"name": re.sub(r"\W", "_", name), "type": "notebook", "owner": {"name": "x"}}
        content = {"exposures": [exposure]}
        (demo / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    run_in(demo, str(DBT), "--quiet", "parse", "--profiles-dir", ".")
    manifest = json.loads((demo / "target/manifest.json").read_text(encoding="utf-8"))
    read = {exposure["original_file_path"] for exposure in manifest["exposures"].values()}
    patterns = read_ignore_patterns(demo)
    assert read == {name for name in files if not is_ignored(PurePosixPath(name), patterns)}
    assert read == {"models/_kept.yml", "macros/x.yml", "models/z.yml"}
