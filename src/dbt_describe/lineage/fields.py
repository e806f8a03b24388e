"""Fields of columns that are structs: `address.street`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from dbt_describe.lineage.projections import bare_of, upstream_column
from dbt_describe.lineage.stars import Columns


class UnknownFieldError(Exception):
    """A field that can't be followed; its message is the reason, in a few words."""


class Path(msgspec.Struct, frozen=True):
    """A field of a column, innermost name last."""

    column: exp.Column
    fields: tuple[str, ...]


def field_of(expression: exp.Expr, fields: Sequence[str]) -> exp.Expr:
    """A field of an expression, as SQL."""
    for name in fields:
        expression = exp.Dot(this=expression.copy(), expression=exp.to_identifier(name))
    return expression


def simplified(expression: exp.Expr) -> exp.Expr:
    """What a field of something in upstream terms is: of a node's column, a column of its own, called `column.field`.

    That is how schema files, and BigQuery's catalog, name fields. Of a struct that the query makes, it is what was put
    into the field.

    Raises:
        UnknownFieldError: it is a field of what is computed.
    """
    fields: list[str] = []
    found = bare_of(expression)
    while isinstance(found, exp.Dot) and isinstance(found.expression, exp.Identifier):
        fields.insert(0, found.expression.name.lower())
        found = bare_of(found.this)
        while isinstance(found, exp.Struct) and fields:
            found = bare_of(_put_into(found, fields.pop(0)))
    if not fields:
        return found if isinstance(expression, exp.Dot) else expression
    if isinstance(found, exp.Column):
        return upstream_column(found.table, ".".join((found.name, *fields)))
    raise UnknownFieldError("it is a field of what the SQL computes")


def field_names(struct: exp.Struct) -> list[str]:
    """The fields that a struct is made of, in lower case, those of structs inside of it after their own."""
    found: list[str] = []
    for name, value in _items(struct):
        found.append(name)
        inner = bare_of(value)
        found += [f"{name}.{field}" for field in field_names(inner)] if isinstance(inner, exp.Struct) else []
    return found


def _put_into(struct: exp.Struct, field: str) -> exp.Expr:
    value = dict(_items(struct)).get(field)
    if value is None:
        raise UnknownFieldError("the struct that the SQL makes has no such field")
    return value


def _items(struct: exp.Struct) -> Iterator[tuple[str, exp.Expr]]:
    """The fields that have a name, with what is put into them."""
    for item in struct.expressions:
        named = isinstance(item, exp.PropertyEQ)
        if name := (item.this.name if named else item.alias_or_name).lower():
            yield name, item.expression if named else item


def path_of(scope: Scope, column: exp.Column, columns: Columns) -> Path | None:
    """The field that a name with dots stands for, where its first part is no relation of the scope.

    sqlglot tells it apart from `table.column` only where it knows all columns of the relations.
    """
    parts = [part.name for part in column.parts]
    sources = scope.selected_sources
    if len(parts) < 2 or column.find_ancestor(exp.Lambda):
        return None
    if parts[0] in sources:
        return Path(exp.column(parts[1], table=parts[0]), tuple(parts[2:])) if len(parts) > 2 else None
    select = scope.expression
    makes_rows = isinstance(select, exp.Select) and (
        select.args.get("laterals") or any(isinstance(join.this, (exp.Unnest, exp.Lateral)) for join in _joins(select))
    )
    owner = columns.owner(parts[0], sources, scope)
    is_known = bool(owner) and parts[0] in columns.read(scope, owner).columns
    if not owner or (makes_rows and not is_known):
        return None
    return Path(exp.column(parts[0], table=owner), tuple(parts[1:]))


def _joins(select: exp.Select) -> Sequence[exp.Join]:
    return select.args.get("joins") or ()
