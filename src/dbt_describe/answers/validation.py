"""Whether one text may be written as a description: its form, and what it claims of its column."""

from __future__ import annotations

import re
import unicodedata

import msgspec

from dbt_describe.answers.language import other_language
from dbt_describe.inheritance import claims_grain
from dbt_describe.placeholders import is_missing

# English has 6 characters to a word, its space included; names are longer.
CHARACTERS_PER_WORD = 20
_FEWEST_CHARACTERS = 200

_JINJA = re.compile(r"\{\{|\{%|\{#")
_BRACES = re.compile(r"[{}]|\"\s*:")
_FENCE = re.compile(r"```|~~~")
_LEFT_OUT = re.compile(r"\[redacted\b", re.IGNORECASE)  # as the marks of `redaction` begin
# A Windows path whose backslash was read as the escape of a line break or a tab.
_EATEN_BACKSLASH = re.compile(r"\b[A-Za-z]:[\n\r]|\t")
# dbt's documentation site renders descriptions as Markdown and lets HTML through, unclosed tags too.
_HTML = re.compile(r"<(?:/?[a-z][\w:-]*(?=[\s/>])|[!?])", re.IGNORECASE)
_MARKUP = re.compile(
    r"\][(\[]|^\s*\[[^\]]*\]:|https?://|javascript:|\*\*[^\s*](?:[^*]*[^\s*])?\*\*"
    r"|(?<![\w*])\*[^\s*](?:[^*\n]*[^\s*])?\*(?![\w*])|(?<!\w)_[^\W_][^_\n]*[^\W_]_(?!\w)"
    r"|^\s{0,3}(?:#{1,6}\s|[-*+]\s|\d{1,3}[.)]\s|\|)",
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
    r"|\bis unclear\b|\bnot (?:specified|provided|documented) in the\b|^unknown\b|^lorem ipsum\b"
    r"|^(?:(?:no|missing|pending) (?:description|documentation)|to be (?:documented|described|determined))\b"
    r"|^(?:description|documentation) (?:is )?(?:pending|missing|to (?:follow|come))\b",
    re.IGNORECASE,
)
_GUESS = re.compile(
    r"\b(?:probably|presumably|perhaps|possibly|supposedly|i(?:'m| am) guessing|i (?:guess|think|assume|believe)"
    r"|seems to|appears to)\b",
    re.IGNORECASE,
)
# Of a node only its columns can be keys or null.
_KEY_OF_A_NODE = re.compile(
    r"\b(?:primary key|surrogate key|uniquely identif|identif(?:y|ies) (?:one|a single|each|every))", re.IGNORECASE
)
_NEVER_NULL = re.compile(
    r"\b(?:never|never be|cannot be|can't be|can not be|must not be) (?:null|empty|missing|blank)\b"
    r"|\balways (?:present|filled|populated|set(?! to)|has a value)\b|\bnon-null (?:identifier|key)\b",
    re.IGNORECASE,
)
# How many different values there are says nothing on the column's own: "number of the unique customers".
_COUNTED_UNIQUE = re.compile(
    r"\b(?:number|count|list|set|share|total) of (?:(?:the|all|its) )?unique(?:ly)?\b", re.IGNORECASE
)
_CODE_SPAN = re.compile(r"`[^`]*`")
_WORD = re.compile(r"[^\W_]+")


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
    if line and ((line[-1].isalnum() and _has_spaces(line[-1])) or line[-1] in ")]%`'\"’”"):
        line += "."
    return line


def limits_of(column_words: int, node_words: int) -> Limits:
    """The limits for descriptions that should have at most so many words."""
    characters = (max(_FEWEST_CHARACTERS, words * CHARACTERS_PER_WORD) for words in (column_words, node_words))
    return Limits(*characters)


def fault_of_form(text: str, most_characters: int, language: str = "English") -> str:
    """Why the text can't be a description of anything, or an empty string."""
    if not text.isprintable() and any(_is_forbidden(character) for character in text):
        return "it holds control characters"
    if _EATEN_BACKSLASH.search(text):
        return "a backslash in it was read as an escape; write it without"
    if len(text) > most_characters:
        return f"it is longer than {most_characters} characters"
    if _JINJA.search(text):
        return "it holds Jinja"
    if _FENCE.search(text):
        return "it holds a Markdown fence"
    if _LEFT_OUT.search(text):
        return "it speaks of what was left out of the facts"
    return _fault_of_markup(text) or _fault_of_words(text, language)


def fault_of_claim(text: str, *, is_unique: bool, is_present: bool) -> str:
    """What the text claims of a column that isn't proved of it, as a reason, or an empty string."""
    if not is_unique and claims_grain(_COUNTED_UNIQUE.sub(" ", text)):
        return (
            "it says that the column is unique, a key or one per row, which no test, unique key or group by proves; "
            "say what it means without that"
        )
    if not is_present and _NEVER_NULL.search(text):
        return "it says that the column is never null, which no test proves; say what it means without that"
    return ""


def fault_of_node_claim(text: str) -> str:
    """What a text claims of a node that only a column can be, as a reason, or an empty string."""
    if _KEY_OF_A_NODE.search(text) or _NEVER_NULL.search(text):
        return "it speaks of keys or nulls, which only columns have; say what one row is and where the rows come from"
    return ""


def admits_ignorance(text: str) -> bool:
    """Whether the text says that nothing can be said, or is a placeholder."""
    return bool(text.strip()) and (is_missing(text) or bool(_IGNORANCE.search(text.strip())))


def says_too_little(text: str) -> bool:
    """Whether the text is no more than one word. Some scripts have no spaces between them."""
    words = _WORD.findall(text)
    return len(words) < 2 and not any(len(word) > 1 and not _has_spaces(word) for word in words)


def _fault_of_markup(text: str) -> str:
    prose = _CODE_SPAN.sub(" ", text)
    if _BRACES.search(text):
        return "it holds curly braces or a piece of JSON; plain sentences are wanted"
    if text.lstrip().startswith("[") or _HTML.search(text) or _MARKUP.search(prose):
        return "it holds markup, a link or a list; plain sentences are wanted"
    return ""


def _fault_of_words(text: str, wanted: str) -> str:
    if _REFUSAL.search(text):
        return "it is a refusal, not a description"
    if _GUESS.search(text):
        return "it guesses; say only what the facts show, or leave it empty"
    language = other_language(text, wanted)
    return f"it is in {language}; {wanted} is wanted" if language else ""


def _is_forbidden(character: str) -> bool:
    """Whether it is a control character, a lone surrogate or hides or reorders text; joiners are parts of letters."""
    if character in "\n\t\r\u200c\u200d":
        return False
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co"}


def _has_spaces(word: str) -> bool:
    """Whether the script of the word sets words apart by spaces: not Chinese, Japanese or Thai."""
    return not re.search(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]", word)
