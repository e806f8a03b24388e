"""What `*` stands for, and which relation a bare column name belongs to, where not all columns of a relation are known.

sqlglot expands a star, and finds the relation of a name, only where it is told all columns; of a source that isn't in
the catalog only those in its schema file are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from dbt_describe.lineage.arms import all_arms_of
from dbt_describe.lineage.equal import one_of_equals
from dbt_describe.lineage.known import Relation
from dbt_describe.lineage.projections import bare_of, selects_of
from dbt_describe.lineage.resolved import UnresolvedColumnError
from dbt_describe.lineage.spelling import is_nameless, written

_UNKNOWN = Relation()


class Star(msgspec.Struct, frozen=True):
    """A star, `*` or `t.*`: of which of the scope's relations, and what is said of their columns."""

    relations: tuple[str, ...]
    excluded: frozenset[str] = frozenset()
    replaced: Mapping[str, exp.Expr] = {}
    renamed: Mapping[str, str] = {}
    """Old name → new one."""
    is_filtered: bool = False
    """A pattern chooses among the columns."""

    def name_below(self, column: str) -> str:
        """What the relation calls the column that the star returns under a name; empty where it returns none."""
        old = next((old for old, new in self.renamed.items() if new == column), "")
        return old or ("" if column in self.excluded or column in self.renamed else column)

    def applied(self, relation: Relation) -> Relation:
        """The columns of one of its relations that it returns."""
        if self.is_filtered:
            return Relation()
        names = (self.renamed.get(name, name) for name in relation.columns if name not in self.excluded)
        # What is replaced or renamed is there, whatever is known of the relation.
        sure = (*self.replaced, *self.renamed.values()) if len(self.relations) == 1 else ()
        return Relation(tuple(dict.fromkeys((*names, *sure))), relation.whole, relation.spelled)


def star_of(projection: exp.Expr, scope: Scope) -> Star:
    """What a projection that is a star stands for."""
    table = projection.table if isinstance(projection, exp.Column) else ""
    star = projection.this if isinstance(projection, exp.Column) else projection
    if not isinstance(star, exp.Star):
        # The fields of a struct.
        return Star(())
    arguments = star.args
    return Star(
        tuple(name for name in scope.selected_sources if table in ("", name)),
        frozenset(column.name for column in arguments.get("except_") or ()),
        {column.alias: column.this for column in arguments.get("replace") or ()},
        {column.this.name: column.alias for column in arguments.get("rename") or ()},
        is_filtered=bool(arguments.get("ilike")),
    )


class Columns:
    """What the scopes of a query return, and read.

    Args:
        tables: the relations by the names that the query's tables have.
    """

    def __init__(self, tables: Mapping[str, Relation]) -> None:
        self._tables = tables
        self._returned: dict[int, Relation] = {}
        self._written: dict[tuple[int, str], Mapping[str, str]] = {}
        self._sets: dict[int, frozenset[str]] = {}

    def returned(self, scope: Scope) -> Relation:
        """The columns that a scope returns."""
        if id(scope) not in self._returned:
            is_union = isinstance(scope.expression, exp.SetOperation)
            self._returned[id(scope)] = self._of_arms(scope) if is_union else self._of_select(scope)
        return self._returned[id(scope)]

    def read(self, scope: Scope, name: str) -> Relation:
        """The relation that a scope reads under a name."""
        _, source = scope.selected_sources[name]
        return self.returned(source) if isinstance(source, Scope) else self._tables.get(source.name, _UNKNOWN)

    def owner(self, column: str, among: Iterable[str], scope: Scope) -> str:
        """The name of the one relation among those given that a bare column can come from, or empty.

        It is the only one known to have it: if another one had it too, the database would refuse the query, unless a
        join makes both the same. Or the only one that may have columns that aren't known.
        """
        relations = {name: self.read(scope, name) for name in among}
        having = [name for name, relation in relations.items() if column in self._names(relation)]
        if len(having) > 1:
            same = one_of_equals(scope, exp.func("coalesce", *(exp.column(column, table=name) for name in having)))
            return same.table if isinstance(same, exp.Column) else ""
        candidates = having or [name for name, relation in relations.items() if not relation.whole]
        return candidates[0] if len(candidates) == 1 else ""

    def under_star(self, scope: Scope, column: str) -> exp.Expr:
        """What the stars of a scope return under a name that nothing else there has, as an expression of the scope.

        `*` of a relation whose columns aren't all known: what nothing else returns comes from there.

        Raises:
            UnresolvedColumnError: they don't return it, or it isn't known which one does.
        """
        stars = [star_of(found, scope) for found in selects_of(scope) if found.is_star]
        if not stars:
            nameless = any(is_nameless(found) for found in selects_of(scope))
            raise UnresolvedColumnError("the SQL gives it no name" if nameless else "the SQL doesn't return it")
        replaced = next((star.replaced[column] for star in stars if column in star.replaced), None)
        if replaced is not None:
            return bare_of(replaced)
        # Which column of the relation it is, and which relations may have it.
        below: dict[str, list[str]] = {}
        for star in stars:
            if name := star.name_below(column):
                below.setdefault(name, []).extend(star.relations)
        if not below:
            raise UnresolvedColumnError("the SQL doesn't return it")
        name, relations = next(iter(below.items()))
        owner = self.owner(name, relations, scope) if len(below) == 1 else ""
        if not owner:
            raise UnresolvedColumnError("it isn't known which of the relations under `*` it comes from")
        return exp.column(name, table=owner)

    def _names(self, relation: Relation) -> frozenset[str]:
        # The relations live as long as this object: nothing else gets their ids.
        if id(relation) not in self._sets:
            self._sets[id(relation)] = frozenset(relation.columns)
        return self._sets[id(relation)]

    def _of_arms(self, scope: Scope) -> Relation:
        """Those of the first arm; of all where they are matched by name."""
        arms = all_arms_of(scope)
        found = [self.returned(arm) for arm in (arms.scopes if arms.by_name else arms.scopes[:1])]
        names = tuple(dict.fromkeys(name for relation in found for name in relation.columns))
        spelled = tuple(dict.fromkeys(name for relation in found for name in relation.spelled))
        return Relation(names, all(relation.whole for relation in found), spelled)

    def _of_select(self, scope: Scope) -> Relation:
        names: dict[str, str] = {}
        whole = True
        for projection in selects_of(scope):
            if projection.is_star:
                star = star_of(projection, scope)
                for name in star.relations:
                    relation = star.applied(self.read(scope, name))
                    for column, spelled in _spellings(relation).items():
                        names.setdefault(column, spelled)
                    whole = whole and relation.whole
                whole = whole and bool(star.relations)
            elif is_nameless(projection):
                whole = False
            else:
                names.setdefault(projection.alias_or_name, self._spelled(scope, projection))
        return Relation(tuple(names), whole, tuple(spelled for name, spelled in names.items() if spelled != name))

    def _spelled(self, scope: Scope, projection: exp.Expr) -> str:
        """As it is written, or as the relation has it for which sqlglot has put the columns in place of a star."""
        name = projection.alias_or_name
        column = projection.unalias()
        if isinstance(column, exp.Coalesce):
            # What sqlglot makes of a column of USING.
            column = column.this
        if (found := written(projection)) or not isinstance(column, exp.Column):
            return found or name
        key = (id(scope), column.table)
        if key not in self._written:
            is_read = column.table in scope.selected_sources
            self._written[key] = _spellings(self.read(scope, column.table)) if is_read else {}
        return self._written[key].get(name, name)


def _spellings(relation: Relation) -> dict[str, str]:
    """How each column is written."""
    found = {name: name for name in relation.columns}
    return found | {name.lower(): name for name in relation.spelled if name.lower() in found}
