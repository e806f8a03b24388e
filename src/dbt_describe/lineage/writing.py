"""Expressions of a query in words that the names inside of the query don't change."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from dbt_describe.lineage.projections import nodes_of
from dbt_describe.lineage.queries import opened
from dbt_describe.lineage.readings import read_before
from dbt_describe.lineage.resolve import Query

_PART = re.compile(r"__canonical_(\d+)__")
_NODE = re.compile(r"__node_\d+")
_EXTRAS = ("pivots", "sample")
_BINDING = (exp.Binary, exp.Unary, exp.Between, exp.In, exp.Cast)


class Writer:
    """Writes the expressions of a query's scopes.

    Args:
        query: the query.
        column: what an output column of a scope is.
        subquery: what a scope's rows and columns are.
        relation: what the rows of a relation in FROM or JOIN are.
        moments: literals that are others each time that the query is compiled.
    """

    def __init__(
        self,
        query: Query,
        column: Callable[[Scope, str], str],
        subquery: Callable[[Scope], str],
        relation: Callable[[Scope, exp.Expr], str],
        moments: Collection[str] = (),
    ) -> None:
        self._query = query
        self._column = column
        self._scope_text = subquery
        self._relation = relation
        self._moments = moments
        self._parts: list[str] = []
        """What stands for a column or subquery while an expression is written."""
        self._again: dict[tuple[int, str], int] = {}
        self._written: dict[tuple[int, int], tuple[exp.Expr, str]] = {}
        """By ids, beside the expression, whose id nothing else gets as long as it is here."""
        self._pivoted: dict[int, list[exp.Expr]] = {}
        """By scope, relations that are turned."""
        self._open: set[int] = set()
        """The relations of which it is being written how they are turned: what is read there is read before that."""
        self._generator = opened(query.dialect).generator(comments=False)

    def written(self, scope: Scope, expression: exp.Expr) -> str:
        """An expression of a scope: its columns as what they are, its subqueries by their rows and columns."""
        key = (id(scope), id(expression))
        if key not in self._written:
            self._written[key] = expression, self._write(scope, expression)
        return self._written[key][1]

    def _write(self, scope: Scope, expression: exp.Expr) -> str:
        if isinstance(expression, exp.Column):
            return self._read(scope, expression)
        if isinstance(expression, exp.Query):
            return self._subquery(scope, expression)
        copy = expression.copy()
        inner: set[int] = set()
        for original, node in zip(nodes_of(expression), nodes_of(copy), strict=True):
            if id(original) in inner or isinstance(original, exp.Query):
                inner.update(id(child) for child in original.iter_expressions())
                if id(original) not in inner:
                    node.replace(self._part(self._subquery(scope, original)))
            elif isinstance(original, exp.Column) and not isinstance(original.this, exp.Star):
                text = self._read(scope, original)
                bound = isinstance(original.parent, _BINDING)
                node.replace(self._part(text if bound or text[:1] != "(" else text[1:-1]))
            elif isinstance(original, exp.Identifier):
                node.set("quoted", False)
            elif isinstance(original, exp.TableAlias):
                node.pop()
            elif isinstance(original, exp.Literal) and original.name in self._moments:
                node.set("this", "…")
        # It is a copy already.
        written = self._generator.generate(copy, copy=False)
        return _PART.sub(lambda found: self._parts[int(found[1])], written)

    def _part(self, text: str) -> exp.Column:
        self._parts.append(text)
        return exp.column(f"__canonical_{len(self._parts) - 1}__")

    def _subquery(self, scope: Scope, query: exp.Expr) -> str:
        found = next((inner for inner in scope.subquery_scopes if inner.expression is query.unnest()), None)
        if found is None:
            return _NODE.sub(lambda name: f'"{self._query.unique_ids.get(name[0], name[0])}"', self._query.sql(query))
        return self._scope_text(found)

    def _read(self, scope: Scope, column: exp.Column) -> str:
        """A column of what a scope reads, or of what a query around it does."""
        table = self._query.relation_name(scope, column)
        found: Scope | None = scope
        while found is not None and table not in found.selected_sources and table not in found.sources:
            found = found.parent
        turned = self._turned(found or scope, table)
        if turned is not None:
            return f"{column.name} of {self._relation(found or scope, turned)}"
        if found is None:
            return column.name
        source = found.selected_sources[table][1] if table in found.selected_sources else found.sources[table]
        again = f"#{count}" if (count := self._times_read_before(found, table, source)) else ""
        if isinstance(source, Scope):
            return f"{self._column(source, column.name)}{again}"
        unique_id = self._query.node_of(source)
        owner = unique_id or source.name
        return f'"{owner}"."{column.name}"{again}'

    def _turned(self, scope: Scope, table: str) -> exp.Expr | None:
        """The relation, if rows of it have been made columns, or the reverse, of which a column is read."""
        if id(scope) not in self._pivoted:
            select = scope.expression
            clauses = [select.args.get("from_"), *(select.args.get("joins") or ())]
            relations = [clause.this for clause in clauses if clause is not None]
            self._pivoted[id(scope)] = [found for found in relations if found.args.get("pivots")]
        for relation in self._pivoted[id(scope)]:
            names = {relation.alias_or_name, *(pivot.alias for pivot in relation.args["pivots"])}
            if (not table or table in names) and id(relation) not in self._open:
                return relation
        return None

    def extras(self, scope: Scope, relation: exp.Expr) -> list[str]:
        """What makes other rows of a relation where it is read."""
        self._open.add(id(relation))
        try:
            found = (relation.args.get(name) for name in _EXTRAS)
            listed = (each if isinstance(each, list) else [each] for each in found if each is not None)
            return [self.written(scope, extra) for some in listed for extra in some]
        finally:
            self._open.discard(id(relation))

    def _times_read_before(self, scope: Scope, table: str, source: exp.Expr | Scope) -> int:
        """Under how many names the scope reads the same node before: what is read now may be another row's."""
        if len(scope.selected_sources) == 1:
            return 0
        key = (id(scope), table)
        if key not in self._again:
            nodes = self._query.reads(source) if isinstance(source, Scope) else [self._query.node_of(source)]
            earlier = [name for node in nodes for name in read_before(self._query, scope, table, node)]
            self._again[key] = len(set(earlier))
        return self._again[key]
