"""How many tokens a text has, about: without a tokenizer, a network or a download."""

from __future__ import annotations

import functools
import re

# Each is a token: up to six Latin letters, up to three digits, white space beyond the single space that joins a word,
# anything else.
_PIECE = re.compile(r"[A-Za-z]{1,6}|[0-9]{1,3}|\n\s*|[ \t]{2,}|[^\sA-Za-z0-9]")
# Emoji and rare scripts are encoded in three tokens.
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_MORE_ASTRAL_TOKENS = 2


@functools.lru_cache(maxsize=32)
def estimate_tokens(text: str) -> int:
    """Tokens of the text, rather too many than too few: against real tokenizers 0 to 40 % over on English and SQL.

    Parts of a prompt are counted again as it is fitted, and all nodes have the same instructions: a few are kept.
    """
    astral = 0 if text.isascii() else len(_ASTRAL.findall(text))
    return len(_PIECE.findall(text)) + _MORE_ASTRAL_TOKENS * astral
