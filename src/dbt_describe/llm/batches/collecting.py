"""Requests that come one by one and wait for others, so that they go together in a batch.

For work that runs on: nobody waits for one of these answers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from dbt_describe.errors import DbtDescribeError
from dbt_describe.llm.batches.engine import Batches
from dbt_describe.llm.batches.settings import BatchSettings
from dbt_describe.llm.batches.submission import Item
from dbt_describe.llm.batches.tally import Round
from dbt_describe.llm.messages import Completer, Reply, Request
from dbt_describe.llm.retry import Sleep


class Collected:
    """Answers like a gateway, through batches: one is sent with enough requests, or after a while with fewer.

    What a batch doesn't answer is asked of `inner`, which is the gateway of the batches. So is everything where batches
    fail, which is said.
    """

    def __init__(
        self,
        inner: Completer,
        batches: Batches,
        settings: BatchSettings | None = None,
        say: Callable[[str], None] = lambda _: None,
        sleep: Sleep = asyncio.sleep,
        *,
        tag: Callable[[Request], bytes] = lambda _: b"",
        told: Callable[[Round], None] = lambda _: None,
    ) -> None:
        """`tag` gives what is kept with a request; `told` is called after each round of waiting."""
        self._inner = inner
        self._batches = batches
        self._settings = settings or BatchSettings()
        self._say = say
        self._tag = tag
        self._told = told
        self._sleep = sleep
        self._waiting: list[tuple[Request, asyncio.Event]] = []
        self._timer: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    async def complete(self, request: Request) -> Reply:
        """The answer, after the batch that the request goes with.

        Raises:
            LlmError: see `Gateway.complete`.
        """
        done = asyncio.Event()
        self._waiting.append((request, done))
        if len(self._waiting) >= self._settings.collect_requests:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.ensure_future(self._flush_later())
        await done.wait()
        # From the cache where the batch has answered it, else live.
        return await self._inner.complete(request)

    def flush(self) -> None:
        """Send what waits, now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        collected, self._waiting = self._waiting, []
        if collected:
            task = asyncio.ensure_future(self._answer(collected))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def aclose(self) -> None:
        """Stop waiting for batches: they stay recorded, and their answers come to whoever asks later."""
        if self._timer is not None:
            self._timer.cancel()
        for task in tuple(self._under_way):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _flush_later(self) -> None:
        await self._sleep(self._settings.collect_wait)
        self._timer = None
        self.flush()

    async def _answer(self, collected: list[tuple[Request, asyncio.Event]]) -> None:
        try:
            submitted = await self._batches.submit([Item(request, self._tag(request)) for request, _ in collected])
            if ids := (*submitted.batches, *submitted.others):
                await self._batches.wait(ids, self._told)
        except DbtDescribeError as error:
            self._say(f"Asked one by one instead of in a batch: {error}")
        finally:
            for _, done in collected:
                done.set()
