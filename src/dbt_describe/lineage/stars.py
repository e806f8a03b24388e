"""What `*` stands for, and which relation a bare column name belongs to, where not all columns of a relation are known.

sqlglot expands a star, and finds the relation of a name, only where it is told all columns; of a source that isn't in
the catalog only those in its schema file are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from dbt_describe.lineage.known import Relation
from dbt_describe.lineage.projections import selects_of


def columns_of(scope: Scope, tables: Mapping[str, Relation]) -> Relation:
    """The columns that a scope returns. `tables` are the relations by the names that the query's tables have."""
    names: dict[str, None] = {}
    whole = True
    for projection in selects_of(scope):
        if not projection.is_star:
            names[projection.alias_or_name] = None
            continue
        for name in starred(projection, scope):
            relation = relation_of(scope, name, tables)
            names |= dict.fromkeys(relation.columns)
            whole = whole and relation.whole
    return Relation(tuple(names), whole)


def starred(projection: exp.Expr, scope: Scope) -> list[str]:
    """The names of the scope's relations whose columns a star selects."""
    table = projection.table if isinstance(projection, exp.Column) else ""
    return [name for name in scope.selected_sources if table in ("", name)]


def relation_of(scope: Scope, name: str, tables: Mapping[str, Relation]) -> Relation:
    """The relation that a scope reads under a name."""
    _, source = scope.selected_sources[name]
    return columns_of(source, tables) if isinstance(source, Scope) else tables.get(source.name, Relation())


def owner_of(column: str, among: Iterable[str], scope: Scope, tables: Mapping[str, Relation]) -> str:
    """The name of the one relation among those given that a bare column can come from, or empty.

    It is the only one known to have it: if another one had it too, the database would refuse the query. Or the only one
    that may have columns that aren't known.
    """
    relations = {name: relation_of(scope, name, tables) for name in among}
    having = [name for name, relation in relations.items() if column in relation.columns]
    candidates = having or [name for name, relation in relations.items() if not relation.whole]
    return candidates[0] if len(candidates) == 1 else ""
