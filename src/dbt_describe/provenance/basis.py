"""What a description rests on: hashes that change when the meaning may have, and not when only the spelling has.

A column rests on its expression in upstream terms, on the rows that it is computed over where that matters (groups,
filters, joins), on its type and its accepted values. What is only passed through is as what it comes from, however many
nodes lie between. A node rests on its rows: what it reads, joins, filters and groups by.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import ParamSpec

import msgspec

from dbt_describe.inheritance import furthest
from dbt_describe.lineage.origins import ColumnRef, Derived, Join, Lineage, NodeLineage, Unknown
from dbt_describe.lineage.parts import whole
from dbt_describe.lineage.tokens import moments_in, without_moments
from dbt_describe.project.nodes import RELATION_RESOURCE_TYPES, Column, Node, Project
from dbt_describe.provenance.definitions import definition_of, element_of, python_of
from dbt_describe.provenance.types import type_family

SCHEME = "1"
"""Of the hashes: raised when they are made otherwise, so that older ones aren't taken for changed SQL.

A test holds some hashes, with each version of sqlglot that is supported.
"""
_LENGTH = 12
_KNOWLEDGE = ("words", "part", "column", "rows")
"""Kinds of hashes of SQL: of its words, where it can't be read; of a column or rows of which tests, a catalog or
another parser may tell more; of a column; of a node's rows.
"""
_NAMES = {"definition": "definition", "code": "code"}
"""What has no SQL."""
_DOUBTFUL = "\x04"
_DOUBTFUL_ENCODED = b"\\u0004"
_QUERIED = (*RELATION_RESOURCE_TYPES, "analysis")
_Arguments = ParamSpec("_Arguments")
_REFERENCE = re.compile(
    r"[\"`\[]((?:model|seed|snapshot|source|analysis)\.[^\"`\]]+)[\"`\]](?:\.[\"`\[]([^\"`\]]+)[\"`\]])?"
)
"""A node, or a column of one, in the quotes of any dialect."""
_PASSED_ON = re.compile(r'"([^"]+)"')
_DEPENDING = ("it isn't known", "the arms of the UNION are not known", "`")
"""Beginnings of reasons that may go when a test or a catalog comes, which doesn't change the SQL."""


class _UnreadError(Exception):
    """What a text speaks of can't be followed now: with compiled SQL the text would be another one."""


class Basis(msgspec.Struct, frozen=True, gc=False):
    """What a description rests on; empty parts aren't known, and are as good as any other."""

    sql: str = ""
    """`scheme.kind:hash`: only hashes of one scheme and kind can be compared."""
    type: str = ""
    """Of the column, by its family: `integer` for all sizes of it."""
    values: str = ""
    """A hash of the accepted values; `-` where no test names any."""


def what_changed(before: Basis, now: Basis) -> str:
    """Which part of a basis isn't as it was, as part of a sentence; empty where nothing is known to have changed."""
    parts = (
        (_NAMES.get(_kind(now.sql), "SQL"), before.sql, now.sql if _is_comparable(before.sql, now.sql) else ""),
        # Families may have been divided otherwise when the entry was made.
        ("type", type_family(before.type), type_family(now.type)),
        ("accepted values", before.values, now.values),
    )
    return " and ".join(name for name, old, new in parts if old and new and old != new)


def is_older(before: Basis, now: Basis) -> bool:
    """Whether the SQL's hash was made in an older way than now, or of what less was known of: it says nothing any more.

    One of which less is known now isn't older: who has neither catalog nor tests doesn't undo what others have. Nor is
    one where something else has changed: that is still to be told.
    """
    if not now.sql or _is_comparable(before.sql, now.sql) or what_changed(before, now):
        return False
    ranks = [_KNOWLEDGE.index(kind) if (kind := _kind(sql)) in _KNOWLEDGE else -1 for sql in (before.sql, now.sql)]
    return _scheme(before.sql) != _scheme(now.sql) or -1 in ranks or ranks[0] < ranks[1]


def _is_comparable(sql: str, other: str) -> bool:
    return sql.rpartition(":")[0] == other.rpartition(":")[0]


def _scheme(sql: str) -> str:
    return sql.partition(".")[0]


def _kind(sql: str) -> str:
    return sql.partition(".")[2].partition(":")[0]


class Bases:
    """The bases of a project's descriptions."""

    def __init__(self, project: Project, lineage: Lineage) -> None:
        self._project = project
        self._lineage = lineage
        self._columns: dict[ColumnRef, str] = {}
        """Of those furthest upstream."""
        self._references: dict[str, str] = {}
        self._relations: dict[str, str] = {}
        self._parts: dict[str, dict[int, str]] = {}
        self._definitions: dict[str, object] = {}

    def of(self, node: Node, column: Column | None) -> Basis:
        """The basis of a column's description, or of the node's own where there is no column."""
        if column is None:
            return Basis(sql=self._known(self._of_node, node))
        return Basis(self._known(self._of_column, node, column), type_family(column.data_type), _values_of(column))

    @staticmethod
    def _known(make: Callable[_Arguments, str], *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> str:
        try:
            return make(*args, **kwargs)
        except _UnreadError:
            return ""

    def _of_node(self, node: Node) -> str:
        if node.resource_type not in _QUERIED:
            return _hash("definition", self._definition(node))
        traced = self._lineage.nodes.get(node.unique_id)
        if traced is None or node.same_table_as or self._is_estranged(node, traced):
            return ""
        if traced.failure:
            return self._of_unfollowed(node, traced)
        return _hash("rows", self._text(traced.canonical.rows, traced)) if traced.canonical.rows else ""

    def _of_column(self, node: Node, column: Column) -> str:
        if node.resource_type not in _QUERIED:
            return _hash("definition", (element_of(column), self._definition(node)))
        root = furthest(ColumnRef(node.unique_id, column.name.lower()), self._lineage)
        traced = self._lineage.nodes.get(root.unique_id)
        if traced is None:
            is_own = root.unique_id == node.unique_id
            return "" if is_own else _hash("column", (root.unique_id, root.column))
        if root not in self._columns:
            self._columns[root] = self._known(self._of_root, root, traced)
        return self._columns[root]

    def _of_root(self, root: ColumnRef, traced: NodeLineage) -> str:
        """A column that isn't passed through."""
        node = self._project.nodes[root.unique_id]
        if traced.failure:
            return self._of_unfollowed(node, traced)
        if self._is_estranged(node, traced):
            return ""
        origin = self._lineage.origin(root)
        if isinstance(origin, Derived) and not (origin.aggregations or origin.windows):
            return _hash("column", self._of_row(origin, node, traced))
        told = traced.canonical.columns.get(root.column, "")
        if not told or origin is None:
            return ""
        depends = isinstance(origin, Unknown) and origin.reason.startswith(_DEPENDING)
        return _hash("part" if depends else "column", self._text(told, traced))

    def _is_estranged(self, node: Node, traced: NodeLineage) -> bool:
        """Whether the SQL names no table that the node reads: it was compiled for another database or schema."""
        if traced.shape is None or traced.shape.reads:
            return False
        parents = (self._project.nodes.get(name) for name in node.depends_on)
        return any(parent.relation_name for parent in parents if parent)

    def _of_unfollowed(self, node: Node, traced: NodeLineage) -> str:
        """Where a query can't be followed, any change of it may be one of the column."""
        if node.language == "python":
            return _hash("code", python_of(node.raw_code))
        return f"{SCHEME}.words:{traced.canonical.tokens[:_LENGTH]}" if traced.canonical.tokens else ""

    def _definition(self, node: Node) -> object:
        if node.unique_id not in self._definitions:
            self._definitions[node.unique_id] = definition_of(node)
        return self._definitions[node.unique_id]

    def _of_row(self, origin: Derived, node: Node, traced: NodeLineage) -> object:
        """A column that is computed of the values of one row, some of which a join may have brought."""
        read = {ref.unique_id for ref in origin.inputs}
        joins = traced.shape.joins if traced.shape else ()
        moments = moments_in(origin.expression, node.raw_code)
        expression = self._text(without_moments(origin.expression, moments), traced)
        return expression, origin.null_where, [self._join(join, traced) for join in joins if join.unique_id in read]

    def _join(self, join: Join, traced: NodeLineage) -> object:
        told = traced.canonical.conditions
        on = told.get(join.on) or join.on
        filters = sorted(self._text(told.get(text) or text, traced) for text in join.filters)
        return join.kind, self._relation(join.unique_id), self._text(on, traced), filters, join.grouped

    def _text(self, text: str, traced: NodeLineage) -> str:
        known = self._parts.setdefault(traced.unique_id, {})
        return whole(text, traced.canonical.parts, known, self._in_upstream_terms)

    def _in_upstream_terms(self, text: str) -> str:
        """The text with each node, and each column, as the one furthest upstream of the same rows and values."""
        known = self._references
        try:
            return _REFERENCE.sub(lambda found: known[found[0]], text)
        except KeyError:
            known.update({found[0]: self._upstream(found) for found in _REFERENCE.finditer(text)})
            return _REFERENCE.sub(lambda found: known[found[0]], text)

    def _upstream(self, found: re.Match[str]) -> str:
        unique_id, column = found[1], found[2]
        if not column:
            return f'"{self._relation(unique_id)}"'
        root = furthest(ColumnRef(unique_id, column), self._lineage)
        return f'"{root.unique_id}"."{root.column}"{self._doubt(root.unique_id)}'

    def _relation(self, unique_id: str) -> str:
        """The node furthest upstream of the same rows."""
        if unique_id not in self._relations:
            found, seen = unique_id, {unique_id}
            while (traced := self._lineage.nodes.get(found)) and (match := _PASSED_ON.fullmatch(traced.canonical.rows)):
                if match[1] in seen:
                    break
                found = match[1]
                seen.add(found)
            self._relations[unique_id] = f"{found}{self._doubt(found)}"
        return self._relations[unique_id]

    def _doubt(self, unique_id: str) -> str:
        """A mark at what can't be followed further because the SQL of its node can't be read.

        Raises:
            _UnreadError: there is no SQL of it.
        """
        traced, node = self._lineage.nodes.get(unique_id), self._project.nodes.get(unique_id)
        if not traced or not traced.failure or not node or node.language != "sql":
            return ""
        if not traced.canonical.tokens:
            raise _UnreadError
        return _DOUBTFUL


def _values_of(column: Column) -> str:
    values = sorted({value for test in column.tests for value in test.accepted_values})
    return _shortened(_encoded(values)) if values else "-"


def _hash(kind: str, content: object) -> str:
    encoded = _encoded(content)
    return f"{SCHEME}.{'part' if _DOUBTFUL_ENCODED in encoded else kind}:{_shortened(encoded)}"


def _encoded(content: object) -> bytes:
    return msgspec.json.encode(content, order="sorted", enc_hook=str)


def _shortened(encoded: bytes) -> str:
    return hashlib.sha256(encoded).hexdigest()[:_LENGTH]
