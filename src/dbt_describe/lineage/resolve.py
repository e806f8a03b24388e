"""Follow a column of a query through CTEs, subqueries and unions down to the columns of the nodes it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec
from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from dbt_describe.lineage.arms import Arms, all_arms_of
from dbt_describe.lineage.equal import one_of_equals
from dbt_describe.lineage.fields import UnknownFieldError, field_names, field_of, path_of, simplified
from dbt_describe.lineage.grouping import aggregates
from dbt_describe.lineage.joins import brings_own_groups, may_lack_match
from dbt_describe.lineage.known import Relation
from dbt_describe.lineage.nulls import null_where_around, worst
from dbt_describe.lineage.origins import ColumnRef, Derived, NullWhere, Origin, Same, Shape, Unknown
from dbt_describe.lineage.projections import bare_of, in_place_of, names_of, nodes_of, upstream_column
from dbt_describe.lineage.queries import Qualified, opened
from dbt_describe.lineage.readings import is_of_the_same, read_before
from dbt_describe.lineage.resolved import (
    MAX_CHARACTERS,
    MAX_EXPRESSION_NODES,
    Resolved,
    UnresolvedColumnError,
    in_order,
    joined_to_itself,
    null_too,
    shortened,
)
from dbt_describe.lineage.rows import Rows, key_columns
from dbt_describe.lineage.selects import rows_of
from dbt_describe.lineage.spelling import is_maybe_alias, is_nameless
from dbt_describe.lineage.stars import Columns


class Query:
    """One node's query, with every answer about its columns remembered.

    Args:
        unique_id: the node's own.
        qualified: its query, with the node behind each of its table names.
        tables: table name in the query → what is known of its columns.
        is_unique: whether the given columns of a node are proved to be unique together.
    """

    def __init__(
        self,
        unique_id: str,
        qualified: Qualified,
        tables: Mapping[str, Relation],
        dialect: str,
        is_unique: Callable[[str, frozenset[str]], bool],
    ) -> None:
        self.unique_id = unique_id
        self.root = qualified.scope
        self.unique_ids = qualified.unique_ids
        self.tables = tables
        self.dialect = dialect
        self._is_unique = is_unique
        self.is_too_deep = False
        """A column couldn't be followed because Python's stack was full."""
        self._resolved: dict[tuple[int, str], Resolved | UnresolvedColumnError] = {}
        self._rows: dict[int, Rows] = {}
        self.conditions: dict[str, tuple[Scope, exp.Expr]] = {}
        """By their text in upstream terms, or as they are written: where they stand."""
        self._texts: dict[ColumnRef, str] = {}
        self._names: dict[int, tuple[str, ...]] = {}
        self._arms: dict[int, Arms] = {}
        self._projections: dict[int, dict[str, exp.Expr]] = {}
        self._columns = Columns(tables)

    def output(self) -> Relation:
        """The columns that the query is sure to return, and whether there are no others."""
        found = self._columns.returned(self.root)
        return msgspec.structs.replace(found, columns=tuple(filter(None, found.columns)))

    def origin(self, column: str) -> Origin:
        """Where the values of an output column come from."""
        try:
            resolved = self._resolve_output(column)
            expression = simplified(resolved.expression)
        except (UnresolvedColumnError, UnknownFieldError) as error:
            return Unknown(str(error))
        if isinstance(expression, exp.Column):
            return Same(_ref(expression))
        text = self.sql(expression)
        if len(text) > MAX_CHARACTERS:
            return Unknown("the expression is too long to follow")
        inputs = dict.fromkeys(_ref(found) for found in nodes_of(expression) if isinstance(found, exp.Column))
        return Derived(text, tuple(inputs), resolved.aggregations, resolved.windows, resolved.null_where)

    def fields(self, column: str) -> list[str]:
        """The fields of a struct that the query makes, each called `column.field`."""
        found = self.output_expression(self.root, column)
        names = field_names(found) if isinstance(found, exp.Struct) else []
        return [f"{column}.{name}" for name in names]

    def _resolve_output(self, column: str) -> Resolved:
        """An output column, or a field of one: `address.street` of `address`."""
        name, *fields = self._columns.returned(self.root).split(column)
        resolved = self.resolve(self.root, name)
        if not fields:
            return resolved
        return msgspec.structs.replace(resolved, expression=field_of(resolved.expression, fields))

    def sql(self, expression: exp.Expr) -> str:
        """The expression as text in the project's dialect, without comments."""
        return expression.sql(dialect=opened(self.dialect), comments=False)

    def _upstream_text(self, expression: exp.Expr) -> str:
        """An expression in upstream terms as text; most are columns, which sqlglot needn't write again and again."""
        if not isinstance(expression, exp.Column):
            return shortened(self.sql(expression))
        ref = _ref(expression)
        if ref not in self._texts:
            self._texts[ref] = self.sql(expression)
        return self._texts[ref]

    def shape(self) -> Shape:
        """What the rows of the node are."""
        rows = self.rows(self.root)
        return Shape(
            reads=tuple(dict.fromkeys(self.reads(self.root))),
            driving=rows.driving if rows.grouped_from is None else "",
            group_by=key_columns(self, self.root),
            filters=rows.filters,
            joins=rows.joins,
            distinct=rows.distinct,
            union=rows.union,
            union_whole=rows.union_whole,
            grouped_from=rows.grouped_from,
        )

    def node_of(self, source: exp.Expr | Scope) -> str:
        """unique_id of the node that a source of a scope is, or empty."""
        return self.unique_ids.get(source.name, "") if isinstance(source, exp.Table) else ""

    def is_unique(self, unique_id: str, columns: frozenset[str]) -> bool:
        """Whether the columns of the node are proved to be unique together."""
        return self._is_unique(unique_id, columns)

    def upstream_sql(self, scope: Scope, expression: exp.Expr) -> str:
        """An expression of the scope in upstream terms; as it is written where it can't be followed."""
        try:
            text = self._upstream_text(self._substitute(scope, bare_of(expression)).expression)
        except UnresolvedColumnError:
            text = shortened(self.sql(expression))
        self.conditions[text] = scope, expression
        return text

    def output_expression(self, scope: Scope, column: str) -> exp.Expr | None:
        """An output column of the scope in upstream terms; None where it can't be followed."""
        try:
            return self.resolve(scope, column).expression
        except UnresolvedColumnError:
            return None

    def upstream_ref(self, scope: Scope, column: str) -> tuple[str, str] | None:
        """(unique_id, column) where an output column of the scope is passed through from a node."""
        try:
            expression = self.resolve(scope, column).expression
        except UnresolvedColumnError:
            return None
        return (expression.table, expression.name) if isinstance(expression, exp.Column) else None

    def output_names(self, scope: Scope) -> tuple[str, ...]:
        """Names of the scope's output columns."""
        if id(scope) not in self._names:
            self._names[id(scope)] = tuple(names_of(scope))
        return self._names[id(scope)]

    def arms(self, scope: Scope) -> Arms:
        """The arms of a set operation, remembered."""
        if id(scope) not in self._arms:
            self._arms[id(scope)] = all_arms_of(scope)
        return self._arms[id(scope)]

    def output_sql(self, scope: Scope, column: str) -> str:
        """An output column of the scope in upstream terms, empty where it can't be followed."""
        try:
            return self._upstream_text(self.resolve(scope, column).expression)
        except UnresolvedColumnError:
            return ""

    def reads(self, scope: Scope) -> Iterator[str]:
        """unique_ids of the nodes that a scope reads, in order."""
        return self._reads(scope, set())

    def _reads(self, scope: Scope, seen: set[int]) -> Iterator[str]:
        if id(scope) in seen:
            return
        seen.add(id(scope))
        for _, source in scope.selected_sources.values():
            if isinstance(source, Scope):
                yield from self._reads(source, seen)
            elif self.node_of(source):
                yield self.node_of(source)
        for inner in (*self.arms(scope).scopes, *scope.subquery_scopes):
            yield from self._reads(inner, seen)

    def rows(self, scope: Scope) -> Rows:
        """What the rows of a scope are."""
        key = id(scope)
        if key not in self._rows:
            self._rows[key] = rows_of(self, scope)
        return self._rows[key]

    def resolve(self, scope: Scope, column: str) -> Resolved:
        """The expression behind an output column of a scope.

        Raises:
            UnresolvedColumnError: it can't be followed.
        """
        key = (id(scope), column)
        if key not in self._resolved:
            self._resolved[key] = UnresolvedColumnError("the query reads itself")
            try:
                self._resolved[key] = self._resolve(scope, column)
            except UnresolvedColumnError as error:
                self._resolved[key] = error
            except RecursionError:
                self._resolved[key] = UnresolvedColumnError("the query is nested too deep")
                self.is_too_deep = True
        found = self._resolved[key]
        if isinstance(found, UnresolvedColumnError):
            raise found
        return found

    def resolve_expression(self, scope: Scope, expression: exp.Expr) -> Resolved:
        """An expression of a scope in upstream terms, with the rows that its functions over rows see.

        Raises:
            UnresolvedColumnError: it can't be followed.
        """
        resolved = self._substitute(scope, expression)
        if isinstance(expression, exp.Column):
            return resolved
        aggregations, windows = resolved.aggregations, resolved.windows
        if aggregates(expression):
            rows = self.rows(scope)
            aggregations = (msgspec.structs.replace(rows.before_grouping(), group_by=rows.keys), *aggregations)
        if any(isinstance(found, exp.Window) for found in nodes_of(expression)):
            windows = (self.rows(scope).before_grouping(), *windows)
        return msgspec.structs.replace(resolved, aggregations=aggregations, windows=windows)

    def _substitute(self, scope: Scope, expression: exp.Expr) -> Resolved:
        """The expression with each of its columns replaced by what that is in upstream terms."""
        expression = one_of_equals(scope, expression)
        if isinstance(expression, exp.Column):
            return self._resolve_column(scope, expression)
        copy = expression.copy()
        nodes = nodes_of(copy)
        choices = [node for node in nodes if isinstance(node, exp.Coalesce)]
        if choices:
            for choice in choices:
                choice.replace(one_of_equals(scope, choice))
            nodes = nodes_of(copy)
        if any(isinstance(node, exp.Query) for node in nodes):
            raise UnresolvedColumnError("it is computed by a subquery")
        found: list[Resolved] = []
        null_where: list[NullWhere] = []
        for column in (node for node in nodes if isinstance(node, exp.Column)):
            found.append(self._resolve_column(scope, column))
            if found[-1].read_again:
                raise joined_to_itself(found[-1].read_again)
            null_where.append(null_where_around(column, found[-1].null_where, copy))
            column.replace(in_place_of(column, found[-1].expression.copy()))
        size = sum(resolved.size for resolved in found) + len(nodes)
        if size > MAX_EXPRESSION_NODES:
            raise UnresolvedColumnError("the expression is too long to follow")
        return Resolved(
            copy,
            in_order(resolved.aggregations for resolved in found),
            in_order(resolved.windows for resolved in found),
            size,
            worst(null_where),
        )

    def _resolve(self, scope: Scope, column: str) -> Resolved:
        expression = scope.expression
        if isinstance(expression, exp.SetOperation):
            return self._resolve_union(scope, column)
        if not isinstance(expression, exp.Select):
            raise UnresolvedColumnError(f"it comes from {expression.key.upper()}")
        return self.resolve_expression(scope, bare_of(self.projection(scope, expression, column)))

    def projection(self, scope: Scope, select: exp.Select, column: str) -> exp.Expr:
        """What a SELECT returns under a name.

        Raises:
            UnresolvedColumnError: that isn't known.
        """
        found = self._projections_of(scope, select).get(column)
        return found if found is not None else self._columns.under_star(scope, column)

    def _projections_of(self, scope: Scope, select: exp.Select) -> dict[str, exp.Expr]:
        """What a SELECT calls by each name; the first one where there are several."""
        if id(scope) not in self._projections:
            named: dict[str, exp.Expr] = {}
            # What has no name is found by the one that sqlglot gives it, after what has a name.
            for projection in sorted(select.selects, key=is_nameless):
                if not isinstance(projection, exp.Star):
                    named.setdefault(projection.alias_or_name, projection)
            self._projections[id(scope)] = named
        return self._projections[id(scope)]

    def _resolve_union(self, scope: Scope, column: str) -> Resolved:
        position = self.output_names(scope).index(column) if column in self.output_names(scope) else None
        if position is None:
            raise UnresolvedColumnError("the arms of the UNION are not known column by column")
        arms: list[Resolved] = []
        null_where: NullWhere = ""
        if self.arms(scope).by_name:
            raise UnresolvedColumnError("the arms of the UNION are matched by name")
        for arm in self.arms(scope).scopes:
            names = self.output_names(arm)
            if position >= len(names) or "*" in names:
                raise UnresolvedColumnError("the arms of the UNION are not known column by column")
            resolved = self.resolve(arm, names[position])
            if resolved.expression == upstream_column(self.unique_id, column):
                # Rows of earlier runs, which were made in the same way.
                continue
            if not isinstance(bare_of(resolved.expression), exp.Null):
                arms.append(resolved)
            else:
                null_where = "unknown"
        if not arms:
            return Resolved(exp.null())
        if any(arm != arms[0] for arm in arms[1:]):
            raise UnresolvedColumnError("the arms of the UNION differ")
        return null_too(arms[0], null_where)

    def _resolve_column(self, scope: Scope, column: exp.Column) -> Resolved:
        if isinstance(column.this, exp.Star):
            return Resolved(exp.Star())
        sources = scope.selected_sources
        table = self.relation_name(scope, column)
        if is_maybe_alias(column) and not (
            table in sources and column.name in self._columns.read(scope, table).columns
        ):
            raise UnresolvedColumnError(f"it isn't known whether `{column.name}` is a column or an alias")
        source = sources[table][1] if table in sources else scope.sources.get(table)
        if source is None and (path := path_of(scope, column, self._columns)):
            base = self._resolve_column(scope, path.column)
            return msgspec.structs.replace(base, expression=field_of(base.expression, path.fields))
        if source is None:
            raise UnresolvedColumnError(f"it isn't known which relation `{column.name}` comes from")
        if isinstance(source, Scope):
            resolved = self._marked_if_read_again(scope, table, self.resolve(source, column.name))
            if resolved.aggregations and len(sources) > 1 and not brings_own_groups(self, scope, table, source):
                raise UnresolvedColumnError("it isn't certain which group a join brings")
            return null_too(resolved, "unmatched" if may_lack_match(scope, table) else "")
        if source.args.get("pivots"):
            raise UnresolvedColumnError("it comes from a PIVOT")
        unique_id = self.unique_ids.get(source.name)
        if unique_id is None:
            what = f"`{source.name}`, which" if source.name else "a table function, which"
            raise UnresolvedColumnError(f"it comes from {what} is not a relation of the project")
        return self._marked_if_read_again(scope, table, Resolved(upstream_column(unique_id, column.name)))

    def relation_name(self, scope: Scope, column: exp.Column) -> str:
        """What the scope calls the relation that a column is of; empty where that isn't known."""
        return column.table or self._columns.owner(column.name, scope.selected_sources, scope)

    def _marked_if_read_again(self, scope: Scope, table: str, resolved: Resolved) -> Resolved:
        """A column of a node that the scope joins to itself may belong to another row: the manager, not the employee.

        Raises:
            UnresolvedColumnError: it isn't certain that it belongs to the same.
        """
        expression = resolved.expression
        if not isinstance(expression, exp.Column) or len(scope.selected_sources) == 1:
            return resolved
        earlier = read_before(self, scope, table, expression.table)
        if not earlier:
            return resolved
        if not is_of_the_same(self, scope, table, expression.table, earlier):
            raise joined_to_itself(expression.table)
        return msgspec.structs.replace(resolved, read_again=expression.table)


def _ref(column: exp.Column) -> ColumnRef:
    return ColumnRef(column.table, column.name.lower())
