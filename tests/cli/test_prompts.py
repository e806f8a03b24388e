"""`dbt-describe prompts` as a person and a program read it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from dbt_describe.cli.main import cli, main
from tests.manifests import manifest, model

SQL = "select 1 as one, 2 as two"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DBT_DESCRIBE_STORE", str(tmp_path / "store"))
    directory = tmp_path / "shop"
    numbers = model("numbers", SQL, columns={"one": "", "two": "The number two."}, description="Numbers.")
    for name, text in {
        "dbt_project.yml": "name: shop\n",
        "models/numbers.sql": SQL,
        "target/manifest.json": json.dumps(manifest(numbers)),
        "dbt-describe.yml": "model: openai/gpt-6-luna\nprompts: ours\n",
        "ours/model.yml": "output: {column_words: 7}\n",
        "ours/modle.yml": "version: 2\n",
    }.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")
    os.utime(directory / "target/manifest.json", (4e9, 4e9))
    monkeypatch.chdir(directory)
    return directory


def shown(*words: str) -> str:
    done = CliRunner().invoke(cli, ["prompts", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_list_says_where_each_template_is_from(shop: Path) -> None:
    lines = shown("list").splitlines()
    assert lines[0].split() == ["template", "version", "from", "for"]
    (line,) = (line for line in lines if line.startswith("model "))
    assert line.split()[1].startswith("1+")
    assert line.split()[2:4] == [str(Path("ours/model.yml")), "A"]
    assert sum(" shipped " in line for line in lines) == len(lines) - 3
    odd = f"{Path('ours/modle.yml')} is used by no template; is its name one of the above?"
    assert lines[-1] == f"Warning: {odd}"
    listed = json.loads(shown("list", "--json"))
    (ours,) = (one for one in listed["templates"] if one["is_yours"])
    assert (ours["name"], ours["folder"], ours["files"][0]) == ("model", "", str(shop / "ours/model.yml"))
    assert listed["unused"] == [str(shop / "ours/modle.yml")]


def test_a_template_is_shown_whole_and_as_it_is_read(shop: Path) -> None:
    text = shown("show", "model")
    assert text.startswith("# model 1+")
    assert "\n  column_words: 7\n" in text
    assert "You write the missing descriptions" in text
    (shop / "copy").mkdir()
    (shop / "copy/model.yml").write_text(text, encoding="utf-8")
    assert shown("diff", "model", "--prompts", "copy").splitlines()[1:] == shown("diff", "model").splitlines()[1:]
    assert json.loads(shown("show", "model", "--json"))["text"] in text


def test_a_difference_is_shown(shop: Path) -> None:
    assert "-  column_words: 30\n+  column_words: 7" in shown("diff")
    (one,) = json.loads(shown("diff", "--json"))
    assert "+  column_words: 7" in one["diff"]
    (shop / "dbt-describe.yml").write_text("", encoding="utf-8")
    assert shown("diff") == "All templates are as they were shipped.\n"


def test_a_copy_says_where_it_is_and_how_it_is_used(shop: Path) -> None:
    assert shown("eject", "seed") == f"Wrote {shop / 'ours/seed.yml'}.\n"
    told = shown("eject", "seed", "--to", "elsewhere")
    assert told.splitlines()[-1].startswith("They are used where --prompts, DBT_DESCRIBE_PROMPTS or `prompts:` names ")


def test_a_node_is_shown_with_what_it_is_made_of(shop: Path) -> None:
    text = shown("render", "numbers")
    assert text.startswith(
        "model.shop.numbers  (models/numbers.sql)\n  request 1 of 1 to openai/gpt-6-luna, made from model 1+"
    )
    assert "\n  asks for one\n" in text
    assert "At most 7 words for each column" in text
    ((request,),) = ([*one["requests"]] for one in json.loads(shown("render", "numbers", "--json")))
    assert request["system"] in text
    assert request["user"] in text
    assert sum(part["tokens"] for part in request["parts"]) == request["input_tokens"]
    assert {part["state"] for part in request["parts"]} == {"whole"}
    assert request["schema"]["properties"].keys() == {"columns"}


def test_what_is_cut_or_left_out_is_said(shop: Path) -> None:
    sql = "select 1 as one, " + ",\n".join(f"{number} as x{number}" for number in range(400))
    columns = {"one": "", "two": "The number two. " * 90} | {f"x{number}": "Said." for number in range(400)}
    wide = model("numbers", sql, columns=columns, description="Numbers.")
    (shop / "target/manifest.json").write_text(json.dumps(manifest(wide)), encoding="utf-8")
    os.utime(shop / "target/manifest.json", (4e9, 4e9))
    limit = "models: {openai/gpt-6-luna: {context_window: 3000}}\n"
    (shop / "dbt-describe.yml").write_text(f"model: openai/gpt-6-luna\n{limit}", encoding="utf-8")
    ((request,),) = ([*one["requests"]] for one in json.loads(shown("render", "numbers", "--json")))
    states = {part["name"]: part["state"] for part in request["parts"]}
    assert states["described_columns"] == "left out"
    assert states["sql"] == "shortened"
    text = shown("render", "numbers")
    assert "  described_columns       0  left out, " in text
    assert ", in a window of 3,000 (profile small)\n" in text


def test_what_was_redacted_is_counted_in_words(shop: Path) -> None:
    sql = "select 'postgres://u:hunter2secret@db/x' || 'mysql://u:hunter3secret@db/y' as one"
    (shop / "models/numbers.sql").write_text(sql, encoding="utf-8")
    node = model("numbers", sql, columns={"one": ""}, description="Numbers.")
    (shop / "target/manifest.json").write_text(json.dumps(manifest(node)), encoding="utf-8")
    os.utime(shop / "target/manifest.json", (4e9, 4e9))
    assert "\n  redacted: 2 passwords\n" in shown("render", "numbers")


def test_why_nothing_is_asked_is_shown(shop: Path) -> None:
    done = model("numbers", SQL, columns={"one": "One.", "two": "The number two."}, description="Numbers.")
    (shop / "target/manifest.json").write_text(json.dumps(manifest(done)), encoding="utf-8")
    os.utime(shop / "target/manifest.json", (4e9, 4e9))
    assert "  Nothing would be asked: all of it is described.\n" in shown("render", "numbers")


def test_a_mistake_in_a_template_is_one_line(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shop / "ours/model.yml").write_text("user: |\n  {% for x in range(10**9) %}{% endfor %}\n", encoding="utf-8")
    with pytest.raises(SystemExit) as raised:
        main(["prompts", "render", "numbers"])
    assert raised.value.code == 2
    assert capsys.readouterr().err == (
        f"Error: {shop / 'ours/model.yml'}:2: it takes too much: a range of more than 20,000.\n"
    )


def test_why_nothing_fits_ends_with_one_full_stop(shop: Path) -> None:
    limit = "models: {openai/gpt-6-luna: {context_window: 300}}\n"
    (shop / "dbt-describe.yml").write_text(f"model: openai/gpt-6-luna\n{limit}", encoding="utf-8")
    text = shown("render", "numbers")
    assert "shorter templates.\n" in text
    assert ".." not in text


def test_a_copy_that_says_the_same_is_listed_by_its_own_path(shop: Path) -> None:
    shown("eject", "seed")
    (line,) = (line for line in shown("list").splitlines() if line.startswith("seed "))
    assert line.split()[1:3] == ["1", str(Path("ours/seed.yml"))]


def test_a_folder_that_the_project_does_not_have_is_warned_of(shop: Path) -> None:
    for folder in ("models", "model"):
        (shop / "ours" / folder).mkdir()
        (shop / "ours" / folder / "model.yml").write_text("output: {column_words: 8}\n", encoding="utf-8")
    lines = shown("list").splitlines()
    assert [line for line in lines if "no such folder" in line] == [
        f"Warning: {Path('ours/model/model.yml')} is for nodes of model/, but the project has no such folder."
    ]
    listed = json.loads(shown("list", "--json"))
    assert listed["nowhere"] == [str(shop / "ours/model/model.yml")]
