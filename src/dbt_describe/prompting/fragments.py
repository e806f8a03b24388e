"""The parts of a prompt, and how they are made to fit a model's window."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

import msgspec

from dbt_describe.prompting.tokens import estimate_tokens
from dbt_describe.redaction.credentials import without_credentials

Shrink = Callable[[str, int], str]
"""The text in at most so many tokens, keeping what matters most; empty where nothing useful is left."""
Shorten = Callable[[str], str]
"""The text without what matters least in it."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# White space inside of the tag, too: a model reads `</ data>` as the end of the data.
_DATA_TAG = re.compile(r"<(?=\s*/?\s*data\b)", re.IGNORECASE)
# What is never closed ends with the text: trying each of many quotes again would take the square of their number.
_QUOTED = r"""('(?:[^'\\]|''|\\.)*+(?:'|\\?\Z)|"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|`[^`]*+(?:`|\Z)|\$\$.*?(?:\$\$|\Z))"""
_COMMENT = re.compile(rf"{_QUOTED}|--[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_MARGIN = re.compile(rf"{_QUOTED}|--[^\n]*|/\*.*?(?:\*/|\Z)|[ \t]*\n(?:[ \t]*\n)*(?P<indent>[ \t]*)", re.DOTALL)
_SPARE_SPACE = re.compile(rf"{_QUOTED}|[ \t]*\n\s*\n|[ \t]+", re.DOTALL)
# What the tags around a fragment cost.
_TAG_TOKENS = 12
# Format characters, tags (U+E0041 spells an A that nobody sees), and surrogates, which can't be sent.
_INVISIBLE = frozenset({"Cf", "Cs"})
_LEFT_OUT = " … "
# How long a column's details may be, from the first try to the last.
_DETAIL_CHARACTERS = (300, 100, 0)


class Fragment(msgspec.Struct, frozen=True):
    """One part of a prompt's data. Lower `priority` goes first; a required one is shrunk last, and never dropped."""

    name: str
    text: str
    priority: int = 0
    shrink: Shrink | None = None
    required: bool = False
    first: tuple[Shorten, ...] = ()
    """How it is made shorter, one after the other, before any fragment is shrunk or dropped."""
    is_cut: bool = False
    """It was shrunk, or dropped."""

    @property
    def tokens(self) -> int:
        """About how many tokens it adds to the prompt."""
        return _counted(self.text) + _TAG_TOKENS if self.text else 0


# The same long SQL is counted for one group of columns after the other.
_counted = lru_cache(maxsize=64)(estimate_tokens)


def fit(fragments: tuple[Fragment, ...], budget_tokens: int) -> tuple[Fragment, ...] | None:
    """The fragments in at most so many tokens, in the same order; None where even the required ones are too much.

    What loses least comes first: `first` of each. Then, from the lowest priority upwards, each one is shrunk just as
    far as needed, or dropped; dropped ones stay with an empty text.
    """
    fitted = list(fragments)
    excess = sum(fragment.tokens for fragment in fitted) - budget_tokens
    for index, fragment in enumerate(fragments):
        for shorten in fragment.first:
            if excess > 0:
                shorter = msgspec.structs.replace(fitted[index], text=shorten(fitted[index].text))
                excess -= fitted[index].tokens - shorter.tokens
                fitted[index] = shorter
    for index in sorted(range(len(fitted)), key=lambda index: (fitted[index].required, fitted[index].priority)):
        if excess <= 0:
            break
        fragment = fitted[index]
        shrunk = _shrunk(fragment, fragment.tokens - excess)
        if fragment.required and not shrunk.text:
            continue
        excess -= fragment.tokens - shrunk.tokens
        fitted[index] = shrunk
    return tuple(fitted) if excess <= 0 else None


def cleaned(text: str) -> str:
    """The text as it is shown: no control or invisible characters, nothing that looks like a `<data>` tag."""
    shown = _CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
    if not shown.isascii():
        shown = "".join(character for character in shown if unicodedata.category(character) not in _INVISIBLE)
    return _DATA_TAG.sub("&lt;", shown).strip("\n")


def fenced(name: str, text: str) -> str:
    """The text between `<data>` tags that nothing inside it can close."""
    clean = cleaned(text)
    return f'<data name="{name}">\n{clean}\n</data>' if clean.strip() else ""


def middle_out(text: str, characters: int) -> str:
    """The beginning and the end of the text, in at most so many characters."""
    if len(text) <= characters:
        return text
    text = without_credentials(text)  # half a key isn't known as one
    if len(text) <= characters:
        return text
    kept = max(characters - len(_LEFT_OUT), 0)
    return text[: (kept + 1) // 2] + _LEFT_OUT + text[len(text) - kept // 2 :]


def shrink_details(text: str, tokens: int) -> str:
    """The lines, indented ones cut in their middle or left out; empty where the others alone are too much."""
    for characters in _DETAIL_CHARACTERS:
        lines = (middle_out(line, characters) if line.startswith(" ") else line for line in text.splitlines())
        short = "\n".join(line for line in lines if line.strip() not in {"", _LEFT_OUT.strip()})
        if estimate_tokens(short) <= tokens:
            return short
    return ""


def shrink_lines(text: str, tokens: int) -> str:
    """As many of the first lines as fit; the number of those left out is said."""
    lines = text.splitlines()
    kept: list[str] = []
    left = tokens - 10
    for line in lines:
        left -= estimate_tokens(line) + 1
        if left < 0:
            break
        kept.append(line)
    if not kept:
        return ""
    missing = len(lines) - len(kept)
    return "\n".join([*kept, f"({missing} more lines left out)"] if missing else kept)


@lru_cache(maxsize=4)
def tidy_sql(text: str) -> str:
    """The SQL without blank lines, and indented by a space for four: white space is a good part of what it takes."""
    return _MARGIN.sub(_narrow, text.strip("\n"))


def _narrow(found: re.Match[str]) -> str:
    indent = found["indent"]
    if indent is None:
        return found[0]
    return "\n" + " " * ((len(indent.expandtabs(4)) + 3) // 4)


@lru_cache(maxsize=4)
def bare_sql(text: str) -> str:
    """The SQL without comments and spare white space."""
    short = _COMMENT.sub(lambda match: match[1] or " ", text)
    return _SPARE_SPACE.sub(lambda match: match[1] or ("\n" if "\n" in match[0] else " "), short).strip()


def shrink_sql(text: str, tokens: int) -> str:
    """The SQL without comments and spare white space, then without its middle."""
    short = bare_sql(text)
    return short if estimate_tokens(short) <= tokens else _without_middle(short, tokens, "-- (left out)")


def shrink_python(text: str, tokens: int) -> str:
    """The code without its middle."""
    return text if estimate_tokens(text) <= tokens else _without_middle(text, tokens, "# (left out)")


def _without_middle(code: str, tokens: int, mark: str) -> str:
    """A third from the beginning, the rest from the end: the end decides what comes out."""
    lines = code.splitlines()
    head = shrink_lines(code, tokens // 3).rpartition("\n")[0]
    tail: list[str] = []
    left = tokens - estimate_tokens(head) - 10
    for line in reversed(lines[head.count("\n") + 1 if head else 0 :]):
        left -= estimate_tokens(line) + 1
        if left < 0:
            break
        tail.append(line)
    return "\n".join([*([head] if head else []), mark, *reversed(tail)]) if tail else ""


def _shrunk(fragment: Fragment, tokens: int) -> Fragment:
    text = fragment.shrink(fragment.text, tokens - _TAG_TOKENS) if fragment.shrink and tokens > _TAG_TOKENS else ""
    return msgspec.structs.replace(fragment, text=text, is_cut=True)
