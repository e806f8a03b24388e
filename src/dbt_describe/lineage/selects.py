"""What the rows of a SELECT or UNION are: whose, which were left out, what was joined, by what they were grouped."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from dbt_describe.lineage.grouping import group_keys, is_grouped
from dbt_describe.lineage.joins import conjuncts, joins_of, source_of
from dbt_describe.lineage.origins import Aggregation, Join
from dbt_describe.lineage.projections import nodes_of
from dbt_describe.lineage.rows import ColumnResolver, Rows, is_lookup


def rows_of(resolver: ColumnResolver, scope: Scope) -> Rows:
    """The rows of a scope."""
    select = scope.expression
    if isinstance(select, exp.SetOperation):
        return _rows_of_arms(resolver, scope, select)
    if not isinstance(select, exp.Select):
        return Rows()
    base = _from_rows(resolver, scope, select)
    joins = tuple(joins_of(resolver, scope, select, base))
    here = tuple(_conditions(resolver, scope, select, "where")) + tuple(_conditions(resolver, scope, select, "qualify"))
    if is_grouped(select):
        return _grouped_rows(resolver, scope, select, base, joins, here)
    distinct = select.args.get("distinct")
    apart = all(join.keeps_rows_apart for join in joins) and not _unnests(select)
    keys = base.keys if apart else ()
    if distinct is not None:
        # DISTINCT ON leaves one row per key of its own, which needn't be among the columns.
        keys = () if distinct.args.get("on") else _output_keys(resolver, scope)
    return msgspec.structs.replace(
        base,
        filters=base.filters + here,
        joins=base.joins + joins,
        distinct=base.distinct or distinct is not None,
        keys=keys,
        union_whole=base.union_whole and distinct is None and not here and all(map(is_lookup, joins)),
        driving="" if any(join.kind in ("right", "full") for join in joins) else base.driving,
    )


def _rows_of_arms(resolver: ColumnResolver, scope: Scope, operation: exp.SetOperation) -> Rows:
    arms = [resolver.rows(arm) for arm in resolver.arms(scope).scopes]
    return Rows(
        union=tuple(unique_id for arm in arms for unique_id in arm.union or (arm.driving,)),
        union_whole=isinstance(operation, exp.Union) and all(arm.is_whole for arm in arms),
        distinct=isinstance(operation, exp.Union) and bool(operation.args.get("distinct")),
    )


def _grouped_rows(
    resolver: ColumnResolver,
    scope: Scope,
    select: exp.Select,
    base: Rows,
    joins: tuple[Join, ...],
    filters: tuple[str, ...],
) -> Rows:
    keys = group_keys(select)
    regrouped = base.grouped_from is not None
    source = Aggregation(
        # Without the keys it isn't known which rows make a group, and so not whose rows are aggregated.
        driving="" if regrouped or keys is None else base.driving,
        filters=filters if regrouped else base.filters + filters,
        joins=joins if regrouped else base.joins + joins,
    )
    return Rows(
        driving=source.driving,
        filters=source.filters + tuple(_conditions(resolver, scope, select, "having")),
        keys=tuple(resolver.upstream_sql(scope, key) for key in keys or ()),
        grouped_from=source,
    )


def _unnests(select: exp.Select) -> bool:
    """Whether it makes several rows of one."""
    return bool(select.args.get("laterals")) or any(
        isinstance(node, (exp.Explode, exp.Unnest)) for found in select.selects for node in nodes_of(found)
    )


def _output_keys(resolver: ColumnResolver, scope: Scope) -> tuple[str, ...]:
    """All columns, which DISTINCT makes a key; empty where they aren't all known."""
    keys = tuple(resolver.output_sql(scope, name) for name in resolver.output_names(scope))
    return keys if all(keys) else ()


def _from_rows(resolver: ColumnResolver, scope: Scope, select: exp.Select) -> Rows:
    from_ = select.args.get("from_")
    if from_ is None:
        return Rows()
    source = source_of(scope, from_.this)
    if isinstance(source, Scope) and not resolver.node_of(source):
        return resolver.rows(source)
    return Rows(driving=resolver.node_of(source) if source is not None else "")


def _conditions(resolver: ColumnResolver, scope: Scope, select: exp.Select, clause: str) -> Iterator[str]:
    found = select.args.get(clause)
    if found is not None:
        for condition in conjuncts(found.this):
            yield resolver.upstream_sql(scope, condition)
