"""`dbt-describe document` with no model, on a real dbt project in a real git repository."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import dbt_describe as library
from integration_tests.conftest import DBT, Run, commit_all, run_in


def diff_lines(directory: Path) -> list[str]:
    run_in(directory, "git", "add", "--intent-to-add", ".")
    lines = run_in(directory, "git", "diff", "-U0").stdout.splitlines()
    return [line for line in lines if re.match(r"[+-](?![+-]{2} )", line)]


@pytest.mark.engine
def test_documenting_fills_gaps_and_removes_no_line_but_empty_descriptions(demo: Path, dbt_describe: Run) -> None:
    done = dbt_describe("document")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[0].startswith("No language model is configured")
    removed = [line for line in diff_lines(demo) if line.startswith("-")]
    assert removed
    in_block_style = [line for line in removed if not line.lstrip("- ").startswith("{")]
    assert all(re.search(r"description: ?(\"\"|''|TODO)?( *#.*)?$", line) for line in in_block_style)
    # A column written `{name: x}` has one line for all its keys.
    assert len(removed) - len(in_block_style) == 1
    run_in(demo, str(DBT), "--quiet", "parse", "--profiles-dir", ".")


@pytest.mark.engine
def test_the_descriptions_of_the_demo_read_as_expected(demo: Path, dbt_describe: Run) -> None:
    dbt_describe("document")
    marts = (demo / "models/marts/marts.yml").read_text(encoding="utf-8")
    intermediate = (demo / "models/intermediate/_intermediate__models.yml").read_text(encoding="utf-8")
    assert "per\n          order." in intermediate or "per order." in intermediate
    folded = " ".join(intermediate.split())
    assert "Sum of the amount paid in the currency of the shop where the payment method is 'card', per order." in folded
    assert "Three-letter code of the shop: LON, NYC, AMS." in marts
    assert "Ask finance before changing `open_amount`." in marts


def test_the_second_run_writes_nothing(demo: Path, dbt_describe: Run) -> None:
    dbt_describe("document")
    commit_all(demo, "after")
    again = dbt_describe("document")
    assert again.returncode == 0
    assert diff_lines(demo) == []
    assert "Nothing left to write" in again.stdout


def test_a_dry_run_shows_the_diff_and_writes_nothing(demo: Path, dbt_describe: Run) -> None:
    done = dbt_describe("document", "--dry-run")
    assert "+++ b/models/marts/marts.yml" in done.stdout
    assert diff_lines(demo) == []


def test_a_selection_limits_what_is_written(demo: Path, dbt_describe: Run) -> None:
    dbt_describe("document", "--select", "int_payments_by_order", "fct_orders", "--exclude", "fct_orders")
    assert run_in(demo, "git", "status", "--porcelain").stdout.split() == [
        "??",
        "dbt-describe.lock",
        "??",
        "models/intermediate/_intermediate__models.yml",
    ]


@pytest.mark.engine
def test_selectors_that_only_dbt_knows_are_asked_of_dbt(demo: Path, dbt_describe: Run) -> None:
    done = dbt_describe("plan", "--select", "test_type:unit dim_customers")
    assert "dim_customers" in done.stdout
    assert "fct_orders" not in done.stdout.splitlines()[1]


def test_plan_and_library_tell_the_same(demo: Path, dbt_describe: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = dbt_describe("plan")
    report = library.plan(demo, profiles_dir=demo)
    inherited = sum(estimate.inherited for estimate in report.estimates)
    assert f"{inherited} inherited now" in printed.stdout
    done = library.document(demo, profiles_dir=demo)
    assert (done.exit_code, done.inherited > inherited, done.files[0].created) == (0, True, True)


def test_a_missing_manifest_is_made_by_dbt(demo: Path, dbt_describe: Run) -> None:
    (demo / "target/manifest.json").unlink()
    done = dbt_describe("document", "--select", "fct_orders")
    assert (done.returncode, "Running `dbt compile`: there is no manifest." in done.stderr) == (0, True)


@pytest.mark.engine
def test_a_manifest_older_than_the_files_is_made_anew(demo: Path, dbt_describe: Run) -> None:
    model = demo / "models/marts/fct_monthly_sales.sql"
    model.write_text(
        model.read_text(encoding="utf-8").replace("sum(order_total) as revenue", "sum(order_total) as sales")
    )
    done = dbt_describe("document", "--select", "fct_monthly_sales")
    assert "fct_monthly_sales.sql is newer than the manifest" in done.stderr
    assert "name: sales" in (demo / "models/marts/marts.yml").read_text(encoding="utf-8")


@pytest.mark.slow
def test_an_older_file_in_the_place_of_a_model_is_noticed(demo: Path, dbt_describe: Run) -> None:
    model = demo / "models/marts/fct_monthly_sales.sql"
    older = demo.parent / "older.sql"
    older.write_text(model.read_text(encoding="utf-8").replace("sum(order_total)", "max(order_total)"))
    os.utime(older, (1_700_000_000, 1_700_000_000))
    shutil.copy2(older, model)
    done = dbt_describe("document", "--select", "fct_monthly_sales")
    assert "Running `dbt compile`: models/marts/fct_monthly_sales.sql is newer than the manifest" in done.stderr
    assert not [line for line in diff_lines(demo) if "Sum of the order total" in line]


@pytest.mark.engine
@pytest.mark.slow
def test_a_file_saved_while_dbt_builds_is_noticed(demo: Path, dbt_describe: Run) -> None:
    model = demo / "models/marts/fct_monthly_sales.sql"
    model.write_text(model.read_text(encoding="utf-8").replace("sum(order_total)", "max(order_total)"))
    (demo / "target/manifest.json").touch()  # dbt has read the model, and writes its manifest at the end
    done = dbt_describe("plan", "--select", "fct_monthly_sales")
    assert "Running `dbt compile`: models/marts/fct_monthly_sales.sql is newer than the manifest" in done.stderr


@pytest.mark.engine
def test_files_with_the_text_that_dbt_has_read_need_no_dbt(demo: Path, dbt_describe: Run) -> None:
    assert "Running" not in dbt_describe("plan").stderr
    for path in [*demo.glob("models/**/*.sql"), *demo.glob("seeds/*.csv"), *demo.glob("snapshots/*.sql")]:
        path.write_bytes(b"\n" + path.read_bytes() + b" \n")
    for path in [*demo.glob("models/**/*.yml"), *demo.glob("models/**/*.md"), demo / "dbt_project.yml"]:
        copy = path.with_suffix(".new")  # as git writes a file anew, with its directory's time
        shutil.copyfile(path, copy)
        copy.replace(path)
    assert "Running" not in dbt_describe("plan").stderr


def test_without_a_manifest_and_without_dbt_the_error_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: x\n", encoding="utf-8")
    # dbt stands beside this very Python; the one that the virtual environment was made of has none beside it.
    bare_python = Path(sys.base_prefix) / "bin/python3"
    packages = os.pathsep.join([str(Path(library.__file__).parent.parent), sysconfig.get_path("purelib")])
    done = subprocess.run(
        [bare_python, "-m", "dbt_describe", "plan"],
        cwd=tmp_path,
        env={"PYTHONPATH": packages, "PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Install dbt-describe into dbt's environment" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("moved", "new"),
    [
        ("models/marts/marts.yml", "models/marts/_marts.yml"),
        pytest.param(
            "models/marts/fct_monthly_sales.sql", "models/fct_monthly_sales.sql", marks=pytest.mark.slow, id="a model"
        ),
    ],
)
def test_a_moved_file_is_noticed(moved: str, new: str, demo: Path, dbt_describe: Run) -> None:
    (demo / moved).rename(demo / new)
    done = dbt_describe("document", "--select", "fct_monthly_sales")
    command = "parse" if new.endswith(".yml") else "compile"
    assert f"Running `dbt {command}`: {new} is newer" in done.stderr
    assert done.returncode == 0
    assert (demo / "models/marts/_marts.yml").exists() == (new == "models/marts/_marts.yml")
    assert not (demo / moved).exists()


@pytest.mark.slow
def test_a_file_moved_in_with_an_old_time_is_noticed(demo: Path, dbt_describe: Run) -> None:
    schema = demo / "models/intermediate/_int.yml"
    schema.write_text("models:\n  - name: int_order_totals\n", encoding="utf-8")
    os.utime(schema, (1_700_000_000, 1_700_000_000))
    done = dbt_describe("document", "--select", "int_order_totals")
    assert "Running `dbt parse`: models/intermediate/_int.yml is newer" in done.stderr
    assert run_in(demo, "git", "status", "--porcelain", "--untracked-files=all").stdout.split() == [
        "??",
        "dbt-describe.lock",
        "??",
        "models/intermediate/_int.yml",
    ]


@pytest.mark.engine
def test_after_our_own_edits_dbt_only_parses_and_lineage_is_still_known(demo: Path, dbt_describe: Run) -> None:
    before = (demo / "target/manifest.json").read_bytes()
    dbt_describe("document", "--select", "int_payments_by_order")
    again = dbt_describe("plan", "--select", "fct_orders")
    assert "Running `dbt parse`: models/intermediate/_intermediate__models.yml is newer" in again.stderr
    assert "has no lineage" not in again.stdout
    assert (demo / "target/manifest.json").read_bytes() == before
    third = dbt_describe("plan", "--select", "fct_orders")
    assert "Running" not in third.stderr


@pytest.mark.engine
@pytest.mark.slow
def test_other_vars_than_the_manifest_was_made_with_make_it_anew(dbt_describe: Run) -> None:
    first, second = (dbt_describe("plan", "--vars", "{currency: EUR}") for _ in range(2))
    assert "made with another profile, target or vars" in first.stderr
    assert "Running" not in second.stderr


@pytest.mark.parametrize(
    "redirection",
    [
        "2>&-",
        "2>&1 | head -1 >/dev/null",
        *(pytest.param(other, marks=pytest.mark.slow) for other in (">&-", ">/dev/full", "2>/dev/full")),
    ],
)
def test_readers_that_are_gone_change_nothing_about_what_is_written(redirection: str, demo: Path) -> None:
    command = f"{DBT.parent}/dbt-describe document --select int_payments_by_order --profiles-dir . {redirection}"
    done = run_in(demo, "bash", "-o", "pipefail", "-c", command, check=False)
    assert done.returncode == 0, done.stderr
    assert (demo / "models/intermediate/_intermediate__models.yml").exists()


def test_the_library_works_inside_a_running_event_loop(demo: Path) -> None:
    async def notebook_cell() -> int:
        return library.document(demo, profiles_dir=demo, select=["fct_orders"], dry_run=True).written

    assert asyncio.run(notebook_cell()) > 0


@pytest.mark.parametrize(
    ("path", "content", "code", "message"),
    [
        ("target/manifest.json", "{", 2, "not a readable dbt manifest"),
        ("target/manifest.json", '{"metadata": {"dbt_schema_version": "x/manifest/v7.json"}, "nodes": {}}', 2, "v7"),
        ("models/marts/marts.yml", "models: [", 3, "Going on with the older manifest"),
    ],
)
def test_broken_files_end_in_one_line_and_no_traceback(
    path: str, content: str, code: int, message: str, demo: Path, dbt_describe: Run
) -> None:
    (demo / path).write_text(content, encoding="utf-8")
    done = dbt_describe("document")
    assert done.returncode == code, done.stdout + done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_read_only_schema_file_costs_its_nodes_only(demo: Path, dbt_describe: Run) -> None:
    (demo / "models/marts/marts.yml").chmod(0o444)
    done = dbt_describe("document")
    assert done.returncode == 3
    assert "models/marts/marts.yml: is read-only" in done.stdout
    assert (demo / "models/intermediate/_intermediate__models.yml").exists()


def test_outside_of_a_dbt_project_the_error_says_so(tmp_path: Path) -> None:
    done = run_in(tmp_path, str(DBT.parent / "dbt-describe"), "document", check=False)
    assert (done.returncode, "No dbt_project.yml" in done.stderr) == (2, True)


def test_a_selector_that_matches_nothing_exits_2_with_the_nearest_name(dbt_describe: Run) -> None:
    done = dbt_describe("document", "--select", "fct_order")
    assert (done.returncode, "Did you mean `fct_orders`" in done.stderr) == (2, True)
