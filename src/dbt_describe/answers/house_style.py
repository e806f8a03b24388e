"""What the settings say of new descriptions, held against a text: how long it may be, and what it mustn't say."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import msgspec

# Thai, Lao, Burmese, Khmer, Japanese and Chinese set no spaces between words.
_SPACELESS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_CHARACTERS_PER_SPACELESS_WORD = 2
_CODE_SPAN = re.compile(r"`[^`]*`")


class HouseStyle(msgspec.Struct, frozen=True):
    """0 words: no limit but that of the template."""

    column_words: int = 0
    node_words: int = 0
    forbidden: tuple[str, ...] = ()


def fault_of_style(text: str, style: HouseStyle, *, of_node: bool) -> str:
    """All that the style has against the text, as one reason, or an empty string."""
    faults = []
    most = style.node_words if of_node else style.column_words
    if most and (words := count_words(text)) > most:
        faults.append(f"it has {words} words, at most {most} are wanted")
    if found := forbidden_in(text, style.forbidden):
        faults.append("it says " + ", ".join(f'"{phrase}"' for phrase in found) + ", which the house style forbids")
    return "; ".join(faults)


def count_words(text: str) -> int:
    """How many words the text has, a name in backticks being one; two characters count as one where none are spaced."""
    count = 0
    for word in _CODE_SPAN.sub("code", text).split():
        spaceless = len(_SPACELESS.findall(word))
        rest = _SPACELESS.sub("", word) if spaceless else word
        count += -(-spaceless // _CHARACTERS_PER_SPACELESS_WORD) + any(map(str.isalnum, rest))
    return count


def forbidden_in(text: str, phrases: Sequence[str]) -> list[str]:
    """The phrases that the text has, as whole words and in whatever case; names in backticks don't count."""
    if not phrases:
        return []
    prose = _folded(_CODE_SPAN.sub(" ` ", text))
    return [phrase for phrase in phrases if _pattern(phrase).search(prose)]


@lru_cache(maxsize=1_000)
def _pattern(phrase: str) -> re.Pattern[str]:
    words = _folded(phrase).split()
    before = r"(?<!\w)" if _is_spaced(words[0][0]) else ""
    after = r"(?!\w)" if _is_spaced(words[-1][-1]) else ""
    return re.compile(before + r"\s+".join(map(re.escape, words)) + after)


def _is_spaced(character: str) -> bool:
    """Whether the character would be a part of the word beside it."""
    return character.isalnum() and not _SPACELESS.match(character)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
