"""Slips of small models that can be mended without asking again. What is mended is checked like any other text."""

from __future__ import annotations

import re

ASSUMED_CONFIDENCE = "medium"
"""Of an entry that names none, where models often leave it out."""
# Not `1.`: in German and other languages it begins a sentence with an ordinal.
_LIST_MARK = re.compile(r"^(?:[-*+•]|\d{1,2}\)|#{1,6})\s+")
_EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3})([^\s*](?:[^*]*[^\s*])?)\1(?![\w*])")
_LABEL = re.compile(r"^(?:the )?(?:column |node |model |table )?(?:description)\s*[:–—-]\s+", re.IGNORECASE)
# A sentence ends behind a word and before a capital letter or a name: "approx. 5" and "U.S. Dollars" go on.
_END = re.compile(r"(?<=[^\W\d_A-Z]{3})[.!?](?=\s+[A-Z\u00c0-\u00de`]|\s*$)")
_ABBREVIATED = re.compile(
    r"\b(?:approx|avg|corp|dept|etc|excl|incl|max|min|resp|usw|bzw|vgl|inkl|exkl|evtl)$", re.IGNORECASE
)
# What a sentence must have at least to be kept alone.
_FEWEST_WORDS = 4


def mended(text: str, name: str, most_characters: int) -> str:
    """The text without list marks, bold type and a label in front, and cut to the whole sentences that may stand.

    Args:
        text: as the model wrote it.
        name: of the column or node that it is on.
        most_characters: that it may have.
    """
    line = _EMPHASIS.sub(r"\2", _LIST_MARK.sub("", " ".join(text.split())))
    line = _without_label(_LABEL.sub("", line), name)
    return line if len(line) <= most_characters else _whole_sentences(line, most_characters)


def _without_label(line: str, name: str) -> str:
    """Without `amount: ` in front; what follows then begins the sentence."""
    word = re.escape(name)
    # A bare name before a hyphen may be the first half of something: "Net - of refunds - revenue".
    label = re.match(rf"(?:[`\"']?{word}[`\"']?\s*[:–—]|[`\"']{word}[`\"']\s+-)\s+", line, re.IGNORECASE)
    rest = line[label.end() :] if label else line
    return rest[:1].upper() + rest[1:] if label else rest


def _whole_sentences(line: str, most_characters: int) -> str:
    """The first sentences that fit, or all of the text where not even one does."""
    end = 0
    for found in _END.finditer(line, 0, most_characters + 2):
        if found.end() <= most_characters and not _ABBREVIATED.search(line, 0, found.start()):
            end = found.end()
    kept = line[:end].strip()
    return kept if len(kept.split()) >= _FEWEST_WORDS else line
