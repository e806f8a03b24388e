"""Guesses at what broken JSON was meant to say, with a bound on the work."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterator
from types import FrameType

# What json-repair gets; it takes the square of the length for some inputs, and longer for deep nesting.
LARGEST_REPAIR_CHARACTERS = 32_000
DEEPEST_REPAIR = 16
MOST_REPAIR_CALLS = 50_000
"""Calls and returns, its own and of built-ins: about 20 ms. A broken answer of 30 descriptions takes 17,000."""


class _TooMuchWorkError(Exception):
    """Not an answer's fault that anyone is told of."""


def repaired(piece: str) -> Iterator[object]:
    """What the text may stand for: as a Python literal, then as json-repair guesses. Nothing where it is too much."""
    if not piece or len(piece) > LARGEST_REPAIR_CHARACTERS or _depth(piece) > DEEPEST_REPAIR:
        return
    literal = _literal(piece)
    if literal is not None:
        yield literal
        return
    guessed = _guessed(piece)
    yield guessed
    if isinstance(guessed, list):
        yield from reversed(guessed)


def _literal(piece: str) -> object:
    """The Python literal that small models take for JSON, or None; nothing with a key that stands twice."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an escape that Python doesn't know is no business of the user's
            tree = ast.parse(piece, mode="eval")
            if any(_has_twins(node) for node in ast.walk(tree) if isinstance(node, ast.Dict)):
                return None
            return ast.literal_eval(tree)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _has_twins(node: ast.Dict) -> bool:
    keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
    return len(set(keys)) < len(node.keys)


def _guessed(piece: str) -> object:
    """json-repair's guess, or None where it gives up or takes too long.

    Counted are calls, not seconds: the same answer must be read alike on every machine.
    """
    # Imported here: most answers never need it, and it takes 66 ms.
    import json_repair  # noqa: PLC0415

    left = MOST_REPAIR_CALLS

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise _TooMuchWorkError

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        return json_repair.loads(piece)
    except (_TooMuchWorkError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None
    finally:
        sys.setprofile(before)


def _depth(piece: str) -> int:
    """The deepest nesting of brackets, those inside strings included."""
    depth = deepest = 0
    for character in piece:
        if character in "[{(":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]})":
            depth -= 1
    return deepest
