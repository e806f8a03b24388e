"""The JSON object in a model's reply, however it is wrapped.

The ladder: strip thinking → strict JSON → fenced blocks, last first → the last complete value that is wanted →
json-repair. Last, not first: an earlier value may be quoted from the data that the model was shown.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator

import msgspec

from dbt_describe.answers.repairing import repaired
from dbt_describe.errors import AnswerError

LARGEST_REPLY_CHARACTERS = 1_000_000
# Limits of the scan: values tried, and characters read over again after failures (2 MB take about 20 ms).
MOST_SCANNED_VALUES = 512
MOST_SCANNED_CHARACTERS = 2_000_000
MOST_FENCED_BLOCKS = 64
DEEPEST_ANSWER = 64

Wanted = Callable[[object], bool]

_THINKING = re.compile(r"\s*<(think|thinking|thought|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_END_OF_THINKING = re.compile(r".*</(?:think|thinking|thought|reasoning)>", re.DOTALL | re.IGNORECASE)
_FENCED = re.compile(r"(?:```|~~~)[ \t]*(?:json[c5]?|JSON)?[ \t]*\r?\n(.*?)\r?\n?[ \t]*(?:```|~~~)", re.DOTALL)
_OPENING = re.compile(r"[\[{]")
_START = re.compile(r"\[\s*\{|\{")


class Extracted(msgspec.Struct, frozen=True):
    """A JSON value; `repaired` is the text it was guessed from where it isn't valid JSON, else empty."""

    value: object
    repaired: str = ""


def extract_object(text: str, is_wanted: Wanted) -> Extracted:
    """The JSON value in the reply for which `is_wanted` holds.

    Raises:
        AnswerError: there is none nested at most 64 levels deep, or the reply is larger than 1,000,000 characters.
    """
    if len(text) > LARGEST_REPLY_CHARACTERS:
        raise AnswerError(f"the answer is too large ({len(text):,} characters)")
    said = text.lstrip("\ufeff \t\r\n")
    if not said.strip("\x00 \t\r\n"):
        raise AnswerError("the answer is empty")
    answer = _without_thinking(said)
    for found in _valid(said, answer):
        value = _wanted(found, is_wanted)
        if value is not None and _is_shallow(value):
            return Extracted(value)
    for found in _repaired(answer):
        value = _wanted(found, is_wanted)
        if value is not None:
            return Extracted(value, answer)
    raise AnswerError("the answer holds no JSON object of the wanted shape")


def _wanted(value: object, is_wanted: Wanted) -> object:
    """The value if it is wanted, or the only one in it that is: `{"arguments": {…}}`; else None."""
    if is_wanted(value):
        return value
    inner = [held for held in value.values() if is_wanted(held)] if isinstance(value, dict) else []
    return inner[0] if len(inner) == 1 else None


def _valid(said: str, answer: str) -> Iterator[object]:
    """Values in the order of the ladder, each rung climbed only when the ones before it held nothing wanted."""
    for text in dict.fromkeys((answer, said)):
        values = list(_strict(text))
        yield from values
        if values:
            # All of it is JSON: nothing is hidden in it.
            return
    for block in reversed(_fenced_blocks(answer)):
        yield from _strict(block)
    yield from reversed(_scanned(answer))


def _fenced_blocks(answer: str) -> list[str]:
    """The last blocks between fences; a text with more of them than an answer has is only scanned."""
    found = [match[1] for match in itertools.islice(_FENCED.finditer(answer), MOST_FENCED_BLOCKS + 1)]
    return found if len(found) <= MOST_FENCED_BLOCKS else []


def _without_thinking(said: str) -> str:
    start = 0
    while match := _THINKING.match(said, start):
        start = match.end()
    rest = said[start:]
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
    """What can be made of the text from the first bracket to the last closing one.

    The slice ends there because a text that was cut off in the middle of a string mustn't become a description.
    """
    opening = _START.search(text)
    return repaired(text[opening.start() : text.rfind("}") + 1] if opening else "")


def _is_shallow(value: object) -> bool:
    """Whether the value is nested at most so deeply as any answer may be."""
    level = [value]
    for _ in range(DEEPEST_ANSWER):
        level = [inner for outer in level if isinstance(outer, (dict, list)) for inner in _inner(outer)]
        if not level:
            return True
    return False


def _inner(value: dict[object, object] | list[object]) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value
