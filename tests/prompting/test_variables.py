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
from dbt_describe.prompting.variables import VARIABLES, WORDS, check_template, known_variables
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


def test_a_body_knows_no_other_bodys_variables() -> None:
    assert "sql" in known_variables("user") - known_variables("system")
    assert known_variables("user", "repair") == {"output", "problem", "rejected", "words"}


def test_the_reference_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run `python -m tests.prompting.reference`"
