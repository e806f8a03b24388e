"""Whether what a text names, quotes and counts stands in the facts that the model was shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

import msgspec

_CODE_SPAN = re.compile(r"`([^`]*)`")
# Not the apostrophes of "the customer's order" and "the customers' orders".
_QUOTED = re.compile(r"(?<!\w)'([^'\n]{1,80})'(?!\w)|\"([^\"\n]{1,80})\"|“([^”\n]{1,80})”|‘([^’\n]{1,80})’(?!\w)")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
# Names are seen by an underscore, a dot or a capital inside: orders_2, raw.orders, orderLines; not by e.g. or PhD.
_SNAKE_CASE = re.compile(r"(?<!\w)\w*[^\W_]_+[^\W_]\w*")
_CAMEL_CASE = re.compile(r"(?<![\w.])[A-Za-z]?[a-z]{2,}(?:[A-Z][A-Za-z0-9]*)+(?!\w)")
_DOTTED = re.compile(r"(?<![\w.])(?:[a-z_]\w+(?:\.[a-z_]\w+)+|[A-Z_][A-Z\d_]+(?:\.[A-Z_][A-Z\d_]+)+)(?!\w)")
_FILE_ENDINGS = frozenset(
    ("com", "csv", "io", "json", "net", "org", "pdf", "py", "sql", "txt", "xlsx", "xml", "yaml", "yml")
)
_CAMEL_CASE_WORDS = frozenset(("javascript", "macos", "mmhg", "saas"))
# What a backticked piece of SQL, or a quoted value, may be without being in the facts.
_SQL_WORDS = frozenset(
    ("null", "true", "false", "and", "or", "not", "in", "is", "between", "like", "case", "when", "then", "else", "end",
     "as", "distinct", "asc", "desc", "yyyy", "mm", "dd", "hh", "mi", "ss")
)  # fmt: skip
# Not the numbers of ISO 8601, SHA-256, ICD-10 or E.164, nor digits inside of names.
_NUMBER = re.compile(r"(?<![\w.])(?<![A-Za-z]-)(?<![A-Z]{2}[ -])\d+(?:,\d{3})*(?:\.\d+)?")
_DIGITS = re.compile(r"\d+(?:\.\d+)?")
# Hours, minutes, months, percent, the epoch.
_COMMON_NUMBERS = frozenset(map(Decimal, ("12", "24", "60", "100", "365", "1000", "1970")))
_LONGEST_NUMBER = 30
# Cents and percent, thousands and milliseconds.
_SCALES = tuple(map(Decimal, ("1", "100", "0.01", "1000", "0.001")))


class Shown(msgspec.Struct, frozen=True):
    """The facts as texts are held against them, all in lower case."""

    text: str = ""
    words: frozenset[str] = frozenset()
    """Identifiers and words; an identifier's own parts aren't among them."""
    numbers: frozenset[Decimal] = frozenset()


def shown_in(facts: str) -> Shown:
    """What the facts say, for holding many texts against them."""
    text = " ".join(facts.lower().split())
    return Shown(text, words_of(text), frozenset(_numbers_of_facts(text)))


def words_of(text: str) -> frozenset[str]:
    """The lower-case identifiers and words of a text."""
    return frozenset(word.lower() for word in _IDENTIFIER.findall(text))


def fault_of_grounding(text: str, subject: str, shown: Shown) -> str:
    """What the text has that neither the facts nor the subject's name have, as a reason, or an empty string."""
    for unknown, why in (
        (unknown_identifiers(text, shown, subject), "names"),
        (unknown_quotes(text, shown), "quotes"),
        (unknown_numbers(text, shown, subject), "holds the number"),
    ):
        if unknown:
            return f"it {why} {', '.join(unknown)}, which is nowhere in the facts"
    return ""


def unknown_identifiers(text: str, shown: Shown, subject: str = "") -> list[str]:
    """Identifiers that aren't in the facts: all in backticks, elsewhere what can't be a word. Quoted values aside."""
    known = shown.words | words_of(subject)
    named = [
        word
        for span in _CODE_SPAN.findall(text)
        for word in _IDENTIFIER.findall(_QUOTED.sub(" ", span))
        if word.lower() not in _SQL_WORDS
    ]
    prose = _QUOTED.sub(" ", _CODE_SPAN.sub(" ", text))
    named += _SNAKE_CASE.findall(prose)
    named += [part for name in _DOTTED.findall(prose) for part in _parts(name) if "_" not in part]
    unknown = [word for word in named if word.lower() not in known]
    unknown += [word for word in _CAMEL_CASE.findall(prose) if not _is_known_camel(word, shown, subject)]
    return list(dict.fromkeys(unknown))


def unknown_quotes(text: str, shown: Shown) -> list[str]:
    """Quoted values that aren't in the facts as they are, whatever their case."""
    quoted = (next(filter(None, groups)).strip(" .,;:") for groups in _QUOTED.findall(text) if any(groups))
    return [value for value in quoted if value and value.lower() not in _SQL_WORDS and not _stands_in(value, shown)]


def unknown_numbers(text: str, shown: Shown, subject: str = "") -> list[str]:
    """Numbers of two digits and more that aren't in the facts, not even as percent, cents or thousands of one there."""
    known = _COMMON_NUMBERS | shown.numbers | frozenset(_numbers_of_facts(subject))
    return [number for number in _NUMBER.findall(text) if not _is_known_number(number.replace(",", ""), known)]


def _parts(name: str) -> list[str]:
    parts = name.split(".")
    return [] if parts[-1] in _FILE_ENDINGS else parts


def _is_known_camel(word: str, shown: Shown, subject: str) -> bool:
    """Whether the word stands in the facts in any spelling: GitHub, github_url, GITHUB."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower()
    facts = f"{shown.text} {subject.lower()}"
    return word.lower() in _CAMEL_CASE_WORDS or word.lower() in facts or snake in facts


def _stands_in(value: str, shown: Shown) -> bool:
    wanted = " ".join(value.lower().split())
    start = r"(?<!\w)" if wanted[0].isalnum() else ""
    end = r"(?!\w)" if wanted[-1].isalnum() else ""
    return bool(re.search(start + re.escape(wanted) + end, shown.text))


def _is_known_number(number: str, known: frozenset[Decimal]) -> bool:
    if len(re.sub(r"\D", "", number)) < 2 or len(number) > _LONGEST_NUMBER:
        return len(number) <= _LONGEST_NUMBER
    value = Decimal(number)
    return any(value * scale in known for scale in _SCALES)


def _numbers_of_facts(text: str) -> Iterator[Decimal]:
    """Every number in the text, those inside of names and the digits before and behind a point included."""
    for number in dict.fromkeys(_DIGITS.findall(text)):
        if len(number) <= _LONGEST_NUMBER:
            yield Decimal(number)
            yield from map(Decimal, number.split("."))
