"""A gateway whose drafts are asked in batches, level by level: each question waits for the batch that it goes with."""

from __future__ import annotations

from dbt_describe.llm.batches.collecting import Collected
from dbt_describe.llm.bounds import Amount
from dbt_describe.llm.messages import Forecast, LlmModel, Reply, Request, Usage


class ThroughBatches:
    """Asks for drafts through `collected`; repairs and reviews, which somebody waits for, go straight to `inner`."""

    def __init__(self, inner: LlmModel, collected: Collected) -> None:
        self._inner = inner
        self._collected = collected

    async def complete(self, request: Request) -> Reply:
        """The answer.

        Raises:
            LlmError: see `Gateway.complete`.
        """
        is_draft = request.purpose == "draft" and not request.asked_as
        return await (self._collected if is_draft else self._inner).complete(request)

    async def prepare(self) -> None:
        """The inner one's."""
        await self._inner.prepare()

    def window(self, purpose: str) -> int | None:
        """The inner one's."""
        return self._inner.window(purpose)

    def forecast(self, request: Request, output_tokens: int) -> Forecast:
        """The inner one's."""
        return self._inner.forecast(request, output_tokens)

    def keep(self, request: Request, reply: Reply) -> None:
        """The inner one's."""
        self._inner.keep(request, reply)

    def avoid(self, reason: str, count: int, usage: Usage) -> None:
        """The inner one's."""
        self._inner.avoid(reason, count, usage)

    def charge(self, used: Amount) -> None:
        """The inner one's."""
        self._inner.charge(used)

    def stop(self) -> None:
        """Send nothing more; what is in batches stays there."""
        self._inner.stop()
        # Who waits for others to go along with learns at once that nothing goes.
        self._collected.flush()

    async def aclose(self) -> None:
        """Stop waiting, and close the inner one."""
        await self._collected.aclose()
        await self._inner.aclose()
