"""What a query says, in words that its layout, comments, quotes and the names of its CTEs and aliases don't change.

Of each node, the rows: what is read, joined, filtered and grouped. Of columns that are computed over rows, or that
can't be followed, what they are made of. These are texts, not hashes: columns of other nodes stand in them as
`"unique_id"."column"`, nodes as `"unique_id"`, so that whoever compares them can put what these pass on in their place.
Nothing in them depends on tests, and on the catalog only where a star can't do without: then there is no text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import ParamSpec

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope

from dbt_describe.lineage.arms import is_distinct, sides_of
from dbt_describe.lineage.grouping import aggregates, group_keys
from dbt_describe.lineage.joins import conjuncts, kind_of, source_of
from dbt_describe.lineage.mattering import Readings
from dbt_describe.lineage.origins import Canonical, Derived, Join, Origin, Unknown
from dbt_describe.lineage.parts import Parts
from dbt_describe.lineage.projections import bare_of, nodes_of
from dbt_describe.lineage.resolve import Query
from dbt_describe.lineage.resolved import UnresolvedColumnError
from dbt_describe.lineage.unordered import in_any_order
from dbt_describe.lineage.writing import Writer

ANYTHING = "*"
"""Among names: all."""
_ITSELF = "itself"
"""What a recursive query reads, as long as that is being found out."""
_LIMITS = ("limit", "offset")
_FILTERING = ("where", "group", "having", "qualify")
_OPERATORS = (exp.Binary, exp.Not, exp.Between, exp.In)
_Arguments = ParamSpec("_Arguments")


class _UnknownColumnsError(Exception):
    """A star stands for columns that aren't known: with a catalog the text would be another one."""


def canonical_of(
    query: Query,
    origins: Mapping[str, Origin],
    joins: Collection[Join],
    added_names: Collection[str] = (),
    moments: Collection[str] = (),
) -> Canonical:
    """What a node's query says.

    Args:
        query: the node's.
        origins: of its columns.
        joins: of its rows.
        added_names: what is read by conditions that an incremental model's query has in later runs only.
        moments: literals that are others each time that the query is compiled.
    """
    texts = _Texts(query, frozenset(added_names), moments)
    columns = {name: texts.safely(texts.returned, name) for name, origin in origins.items() if _is_told(origin)}
    computed = [origin for origin in origins.values() if isinstance(origin, Derived) and not _is_told(origin)]
    read = {ref.unique_id for origin in computed for ref in origin.inputs}
    wanted = {text for join in joins if join.unique_id in read for text in (join.on, *join.filters) if text}
    return Canonical(
        rows=texts.safely(texts.rows, query.root, None),
        columns={name: text for name, text in columns.items() if text},
        conditions={text: texts.safely(texts.conditions, *query.conditions[text]) for text in wanted},
        # After all that may add some.
        parts=tuple(texts.parts.texts),
    )


def _is_told(origin: Origin) -> bool:
    """Whether a column's origin doesn't say all of it."""
    return isinstance(origin, Unknown) or (isinstance(origin, Derived) and bool(origin.aggregations or origin.windows))


class _Texts:
    """The texts of a query's scopes, remembered."""

    def __init__(self, query: Query, added_names: frozenset[str], moments: Collection[str]) -> None:
        self._query = query
        self._added_names = added_names
        self._readings = Readings()
        self.parts = Parts()
        self._writer = Writer(query, self.column, self._subquery, self._whole_relation, moments)
        self._rows: dict[tuple[int, frozenset[str] | None], str] = {}
        self._columns: dict[tuple[int, str], str] = {}
        self._clauses: dict[tuple[int, str], list[str]] = {}

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
            self._columns[key] = _ITSELF
            try:
                self._columns[key] = self.parts.apart(self._column(scope, name))
            finally:
                if self._columns[key] == _ITSELF:
                    del self._columns[key]
        return self._columns[key]

    def _column(self, scope: Scope, name: str) -> str:
        select = scope.expression
        if isinstance(select, exp.SetOperation):
            return self._column_of_arms(scope, select, name)
        if not isinstance(select, exp.Select):
            return f"{name} of {self.rows(scope, None)}"
        projection = bare_of(self._query.projection(scope, select, name))
        text = self._writer.written(scope, projection)
        if not isinstance(projection, exp.Column):
            is_window = any(isinstance(node, exp.Window) for node in nodes_of(projection))
            if is_window or aggregates(projection):
                return f"{{{text} over {self._input(scope, [projection], with_having=is_window)}}}"
        if "{" in text or "#" in text:
            # Of another row, or of a group: which one, a join says.
            read = self._readings.tables(projection)
            joins = [join for join in select.args.get("joins") or () if join.this.alias_or_name in read]
            return f"{{{text} by {' '.join(self._join(scope, join, None) for join in joins)}}}" if joins else text
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
            self._rows[key] = _ITSELF
            try:
                self._rows[key] = self.parts.apart(self._rows_of(scope, needed))
            finally:
                if self._rows[key] == _ITSELF:
                    del self._rows[key]
        return self._rows[key]

    def _rows_of(self, scope: Scope, needed: frozenset[str] | None) -> str:
        select = scope.expression
        if isinstance(select, exp.SetOperation):
            return self._rows_of_arms(scope, select)
        if not isinstance(select, exp.Select):
            return self._writer.written(scope, select)
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
            parts.append(f"distinct {self._writer.written(scope, on) if on is not None else self._all_columns(scope)}")
        limits = [select.args[name] for name in _LIMITS if select.args.get(name) is not None]
        if (limits or is_ordered) and select.args.get("order") is not None:
            limits.insert(0, select.args["order"])
        return " ".join((*parts, *(self._writer.written(scope, found) for found in limits)))

    def _rows_of_arms(self, scope: Scope, operation: exp.SetOperation) -> str:
        is_union = isinstance(operation, exp.Union)
        arms = self._query.arms(scope).scopes if is_union else sides_of(scope)
        apart = is_distinct(operation)
        texts = [self.rows(arm, None) + (f" of {self._all_columns(arm)}" if apart else "") for arm in arms]
        texts = [text for text in texts if text != f'"{self._query.unique_id}"']
        listed = in_any_order(texts) if is_union else f"({'; '.join(texts)})"
        return f"{operation.key}{' distinct' if apart else ''} {listed}"

    def _subquery(self, scope: Scope) -> str:
        names = self._query.output_names(scope)
        columns = ANYTHING if ANYTHING in names else ", ".join(self.column(scope, name) for name in names)
        return f"(select {columns} from {self.rows(scope, None)})"  # noqa: S608 - compared, never run

    def _all_columns(self, scope: Scope) -> str:
        names = self._query.output_names(scope)
        if ANYTHING in names:
            raise _UnknownColumnsError
        return in_any_order(self.column(scope, name) for name in names)

    def _input(self, scope: Scope, wanted: list[exp.Expr] | None, *, with_having: bool = False) -> str:
        """The rows that the functions of a SELECT see, as far as what is `wanted` of them depends on it."""
        select = scope.expression
        from_, joins = select.args.get("from_"), select.args.get("joins") or []
        read = None
        if wanted is not None:
            clauses = [select.args[name] for name in _FILTERING if select.args.get(name) is not None]
            joins, read = self._readings.that_matter(scope, joins, [*wanted, *clauses])
        parts = [self._relation(scope, from_.this, read)] if from_ is not None else []
        parts += [self._join(scope, join, read) for join in joins]
        parts += [self._writer.written(scope, lateral) for lateral in select.args.get("laterals") or ()]
        parts += self._clause(scope, "where")
        if select.args.get("group") is not None:
            parts.append(f"group by {self._keys(scope)}")
        return self.parts.apart(" ".join(parts + (self._clause(scope, "having") if with_having else [])))

    def _keys(self, scope: Scope) -> str:
        select = scope.expression
        keys = group_keys(select) if isinstance(select, exp.Select) else None
        return (
            in_any_order(self._writer.written(scope, key) for key in keys)
            if keys
            else self._writer.written(scope, select.args["group"])
        )

    def _whole_relation(self, scope: Scope, relation: exp.Expr) -> str:
        return self._relation(scope, relation, None)

    def _relation(self, scope: Scope, relation: exp.Expr, read: Mapping[str, set[str]] | None) -> str:
        source = source_of(scope, relation)
        text = self._rows_of_relation(scope, relation, source, read)
        return " ".join((text, *self._writer.extras(scope, relation)))

    def _rows_of_relation(
        self, scope: Scope, relation: exp.Expr, source: exp.Expr | Scope | None, read: Mapping[str, set[str]] | None
    ) -> str:
        if isinstance(source, Scope):
            if relation.args.get("pivots"):
                return self._subquery(source)
            needed = None if read is None else frozenset(read.get(relation.alias_or_name, ()))
            try:
                return self.rows(source, needed)
            except UnresolvedColumnError:
                return self.rows(source, None)
        # What a recursive CTE reads has a scope of its own, which sqlglot leaves empty.
        source = relation if source is None else source
        if not isinstance(source, exp.Table):
            return self._writer.written(scope, relation)
        unique_id = self._query.node_of(source)
        return f'"{unique_id}"' if unique_id else ".".join(part.name for part in source.parts)

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
            self._clauses[key] = [self.parts.apart(f"{name} {texts}")] if found else []
        return self._clauses[key]

    def _is_added(self, condition: exp.Expr) -> bool:
        if not self._added_names or ANYTHING in self._added_names:
            return bool(self._added_names)
        names = {node.name for node in nodes_of(condition) if isinstance(node, exp.Column)}
        return bool(names) and names <= self._added_names

    def _condition(self, scope: Scope, condition: exp.Expr) -> str:
        condition = bare_of(condition)
        if not isinstance(condition, (exp.EQ, exp.NEQ)):
            return self._writer.written(scope, condition)
        sides = self._writer.written(scope, condition.left), self._writer.written(scope, condition.right)
        return f"{condition.key} {in_any_order(sides)}"
