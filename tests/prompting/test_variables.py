"""The documented variables, words and templates are those that there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbt_describe.errors import PromptError
from dbt_describe.planning import Draft
from dbt_describe.prompting.facts import NodeFacts
from dbt_describe.prompting.prompts import build_prompts, render_repair
from dbt_describe.prompting.reviews import build_reviews
from dbt_describe.prompting.templates import Templates, open_templates
from dbt_describe.prompting.variables import VARIABLES, WORDS, check_template, check_templates, known_variables
from dbt_describe.prompting.window import Window
from tests.prompting.reference import PAGE, render

FACTS = NodeFacts("model.shop.orders", "orders", "model", describe_node=True, columns=())


class Recording(Templates):
    """Remembers which variables each body is given, by the body's source."""

    def __init__(self) -> None:
        shipped = open_templates()
        super().__init__((), next(path.parent for path in shipped.get("base").files))
        self.given: dict[str, set[str]] = {}

    def render(self, body, variables):  # type: ignore[no-untyped-def]  # as in the base class
        self.given[body.source] = {
            f"{name}.{key}" if isinstance(value, dict) and name != "words" else name
            for name, value in variables.items()
            for key in (value if isinstance(value, dict) else [""])
        }
        return super().render(body, variables)


def test_each_body_is_given_the_documented_variables() -> None:
    templates = Recording()
    (prompt,) = build_prompts(FACTS, templates, Window())
    render_repair(templates, prompt, "", ())
    model, repair = templates.get("model"), templates.get("repair")
    bodies = {"style": model.style, "system": model.system, "user": model.user, "repair": repair.user}
    assert {name: templates.given[body.source] for name, body in bodies.items()} == {
        name: {one.name for one in VARIABLES if name in one.bodies} for name in bodies
    }


def test_a_review_is_given_the_documented_variables() -> None:
    templates = Recording()
    build_reviews(FACTS, (Draft(FACTS.unique_id, "", "Orders.", "openai/tiny"),), templates, Window())
    review = templates.get("review")
    for name in ("style", "system", "user"):
        given = {one.partition(".")[0] for one in templates.given[getattr(review, name).source]}
        assert given == known_variables(name, "review")


def test_the_documented_words_are_those_of_the_base() -> None:
    assert open_templates().get("base").words.keys() == WORDS.keys()


@pytest.mark.parametrize("name", open_templates().names)
def test_every_shipped_template_passes_the_check_and_uses_documented_words_alone(name: str) -> None:
    templates = open_templates()
    template = templates.get(name)
    check_template(template, templates)
    assert template.words.keys() <= WORDS.keys()


def test_the_check_finds_what_a_node_of_some_kind_would_have_shown(tmp_path: Path) -> None:
    (tmp_path / "model.yml").write_text("user: |\n  {% if renews %}\n  {{ style_section }}\n  {% endif %}\n")
    templates = open_templates(tmp_path)
    with pytest.raises(PromptError, match=r"model\.yml:3: 'style_section' is undefined"):
        check_template(templates.get("model"), templates)


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        (
            "model",
            "{{ output.colum_words }}",
            "'output.colum_words' is undefined. Did you mean output.column_words? Known",
        ),
        (
            "model",
            "{{ output['colum_words'] }}",
            "'output.colum_words' is undefined. Did you mean output.column_words?",
        ),
        ("macro", "{{ style.langauge }}", "'style.langauge' is undefined. Did you mean style.language?"),
        ("source", "{{ words.prats }}", "'words.prats' is undefined. Did you mean words.parts?"),
        ("repair", "{{ words.prats }}", "'words.prats' is undefined. Did you mean words.parts?"),
        ("review", "{{ style.langauge }}", "'style.langauge' is undefined. Did you mean style.language?"),
        ("model", "{{ node.name }}", "'node.name' is undefined. node is one value, with no parts."),
    ],
)
def test_the_check_finds_parts_that_no_variable_has(tmp_path: Path, name: str, body: str, said: str) -> None:
    text = f"user: |\n  {{% if output.node_words > 999 %}}\n  {body}\n  {{% endif %}}\n"
    (tmp_path / f"{name}.yml").write_text(text, encoding="utf-8")
    with pytest.raises(PromptError) as raised:
        check_templates(open_templates(tmp_path))
    assert str(raised.value).startswith(f"{tmp_path / name}.yml:3: {said}")


def test_the_check_passes_over_what_may_be_missing_and_what_is_the_templates_own(tmp_path: Path) -> None:
    text = (
        "words: {colour: red}\nuser: |\n  {{ words.colour }} {{ words.size|default('') }} {{ words.items()|list }}\n"
        "  {% if style.mood is defined %}{{ style.mood }}{% endif %} {{ sql.upper() }} {{ sql[0] }}\n"
        "  {% for node in [{'name': 'n'}] %}{{ node.name }}{% endfor %}\n"
    )
    (tmp_path / "model.yml").write_text(text, encoding="utf-8")
    (tmp_path / "repair.yml").write_text("user: '{{ words.colour|default(words.part) }}'\n", encoding="utf-8")
    assert check_templates(open_templates(tmp_path))


def test_a_body_knows_no_other_bodys_variables() -> None:
    assert "sql" in known_variables("user") - known_variables("system")
    assert known_variables("user", "repair") == {"output", "problem", "rejected", "words"}


def test_the_reference_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run `python -m tests.prompting.reference`"
