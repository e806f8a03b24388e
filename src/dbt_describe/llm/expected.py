"""What a request will probably use, learned from those that were answered."""

from __future__ import annotations

import msgspec

from dbt_describe.llm.buckets import Need
from dbt_describe.llm.messages import Request, Usage

CHARACTERS_PER_TOKEN = 3.5
"""Of English and SQL, on the low side."""
FIRST_OUTPUT_TOKENS = 500
"""What an answer is thought to take before there was one."""
MEMORY = 50
"""Answers back that still count: prompts change within a run."""


class Counting(msgspec.Struct, frozen=True):
    """What a provider counts against its limits of tokens."""

    counts_max_output: bool = False
    """It counts the output that was allowed, not the output that came (OpenAI, 2026-11)."""
    counts_cached_input: bool = True
    """Tokens read from its prompt cache count (they don't at Anthropic and Groq, 2026-11)."""


class Mean:
    """A running mean and how far values are from it on average; old values fade."""

    def __init__(self, value: float) -> None:
        self.value = value
        self.deviation = 0.0
        self._count = 0

    def add(self, value: float) -> None:
        """Take a value into account. The first one replaces the assumption."""
        self._count += 1
        weight = 1 / min(self._count, MEMORY)
        self.deviation += weight * (abs(value - self.value) - self.deviation) if self._count > 1 else 0.0
        self.value += weight * (value - self.value)


class Expected:
    """The needs of one model's requests: input as estimated and corrected, output as answers were."""

    def __init__(self, counting: Counting | None = None) -> None:
        self._counting = counting or Counting()
        self._input_ratio = Mean(1.0)
        self._output = Mean(FIRST_OUTPUT_TOKENS)

    def need_of(self, request: Request) -> Need:
        """What it will probably use, rather too much: what is too much comes back when it is answered."""
        ratio = self._input_ratio.value + self._input_ratio.deviation
        output = self._output.value + self._output.deviation
        if self._counting.counts_max_output:
            output = request.max_output_tokens
        return Need(1, round(estimated_input(request) * ratio), min(round(output), request.max_output_tokens))

    def used(self, request: Request, usage: Usage) -> Need | None:
        """What it did use, by the provider's count; None where the provider tells nothing."""
        if not usage.input_tokens and not usage.output_tokens:
            return None
        uncounted = 0 if self._counting.counts_cached_input else usage.cached_input_tokens
        output = usage.output_tokens
        if self._counting.counts_max_output:
            output = max(output, request.max_output_tokens)
        return Need(1, max(0, usage.input_tokens - uncounted), output)

    def learn(self, request: Request, used: Need) -> None:
        """Remember what a request used."""
        self._input_ratio.add(used.input_tokens / estimated_input(request))
        self._output.add(used.output_tokens)


def estimated_input(request: Request) -> int:
    """Tokens of the messages, at least one: as the request says, else by their length."""
    if request.input_tokens:
        return request.input_tokens
    return 1 + round(sum(len(message.content) for message in request.messages) / CHARACTERS_PER_TOKEN)
