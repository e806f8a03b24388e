"""Templates: found, overridden, extended, and errors that name file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbt_describe.errors import PromptError
from dbt_describe.prompting.templates import Templates, open_templates, shipped_directory

MINIMAL = "version: 3\nsystem: Hello.\nuser: |\n  {{ asked }}\n"


def given(directory: Path, **files: str) -> Templates:
    for name, text in files.items():
        (directory / f"{name}.yml").write_text(text, encoding="utf-8")
    return Templates((directory,))


@pytest.mark.parametrize("name", sorted(path.stem for path in shipped_directory().glob("*.yml")))
def test_every_shipped_template_can_be_used(name: str) -> None:
    template = open_templates().get(name)
    assert (template.name, template.version) == (name, "1")
    assert template.user.source
    assert bool(template.system.source) is (name != "repair")


def test_templates_are_found_inside_a_package_and_at_the_top_of_a_checkout(tmp_path: Path) -> None:
    package = tmp_path / "src" / "dbt_describe"
    package.mkdir(parents=True)
    with pytest.raises(PromptError, match="install dbt-describe again"):
        shipped_directory(package)
    (tmp_path / "prompts").mkdir()
    assert shipped_directory(package) == tmp_path / "prompts"
    (package / "prompts").mkdir()
    assert shipped_directory(package) == package / "prompts"


def test_a_file_of_the_same_name_wins(tmp_path: Path) -> None:
    (tmp_path / "model.yml").write_text(MINIMAL, encoding="utf-8")
    templates = open_templates(tmp_path)
    assert templates.get("model").version == "3"
    assert templates.get("source").version == "1"


def test_a_partial_override_takes_the_rest_from_what_it_extends(tmp_path: Path) -> None:
    (tmp_path / "model.yml").write_text(
        "version: house\nextends: base\noutput: {column_words: 12}\nparameters: {temperature: 0.5}\n", encoding="utf-8"
    )
    template = open_templates(tmp_path).get("model")
    assert template.user == open_templates().get("base").user
    assert (template.output.column_words, template.output.node_words) == (12, 60)
    assert template.parameters.temperature == 0.5


def test_a_directory_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match="doesn't exist"):
        open_templates(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: [1\n", r"bad\.yml:2: "),
        ("- a\n", r"bad\.yml:1: a template is a mapping"),
        ("", r"bad\.yml:1: a template is a mapping"),
        ("version: 1\nsystem: x\nusr: y\n", r"bad\.yml:3: unknown key 'usr'"),
        ("version: 1\nsystem: [x]\nuser: y\n", r"bad\.yml:2: system must be text"),
        ("version: 1\nsystem: x\n", r"bad\.yml:1: user missing"),
        ("version: 1\nsystem: x\nuser: y\noutput: 3\n", r"bad\.yml:4: output must be a mapping"),
        ("version: 1\nsystem: x\nuser: y\noutput: {colum_words: 3}\n", r"bad\.yml:4: output: .*colum_words"),
        ("version: 1\nsystem: x\nuser: y\noutput: {column_words: 0}\n", r"bad\.yml:4: output: .*>= 1"),
        ("version: 1\nname: model\nsystem: x\nuser: y\n", r"bad\.yml:2: the name is 'model', but .* 'bad'"),
        ("description: [x]\n", r"bad\.yml:1: description must be text"),
        ("version: 1\nuser: y\n", r"bad\.yml:1: system missing"),
        ("version: 1\nextends: bad\n", "in a circle: bad → bad"),
        ("version: 1\nextends: nowhere\n", r"no prompt template nowhere\.yml"),
        ("a: " + "x" * 300_000, "larger than"),
    ],
)
def test_a_broken_file_names_itself_and_the_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(PromptError, match=said):
        given(tmp_path, bad=text).get("bad")


def test_a_file_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PromptError, match="can't be read"):
        Templates((tmp_path,)).get("bad")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("|\n  one\n  two\n  {{ nothing }}\n", r"t\.yml:6: 'nothing' is undefined.* Known variables: asked"),
        ("|\n  one\n  {% if asked %}\n", r"t\.yml:\d: Unexpected end of template"),
        ("|\n  one\n  {% oops %}\n", r"t\.yml:5: .*unknown tag 'oops'"),
        ("'{{ nothing }}'\n", r"t\.yml:3: 'nothing' is undefined"),
        ("|\n  {{ asked.__class__.__mro__ }}\n", r"t\.yml:4: .*unsafe"),
        ("|\n  {{ 1 / 0 }}\n", r"t\.yml:4: division by zero"),
    ],
)
def test_an_error_in_a_body_names_file_and_line(tmp_path: Path, body: str, said: str) -> None:
    templates = given(tmp_path, t=f"version: 1\nsystem: x\nuser: {body}")
    with pytest.raises(PromptError, match=said):
        templates.render(templates.get("t").user, {"asked": "x"})


def test_data_is_never_rendered(tmp_path: Path) -> None:
    templates = given(tmp_path, t=MINIMAL)
    assert templates.render(templates.get("t").user, {"asked": "{{ 7 * 7 }} {% raw %}"}) == "{{ 7 * 7 }} {% raw %}\n"


def test_a_users_template_that_extends_its_own_name_extends_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "model.yml").write_text("extends: model\noutput: {column_words: 12}\n", encoding="utf-8")
    template = open_templates(tmp_path).get("model")
    assert "business" in template.system.source
