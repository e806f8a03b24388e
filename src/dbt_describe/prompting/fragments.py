"""The parts of a prompt, and how they are made to fit a model's window."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from dbt_describe.prompting.tokens import estimate_tokens

Shrink = Callable[[str, int], str]
"""The text in at most so many tokens, keeping what matters most; empty where nothing useful is left."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_DATA_TAG = re.compile(r"<(/?)(data\b)", re.IGNORECASE)
# What the tags around a fragment cost.
_TAG_TOKENS = 12


class Fragment(msgspec.Struct, frozen=True):
    """One part of a prompt's data. Lower `priority` goes first; a required one is never dropped or shrunk."""

    name: str
    text: str
    priority: int = 0
    shrink: Shrink | None = None
    required: bool = False

    @property
    def tokens(self) -> int:
        """About how many tokens it adds to the prompt."""
        return estimate_tokens(self.text) + _TAG_TOKENS if self.text else 0


def fit(fragments: tuple[Fragment, ...], budget_tokens: int) -> tuple[Fragment, ...] | None:
    """The fragments in at most so many tokens, in the same order; None where even the required ones are too much.

    From the lowest priority upwards each one is shrunk just as far as needed, or dropped; dropped ones stay with an
    empty text.
    """
    fitted = list(fragments)
    excess = sum(fragment.tokens for fragment in fitted) - budget_tokens
    for index in sorted(range(len(fitted)), key=lambda index: fitted[index].priority):
        if excess <= 0:
            break
        fragment = fitted[index]
        if fragment.required:
            continue
        shrunk = _shrunk(fragment, fragment.tokens - excess)
        excess -= fragment.tokens - shrunk.tokens
        fitted[index] = shrunk
    return tuple(fitted) if excess <= 0 else None


def fenced(name: str, text: str) -> str:
    """The text between `<data>` tags that nothing inside it can close; without control characters."""
    clean = _DATA_TAG.sub(r"<\1_\2", _CONTROL.sub(" ", text.replace("\r\n", "\n"))).strip("\n")
    return f'<data name="{name}">\n{clean}\n</data>' if clean.strip() else ""


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


def shrink_sql(text: str, tokens: int) -> str:
    """The SQL without comments and spare white space, then without its middle: the end decides what comes out."""
    short = re.sub(r"--[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)
    short = re.sub(r"\n\s*\n+", "\n", re.sub(r"[ \t]+", " ", short)).strip()
    if estimate_tokens(short) <= tokens:
        return short
    lines = short.splitlines()
    head = shrink_lines("\n".join(lines), tokens // 3).rpartition("\n")[0]
    tail: list[str] = []
    left = tokens - estimate_tokens(head) - 10
    for line in reversed(lines[head.count("\n") + 1 if head else 0 :]):
        left -= estimate_tokens(line) + 1
        if left < 0:
            break
        tail.append(line)
    return "\n".join([*([head] if head else []), "-- (left out)", *reversed(tail)]) if tail else ""


def _shrunk(fragment: Fragment, tokens: int) -> Fragment:
    text = fragment.shrink(fragment.text, tokens - _TAG_TOKENS) if fragment.shrink and tokens > _TAG_TOKENS else ""
    return msgspec.structs.replace(fragment, text=text)
