"""How much a model is told and asked for at once: models of a few thousand tokens, or of few parameters, take less."""

from __future__ import annotations

import math
import re
from typing import Literal

import msgspec

from dbt_describe.prompting.tokens import estimate_tokens

SMALL_WINDOW_TOKENS = 8_192
"""Of the largest window that is asked in the small way by itself."""
SMALL_BILLIONS = 3.0
"""Parameters that a small model has at most, in billions."""
_SIZE = re.compile(r"(?<![a-z0-9.])(?:(\d+)x)?[ea]?(\d+(?:\.\d+)?)([bm])(?![a-z])", re.IGNORECASE)
# Names of families that only have small models.
_SMALL_FAMILY = re.compile(r"(?<![a-z])(?:tinyllama|smollm\d*|tinydolphin)(?![a-z])", re.IGNORECASE)


class Profile(msgspec.Struct, frozen=True):
    """What is asked of a model, and how."""

    name: Literal["small", "normal"]
    tokens_per_description: int
    """Room in the answer for each description."""
    tokens_of_answer: int
    """Room in the answer beside the descriptions."""
    room_to_think_tokens: int
    """Asked for beyond that where the window has it: some models think at length before a short answer."""
    most_descriptions: int | None = None
    """Asked for at once."""
    gives_evidence: bool = True
    """Whether each description is answered with what it rests on, and columns are named by an enum."""
    temperature: float | None = None
    """Where the template says nothing."""
    whole_slice_from: int | None = None
    """Columns are asked for in smaller groups, down to this many, rather than without a part of the SQL that decides
    them."""
    is_reviewed: bool = True
    """Whether a second model may check the drafts."""
    mends: bool = False
    """Whether slips in answers are mended where that needs no guess."""
    characters_per_token: float | None = None
    """So few at most: a small window leaves no room for a tokenizer that makes more of the text than is usual."""

    def count(self, text: str) -> int:
        """Tokens of the text, rather too many than too few."""
        tokens = estimate_tokens(text)
        return max(tokens, math.ceil(len(text) / self.characters_per_token)) if self.characters_per_token else tokens

    def answer_tokens(self, descriptions: int) -> int:
        """Tokens that an answer with so many descriptions needs."""
        return self.tokens_of_answer + self.tokens_per_description * descriptions

    def most_at_once(self, output_tokens: int) -> int:
        """Descriptions that an answer of so many tokens has room for, at least one."""
        room = max((output_tokens - self.tokens_of_answer) // self.tokens_per_description, 1)
        return min(room, self.most_descriptions or room)


# With evidence, a description takes about 90 tokens; without, about 60.
NORMAL = Profile("normal", tokens_per_description=120, tokens_of_answer=400, room_to_think_tokens=8_192)
SMALL = Profile(
    "small",
    tokens_per_description=80,
    tokens_of_answer=100,
    room_to_think_tokens=512,
    most_descriptions=10,
    gives_evidence=False,
    temperature=0.0,
    whole_slice_from=4,
    is_reviewed=False,
    mends=True,
    # Tokenizers of 32,000 words make of SQL about one token of three characters.
    characters_per_token=3.0,
)


def profile_of(wanted: Literal["auto", "small", "normal"], window_tokens: int, model: str) -> Profile:
    """The profile for a model; `auto` is `small` where its window, or what its name says of its size, is."""
    if wanted == "auto":
        return SMALL if window_tokens <= SMALL_WINDOW_TOKENS or is_small(model) else NORMAL
    return SMALL if wanted == "small" else NORMAL


def is_small(model: str) -> bool:
    """Whether a model's name says that it has at most 3 billion parameters: `llama3.2:3b`, `gemma3:270m`.

    Of `qwen3-30b-a3b`, the larger number counts: all of it was trained.
    """
    name = model.rpartition("/")[2]
    sizes = [
        int(times or 1) * float(number) / (1 if unit in "bB" else 1000) for times, number, unit in _SIZE.findall(name)
    ]
    return max(sizes) <= SMALL_BILLIONS if sizes else bool(_SMALL_FAMILY.search(name))
