"""Whether one text may be written as a description."""

from __future__ import annotations

import re
import unicodedata

import msgspec


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


JINJA = re.compile(r"\{\{|\{%|\{#")
_FENCE = re.compile(r"```|~~~")
# dbt's documentation site renders descriptions as Markdown and lets HTML through.
_MARKUP = re.compile(
    r"</?(?:[a-z][\w-]*)(?:\s[^<>]*)?/?>|\]\([^)]*\)|https?://|javascript:|^\s{0,3}(?:#{1,6}\s|[-*+]\s|\|)",
    re.IGNORECASE | re.MULTILINE,
)
_REFUSAL = re.compile(
    r"\bas an? (?:ai|language model|llm|assistant)\b|\bi(?:'m| am) (?:sorry|unable|not able)\b"
    r"|\bi (?:cannot|can't|can not|don't have|do not have)\b|\bmy (?:training|knowledge cut)|\bi apologi[sz]e\b",
    re.IGNORECASE,
)
_IGNORANCE = re.compile(
    r"\b(?:cannot|can't|can not|could not|couldn't) be (?:determined|inferred|known|derived)\b"
    r"|\bunable to (?:determine|infer)\b|\b(?:not enough|insufficient|no) (?:information|context|facts|evidence)\b"
    r"|\b(?:meaning|purpose|definition) (?:is|remains) (?:unknown|unclear|not (?:clear|known|given|documented))\b"
    r"|\bis unclear\b|\bnot (?:specified|provided|documented) in the\b|^unknown\b",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"(?:to ?do|tbd|n/?a|none|null|nil|undefined|string|text|description|\.{2,}|…|-+|\?+|lorem ipsum.*|<.*>|\[.*\])"
    r"[.!]?",
    re.IGNORECASE,
)
_CODE_SPAN = re.compile(r"`([^`]*)`")
_QUOTED_VALUE = re.compile(r"'[^']*'|\"[^\"]*\"")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_SNAKE_CASE = re.compile(r"(?<![\w'\"])[a-z0-9]+(?:_[a-z0-9]+)+(?![\w'\"])")
_WORD = re.compile(r"[^\W_]+")
# What a backticked piece of SQL may hold without being in the facts.
_SQL_WORDS = _words(
    "null true false and or not in is between like case when then else end as distinct asc desc yyyy mm dd hh mi ss"
)
_FILLER = _words(
    "a an the of for to in on by is are was be this that its it each per and with which from as at column field table "
    "model node value values data record records row rows contains contain containing holds hold holding stores store "
    "stored represents represent representing indicates indicate indicating describes describe shows show denotes "
    "refers gives specifies attribute property associated given corresponding related relating respective information "
    "about staging intermediate mart marts seed source snapshot dimension fact stg int fct dim src raw base when"
    " whether"
)
_ABBREVIATIONS = {
    "id": "identifier",
    "ids": "identifier",
    "num": "number",
    "no": "number",
    "nbr": "number",
    "amt": "amount",
    "qty": "quantity",
    "cnt": "count",
    "ct": "count",
    "dt": "date",
    "ts": "timestamp",
    "at": "timestamp",
    "desc": "description",
    "pct": "percent",
    "percentage": "percent",
    "addr": "address",
    "cust": "customer",
    "acct": "account",
    "avg": "average",
    "min": "minimum",
    "max": "maximum",
    "yr": "year",
    "mo": "month",
    "nm": "name",
    "cd": "code",
    "flg": "flag",
    "is": "flag",
    "has": "flag",
}


class Limits(msgspec.Struct, frozen=True):
    """The most characters that a description may have."""

    column_characters: int = 600
    node_characters: int = 1200


def tidy(text: str) -> str:
    """The text on one line, without surrounding quotes, and with a full stop where it ends in a word."""
    line = " ".join(text.split())
    for quote in ('"', "'", "“”"):
        if len(line) > 2 and line[0] == quote[0] and line[-1] == quote[-1] and quote[0] not in line[1:-1]:
            line = line[1:-1].strip()
    if line and (line[-1].isalnum() or line[-1] in ")]%`'\"’”"):
        line += "."
    return line


def fault_of(text: str, subject: str, known: frozenset[str], most_characters: int) -> str:
    """Why the text can't be the description of `subject` (a column's or node's name), or an empty string.

    `known` are the lower-case words of the facts that the model was shown.
    """
    if any(_is_forbidden(character) for character in text):
        return "it holds control characters"
    if len(text) > most_characters:
        return f"it is longer than {most_characters} characters"
    if JINJA.search(text):
        return "it holds Jinja"
    if _FENCE.search(text):
        return "it holds a Markdown fence"
    if text.lstrip().startswith(("{", "[")) or _MARKUP.search(text):
        return "it holds markup, a link or a list; plain sentences are wanted"
    if _REFUSAL.search(text):
        return "it is a refusal, not a description"
    return _fault_of_meaning(text, subject, known)


def admits_ignorance(text: str) -> bool:
    """Whether the text says that nothing can be said, or is a placeholder."""
    return bool(_IGNORANCE.search(text) or _PLACEHOLDER.fullmatch(text.strip()))


def words_of(text: str) -> frozenset[str]:
    """The lower-case identifiers and words of the facts; an identifier's own parts aren't among them."""
    return frozenset(word.lower() for word in _IDENTIFIER.findall(text))


def _fault_of_meaning(text: str, subject: str, known: frozenset[str]) -> str:
    if len(_WORD.findall(text)) < 2:
        return "it says too little"
    if restates(text, subject):
        return f"it only restates the name {subject}"
    unknown = unknown_identifiers(text, known | words_of(subject))
    if unknown:
        return f"it names {', '.join(unknown)}, which is nowhere in the facts"
    return ""


def restates(text: str, name: str) -> bool:
    """Whether the text says nothing that the name doesn't say already."""
    said = {_stem(word) for word in _WORD.findall(text.lower()) if word not in _FILLER}
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    in_name = {_stem(word) for word in _WORD.findall(split.lower().replace("_", " "))}
    return said <= in_name


def unknown_identifiers(text: str, known: frozenset[str]) -> list[str]:
    """Identifiers in backticks, or in snake_case, that aren't known; quoted values in backticks aren't looked at."""
    named = [
        word
        for span in _CODE_SPAN.findall(text)
        for word in _IDENTIFIER.findall(_QUOTED_VALUE.sub(" ", span))
        if word.lower() not in _SQL_WORDS
    ]
    named += _SNAKE_CASE.findall(_CODE_SPAN.sub(" ", text))
    return list(dict.fromkeys(word for word in named if word.lower() not in known))


def _stem(word: str) -> str:
    word = _ABBREVIATIONS.get(word, word)
    for ending in ("ies", "ing", "ed", "es", "s", "e"):
        if len(word) > len(ending) + 2 and word.endswith(ending):
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word


def _is_forbidden(character: str) -> bool:
    """Whether it is a control character, a lone surrogate or hides or reorders text; joiners are parts of letters."""
    if character in "\n\t\r\u200c\u200d":
        return False
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co"}
