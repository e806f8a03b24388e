"""How many real tokens one estimated token is, learned for each model from its replies."""

from __future__ import annotations

import contextlib
import math

from dbt_describe.errors import LlmError
from dbt_describe.llm.learned import Learned
from dbt_describe.llm.messages import Completer, CountsTokens, Reply, Request, Usage

KIND = "tokens_per_estimate"
CHARACTERS_PER_TOKEN = 3.5
"""Where nobody has estimated a request. Prose has four, SQL fewer."""
LEAST, MOST = 0.5, 2.5
"""Real tokens for an estimated one. Beyond that the estimate was made of something else than what was sent."""
_WEIGHT = 0.2
"""Of the newest reply: the last ten decide nine tenths of it, so that a new tokenizer is soon known."""
_FEWEST_TOKENS = 50
"""Of smaller prompts the few tokens that frame each message are too large a part."""


class Calibration:
    """The factor of each model, remembered from run to run.

    `Request.input_tokens` and `Request.fragments` are the estimator's plain numbers: they are never multiplied by the
    factor before they are sent, or it would learn from itself. Who needs the real size multiplies by `factor`.
    """

    def __init__(self, learned: Learned) -> None:
        self._learned = learned
        self._factors: dict[str, float] = {}

    def factor(self, model: str) -> float:
        """Real tokens for one estimated token of a model as it is written in settings; 1 until one has answered."""
        return self._known(model) or 1.0

    def knows(self, model: str) -> bool:
        """Whether the model has answered, or counted, before."""
        return self._known(model) is not None

    def input_tokens(self, request: Request) -> int:
        """About how many tokens of its model a request's messages are."""
        return math.ceil(request.input_tokens * self.factor(request.model)) or roughly_counted(request)

    def observe(self, request: Request, reply: Reply) -> None:
        """Learn from an answer; one whose prompt wasn't estimated, or wasn't counted, tells nothing."""
        estimated, counted = request.input_tokens, reply.usage.input_tokens
        if reply.from_cache or estimated < _FEWEST_TOKENS or counted <= 0:
            return
        seen = min(max(counted / estimated, LEAST), MOST)
        before = self._known(request.model)
        factor = before + _WEIGHT * (seen - before) if before else seen
        self._factors[request.model] = factor
        # The same tokenizer counts wherever the model is served.
        self._learned.learn(KIND, "", request.model, f"{factor:.4f}")

    def _known(self, model: str) -> float | None:
        if model not in self._factors:
            try:
                remembered = float(self._learned.recall(KIND, "", model) or "nan")
            except ValueError:
                return None
            if math.isnan(remembered):
                return None
            self._factors[model] = min(max(remembered, LEAST), MOST)
        return self._factors[model]


class FirstCounted:
    """The layer that has a model's first request counted, where the provider does that for nothing.

    A budget is then held with the provider's own tokens from the first request on.
    """

    def __init__(self, inner: Completer, provider: object, calibration: Calibration) -> None:
        self._inner = inner
        self._provider = provider
        self._calibration = calibration
        self._is_counted = False

    async def complete(self, request: Request) -> Reply:
        """The inner answer."""
        if isinstance(self._provider, CountsTokens) and not self._is_counted:
            self._is_counted = True
            if not self._calibration.knows(request.model):
                with contextlib.suppress(LlmError):
                    counted = await self._provider.count_tokens(request)
                    self._calibration.observe(request, Reply("", usage=Usage(counted or 0)))
        return await self._inner.complete(request)


def roughly_counted(request: Request) -> int:
    """About how many tokens the messages are, from their lengths alone."""
    return math.ceil(sum(len(message.content) for message in request.messages) / CHARACTERS_PER_TOKEN)
