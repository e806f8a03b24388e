"""What a query says, in words that its layout, comments, quotes and the names of its CTEs and aliases don't change.

Of each node, the rows: what is read, joined, filtered and grouped. Of columns that are computed over rows, or that
can't be followed, what they are made of. These are texts, not hashes: columns of other nodes stand in them as
`"unique_id"."column"`, nodes as `"unique_id"`, so that whoever compares them can put what these pass on in their place.
Nothing in them depends on tests, and on the catalog only where a star can't do without: then there is no text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import ParamSpec

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope

from dbt_describe.lineage.arms import is_distinct, sides_of
from dbt_describe.lineage.grouping import aggregates, group_keys
from dbt_describe.lineage.joins import conjuncts, kind_of, source_of
from dbt_describe.lineage.origins import Canonical, Derived, Join, Origin, Unknown
from dbt_describe.lineage.projections import bare_of, nodes_of
from dbt_describe.lineage.queries import opened
from dbt_describe.lineage.readings import read_before
from dbt_describe.lineage.resolve import Query
from dbt_describe.lineage.resolved import UnresolvedColumnError
from dbt_describe.lineage.tokens import is_of_a_moment
from dbt_describe.lineage.unordered import in_any_order

MAX_CHARACTERS = 2000
"""Of what a text says of one relation or column; of more, it has a hash."""
ANYTHING = "*"
"""Among names: all."""
_PART = re.compile(r"__canonical_(\d+)__")
_LIMITS = ("limit", "offset")
_FILTERING = ("where", "group", "having", "qualify")
_OPERATORS = (exp.Binary, exp.Not, exp.Between, exp.In)
_BINDING = (exp.Binary, exp.Unary, exp.Between, exp.In, exp.Cast)
_Arguments = ParamSpec("_Arguments")


class _UnknownColumnsError(Exception):
    """A star stands for columns that aren't known: with a catalog the text would be another one."""


def canonical_of(
    query: Query, origins: Mapping[str, Origin], joins: Collection[Join], added_names: Collection[str] = ()
) -> Canonical:
    """What a node's query says.

    Args:
        query: the node's.
        origins: of its columns.
        joins: of its rows; conditions of theirs that can't be told in upstream terms are told here.
        added_names: what is read by conditions that an incremental model's query has in later runs only.
    """
    texts = _Texts(query, frozenset(added_names))
    columns = {name: texts.safely(texts.returned, name) for name, origin in origins.items() if _is_told(origin)}
    wanted = {text for join in joins for text in (join.on, *join.filters) if text in query.unfollowed}
    return Canonical(
        rows=texts.safely(texts.rows, query.root, None),
        columns={name: text for name, text in columns.items() if text},
        conditions={text: texts.safely(texts.conditions, *query.unfollowed[text]) for text in wanted},
    )


def _is_told(origin: Origin) -> bool:
    """Whether a column's origin doesn't say all of it."""
    return isinstance(origin, Unknown) or (isinstance(origin, Derived) and bool(origin.aggregations or origin.windows))


def _folded(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else f"#{hashlib.sha256(text.encode()).hexdigest()[:16]}"


class _Texts:
    """The texts of a query's scopes, remembered."""

    def __init__(self, query: Query, added_names: frozenset[str]) -> None:
        self._query = query
        self._added_names = added_names
        self._parts: list[str] = []
        """What stands for a column or subquery while an expression is written."""
        self._rows: dict[tuple[int, frozenset[str] | None], str] = {}
        self._columns: dict[tuple[int, str], str] = {}
        self._clauses: dict[tuple[int, str], list[str]] = {}
        self._again: dict[tuple[int, str], int] = {}
        self._written: dict[tuple[int, int], str] = {}
        self._generator = opened(query.dialect).generator(comments=False)

    def safely(self, make: Callable[_Arguments, str], *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> str:
        """A text, or nothing where it can't be made."""
        try:
            return make(*args, **kwargs)
        except RecursionError:
            self._query.is_too_deep = True
        except (_UnknownColumnsError, UnresolvedColumnError):
            pass
        except (SqlglotError, ValueError, KeyError, AttributeError, TypeError, IndexError):
            # As where the SQL is parsed: what sqlglot half understands must not stop the others.
            pass
        return ""

    def returned(self, name: str) -> str:
        """An output column of the query, or the column that a field is of."""
        try:
            return self.column(self._query.root, name)
        except UnresolvedColumnError:
            return self.column(self._query.root, name.partition(".")[0]) if "." in name else ""

    def column(self, scope: Scope, name: str) -> str:
        """An output column of a scope."""
        key = (id(scope), name)
        if key not in self._columns:
            self._columns[key] = "itself"
            self._columns[key] = _folded(self._column(scope, name))
        return self._columns[key]

    def _column(self, scope: Scope, name: str) -> str:
        select = scope.expression
        if isinstance(select, exp.SetOperation):
            return self._column_of_arms(scope, select, name)
        if not isinstance(select, exp.Select):
            return f"{name} of {self.rows(scope, None)}"
        projection = bare_of(self._query.projection(scope, select, name))
        text = self.written(scope, projection)
        is_window = any(isinstance(node, exp.Window) for node in nodes_of(projection))
        if is_window or aggregates(projection):
            return f"{{{text} over {self._input(scope, [projection], with_having=is_window)}}}"
        joins = [join for join in select.args.get("joins") or () if join.this.alias_or_name in _tables([projection])]
        if joins and ("{" in text or "#" in text):
            # Of another row, or of a group: which one, the join says.
            return f"{{{text} by {' '.join(self._join(scope, join, None) for join in joins)}}}"
        return f"({text})" if isinstance(projection, _OPERATORS) else text

    def _column_of_arms(self, scope: Scope, operation: exp.SetOperation, name: str) -> str:
        names = self._query.output_names(scope)
        arms = self._query.arms(scope)
        if ANYTHING in names or name not in names:
            raise _UnknownColumnsError
        found = []
        for arm in arms.scopes:
            there = self._query.output_names(arm)
            if ANYTHING in there:
                raise _UnknownColumnsError
            own = name if arms.by_name else there[names.index(name)]
            found.append(self.column(arm, own) if own in there else "")
        # Rows of earlier runs were made in the same way.
        earlier = f'"{self._query.unique_id}"."{name}"'
        texts = sorted({text for text in found if text != earlier})
        return texts[0] if len(texts) == 1 else f"{operation.key} {in_any_order(texts)}"

    def rows(self, scope: Scope, needed: frozenset[str] | None) -> str:
        """What the rows of a scope are.

        Where only some columns are needed, joins that neither bring them nor leave rows out aren't told: what those add
        is other columns. `None` is for all.
        """
        key = (id(scope), needed)
        if key not in self._rows:
            self._rows[key] = "itself"
            self._rows[key] = _folded(self._rows_of(scope, needed))
        return self._rows[key]

    def _rows_of(self, scope: Scope, needed: frozenset[str] | None) -> str:
        select = scope.expression
        if isinstance(select, exp.SetOperation):
            return self._rows_of_arms(scope, select)
        if not isinstance(select, exp.Select):
            return self.written(scope, select)
        distinct = select.args.get("distinct")
        wanted = None
        if needed is not None and distinct is None:
            wanted = [self._query.projection(scope, select, name) for name in sorted(needed)]
        parts = [self._input(scope, wanted) or "one row"]
        parts += [*self._clause(scope, "having"), *self._clause(scope, "qualify")]
        is_ordered = False
        if distinct is not None:
            on = distinct.args.get("on")
            is_ordered = on is not None
            parts.append(f"distinct {self.written(scope, on) if on is not None else self._all_columns(scope)}")
        limits = [select.args[name] for name in _LIMITS if select.args.get(name) is not None]
        if (limits or is_ordered) and select.args.get("order") is not None:
            limits.insert(0, select.args["order"])
        return " ".join((*parts, *(self.written(scope, found) for found in limits)))

    def _rows_of_arms(self, scope: Scope, operation: exp.SetOperation) -> str:
        is_union = isinstance(operation, exp.Union)
        arms = self._query.arms(scope).scopes if is_union else sides_of(scope)
        apart = is_distinct(operation)
        texts = [self.rows(arm, None) + (f" of {self._all_columns(arm)}" if apart else "") for arm in arms]
        texts = [text for text in texts if text != f'"{self._query.unique_id}"']
        listed = in_any_order(texts) if is_union else f"({'; '.join(texts)})"
        return f"{operation.key}{' distinct' if apart else ''} {listed}"

    def _all_columns(self, scope: Scope) -> str:
        names = self._query.output_names(scope)
        if ANYTHING in names:
            raise _UnknownColumnsError
        return in_any_order(self.column(scope, name) for name in names)

    def _input(self, scope: Scope, wanted: list[exp.Expr] | None, *, with_having: bool = False) -> str:
        """The rows that the functions of a SELECT see, as far as what is `wanted` of them depends on it."""
        select = scope.expression
        assert isinstance(select, exp.Select)
        from_, joins = select.args.get("from_"), select.args.get("joins") or []
        read = None
        if wanted is not None:
            clauses = [select.args[name] for name in _FILTERING if select.args.get(name) is not None]
            joins, read = _that_matter(joins, [*wanted, *clauses])
        parts = [self._relation(scope, from_.this, read)] if from_ is not None else []
        parts += [self._join(scope, join, read) for join in joins]
        parts += [self.written(scope, lateral) for lateral in select.args.get("laterals") or ()]
        parts += self._clause(scope, "where")
        if select.args.get("group") is not None:
            parts.append(f"group by {self._keys(scope, select)}")
        return " ".join(parts + (self._clause(scope, "having") if with_having else []))

    def _keys(self, scope: Scope, select: exp.Select) -> str:
        keys = group_keys(select)
        return (
            in_any_order(self.written(scope, key) for key in keys)
            if keys
            else self.written(scope, select.args["group"])
        )

    def _relation(self, scope: Scope, relation: exp.Expr, read: Mapping[str, set[str]] | None) -> str:
        source = source_of(scope, relation)
        if isinstance(source, Scope):
            needed = None if read is None else frozenset(read.get(relation.alias_or_name, ()))
            try:
                return self.rows(source, needed)
            except UnresolvedColumnError:
                return self.rows(source, None)
        if not isinstance(source, exp.Table):
            return self.written(scope, relation)
        unique_id = self._query.node_of(source)
        extras = [found for name in ("pivots", "sample") for found in _listed(source.args.get(name))]
        name = f'"{unique_id}"' if unique_id else ".".join(part.name for part in source.parts)
        return " ".join((name, *(self.written(scope, extra) for extra in extras)))

    def _join(self, scope: Scope, join: exp.Join, read: Mapping[str, set[str]] | None) -> str:
        on, using = join.args.get("on"), join.args.get("using")
        kind = " ".join(filter(None, (join.method.lower(), kind_of(join))))
        conditions = self.conditions(scope, on) if on is not None else ", ".join(sorted(c.name for c in using or ()))
        return f"{kind} join [{self._relation(scope, join.this, read)}] on {conditions}"

    def conditions(self, scope: Scope, condition: exp.Expr) -> str:
        """Conditions that AND connects, in no order."""
        return in_any_order(self._condition(scope, found) for found in conjuncts(condition))

    def _clause(self, scope: Scope, name: str) -> list[str]:
        """The conditions of a clause, but for those that only later runs of an incremental model have."""
        key = (id(scope), name)
        if key not in self._clauses:
            clause = scope.expression.args.get(name)
            found = [] if clause is None else [each for each in conjuncts(clause.this) if not self._is_added(each)]
            texts = in_any_order(self._condition(scope, each) for each in found)
            self._clauses[key] = [f"{name} {texts}"] if found else []
        return self._clauses[key]

    def _is_added(self, condition: exp.Expr) -> bool:
        if ANYTHING in self._added_names:
            return True
        names = {node.name for node in nodes_of(condition) if isinstance(node, exp.Column)}
        return bool(names) and names <= self._added_names

    def _condition(self, scope: Scope, condition: exp.Expr) -> str:
        condition = bare_of(condition)
        if not isinstance(condition, (exp.EQ, exp.NEQ)):
            return self.written(scope, condition)
        sides = self.written(scope, condition.left), self.written(scope, condition.right)
        return f"{condition.key} {in_any_order(sides)}"

    def written(self, scope: Scope, expression: exp.Expr) -> str:
        """An expression of a scope: its columns as what they are, its subqueries by their rows and columns."""
        key = (id(scope), id(expression))
        if key not in self._written:
            self._written[key] = self._write(scope, expression)
        return self._written[key]

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
            elif isinstance(original, exp.Literal) and is_of_a_moment(original.name):
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
            return self._query.sql(query)
        names = self._query.output_names(found)
        columns = (self.column(found, name) for name in names) if ANYTHING not in names else (ANYTHING,)
        return f"(select {', '.join(columns)} from {self.rows(found, None)})"

    def _read(self, scope: Scope, column: exp.Column) -> str:
        """A column of what a scope reads, or of what a query around it does."""
        table = self._query.relation_name(scope, column)
        found: Scope | None = scope
        while found is not None and table not in found.selected_sources and table not in found.sources:
            found = found.parent
        if found is None:
            return column.name
        source = found.selected_sources[table][1] if table in found.selected_sources else found.sources[table]
        again = f"#{count}" if (count := self._times_read_before(found, table, source)) else ""
        if isinstance(source, Scope):
            return f"{self.column(source, column.name)}{again}"
        unique_id = self._query.node_of(source)
        owner = unique_id or source.name
        pivot = f" of {self._relation(found, source, None)}" if source.args.get("pivots") else ""
        return f'"{owner}"."{column.name}"{pivot}{again}'

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


def _listed(found: object) -> Iterator[exp.Expr]:
    for each in found if isinstance(found, list) else [found]:
        if isinstance(each, exp.Expr):
            yield each


def _tables(expressions: Iterable[exp.Expr]) -> set[str]:
    return {node.table for found in expressions for node in nodes_of(found) if isinstance(node, exp.Column)}


def _that_matter(
    joins: list[exp.Join], expressions: list[exp.Expr]
) -> tuple[list[exp.Join], Mapping[str, set[str]] | None]:
    """The joins on which the values of some expressions depend, with all columns that are read then, by relation.

    A left join leaves no row out: it matters where something of it is read. Where a name has no relation, all do.
    """
    kept: list[exp.Join] = []
    tables = _tables(expressions)
    if "" in tables:
        return joins, None
    for join in reversed(joins):
        if kind_of(join) == "left" and join.this.alias_or_name not in tables and not join.method:
            continue
        kept.insert(0, join)
        if (on := join.args.get("on")) is not None:
            expressions.append(on)
            tables |= _tables([on])
    read: dict[str, set[str]] = {}
    for found in expressions:
        for node in nodes_of(found):
            if isinstance(node, exp.Column):
                read.setdefault(node.table, set()).add(node.name)
    return kept, read
