"""`dbt-describe memory` shows what is remembered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dbt_describe.cli.main import cli
from tests.manifests import manifest, model


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    content = manifest(model("a", "select 1 as id", columns={"net_amount": "Paid, less vouchers."}))
    for name, text in {
        "dbt_project.yml": "name: shop\n",
        "models/a.sql": "select 1 as id",
        "dbt-describe.yml": "knowledge: [docs/*.md]\n",
        "docs/money.md": "# Gross amount\nPaid,\n\x1b[2Jwith tax.",
        "target/manifest.json": json.dumps(content),
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setenv("DBT_DESCRIBE_STORE", str(tmp_path / "store"))
    return tmp_path


def run(root: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["memory", *arguments, "--project-dir", str(root)], catch_exceptions=False)


def test_search_shows_the_best_first_without_what_a_terminal_obeys(root: Path) -> None:
    done = run(root, "search", "gross", "amt")
    assert done.exit_code == 0
    first, text, second, *_ = done.output.splitlines()
    assert first.split(maxsplit=1)[1].split() == ["document", "docs/money.md,", "Gross", "amount"]
    assert text.strip() == "Paid, �[2Jwith tax."
    assert second.endswith("description   a.net_amount")


def test_search_as_json(root: Path) -> None:
    (found,) = json.loads(run(root, "search", "voucher", "--json", "--limit", "1").output)
    assert found.pop("score") >= 0
    assert found == {"kind": "description", "place": "a.net_amount", "text": "Paid, less vouchers."}
    assert json.loads(run(root, "search", "nowhere", "--json").output) == []


def test_what_nobody_wrote_of_is_not_found(root: Path) -> None:
    for text in ("nowhere", '"*', "NEAR("):
        assert run(root, "search", text).output.startswith("Nothing is known of that.")


def test_list_shows_sources_and_reads_anew_what_changed(root: Path) -> None:
    shown = json.loads(run(root, "list", "--json").output)
    assert shown["sources"] == [
        {"kind": "description", "name": "model.shop.a", "passages": 1},
        {"kind": "document", "name": "docs/money.md", "passages": 1},
    ]
    assert Path(shown["path"]).parent == root / "store"
    (root / "docs/money.md").write_text("# One\nA.\n# Two\nB.\n", encoding="utf-8")
    assert "     2  document      docs/money.md" in run(root, "list").output


def test_clear_forgets(root: Path) -> None:
    run(root, "list")
    assert run(root, "clear").output == "Forgot 2 passages.\n"
    assert run(root, "clear").output == "Forgot 0 passages.\n"
