"""What a setting must be, in words."""

from __future__ import annotations

from typing import Any

from msgspec import inspect


def wanted(annotation: Any, value: object = "") -> str:
    """What a value of that type is: `a whole number above 0`. `value` is what was given instead."""
    found = _alternatives(inspect.type_info(annotation))
    is_quoting_missed = isinstance(value, (bool, int, float)) and any(word.startswith("a text") for word in found)
    return " or ".join(dict.fromkeys(found)) + (", so write it in quotes" if is_quoting_missed else "")


def _alternatives(kind: inspect.Type) -> list[str]:
    match kind:
        case inspect.Metadata():
            return _alternatives(kind.type)
        case inspect.UnionType():
            return [word for member in kind.types for word in _alternatives(member)]
        case inspect.NoneType():
            return []
        case inspect.IntType() | inspect.FloatType():
            return [f"a {'whole ' if isinstance(kind, inspect.IntType) else ''}number{_bounds(kind)}"]
        case inspect.LiteralType():
            return [f"one of {', '.join(str(word) for word in kind.values)}"]
        case inspect.VarTupleType() | inspect.ListType():
            return [f"a list of {' or '.join(_alternatives(kind.item_type)).removeprefix('a ')}s"]
        case inspect.StrType(max_length=int(longest)):
            return [f"a text of at most {longest:,} characters"]
        case _:
            return [_PLAIN.get(type(kind), f"a value of the type {type(kind).__name__.removesuffix('Type').lower()}")]


_PLAIN: dict[type[inspect.Type], str] = {
    inspect.StrType: "a text",
    inspect.BoolType: "true or false",
    inspect.DecimalType: "a number, 0 or more",
    inspect.DictType: "a mapping",
}


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    words = [
        f"{word} {bound:g}"
        for word, bound in (("above", kind.gt), ("of at least", kind.ge), ("below", kind.lt), ("at most", kind.le))
        if bound is not None
    ]
    return f" {' and '.join(words)}" if words else ""
