"""A node that a query reads twice: whether both readings tell of the same thing.

The manager's name is not the employee's, though both are names of employees. But where the rows are no longer those of
the node (they were grouped, made distinct, or one was picked of each group), what is joined by the same columns
belongs to the same group, just as the rows of another node would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from dbt_describe.lineage.joins import conjuncts, kind_of
from dbt_describe.lineage.origins import ColumnRef
from dbt_describe.lineage.projections import bare_of, upstream_column
from dbt_describe.lineage.rows import ColumnResolver, key_columns


def read_before(resolver: ColumnResolver, scope: Scope, name: str, unique_id: str) -> list[str]:
    """The names, before the given one, under which a scope reads a node."""
    found: list[str] = []
    for earlier, (_, source) in scope.selected_sources.items():
        if earlier == name:
            return found
        reads = resolver.reads(source) if isinstance(source, Scope) else (resolver.node_of(source),)
        if unique_id in reads:
            found.append(earlier)
    # A query around it reads it.
    return found


def is_of_the_same(resolver: ColumnResolver, scope: Scope, name: str, unique_id: str, earlier: Iterable[str]) -> bool:
    """Whether a column of a node, read under a name, tells of what the rows of the scope are.

    `earlier` are the names under which the scope read the node before.
    """
    join = next((found for found in scope.expression.args.get("joins") or () if found.this.alias_or_name == name), None)
    on = join.args.get("on") if join is not None else None
    if join is None or on is None or kind_of(join) not in ("inner", "left"):
        return False
    shared = _shared_columns(resolver, scope, name, on)
    if not shared:
        return False
    refs = set(shared.values())
    if resolver.is_unique(unique_id, frozenset(ref.column for ref in refs if ref.unique_id == unique_id)):
        return True
    if _stands_for_some_of(resolver, scope, refs):
        return True
    grouped = {
        source for source in (*earlier, *(other.table for other in shared)) if _is_grouped(resolver, scope, source)
    }
    if not grouped.issuperset(earlier):
        return False
    return all(other.table in grouped and _is_key(resolver, scope, other) for other in shared)


def _shared_columns(resolver: ColumnResolver, scope: Scope, name: str, on: exp.Expr) -> dict[exp.Column, ColumnRef]:
    """The columns that the condition equates with those of the same origin that the relation has.

    Empty where the condition says anything else of both sides: `a.number + 1 = b.number`.
    """
    shared: dict[exp.Column, ColumnRef] = {}
    for conjunct in conjuncts(on):
        tables = {column.table for column in conjunct.find_all(exp.Column)}
        if tables == {name}:
            continue
        sides = (conjunct.left, conjunct.right) if isinstance(conjunct, exp.EQ) else ()
        columns = [side for side in sides if isinstance(side, exp.Column)]
        own, other = (column for column in columns) if len(columns) == 2 else (None, None)
        if own is None or other is None:
            return {}
        own, other = (own, other) if own.table == name else (other, own)
        ref = _ref(_origin(resolver, scope, own))
        if ref is None or other.table == name or ref != _ref(_origin(resolver, scope, other)):
            return {}
        shared[other] = ref
    return shared


def _origin(resolver: ColumnResolver, scope: Scope, column: exp.Expr) -> exp.Expr | None:
    """What a column of the scope is where it was read, whatever else the scope reads."""
    found = scope.selected_sources.get(column.table) if isinstance(column, exp.Column) else None
    if found is None:
        return None
    source = found[1]
    if isinstance(source, Scope):
        return resolver.output_expression(source, column.name)
    unique_id = resolver.node_of(source)
    return upstream_column(unique_id, column.name) if unique_id else None


def _ref(found: exp.Expr | None) -> ColumnRef | None:
    return ColumnRef(found.table, found.name) if isinstance(found, exp.Column) else None


def _is_grouped(resolver: ColumnResolver, scope: Scope, name: str) -> bool:
    source = scope.sources.get(name)
    return isinstance(source, Scope) and bool(resolver.rows(source).keys)


def _is_key(resolver: ColumnResolver, scope: Scope, column: exp.Column) -> bool:
    source = scope.sources.get(column.table)
    return isinstance(source, Scope) and column.name in key_columns(resolver, source)


def _stands_for_some_of(resolver: ColumnResolver, scope: Scope, refs: set[ColumnRef]) -> bool:
    """Whether the rows of the scope are one, or a few distinct ones, for each value of some of the columns."""
    select = scope.expression
    if not isinstance(select, exp.Select):
        return False
    distinct = select.args.get("distinct")
    if distinct is not None and not distinct.args.get("on"):
        returned = (_ref(_origin(resolver, scope, bare_of(found))) for found in select.selects)
        return refs.issubset(returned)
    picked = (_partition(resolver, scope, condition) for condition in _conditions(select))
    return any(partition and refs.issuperset(partition) for partition in picked)


def _conditions(select: exp.Select) -> Iterator[exp.Expr]:
    for clause in ("where", "qualify"):
        if (found := select.args.get(clause)) is not None:
            yield from conjuncts(found.this)


def _partition(resolver: ColumnResolver, scope: Scope, condition: exp.Expr) -> set[ColumnRef]:
    """The columns of which `ROW_NUMBER() OVER (PARTITION BY …) = 1` picks a row for each value; empty for others."""
    if not isinstance(condition, exp.EQ) or condition.right != exp.Literal.number(1):
        return set()
    window = _origin(resolver, scope, condition.left)
    is_here = window is None
    window = condition.left if is_here else window
    if not isinstance(window, exp.Window) or not isinstance(window.this, exp.RowNumber):
        return set()
    keys = window.args.get("partition_by") or []
    found = {_ref(_origin(resolver, scope, key) if is_here else key) for key in keys}
    return {ref for ref in found if ref is not None} if None not in found else set()
