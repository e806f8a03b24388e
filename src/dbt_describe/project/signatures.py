"""The arguments that a macro takes, read from the line of Jinja that defines it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

_TAG = re.compile(r"\{%[-+]?\s*(?P<kind>macro|test|data_test)\s+(?P<name>[A-Za-z_]\w*)\s*\(")
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
_STRING = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""", re.DOTALL)
_ARGUMENT = re.compile(r"\s*(?P<name>[A-Za-z_]\w*)\s*(?:=\s*(?P<default>.*?))?\s*", re.DOTALL)
# What Jinja gives every macro: with one of them it takes arguments that its signature doesn't name.
_ANY_ARGUMENTS = re.compile(r"\b(?:kwargs|varargs)\b")
_CLOSING = {"(": ")", "[": "]", "{": "}"}


class Argument(msgspec.Struct, frozen=True):
    """One argument. `default` is Jinja as it is written; empty where the argument must be given."""

    name: str
    default: str = ""


def read_signature(code: str, name: str) -> tuple[Argument, ...] | None:
    """The arguments of the macro or generic test of that name, in order; None where its definition can't be read.

    A generic test `is_even` is the macro `test_is_even`.
    """
    plain = _COMMENT.sub(" ", code)
    for tag in _TAG.finditer(plain):
        own = tag["name"] if tag["kind"] == "macro" else f"test_{tag['name']}"
        if own == name:
            return _arguments(plain, tag.end())
    return None


def takes_any_arguments(code: str) -> bool:
    """Whether a macro may use arguments beyond its signature."""
    return bool(_ANY_ARGUMENTS.search(code))


def _arguments(code: str, start: int) -> tuple[Argument, ...] | None:
    found = []
    for part in _parts(code, start):
        argument = _ARGUMENT.fullmatch(part)
        if argument is None:
            return None
        found.append(Argument(argument["name"], " ".join((argument["default"] or "").split())))
    return None if _end(code, start) is None else tuple(found)


def _parts(code: str, start: int) -> Iterator[str]:
    """The texts between the commas of a signature that begins at `start`, nested brackets and strings kept whole."""
    end = _end(code, start)
    begun = start
    for position, sign in _signs(code, start):
        if end is None or position > end:
            return
        if sign == "," or position == end:
            text = code[begun:position]
            if text.strip():
                yield text
            begun = position + 1


def _end(code: str, start: int) -> int | None:
    """Where the signature's closing bracket is."""
    return next((position for position, sign in _signs(code, start) if sign == ")"), None)


def _signs(code: str, start: int) -> Iterator[tuple[int, str]]:
    """Commas and closing brackets that stand outside of strings and of inner brackets."""
    open_brackets: list[str] = []
    position = start
    while position < len(code):
        sign = code[position]
        string = _STRING.match(code, position) if sign in "'\"" else None
        if string:
            position = string.end()
            continue
        if sign in _CLOSING:
            open_brackets.append(_CLOSING[sign])
        elif open_brackets and sign == open_brackets[-1]:
            open_brackets.pop()
        elif not open_brackets and sign in ",)":
            yield position, sign
            if sign == ")":
                return
        position += 1
