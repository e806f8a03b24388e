"""What a model takes at once, and how it is asked."""

from __future__ import annotations

from typing import Literal

import msgspec

from dbt_describe.prompting.profiles import Profile, profile_of

DEFAULT_WINDOW_TOKENS = 32_768
DEFAULT_OUTPUT_TOKENS = 16_384
# The estimate is about right, not exact; message and schema framing isn't counted.
WINDOW_MARGIN = 0.05


class Window(msgspec.Struct, frozen=True):
    """What a model takes: tokens of prompt and answer together, and the most that one answer may have."""

    tokens: int = DEFAULT_WINDOW_TOKENS
    output_tokens: int = DEFAULT_OUTPUT_TOKENS
    wanted: Literal["auto", "small", "normal"] = "normal"
    """How the model is asked."""
    model: str = ""
    """Its name, which may tell how large it is."""

    @property
    def profile(self) -> Profile:
        """How much is told and asked for at once."""
        return profile_of(self.wanted, self.tokens, self.model)

    @property
    def usable_tokens(self) -> int:
        """Of prompt and answer together, by an estimate."""
        return int(self.tokens * (1 - WINDOW_MARGIN))

    @property
    def most_descriptions(self) -> int:
        """That one answer may have."""
        return self.profile.most_at_once(min(self.output_tokens, self.tokens // 2))
