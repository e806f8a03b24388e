"""What people have described in the project, apart from what was written for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

import msgspec

from dbt_describe.memory.passages import LONGEST_TEXT, Remembered, Source, same_text, source_of
from dbt_describe.placeholders import is_missing
from dbt_describe.project.graph import TESTS, topological_order
from dbt_describe.project.nodes import Node, Project
from dbt_describe.provenance.standings import Standings

_OF_PEOPLE = frozenset({"human", "edited"})
ABBREVIATIONS = "dbt-describe.yml"
"""What the settings' own abbreviations are said to come from."""


class Written(msgspec.Struct, frozen=True, gc=False):
    """A person's description. `column` is empty for the node itself."""

    node: Node
    column: str
    text: str


class Authors(msgspec.Struct, frozen=True):
    """Whose the project's texts are."""

    people: tuple[Written, ...]
    """Each text once for its name, where it stands first along the DAG."""
    others: frozenset[str]
    """What was generated or copied, as `same_text`."""


def read_authors(project: Project, standings: Standings) -> Authors:
    """The project's own descriptions by who wrote them; out of date ones count as nobody's."""
    people: dict[tuple[str, str], Written] = {}
    others: set[str] = set()
    for unique_id in topological_order(project.nodes):
        node = project.nodes[unique_id]
        if not project.is_own(node) or node.resource_type in TESTS:
            continue
        for found in standings.of_node(unique_id):
            if not found.text or is_missing(found.text):
                continue
            if found.state in _OF_PEOPLE:
                key = ((found.column or node.name).lower(), same_text(found.text))
                people.setdefault(key, Written(node, found.column, found.text))
            elif found.is_ours:
                others.add(same_text(found.text))
    return Authors(tuple(people.values()), frozenset(others - {text for _, text in people}))


def description_sources(authors: Authors) -> Iterator[Source]:
    """A source for each node that people described something of."""
    for unique_id, group in groupby(authors.people, key=lambda one: one.node.unique_id):
        passages = [
            Remembered(
                "description",
                unique_id,
                one.column or one.node.name,
                " ".join(one.text.split())[:LONGEST_TEXT],
                unique_id,
                one.column,
            )
            for one in group
        ]
        yield source_of("description", unique_id, passages)


def doc_block_sources(project: Project, authors: Authors) -> Iterator[Source]:
    """A source for each file with docs blocks of the project's own, without those that hold a generated text."""
    by_path: dict[str, list[Remembered]] = {}
    for block in project.doc_blocks:
        is_own = block.package_name == project.name and block.name != "__overview__"
        if is_own and not is_missing(block.text) and same_text(block.text) not in authors.others:
            text = " ".join(block.text.split())[:LONGEST_TEXT]
            by_path.setdefault(block.path, []).append(Remembered("doc block", block.path, block.name, text))
    for path, passages in sorted(by_path.items()):
        yield source_of("doc block", path, passages)


def abbreviation_sources(own: Mapping[str, str]) -> Iterator[Source]:
    """One source with what the settings say of short forms, if they do."""
    passages: Sequence[Remembered] = [
        Remembered("abbreviation", ABBREVIATIONS, short, " ".join(long.split())[:LONGEST_TEXT])
        for short, long in sorted(own.items())
        if short.strip() and long.strip()
    ]
    if passages:
        yield source_of("abbreviation", ABBREVIATIONS, passages)
