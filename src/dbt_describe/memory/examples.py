"""People's descriptions that show a model how this project writes: those nearest to a layer, the same for all of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from statistics import median

import msgspec

from dbt_describe.answers.house_style import count_words, forbidden_in
from dbt_describe.answers.restating import restates
from dbt_describe.answers.validation import fault_of_claim, fault_of_form, fault_of_node_claim, says_too_little
from dbt_describe.inheritance import claims_grain
from dbt_describe.memory.people import Written
from dbt_describe.memory.words import LAYERS
from dbt_describe.project.nodes import RELATION_RESOURCE_TYPES, Conventions, Node, Project
from dbt_describe.prompting.facts import Enrich, Example, NodeFacts
from dbt_describe.prompting.names import Names

LONGEST_CHARACTERS = 400
"""A longer text teaches little more."""
_FEWEST_WORDS = 3
_TOO_FAR = 4
_FEWEST_PARTS = 3
"""Of an fqn with a folder in it: package, folder, name."""


class Layer(msgspec.Struct, frozen=True):
    """Where a node belongs: its type, the first folder below its directory or its source, and `stg` or the like."""

    resource_type: str
    folder: str
    prefix: str


def layer_of(node: Node) -> Layer:
    """The layer of a node."""
    parts = node.fqn
    folder = node.source_name or (parts[1] if len(parts) >= _FEWEST_PARTS else "")
    prefix = node.name.lower().partition("_")[0]
    return Layer(node.resource_type, folder, prefix if prefix in LAYERS and prefix != node.name.lower() else "")


def choose_examples(people: Sequence[Written], project: Project, count: int) -> Enrich:
    """What adds the examples to a node's facts: half of them of nodes where both nodes and columns are asked for."""
    usual = {of_node: median(_lengths(people, of_node=of_node) or [0]) for of_node in (True, False)}
    names = Names(project)
    ranked = sorted(people, key=lambda one: (abs(count_words(one.text) - usual[not one.column]), _place(one)))
    layers = [layer_of(one.node) for one in ranked]

    @cache
    def is_good(index: int) -> bool:
        return _is_good(ranked[index], project.conventions)

    def near(layer: Layer, *, of_node: bool) -> Iterator[Written]:
        far = {theirs: _distance(theirs, layer) for theirs in set(layers)}
        for index in sorted(range(len(ranked)), key=lambda index: far[layers[index]]):
            if far[layers[index]] < _TOO_FAR and bool(ranked[index].column) != of_node and is_good(index):
                yield ranked[index]

    @cache
    def chosen(layer: Layer, of_nodes: int, of_columns: int) -> tuple[Example, ...]:
        found = [
            *_varied(near(layer, of_node=True), of_nodes),
            *_varied(near(layer, of_node=False), of_columns),
        ]
        return tuple(_example(one, names) for one in found)

    def enrich(facts: NodeFacts) -> NodeFacts:
        asks_columns = bool(facts.columns)
        of_nodes = (count // 2 if asks_columns else count) if facts.describe_node else 0
        layer = layer_of(project.nodes[facts.unique_id])
        examples = chosen(layer, of_nodes, count - of_nodes if asks_columns else 0)
        return msgspec.structs.replace(facts, examples=(*facts.examples, *examples)) if examples else facts

    return enrich


def _distance(theirs: Layer, ours: Layer) -> int:
    """How far apart layers are: 0 the same, 3 another type of table, 4 nothing in common."""
    if theirs.resource_type != ours.resource_type:
        both = {theirs.resource_type, ours.resource_type}
        return 3 if both <= {*RELATION_RESOURCE_TYPES} else _TOO_FAR
    return (theirs.folder != ours.folder) + (theirs.prefix != ours.prefix)


def _varied(near: Iterable[Written], count: int) -> list[Written]:
    """The first of them, not two columns of one name, and no more than half of one node where others have some."""
    found: list[Written] = []
    passed: list[Written] = []
    names: set[str] = set()
    for one in near if count else ():
        name = one.column.lower()
        if name in names:
            continue
        names |= {name} if name else set()
        is_much = sum(other.node.unique_id == one.node.unique_id for other in found) >= -(-count // 2)
        (passed if is_much else found).append(one)
        if len(found) == count:
            break
    return [*found, *passed][:count]


def _is_good(one: Written, conventions: Conventions) -> bool:
    """Whether we would take such a text from a model: what we would refuse is no example."""
    text = " ".join(one.text.split())
    most = conventions.column_words if one.column else conventions.node_words
    claims = fault_of_claim(text, is_unique=False, is_present=False) if one.column else fault_of_node_claim(text)
    return not (
        claims
        or (one.column and claims_grain(text))
        or count_words(text) < _FEWEST_WORDS
        or (most and count_words(text) > most)
        or says_too_little(text)
        or restates(text, one.column or one.node.name)
        or forbidden_in(text, conventions.forbidden)
        or fault_of_form(one.text.strip(), LONGEST_CHARACTERS, conventions.language)
    )


def _lengths(people: Iterable[Written], *, of_node: bool) -> list[int]:
    return [count_words(one.text) for one in people if bool(one.column) != of_node]


def _example(one: Written, names: Names) -> Example:
    node = names.of(one.node.unique_id)
    return Example(f"{node}.{one.column}" if one.column else node, " ".join(one.text.split()))


def _place(one: Written) -> tuple[str, str]:
    return one.node.unique_id, one.column.lower()
