"""What a SELECT joins: which relations, which of their rows, and whether that repeats rows."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from dbt_describe.lineage.origins import Join
from dbt_describe.lineage.rows import ColumnResolver, Rows, is_lookup, key_columns


def joins_of(resolver: ColumnResolver, scope: Scope, select: exp.Select, base: Rows) -> Iterator[Join]:
    """The joins of a scope in order, whose FROM has the rows of `base`."""
    apart = base.grouped_from is None and all(join.keeps_rows_apart for join in base.joins)
    for join in select.args.get("joins") or ():
        source = source_of(scope, join.this)
        name, on = join.this.alias_or_name, join.args.get("on")
        rows = _joined_rows(resolver, source)
        found = Join(
            kind=kind_of(join),
            unique_id=rows.driving,
            on=resolver.upstream_sql(scope, on) if on is not None else "",
            matches_at_most_one=source is not None
            and on is not None
            and _matches_at_most_one(resolver, source, name, on),
            matched_at_most_once=apart and on is not None and _is_matched_once(resolver, scope, base, name, on),
            filters=rows.filters,
            grouped=rows.grouped_from is not None or rows.distinct,
            opaque=bool(join.method) or not _has_rows_of_its_node(rows),
        )
        apart = apart and found.keeps_rows_apart
        yield found


def source_of(scope: Scope, relation: exp.Expr) -> exp.Expr | Scope | None:
    """What a relation in FROM or JOIN reads."""
    name = relation.alias_or_name
    found = scope.selected_sources.get(name)
    # A semi or anti join selects nothing of what it reads.
    return found[1] if found else scope.sources.get(name)


def conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    """The conditions that AND connects: without recursion, as there may be thousands."""
    pending = [condition]
    while pending:
        found = pending.pop()
        found = found.unnest() if isinstance(found, exp.Paren) else found
        if isinstance(found, exp.And):
            pending += [found.right, found.left]
        else:
            yield found


def may_lack_match(scope: Scope, name: str) -> bool:
    """Whether an outer join may leave the columns of a relation in the scope null."""
    select = scope.expression
    joins = select.args.get("joins") or () if isinstance(select, exp.Select) else ()
    names = [join.this.alias_or_name for join in joins]
    position = names.index(name) if name in names else -1
    if position >= 0 and kind_of(joins[position]) in ("left", "full"):
        return True
    return any(kind_of(join) in ("right", "full") for join in joins[position + 1 :])


def brings_own_groups(resolver: ColumnResolver, scope: Scope, name: str, source: Scope) -> bool:
    """Whether a row of the scope gets, from a relation of aggregated rows, what was aggregated for itself.

    That is so where the relation is read by FROM, or where it is joined by its group keys alone, to columns of the same
    name or to a key, and all of its groups are there: of another customer, or of groups that HAVING left out, no word
    on "the customer" would be true.
    """
    joins = scope.expression.args.get("joins") or ()
    join = next((found for found in joins if found.this.alias_or_name == name), None)
    if join is None:
        return not may_lack_match(scope, name)
    on, rows, keys = join.args.get("on"), resolver.rows(source), key_columns(resolver, source)
    if kind_of(join) not in ("left", "inner") or on is None or rows.grouped_from is None or not keys:
        return False
    if rows.joins or rows.filters != rows.grouped_from.filters:
        return False
    equated = list(equated_columns(name, on))
    if len(equated) != len(list(conjuncts(on))) or {own.name for own, _ in equated} != set(keys):
        return False
    return all(_is_same_key(resolver, scope, own, other) for own, other in equated)


def _is_same_key(resolver: ColumnResolver, scope: Scope, own: exp.Column, other: exp.Expr) -> bool:
    if not isinstance(other, exp.Column) or may_lack_match(scope, other.table):
        return False
    if own.name == other.name:
        return True
    source = scope.sources.get(other.table)
    ref = resolver.upstream_ref(source, other.name) if isinstance(source, Scope) else None
    if source is not None and not isinstance(source, Scope):
        ref = (resolver.node_of(source), other.name)
    return ref is not None and resolver.is_unique(ref[0], frozenset((ref[1],)))


def _joined_rows(resolver: ColumnResolver, source: exp.Expr | Scope | None) -> Rows:
    if source is None:
        return Rows()
    unique_id = resolver.node_of(source)
    if unique_id or not isinstance(source, Scope):
        return Rows(driving=unique_id)
    return resolver.rows(source)


def _has_rows_of_its_node(rows: Rows) -> bool:
    """Whether nothing but filters and groups decides which rows of the node are in, and each is in once."""
    return bool(rows.driving) and all(map(is_lookup, rows.before_grouping().joins + rows.joins))


def kind_of(join: exp.Join) -> str:
    """`inner`, `left`, `right`, `full`, `cross`, `semi` or `anti`."""
    side, kind = (join.side or "").lower(), (join.kind or "").lower()
    if kind in ("semi", "anti", "cross"):
        return kind
    if side:
        return side
    return "inner" if kind == "inner" or join.args.get("on") is not None else "cross"


def _matches_at_most_one(resolver: ColumnResolver, source: exp.Expr | Scope, name: str, condition: exp.Expr) -> bool:
    """Whether equalities of the join condition cover a key of the joined relation."""
    columns = frozenset(own.name for own, _ in equated_columns(name, condition))
    unique_id = resolver.node_of(source)
    if unique_id:
        return resolver.is_unique(unique_id, columns)
    if not isinstance(source, Scope):
        return False
    rows = resolver.rows(source)
    keys = key_columns(resolver, source)
    if keys and columns.issuperset(keys):
        return True
    if rows.grouped_from is not None or not rows.driving or not all(join.keeps_rows_apart for join in rows.joins):
        return False
    refs = (resolver.upstream_ref(source, column) for column in columns)
    return resolver.is_unique(rows.driving, frozenset(ref[1] for ref in refs if ref and ref[0] == rows.driving))


def _is_matched_once(resolver: ColumnResolver, scope: Scope, base: Rows, name: str, condition: exp.Expr) -> bool:
    """Whether the join condition equates the joined relation's columns with a key of the rows that FROM reads."""
    driving_name = scope.expression.args["from_"].this.alias_or_name
    source = source_of(scope, scope.expression.args["from_"].this)
    columns: set[str] = set()
    for _, other in equated_columns(name, condition):
        if not isinstance(other, exp.Column) or other.table != driving_name:
            continue
        ref = resolver.upstream_ref(source, other.name) if isinstance(source, Scope) else (base.driving, other.name)
        if ref and ref[0] == base.driving:
            columns.add(ref[1])
    return bool(base.driving) and resolver.is_unique(base.driving, frozenset(columns))


def equated_columns(name: str, condition: exp.Expr) -> Iterator[tuple[exp.Column, exp.Expr]]:
    """Each column of the relation with what the condition says it equals."""
    for conjunct in conjuncts(condition):
        if not isinstance(conjunct, exp.EQ):
            continue
        for side, other in ((conjunct.left, conjunct.right), (conjunct.right, conjunct.left)):
            other_is_elsewhere = all(column.table != name for column in other.find_all(exp.Column))
            if isinstance(side, exp.Column) and side.table == name and other_is_elsewhere:
                yield side, other
