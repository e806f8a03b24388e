"""The JSON object in a model's reply, however it is wrapped.

The ladder: strip thinking → strict JSON → fenced blocks, last first → the last complete value that is wanted →
json-repair. Last, not first: an earlier value may be quoted from the data that the model was shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import msgspec

from dbt_describe.errors import AnswerError

LARGEST_REPLY_CHARACTERS = 1_000_000
# Limits of the scan: values tried, and characters read over again after failures (2 MB take about 20 ms).
MOST_SCANNED_VALUES = 512
MOST_SCANNED_CHARACTERS = 2_000_000
# json-repair takes about 40 ms for 32 KB, and much longer for deep nesting.
LARGEST_REPAIR_CHARACTERS = 32_000
DEEPEST_REPAIR = 16

Wanted = Callable[[object], bool]

_THINKING = re.compile(r"\s*<(think|thinking|thought|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_END_OF_THINKING = re.compile(r".*</(?:think|thinking|thought|reasoning)>", re.DOTALL | re.IGNORECASE)
_FENCED = re.compile(r"(?:```|~~~)[ \t]*(?:json[c5]?|JSON)?[ \t]*\r?\n(.*?)\r?\n?[ \t]*(?:```|~~~)", re.DOTALL)
_BRACKET = re.compile(r"[\[{]|[\]}]")
_OPENING = re.compile(r"[\[{]")
_START = re.compile(r"\[\s*\{|\{")


class Extracted(msgspec.Struct, frozen=True):
    """A JSON value; `repaired` is the text it was guessed from where it isn't valid JSON, else empty."""

    value: object
    repaired: str = ""


def extract_object(text: str, is_wanted: Wanted) -> Extracted:
    """The JSON value in the reply for which `is_wanted` holds.

    Raises:
        AnswerError: there is none, or the reply is larger than 1,000,000 characters.
    """
    if len(text) > LARGEST_REPLY_CHARACTERS:
        raise AnswerError(f"the answer is too large ({len(text):,} characters)")
    said = text.lstrip("\ufeff \t\r\n")
    if not said.strip("\x00 \t\r\n"):
        raise AnswerError("the answer is empty")
    answer = _without_thinking(said)
    for value in _valid(said, answer):
        if is_wanted(value):
            return Extracted(value)
    for value in _repaired(answer):
        if is_wanted(value):
            return Extracted(value, answer)
    raise AnswerError("the answer holds no JSON object of the wanted shape")


def _valid(said: str, answer: str) -> Iterator[object]:
    """Values in the order of the ladder, each rung climbed only when the ones before it held nothing wanted."""
    for text in dict.fromkeys((answer, said)):
        yield from _strict(text)
    for block in reversed(_FENCED.findall(answer)):
        yield from _strict(block)
    yield from reversed(_scanned(answer))


def _without_thinking(said: str) -> str:
    rest = said
    while match := _THINKING.match(rest):
        rest = rest[match.end() :]
    # Some chat templates put the opening tag into the prompt, so that only the closing one arrives.
    if not rest.lstrip().startswith(("{", "[", "`")) and (end := _END_OF_THINKING.match(rest)):
        rest = rest[end.end() :]
    return rest.strip()


def _strict(text: str) -> Iterator[object]:
    """The text as JSON, and what a JSON string in it holds when that is JSON again."""
    value = _loaded(text)
    if isinstance(value, str):
        value = _loaded(value)
    if value is not None:
        yield value


def _loaded(text: str) -> object:
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_without_twins)
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _without_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """The object; refused where a key stands twice: two entries that ran together mustn't mix their texts."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _scanned(text: str) -> list[object]:
    """All complete outermost objects and arrays, in order, as far as the limits allow."""
    decoder = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_without_twins)
    found: list[object] = []
    spent = 0
    opening = _OPENING.search(text)
    for _ in range(MOST_SCANNED_VALUES):
        if opening is None or spent > MOST_SCANNED_CHARACTERS:
            break
        position = opening.start()
        try:
            value, position = decoder.raw_decode(text, position)
            found.append(value)
        except json.JSONDecodeError as error:
            spent += error.pos - position
            position += 1
        except (ValueError, RecursionError):
            spent += len(text) - position
            position += 1
        opening = _OPENING.search(text, position)
    return found


def _repaired(text: str) -> Iterator[object]:
    """What json-repair makes of the text from the first bracket to the last closing one.

    The slice ends there because a text that was cut off in the middle of a string mustn't become a description.
    """
    opening = _START.search(text)
    piece = text[opening.start() : text.rfind("}") + 1] if opening else ""
    if not piece or len(piece) > LARGEST_REPAIR_CHARACTERS or _depth(piece) > DEEPEST_REPAIR:
        return
    # Imported here: most answers never need it, and it takes 66 ms.
    import json_repair  # noqa: PLC0415

    try:
        value: object = json_repair.loads(piece)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return
    yield value
    if isinstance(value, list):
        yield from reversed(value)


def _depth(text: str) -> int:
    """The deepest nesting of brackets, those inside strings included."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest
