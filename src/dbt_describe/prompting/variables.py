"""What the bodies of templates can say: their variables, and the words that the shipped bodies use."""

from __future__ import annotations

from collections.abc import Mapping, Set

import msgspec

from dbt_describe.prompting.template_files import BODIES
from dbt_describe.prompting.templates import REPAIR, REVIEW, Template, Templates


class Variable(msgspec.Struct, frozen=True):
    """A variable, or a value below it: `output.column_words`. `bodies` are those that know it."""

    name: str
    bodies: tuple[str, ...]
    meaning: str


_ALL = ("style", "system", "user")
_EVERYWHERE = (*_ALL, REPAIR)
VARIABLES = (
    Variable("resource_type", _ALL, "dbt's name of what is described: `model`, `source`, `macro`"),
    Variable("language", _ALL, "of the node's code: `sql`, `python`, `jinja` of a macro, `yaml` of a unit test's rows"),
    Variable("describe_node", _ALL, "whether the node itself is asked for"),
    Variable("column_count", _ALL, "how many of its columns are"),
    Variable(
        "renews",
        _ALL,
        'whether something is asked for whose older text no longer holds; it stands behind "described before" in '
        "`node` and `asked`",
    ),
    Variable(
        "revises",
        _ALL,
        "whether something is asked for anew that a reviewer objected to; draft and reason stand behind "
        '"refused draft" in `node` and `asked`',
    ),
    Variable("profile", _ALL, "`small` or `normal`: how much the model is told and asked for at once"),
    Variable("output.column_words", _EVERYWHERE, "words that the description of a column has at most"),
    Variable("output.node_words", _EVERYWHERE, "words that the description of the node has at most"),
    Variable("words", _EVERYWHERE, "the template's `words`, e.g. `words.part`: what it calls things"),
    Variable("style.language", _ALL, "the language to write in"),
    Variable("style.full_stop", _ALL, "whether a single sentence ends with a full stop"),
    Variable("style.tense", _ALL, "`style.tense` of the settings, or empty; so are the three below"),
    Variable("style.tone", _ALL, "in which tone to write"),
    Variable("style.forbidden", _ALL, "a list of phrases that must not be used"),
    Variable("style.rules", _ALL, "house rules as text"),
    Variable("style_section", ("system",), "the body `style`, rendered"),
    Variable("knowledge", ("user",), "passages of documents and glossaries that bear on what is asked"),
    Variable("examples", ("user",), "descriptions that people wrote in this project"),
    Variable("node", ("user",), "name, folder, tags, grain, filters and description of the node"),
    Variable("sql", ("user",), "its code, in whichever language"),
    Variable("upstream_nodes", ("user",), "what it reads, with descriptions"),
    Variable("downstream", ("user",), "what reads it"),
    Variable("described_columns", ("user",), "its columns that are described, with their descriptions"),
    Variable("other_columns", ("user",), "names of those that are neither described nor asked for"),
    Variable("input_columns", ("user",), "descriptions of the upstream columns that the asked ones are made of"),
    Variable("asked", ("user",), "the columns to describe, with type, lineage and tests"),
    Variable("drafts", (f"{REVIEW}.user",), "the drafts to grade, numbered, with what they are said to rest on"),
    Variable("draft_count", (REVIEW,), "how many they are"),
    Variable("problem", (REPAIR,), "what was wrong with the whole answer; else empty"),
    Variable("rejected", (REPAIR,), "the descriptions that were not accepted, with reasons"),
)
"""Texts from the project are fenced by `<data>` tags where they have a value, else empty: they are never Jinja."""

WORDS: Mapping[str, str] = {
    "kind": "what the node is called; empty: a node, or its resource type",
    "subject": "what one is given the facts of",
    "says": "what a good description says: lines that begin with a dash",
    "cautions": "what to be careful about: the same",
    "begins": "how a description begins",
    "node_says": "what the node's own description tells",
    "part": "what one of its columns is called; empty where it has none",
    "parts": "what they are called together",
    "details": "what is known of each of them",
    "reads": "the heading over what it uses",
    "read_by": "the heading over what uses it",
}


def known_variables(body: str, template: str = "") -> frozenset[str]:
    """Names of the variables of a body, `style`, `system` or `user`; those of `repair` and `review` know others."""
    return frozenset(known_parts(body, template, frozenset()))


def known_parts(body: str, template: str, words: Set[str]) -> Mapping[str, Set[str] | None]:
    """The variables of a body with what stands below each, `words` below `words`; None: it is a text or a number."""
    places = {REPAIR: (REPAIR,), REVIEW: (body, REVIEW, f"{REVIEW}.{body}")}.get(template, (body,))
    names = [one.name.partition(".") for one in VARIABLES if set(places) & set(one.bodies)]
    below = {name: frozenset(part for other, _, part in names if other == name and part) for name, _, _ in names}
    return {name: words if name == "words" else parts or None for name, parts in below.items()}


def check_templates(templates: Templates) -> tuple[Template, ...]:
    """All templates that there are, those for folders after the general ones, looked through as by `check_template`.

    Raises:
        PromptError: a file can't be used, or has a mistake; the message names file and line.
    """
    found = [templates.get(name) for name in templates.names]
    found += [templates.get(name, folder) for name, folder in templates.special]
    for template in found:
        check_template(template, templates)
    return tuple(found)


def check_template(template: Template, templates: Templates) -> None:
    """Look for mistakes that don't depend on a node: bad Jinja, unknown variables and parts of them.

    Raises:
        PromptError: there is one; the message names file and line.
    """
    words = _words(templates) if template.name in {REPAIR, REVIEW} else template.words.keys()
    for name in BODIES:
        templates.check(getattr(template, name), known_parts(name, template.name, words))


def _words(templates: Templates) -> frozenset[str]:
    """Those of all templates: `repair` and `review` are given the words of the node's own."""
    everywhere = [(name, "") for name in templates.names]
    return frozenset(word for place in (*everywhere, *templates.special) for word in templates.get(*place).words)
