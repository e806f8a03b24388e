"""Templates: found, overridden, extended, and errors that name file and line."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from dbt_describe.errors import PromptError
from dbt_describe.prompting.template_files import read_template_file, write_template
from dbt_describe.prompting.templates import Templates, folder_of, open_templates, shipped_directory

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


def test_two_fields_of_a_name_or_a_merge_are_no_template(tmp_path: Path) -> None:
    for text, said in (
        ("version: 1\nversion: 2\n", r"bad\.yml:2: version stands here a second time"),
        ("words: {a: b, a: c}\n", r"bad\.yml:1: words has a twice"),
        ("words:\n  <<: {a: b}\n", r"bad\.yml:1: words holds plain values"),
        ("words:\n  <<: a\n", r"bad\.yml:1: words has a <<"),
        ("<<: {version: 1}\n", r"bad\.yml:1: unknown key '<<'"),
        ("? [version]\n: 1\n", r"bad\.yml:1: unknown key that is no word"),
        ("version:\n", r"bad\.yml:1: version: "),
        ("version: 1 2\n", r"bad\.yml:1: version: "),
        ("extends: [base]\n", r"bad\.yml:1: extends must be text"),
        ("words: {a: 1}\n", r"bad\.yml:1: words: "),
        ("description: 3\n", r"bad\.yml:1: description must be text"),
        ("words: " + "{a: " * 30_000, r"bad\.yml.*(deep|line|expected)"),
    ):
        with pytest.raises(PromptError, match=said):
            given(tmp_path, bad=text).get("bad")


def test_references_that_multiply_are_not_followed(tmp_path: Path) -> None:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    with pytest.raises(PromptError, match="unknown key 'a0'"):
        given(tmp_path, bad="a0: &a0 x\n" + "\n".join(levels)).get("bad")


def layers(tmp_path: Path, *files: tuple[str, str]) -> Templates:
    """The templates of directories `one` over `two`; files as (path, text)."""
    for path, text in files:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    for name in ("one", "two"):
        (tmp_path / name).mkdir(exist_ok=True)
    return open_templates(tmp_path / "one", tmp_path / "two")


def test_a_file_that_extends_nothing_takes_the_rest_from_the_next_of_its_name(tmp_path: Path) -> None:
    templates = layers(
        tmp_path,
        ("one/model.yml", "output: {column_words: 12}\n"),
        ("two/model.yml", "system: Be brief.\noutput: {column_words: 20, node_words: 40}\n"),
    )
    template = templates.get("model")
    assert template.system.source == "Be brief."
    assert (template.output.column_words, template.output.node_words) == (12, 40)
    assert template.user == open_templates().get("model").user
    shipped = shipped_directory()
    assert template.files == (
        tmp_path / "one/model.yml",
        tmp_path / "two/model.yml",
        shipped / "model.yml",
        shipped / "base.yml",
    )


def test_the_base_of_all_may_be_changed_alone(tmp_path: Path) -> None:
    templates = layers(tmp_path, ("two/base.yml", "style: |\n  Write haiku in {{ style.language }}.\n"))
    for name in ("model", "metric"):
        template = templates.get(name)
        variables = {"style": {"language": "French"}, "words": template.words}
        assert templates.render(template.style, variables) == "Write haiku in French.\n"
        assert template.words == open_templates().get(name).words


def test_a_template_of_a_folder_is_for_what_is_in_it(tmp_path: Path) -> None:
    templates = layers(
        tmp_path,
        ("two/models/marts/model.yml", "output: {column_words: 7}\n"),
        ("two/models/model.yml", "output: {column_words: 8, node_words: 9}\n"),
        ("two/model.yml", "output: {column_words: 10, node_words: 11}\n"),
    )
    words = {
        folder: (found.output.column_words, found.output.node_words)
        for folder in ("models/marts/finance", "models/marts", "models/staging", "models", "models_old", "")
        for found in [templates.get("model", folder)]
    }
    assert words == {
        "models/marts/finance": (7, 9),
        "models/marts": (7, 9),
        "models/staging": (8, 9),
        "models": (8, 9),
        "models_old": (10, 11),
        "": (10, 11),
    }
    assert templates.special == (("model", "models"), ("model", "models/marts"))


def test_a_directory_wins_over_the_folders_of_those_below_it(tmp_path: Path) -> None:
    templates = layers(
        tmp_path,
        ("one/model.yml", "output: {column_words: 5}\n"),
        ("two/models/marts/model.yml", "output: {column_words: 7, node_words: 8}\n"),
    )
    found = templates.get("model", "models/marts").output
    assert (found.column_words, found.node_words) == (5, 8)


def test_a_resource_type_may_have_a_template_in_some_folder_alone(tmp_path: Path) -> None:
    templates = layers(tmp_path, ("one/macros/fixture.yml", "extends: base\n"))
    assert templates.has("fixture", "macros/money")
    assert not templates.has("fixture")


def test_one_that_extends_null_stands_alone(tmp_path: Path) -> None:
    templates = layers(tmp_path, ("one/model.yml", f"extends: null\n{MINIMAL}"))
    assert templates.get("model").words == {}
    with pytest.raises(PromptError, match=r"model\.yml:1: version, user missing"):
        layers(tmp_path, ("one/model.yml", "extends: null\nsystem: x\n")).get("model")


def test_a_broken_file_that_nothing_needs_breaks_nothing(tmp_path: Path) -> None:
    templates = layers(tmp_path, ("one/model.yml", f"extends: null\n{MINIMAL}"), ("two/model.yml", "nonsense"))
    assert templates.get("model").version == "3"


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("models/marts/orders.sql", "models/marts"),
        ("orders.sql", ""),
        ("", ""),
        ("../../etc/orders.sql", ""),
        ("/etc/orders.sql", ""),
    ],
)
def test_no_folder_leads_out_of_the_directory(path: str, folder: str) -> None:
    assert folder_of(path).strip(".") == folder


def test_what_is_recorded_tells_a_changed_text_from_the_shipped_one(tmp_path: Path) -> None:
    assert open_templates().get("model").label == "model 1"
    same = layers(tmp_path, ("one/model.yml", "extends: model\ndescription: Mine.\n"))
    assert same.get("model").label == "model 1"
    labels = [
        layers(tmp_path, ("one/model.yml", text)).get("model").label
        for text in (
            "output: {column_words: 12}\n",
            "output: {column_words: 13}\n",
            "version: house\nsystem: x\n",
            "words: {part: field}\n",
            "parameters: {temperature: 0.5}\n",
            "style: Be brief.\n",
        )
    ]
    assert len(set(labels)) == len(labels)
    assert all(re.fullmatch(r"model (1|house)\+[0-9a-f]{8}", label) for label in labels)
    assert [label for label in labels if label.startswith("model house+")]


def test_a_changed_base_is_recorded_with_each_template_that_extends_it(tmp_path: Path) -> None:
    templates = layers(tmp_path, ("one/base.yml", "style: Be brief.\n"))
    assert "+" in templates.get("metric").label
    assert templates.get("repair").label == "repair 1"


@pytest.mark.parametrize("name", sorted(path.stem for path in shipped_directory().glob("*.yml")))
def test_a_whole_copy_of_a_template_says_the_same(name: str, tmp_path: Path) -> None:
    template = open_templates().get(name)
    text = template.text.replace("description: ", "extends: null\ndescription: ", 1)
    copy = layers(tmp_path, (f"one/{name}.yml", text)).get(name)
    assert (copy.label, copy.files) == (f"{name} 1", (tmp_path / f"one/{name}.yml",))
    assert copy.text == template.text


@given_any(st.text(max_size=200), st.sampled_from(["1", "01", "house", "1.5", "1e5"]))
def test_a_copy_says_the_same_whatever_a_body_holds(body: str, version: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "model.yml")
        fields = {"version": version, "system": f"x{body}", "user": f" {body}\n y"}
        path.write_text(write_template(fields), encoding="utf-8", newline="\n")
        found = read_template_file(path)
    assert (found["system"].source, found["user"].source) == (fields["system"], fields["user"])
    assert str(found["version"]) == version


def test_an_unknown_variable_is_told_of_before_it_is_needed(tmp_path: Path) -> None:
    templates = given(tmp_path, t="version: 1\nsystem: x\nuser: |\n  {% if asked %}\n  {{ askd }}\n  {% endif %}\n")
    with pytest.raises(PromptError, match=r"t\.yml:5: 'askd' is undefined\. Did you mean asked\? Known variables: ask"):
        templates.render(templates.get("t").user, {"asked": ""})


def test_an_unknown_word_is_named_as_it_stands_there(tmp_path: Path) -> None:
    templates = given(tmp_path, t="version: 1\nsystem: x\nuser: |\n  \n  {{ words.colour }} {{ words.part }}\n")
    with pytest.raises(PromptError, match=r"t\.yml:5: 'words\.colour' is undefined\."):
        templates.render(templates.get("t").user, {"words": {"part": "column"}})


def test_a_loop_without_end_names_its_line(tmp_path: Path) -> None:
    body = "|\n  one\n  {% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}\n"
    templates = given(tmp_path, t=f"version: 1\nsystem: x\nuser: {body}")
    with pytest.raises(PromptError, match=r"t\.yml:5: it takes too much: more than 20,000 rounds of loops"):
        templates.render(templates.get("t").user, {})


def test_no_name_leads_out_of_the_directories(tmp_path: Path) -> None:
    (tmp_path / "secret.yml").write_text(MINIMAL, encoding="utf-8")
    templates = layers(tmp_path, ("one/model.yml", "extends: ../secret\n"))
    with pytest.raises(PromptError, match=r"extends \.\./secret, but there is no prompt template"):
        templates.get("model")
    assert not templates.has("../secret")
