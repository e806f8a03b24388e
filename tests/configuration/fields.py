"""What can be set, read from the structs: each field with its type and the text under it."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec


class Setting(msgspec.Struct, frozen=True):
    name: str
    annotation: Any
    default: object
    """UNSET where the field is required."""
    description: str


def settings_of(kind: type[msgspec.Struct]) -> Iterator[Setting]:
    """The fields in the order in which they are written, those of base classes first."""
    described = descriptions(kind)
    for field in msgspec.structs.fields(kind):
        default: object = field.default
        if default is msgspec.NODEFAULT:
            default = msgspec.UNSET if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        yield Setting(field.encode_name, field.type, default, described.get(field.name, ""))


def descriptions(kind: type[msgspec.Struct]) -> dict[str, str]:
    """The texts under the fields, which Python itself forgets."""
    found: dict[str, str] = {}
    for base in reversed([base for base in kind.__mro__ if base.__module__.startswith(("dbt_describe", "tests"))]):
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(body, ast.ClassDef)
        for field, text in zip(body.body, body.body[1:], strict=False):
            if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
                assert isinstance(field.target, ast.Name)
                found[field.target.id] = for_people(str(text.value.value))
    return found


def for_people(text: str) -> str:
    """The first paragraph, in the file's words: there is no None in YAML."""
    first = text.strip().split("\n\n")[0].partition(" Source: ")[0]
    return re.sub(r"\b(?:None|empty)(?=: )", "unset", " ".join(first.split()))
