"""What goes with a question into a batch, and comes back with its answer: what was asked, and what that rests on."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from dbt_describe.provenance.basis import Basis


class Asked(msgspec.Struct, frozen=True):
    """The tag of a question."""

    project: str
    """The project's directory."""
    node: str
    bases: Mapping[str, Basis]
    """What was asked, by column, an empty one for the node itself → what the answer rests on."""


def encode_tag(asked: Asked) -> bytes:
    """As it is kept with the question."""
    return msgspec.json.encode(asked)


def read_tag(tag: bytes) -> Asked | None:
    """What was asked; None for what another program, or version, has put there."""
    try:
        return msgspec.json.decode(tag, type=Asked) if tag else None
    except msgspec.DecodeError:
        return None


class _Name(msgspec.Struct):
    enum: tuple[str, ...] = ()


class _Entry(msgspec.Struct):
    name: _Name = msgspec.field(default_factory=_Name)


class _Items(msgspec.Struct):
    properties: _Entry = msgspec.field(default_factory=_Entry)


class _Columns(msgspec.Struct):
    items: _Items = msgspec.field(default_factory=_Items)


class _Properties(msgspec.Struct):
    node: dict[str, object] | None = None
    columns: _Columns | None = None


class _Schema(msgspec.Struct):
    properties: _Properties = msgspec.field(default_factory=_Properties)


def names_in(schema: Mapping[str, object]) -> tuple[str, ...]:
    """What the schema of an answer asks for, an empty name for the node itself; nothing where it names no columns."""
    found = msgspec.convert(schema, _Schema).properties
    columns = found.columns.items.properties.name.enum if found.columns else ()
    if found.columns and not columns:
        return ()
    return (*([""] if found.node is not None else []), *columns)
