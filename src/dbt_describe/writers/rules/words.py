"""English out of identifiers: words, plurals, lists, quotes. Whatever isn't surely a word stays an identifier."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dbt_describe.project.nodes import Node
from dbt_describe.writers.rules.lexicon import (
    AFTER_HEAD_NOUNS,
    CLAUSE_ENDS,
    CLAUSE_STARTS,
    COUNTABLE,
    HEAD_NOUNS,
    IRREGULAR,
    MADE_BY,
    NOT_PLURAL,
    SHORTENED,
    SMALL,
    THREE_LETTERS,
    TIME_UNITS,
    UNITS,
    WHICH,
)
from dbt_describe.writers.rules.phrases import UnsayableError

MAX_LITERAL_CHARACTERS = 60
MAX_NAME_WORDS = 5

_VOWEL = re.compile(r"[aeiouy]")
_WORD = re.compile(r"[a-z]{3,}")
_UNSAFE_LITERAL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029{}`]")
_LAYER = re.compile(r"^(?:stg|staging|int|intermediate|fct|fact|dim|base|raw|src|mart|seed|snap|snapshot)_+")
_AN = re.compile(r"(?:[aeio]|u(?!ni|se|s[ae]|ti|u))", re.IGNORECASE)


def singular(word: str) -> str | None:
    """The singular of an obvious plural; None where the word isn't one."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word in NOT_PLURAL or len(word) < 4 or re.search(r"(?:ss|us|is|as|os|ics)$", word) or not word.endswith("s"):
        return "id" if word == "ids" else None
    if word.endswith("ies"):
        return word[:-3] + "y" if len(word) > 4 else None
    if re.search(r"(?:sse|she|che|xe|zze)s$", word):
        return word[:-2]
    return None if word.endswith("uses") else word[:-1]


def plural(words: str) -> str:
    """The regular plural of the last word: `order id` → `order ids`; a plural stays as it is."""
    last = words.rsplit(" ", 1)[-1]
    if singular(last) is not None:
        return words
    irregular = next((many for many, one in IRREGULAR.items() if one == last), None)
    if irregular:
        return words[: -len(last)] + irregular
    if re.search(r"[^aeiou]y$", last):
        return words[:-1] + "ies"
    return words + ("es" if re.search(r"(?:s|x|z|ch|sh)$", last) else "s")


def plural_amounts(said: str, name: str) -> str | None:
    """`order price in cents` → `order prices in cents`, for words that are a column's name; None where unsure."""
    amount, joint, unit = said.partition(" in ")
    own = words_of(name)
    if own is None or not said.endswith(own) or amount.rsplit(" ", 1)[-1] not in COUNTABLE:
        return None
    return f"{plural(amount)}{joint}{unit}"


def is_plural(words: str) -> bool:
    """Whether the last word is an obvious plural."""
    return singular(words.rsplit(" ", 1)[-1]) is not None


def with_article(words: str) -> str:
    """`a payment`, `an order`."""
    return f"{'an' if _AN.match(words) else 'a'} {words}"


def listed(items: Sequence[str], last: str = "and") -> str:
    """`a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def quoted(value: str) -> str:
    """A text value as it is shown in a sentence.

    Raises:
        UnsayableError: it is too long, or holds characters that don't belong in a description.
    """
    if _UNSAFE_LITERAL.search(value) or len(value) > MAX_LITERAL_CHARACTERS or "'" in value or "  " in value:
        raise UnsayableError("a value in the SQL can't be quoted in a sentence")
    return f"'{value}'"


def code(identifier: str) -> str:
    """An identifier as it is shown in a sentence.

    Raises:
        UnsayableError: it holds characters that don't belong in a description.
    """
    if _UNSAFE_LITERAL.search(identifier) or not identifier.strip() or "  " in identifier:
        raise UnsayableError("an identifier in the SQL can't be shown in a sentence")
    return f"`{identifier}`"


def words_of(name: str) -> str | None:
    """`order_total` → `order total`; None where a part isn't surely a word or the whole isn't surely a noun."""
    tokens = name.lower().split("_")
    if not name.islower() or len(tokens) > MAX_NAME_WORDS or not all(_is_word(token) for token in tokens):
        return None
    if tokens[-1] in CLAUSE_ENDS or tokens[0] in SMALL - {"id"}:
        return None
    if len(tokens) > 1 and tokens[0] in HEAD_NOUNS and not (tokens[1] in AFTER_HEAD_NOUNS or tokens[1].endswith("ed")):
        return None
    if len(tokens) > 1 and (tokens[0] in CLAUSE_STARTS or (tokens[-2] == "of" and tokens[-1] in TIME_UNITS)):
        return None
    if len(tokens) > 1 and tokens[-1] in UNITS and tokens[-2] not in SMALL:
        return f"{' '.join(tokens[:-1])} in {tokens[-1]}"
    return " ".join(tokens)


def _is_word(token: str) -> bool:
    if token in SMALL:
        return True
    if len(token) == 3 and token not in THREE_LETTERS:
        return False
    return bool(_WORD.fullmatch(token) and _VOWEL.search(token)) and token not in SHORTENED


def identified(name: str) -> str | None:
    """`customer_id` → `customer`: what the column identifies, None where it isn't named so."""
    *what, last = name.lower().split("_")
    if last != "id" or not 1 <= len(what) <= 2 or WHICH & set(what) or any(singular(token) for token in what):
        return None
    return words_of("_".join(what))


def entity(node: Node) -> str | None:
    """What a row of the node stands for, going by its name alone: `stg_shop__orders` → `order`.

    A singular name counts only where the node's columns confirm it (`order` with `order_id` or `id`).
    """
    name = node.name.lower().rsplit("__", 1)[-1]
    while _LAYER.match(name):
        name = _LAYER.sub("", name)
    tokens = [token for token in name.split("_") if token]
    while len(tokens) > 1 and tokens[-1] in MADE_BY:
        tokens.pop()
    if not tokens or len(tokens) > 3 or words_of("_".join(tokens)) is None:
        return None
    if any(singular(token) is not None for token in tokens[:-1]):
        return None
    last = singular(tokens[-1])
    if last is not None:
        return " ".join((*tokens[:-1], last))
    keys = ("id", "_".join((*tokens, "id")))
    return " ".join(tokens) if any(node.column(key) for key in keys) else None
