"""The line of a schema file that a node's, a column's or a data test's description is changed at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from dbt_describe.project.data_tests import is_generic, written_name
from dbt_describe.project.nodes import Node, Project
from dbt_describe.project.resources import RETURNS
from dbt_describe.schema_files.edits import SECTIONS
from dbt_describe.schema_files.entries import Entries, items_of, pair_of, text_of, value_of
from dbt_describe.schema_files.lookup import name_key
from dbt_describe.schema_files.places import DATA_TEST_KEYS
from dbt_describe.schema_files.tree import Mapping, Scalar, YamlNode

_AT_COLUMNS = {"entities": "entity", "dimensions": "dimension"}
_WITH_PARTS = frozenset({"semantic_model", "function"})
"""Whose columns are of several kinds."""
_RULES = ("include", "exclude")


class _Owners(NamedTuple):
    """The entries that a description may stand at, the nearest first; then those around them."""

    own: tuple[YamlNode, ...]
    around: tuple[YamlNode, ...] = ()

    def inside(self, own: Iterable[YamlNode]) -> _Owners:
        """Entries that stand inside of these."""
        return _Owners(tuple(own), self.own + self.around)


def line_of(entries: Entries, node: Node, column: str, project: Project) -> int:
    """The line, from 1, or 0 where the file has no entry of the node.

    It is that of `description:`, else of the column's entry, else of the node's.
    """
    if is_generic(node):
        owners = _data_test(entries, node, project)
    else:
        owners = _node(entries, node)
        if column and owners.own:
            owners = _child(entries, owners, node, column)
    descriptions = (pair_of(owner, "description") for owner in owners.own)
    keys = (pair[0] for pair in descriptions if pair)
    first = next(chain(keys, owners.own, owners.around), None)
    return entries.line(first) if first is not None else 0


def _node(entries: Entries, node: Node) -> _Owners:
    """The node's entry; of a version, its own one before the model's."""
    if node.resource_type == "source":
        sources = entries.named(entries.section("sources"), node.source_name)
        tables = [table for each in sources for table in entries.named(value_of(each, "tables"), node.name)]
        return _Owners(tuple(tables[:1]), tuple(sources[:1]))
    section = SECTIONS[node.resource_type].key
    keys = DATA_TEST_KEYS if section in DATA_TEST_KEYS else (section,)
    found = [entry for key in keys for entry in entries.named(entries.section(key), node.name)]
    found = found or list(_at_models(entries, node))
    versions = [version for entry in found[:1] if node.version for version in _versions(entry, node.version)]
    return _Owners((*versions[:1], *found[:1]))


def _versions(entry: YamlNode, version: str) -> Iterator[YamlNode]:
    for item in items_of(value_of(entry, "versions")):
        number = text_of(value_of(item, "v"))
        if number == version or (number.lstrip("0") or "0") == version:
            yield item


def _at_models(entries: Entries, node: Node) -> Iterator[YamlNode]:
    """The entry of a metric at its model; the model that declares a semantic model (since dbt 1.12)."""
    if node.resource_type not in {"metric", "semantic_model"}:
        return
    for model in items_of(entries.section("models")):
        if node.resource_type == "metric":
            yield from entries.named(value_of(model, "metrics"), node.name)
            continue
        declared = value_of(model, "semantic_model")
        own = text_of(value_of(declared, "name")) or text_of(value_of(model, "name"))
        if declared is not None and name_key(own) == name_key(node.name):
            yield model


def _child(entries: Entries, owners: _Owners, node: Node, column: str) -> _Owners:
    """The entry of a column, an argument, or what else is described inside of a node."""
    found = node.column(column) if node.resource_type in _WITH_PARTS else None
    children = found.children if found else ""
    if children == RETURNS:
        parts = (value_of(owner, RETURNS) for owner in owners.own)
        return owners.inside(part for part in parts if part is not None)
    key = children or next(iter(SECTIONS[node.resource_type].children), "columns")
    if node.resource_type == "semantic_model" and value_of(owners.own[0], "semantic_model") is not None:
        return owners.inside(_at_columns(entries, owners.own[0], key, column))
    for owner in owners.own:
        own = entries.named(value_of(owner, key), column)
        if own:
            return owners.inside(own[:1])
        if owner is not owners.own[-1] and not _includes(owner, column):
            break
    return owners.inside(())


def _at_columns(entries: Entries, model: YamlNode, children: str, wanted: str) -> Iterator[YamlNode]:
    """An entity or dimension at its column, whose description it takes where it has no more than a name."""
    key = _AT_COLUMNS.get(children, "")
    for column in items_of(value_of(model, "columns")):
        part = value_of(column, key) if key else None
        own = text_of(value_of(part, "name")) or text_of(value_of(column, "name"))
        if part is not None and name_key(own) == name_key(wanted):
            yield part if isinstance(part, Mapping) else column
    yield from entries.named(value_of(value_of(model, "derived_semantics"), children), wanted)


def _includes(version: YamlNode, column: str) -> bool:
    """Whether a version takes the column over from the model's own list (`include`, `exclude`)."""
    for rule in items_of(value_of(version, "columns")):
        included, excluded = (value_of(rule, key) for key in _RULES)
        if included is None and excluded is None:
            continue
        names = _names(included)
        return (not names or bool(names & {"all", "*", name_key(column)})) and name_key(column) not in _names(excluded)
    return True


def _names(value: YamlNode | None) -> set[str]:
    return {name_key(text_of(item)) for item in items_of(value) or ([value] if value else [])}


def _data_test(entries: Entries, node: Node, project: Project) -> _Owners:
    """Where a generic data test stands, at the node that it tests or a column of it."""
    tested = project.nodes.get(node.attached_node)
    if tested is None:
        return _Owners(())
    owners = _node(entries, tested)
    column = node.test.column if node.test else ""
    if column and owners.own:
        owners = _child(entries, owners, tested, column)
    name = written_name(node, project)
    lists = (value_of(owner, key) for owner in owners.own for key in DATA_TEST_KEYS)
    tests = (test for each in lists for item in items_of(each) for test in _tests_named(item, name))
    return owners.inside(tests)


def _tests_named(item: YamlNode, name: str) -> Iterator[YamlNode]:
    """What holds the test's description, or would: `unique`, `unique: {…}`, `{name: …, test_name: unique, …}`."""
    if isinstance(item, Scalar) and item.text == name:
        yield item
    if not isinstance(item, Mapping) or not item.pairs:
        return
    key, owner = item.pairs[0]
    if value_of(item, "test_name") is not None:
        owner = item
        names = {text_of(value_of(item, "name")), text_of(value_of(item, "test_name"))}
    else:
        names = {text_of(key), text_of(value_of(owner, "name"))}
    if name in names:
        yield owner if pair_of(owner, "description") else item
