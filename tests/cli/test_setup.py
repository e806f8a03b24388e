"""`init` and `schema`, as a person runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dbt_describe.cli.main import main


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dbt_project.yml").write_text("name: shop", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LLM_PROVIDER", raising=False)
    monkeypatch.setattr("dbt_describe.configuration.survey._SERVERS", ())
    return tmp_path


def test_init_says_what_it_found_wrote_and_what_to_do_next(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "hidden-key")
    main(["init", "--editor-schema"])
    assert capsys.readouterr().out.splitlines() == [
        "Found shop: 0 models, no artifacts yet.",
        "OpenAI can be asked: OPENAI_API_KEY is set.",
        f"Wrote {project / 'dbt-describe.yml'}.",
        f"Wrote {project / '.dbt-describe.schema.json'}.",
        "It asks openai/gpt-6-luna. See what that would cost, before a cent is spent:  dbt-describe plan",
        "For the columns of sources and seeds that no schema file lists:  dbt docs generate",
        "Then look at the diff:  dbt-describe document --dry-run",
    ]
    assert "hidden-key" not in (project / "dbt-describe.yml").read_text(encoding="utf-8")


def test_init_without_a_key_says_how_to_get_a_model(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["init"])
    assert "set a key, e.g. OPENAI_API_KEY, and take the # from the line `model:`" in capsys.readouterr().out


def test_init_keeps_a_file_that_is_there(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "dbt-describe.yml").write_text("model: openai/mine", encoding="utf-8")
    with pytest.raises(SystemExit, match="2"):
        main(["init"])
    assert "is there already" in capsys.readouterr().err
    assert (project / "dbt-describe.yml").read_text(encoding="utf-8") == "model: openai/mine"


def test_init_needs_a_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["init", "--project-dir", str(tmp_path)])
    assert "No dbt_project.yml" in capsys.readouterr().err


def test_schema_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    main(["schema"])
    assert json.loads(capsys.readouterr().out)["title"] == "dbt-describe.yml"


def test_a_mistake_in_the_file_is_one_line_and_exits_2(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "dbt-describe.yml").write_text("modle: x", encoding="utf-8")
    with pytest.raises(SystemExit, match="2"):
        main(["plan"])
    said = capsys.readouterr().err
    assert said == "Error: dbt-describe.yml:1: modle is no setting; did you mean model?\n"
