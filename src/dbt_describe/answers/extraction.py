"""The JSON object in a model's reply, however it is wrapped.

The ladder: strip thinking → strict JSON → fenced blocks, last first → the last complete object that is wanted →
json-repair. Last, not first: an earlier object may be quoted from the data that the model was shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from dbt_describe.errors import AnswerError

LARGEST_REPLY_CHARACTERS = 1_000_000
# Limits of the scan: objects tried, and characters read over again after failures (2 MB take about 20 ms).
MOST_SCANNED_OBJECTS = 256
MOST_SCANNED_CHARACTERS = 2_000_000
# json-repair takes about 40 ms for 32 KB, and much longer for deep nesting.
LARGEST_REPAIR_CHARACTERS = 32_000
DEEPEST_REPAIR = 16

Wanted = Callable[[object], bool]

_THINKING = re.compile(r"\s*<(think|thinking|thought|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_END_OF_THINKING = re.compile(r".*</(?:think|thinking|thought|reasoning)>", re.DOTALL | re.IGNORECASE)
_FENCED = re.compile(r"(?:```|~~~)[ \t]*(?:json[c5]?|JSON)?[ \t]*\r?\n(.*?)\r?\n?[ \t]*(?:```|~~~)", re.DOTALL)
_BRACKET = re.compile(r"[\[{]|[\]}]")


def extract_object(text: str, is_wanted: Wanted) -> object:
    """The JSON value in the reply for which `is_wanted` holds.

    Raises:
        AnswerError: there is none, or the reply is larger than 1,000,000 characters.
    """
    if len(text) > LARGEST_REPLY_CHARACTERS:
        raise AnswerError(f"the answer is too large ({len(text):,} characters)")
    said = text.lstrip("\ufeff \t\r\n")
    if not said.strip("\x00 \t\r\n"):
        raise AnswerError("the answer is empty")
    for candidate in _candidates(said):
        if is_wanted(candidate):
            return candidate
    raise AnswerError("the answer holds no JSON object of the wanted shape")


def _candidates(said: str) -> Iterator[object]:
    """Values in the order of the ladder, each rung climbed only when the ones before it held nothing wanted."""
    answer = _without_thinking(said)
    for text in dict.fromkeys((answer, said)):
        yield from _strict(text)
    for block in reversed(_FENCED.findall(answer)):
        yield from _strict(block)
    yield from reversed(_scanned(answer))
    yield from _repaired(answer)


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
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _scanned(text: str) -> list[object]:
    """All complete outermost objects, in order, as far as the limits allow."""
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    found: list[object] = []
    spent = 0
    position = text.find("{")
    for _ in range(MOST_SCANNED_OBJECTS):
        if position < 0 or spent > MOST_SCANNED_CHARACTERS:
            break
        try:
            value, position = decoder.raw_decode(text, position)
            found.append(value)
        except json.JSONDecodeError as error:
            spent += error.pos - position
            position += 1
        except (ValueError, RecursionError):
            spent += len(text) - position
            position += 1
        position = text.find("{", position)
    return found


def _repaired(text: str) -> Iterator[object]:
    """What json-repair makes of the text between the outermost brackets.

    The slice ends at the last closing bracket: a text that was cut off in the middle of a string mustn't become a
    description that ends in the middle of a sentence.
    """
    start, end = text.find("{"), text.rfind("}") + 1
    piece = text[start:end]
    if start < 0 or end <= start or len(piece) > LARGEST_REPAIR_CHARACTERS or _depth(piece) > DEEPEST_REPAIR:
        return
    # Imported here: most answers never need it, and it takes 66 ms.
    import json_repair  # noqa: PLC0415

    try:
        value: object = json_repair.loads(piece)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return
    yield from reversed(value) if isinstance(value, list) else (value,)


def _depth(text: str) -> int:
    """The deepest nesting of brackets, those inside strings included."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest
