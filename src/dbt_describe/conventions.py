"""How a project's own descriptions are written, so that new ones look like them, and where they end up."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from dbt_describe.answers.house_style import forbidden_in
from dbt_describe.answers.language import OTHER_SCRIPT, language_of, other_language
from dbt_describe.placeholders import is_missing
from dbt_describe.planning import Abstention, Draft, Plan
from dbt_describe.project.nodes import Conventions, Node, Project
from dbt_describe.prompting.config import Style

FEWEST_TEXTS = 5
"""Fewer tell nothing about habits."""
_FEWEST_WORDS = 3
"""Shorter ones are labels: whether they end in a full stop isn't a habit."""
_LABEL = 12
"""Characters of a label in a script that has no spaces."""
_SENTENCE_ENDS = (". ", "! ", "? ", ".\n")
_ABBREVIATED = re.compile(r"(\.\w+|\b(approx|bzw|co|corp|dept|etc|inc|jr|ltd|max|min|no|sr|usw))\.$", re.IGNORECASE)
"""`U.S.` and `etc.`: the full stop is the word's own."""
_NODES_NAMED = 3


def read_conventions(project: Project, language: str = "") -> Conventions:
    """The habits that most of the project's own descriptions have; ours where there are too few to tell.

    `language` is what to write in whatever the texts are in.
    """
    texts = _own_texts(project)
    if len(texts) < FEWEST_TEXTS:
        return Conventions(language or Conventions().language)
    closed = sum(text.endswith((".", "!", "?", "…", "。")) for text in texts)
    return Conventions(language or language_of(texts) or Conventions().language, full_stop=2 * closed >= len(texts))


def with_style(conventions: Conventions, style: Style) -> Conventions:
    """The habits, with what the settings say in their place."""
    return msgspec.structs.replace(
        conventions,
        full_stop=conventions.full_stop if style.full_stop is None else style.full_stop,
        tone=" ".join(style.tone.split()),
        tense=" ".join(style.tense.split()),
        column_words=style.column_words or 0,
        node_words=style.node_words or 0,
        forbidden=style.forbidden,
        rules=style.rules.strip(),
    )


def writes_other_script(project: Project) -> bool:
    """Whether the project's descriptions are in a script that the language to write in doesn't have."""
    texts = _own_texts(project)
    return len(texts) >= FEWEST_TEXTS and other_language(" ".join(texts), project.conventions.language) == OTHER_SCRIPT


def _own_texts(project: Project) -> set[str]:
    """What people have written, each once: copies along the lineage would outvote the rest."""
    found: set[str] = set()
    for node in project.nodes.values():
        if project.is_own(node):
            found.update(text.strip() for text in _texts_of(node) if not is_missing(text))
    return {text for text in found if len(text.split()) >= _FEWEST_WORDS or (not text.isascii() and len(text) > _LABEL)}


def _texts_of(node: Node) -> Iterable[str]:
    yield node.description
    yield from (column.description for column in node.columns)


def in_style(draft: Draft, conventions: Conventions) -> Draft:
    """The draft without its full stop, where a project's texts have none and this one is a single sentence."""
    text = draft.text
    is_single = text.endswith(".") and not text.endswith("..") and not any(end in text for end in _SENTENCE_ENDS)
    if conventions.full_stop or not is_single or _ABBREVIATED.search(text):
        return draft
    return msgspec.structs.replace(draft, text=text.removesuffix("."))


def as_allowed(drafts: Iterable[Draft], conventions: Conventions) -> tuple[tuple[Draft, ...], tuple[Abstention, ...]]:
    """The drafts without forbidden phrases, in the project's style, and why the others aren't written."""
    allowed: list[Draft] = []
    refused: list[Abstention] = []
    for draft in drafts:
        if found := forbidden_in(draft.text, conventions.forbidden):
            reason = f'the text has "{found[0]}", which `style.forbidden` in dbt-describe.yml rules out'
            refused.append(Abstention(draft.unique_id, draft.column, reason))
        else:
            allowed.append(in_style(draft, conventions))
    return tuple(allowed), tuple(refused)


def persistence_warning(project: Project, plan: Plan) -> str:
    """What it means that dbt writes some of the planned descriptions to the warehouse, or empty where it doesn't.

    *Source:* https://docs.getdbt.com/reference/resource-configs/persist_docs; a changed text that is persisted selects
    its node as `state:modified` (tried with dbt 1.11, 1.12 and v2, 2026-11).
    """
    names = [
        project.nodes[unique_id].name
        for unique_id, node_plan in plan.nodes.items()
        if _persists(project.nodes[unique_id], node_plan.gaps)
    ]
    if not names:
        return ""
    shown = ", ".join(names[:_NODES_NAMED]) + (f" and {len(names) - _NODES_NAMED} more" if names[_NODES_NAMED:] else "")
    return (
        f"persist_docs is on for {shown}: dbt writes their new descriptions to the warehouse, as comments, when it "
        "next builds them, and state:modified selects them."
    )


def _persists(node: Node, gaps: Iterable[str]) -> bool:
    setting = node.config.get("persist_docs")
    if not isinstance(setting, dict):
        return False
    return any(bool(setting.get("columns" if column else "relation")) for column in gaps)
