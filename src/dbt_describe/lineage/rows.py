"""What the rows of a query are: whose they are, which were left out, what was joined, by what they were grouped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec
from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from dbt_describe.lineage.origins import Aggregation, Join


class Rows(msgspec.Struct, frozen=True):
    """Rows of one scope. Conditions are SQL in upstream terms."""

    driving: str = ""
    """The node that has one row for each of these rows, or for each row before they were grouped."""
    filters: tuple[str, ...] = ()
    joins: tuple[Join, ...] = ()
    union: tuple[str, ...] = ()
    distinct: bool = False
    keys: tuple[str, ...] = ()
    """Key expressions of the GROUP BY."""
    grouped_from: Aggregation | None = None
    """The rows that were grouped, where they were."""

    def before_grouping(self) -> Aggregation:
        """The rows that a function over rows sees here."""
        return self.grouped_from or Aggregation(filters=self.filters, driving=self.driving, joins=self.joins)


class ColumnResolver(Protocol):
    """What the rows need to know of columns; `resolve.Query` is the one that knows."""

    def node_of(self, source: exp.Expr | Scope) -> str:
        """unique_id of the node that a source of a scope is, or empty."""

    def is_unique(self, unique_id: str, columns: frozenset[str]) -> bool:
        """Whether the columns of the node are proved to be unique together."""

    def rows(self, scope: Scope) -> Rows:
        """The rows of another scope, remembered."""

    def upstream_sql(self, scope: Scope, expression: exp.Expr) -> str:
        """An expression of the scope in upstream terms; as it is written where it can't be followed."""

    def upstream_ref(self, scope: Scope, column: str) -> tuple[str, str] | None:
        """(unique_id, column) where an output column of the scope is passed through from a node."""

    def output_names(self, scope: Scope) -> tuple[str, ...]:
        """Names of the scope's output columns."""

    def output_sql(self, scope: Scope, column: str) -> str:
        """An output column of the scope in upstream terms, empty where it can't be followed."""


def rows_of(resolver: ColumnResolver, scope: Scope) -> Rows:
    """The rows of a scope."""
    select = scope.expression
    if isinstance(select, exp.SetOperation):
        return Rows(union=tuple(resolver.rows(arm).driving for arm in arms_of(scope)), distinct=_is_distinct(select))
    if not isinstance(select, exp.Select):
        return Rows()
    base = _from_rows(resolver, scope, select)
    joins = tuple(_joins(resolver, scope, select))
    here = tuple(_conditions(resolver, scope, select, "where")) + tuple(_conditions(resolver, scope, select, "qualify"))
    group = select.args.get("group")
    if group is None and not _aggregates_all(select):
        return msgspec.structs.replace(
            base,
            filters=base.filters + here,
            joins=base.joins + joins,
            distinct=base.distinct or bool(select.args.get("distinct")),
            driving="" if any(join.kind in ("right", "full") for join in joins) else base.driving,
        )
    regrouped = base.grouped_from is not None
    source = Aggregation(
        driving="" if regrouped else base.driving,
        filters=here if regrouped else base.filters + here,
        joins=joins if regrouped else base.joins + joins,
    )
    return Rows(
        driving=source.driving,
        filters=source.filters + tuple(_conditions(resolver, scope, select, "having")),
        joins=source.joins,
        keys=tuple(resolver.upstream_sql(scope, key) for key in (group.expressions if group else ())),
        grouped_from=source,
    )


def arms_of(scope: Scope) -> list[Scope]:
    """The scopes whose rows a set operation returns: both of a UNION, the left one of EXCEPT and INTERSECT."""
    # sqlglot renamed the attribute within the versions we support (28 to 30).
    arms: list[Scope] = getattr(scope, "set_operation_scopes", None) or getattr(scope, "union_scopes", [])
    return arms if isinstance(scope.expression, exp.Union) else arms[:1]


def key_columns(resolver: ColumnResolver, scope: Scope) -> tuple[str, ...]:
    """The output columns that hold the keys of the GROUP BY; empty where a key isn't among them."""
    keys = resolver.rows(scope).keys
    by_sql: dict[str, str] = {}
    for name in resolver.output_names(scope):
        by_sql.setdefault(resolver.output_sql(scope, name), name)
    return tuple(by_sql[key] for key in keys) if all(key in by_sql for key in keys) else ()


def _from_rows(resolver: ColumnResolver, scope: Scope, select: exp.Select) -> Rows:
    from_ = select.args.get("from_")
    if from_ is None:
        return Rows()
    source = _source(scope, from_.this)
    if isinstance(source, Scope) and not resolver.node_of(source):
        return resolver.rows(source)
    return Rows(driving=resolver.node_of(source) if source is not None else "")


def _source(scope: Scope, relation: exp.Expr) -> exp.Expr | Scope | None:
    found = scope.selected_sources.get(relation.alias_or_name)
    return found[1] if found else None


def _conditions(resolver: ColumnResolver, scope: Scope, select: exp.Select, clause: str) -> Iterator[str]:
    found = select.args.get(clause)
    if found is not None:
        for condition in _conjuncts(found.this):
            yield resolver.upstream_sql(scope, condition)


def _conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    condition = condition.unnest() if isinstance(condition, exp.Paren) else condition
    if isinstance(condition, exp.And):
        yield from _conjuncts(condition.left)
        yield from _conjuncts(condition.right)
    else:
        yield condition


def _joins(resolver: ColumnResolver, scope: Scope, select: exp.Select) -> Iterator[Join]:
    for join in select.args.get("joins") or ():
        source = _source(scope, join.this)
        unique_id = ""
        if source is not None:
            unique_id = resolver.node_of(source) or (resolver.rows(source).driving if isinstance(source, Scope) else "")
        condition = join.args.get("on")
        yield Join(
            kind=_join_kind(join),
            unique_id=unique_id,
            on=resolver.upstream_sql(scope, condition) if condition is not None else "",
            matches_at_most_one=source is not None
            and condition is not None
            and _matches_at_most_one(resolver, source, join.this.alias_or_name, condition),
        )


def _join_kind(join: exp.Join) -> str:
    side, kind = (join.side or "").lower(), (join.kind or "").lower()
    if kind in ("semi", "anti", "cross"):
        return kind
    if side:
        return side
    return "inner" if kind == "inner" or join.args.get("on") is not None else "cross"


def _matches_at_most_one(resolver: ColumnResolver, source: exp.Expr | Scope, name: str, condition: exp.Expr) -> bool:
    """Whether equalities of the join condition cover a key of the joined relation."""
    columns = frozenset(_equated_columns(name, condition))
    unique_id = resolver.node_of(source)
    if unique_id:
        return resolver.is_unique(unique_id, columns)
    if not isinstance(source, Scope):
        return False
    rows = resolver.rows(source)
    if rows.grouped_from is not None:
        keys = key_columns(resolver, source)
        return bool(keys) and columns.issuperset(keys) and all(join.matches_at_most_one for join in rows.joins)
    if rows.distinct and columns.issuperset(resolver.output_names(source)):
        return True
    if not rows.driving or not all(join.matches_at_most_one for join in rows.joins):
        return False
    refs = (resolver.upstream_ref(source, column) for column in columns)
    return resolver.is_unique(rows.driving, frozenset(ref[1] for ref in refs if ref and ref[0] == rows.driving))


def _equated_columns(name: str, condition: exp.Expr) -> Iterator[str]:
    for conjunct in _conjuncts(condition):
        if not isinstance(conjunct, exp.EQ):
            continue
        for side, other in ((conjunct.left, conjunct.right), (conjunct.right, conjunct.left)):
            other_is_elsewhere = all(column.table != name for column in other.find_all(exp.Column))
            if isinstance(side, exp.Column) and side.table == name and other_is_elsewhere:
                yield side.name


def _is_distinct(operation: exp.SetOperation) -> bool:
    return isinstance(operation, exp.Union) and bool(operation.args.get("distinct"))


def _aggregates_all(select: exp.Select) -> bool:
    """An aggregate without GROUP BY: the whole input becomes one row."""
    return any(aggregates(projection) for projection in select.selects)


def aggregates(expression: exp.Expr) -> bool:
    """Whether the expression aggregates rows at its own level; a window function doesn't, nor does a subquery's."""
    return any(not _in_window_or_subquery(found, expression) for found in expression.find_all(exp.AggFunc))


def _in_window_or_subquery(function: exp.Expr, top: exp.Expr) -> bool:
    child, parent = function, function.parent
    while parent is not None and child is not top:
        if isinstance(parent, exp.Query) or (isinstance(parent, exp.Window) and parent.this is child):
            return True
        if not isinstance(parent, (exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)):
            return isinstance(parent, exp.Expr) and _inside_subquery(parent, top)
        child, parent = parent, parent.parent
    return False


def _inside_subquery(expression: exp.Expr, top: exp.Expr) -> bool:
    found: exp.Expr | None = expression
    while found is not None and found is not top:
        if isinstance(found, exp.Query):
            return True
        found = found.parent
    return False
