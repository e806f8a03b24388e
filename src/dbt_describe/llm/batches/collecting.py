"""Requests that come one by one and wait for others, so that they go together in a batch.

For work that runs on: nobody waits for one of these answers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection

from dbt_describe.errors import (
    DbtDescribeError,
    LlmError,
    LlmSettingsError,
    QuotaError,
    StoppedError,
    StoreError,
    UnderWayError,
)
from dbt_describe.llm.batches.engine import Batches
from dbt_describe.llm.batches.settings import BatchSettings
from dbt_describe.llm.batches.submission import Item, Submitted
from dbt_describe.llm.batches.tally import Round
from dbt_describe.llm.messages import Completer, Reply, Request
from dbt_describe.llm.retry import Sleep


class Collected:
    """Answers like a gateway, through batches: one is sent with enough requests, or after a while with fewer.

    What a batch doesn't answer is asked of `inner`, which is the gateway of the batches. So is everything where no
    batch can be sent, which is said.
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
        self._waiting: list[tuple[Request, asyncio.Future[bool]]] = []
        """Each with whether, in the end, a batch still has it under way."""
        self._timer: asyncio.Task[None] | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self._stuck: LlmError | None = None

    async def complete(self, request: Request) -> Reply:
        """The answer, after the batch that the request goes with.

        Raises:
            UnderWayError: nobody waits for that batch any more.
            LlmSettingsError, QuotaError: the provider couldn't be asked about an earlier one, so that nothing is sent.
            LlmError: see `Gateway.complete`.
        """
        if self._stuck is not None:
            raise self._stuck
        is_under_way: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, is_under_way))
        if len(self._waiting) >= self._settings.collect_requests:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.ensure_future(self._flush_later())
        if await is_under_way:
            raise UnderWayError("A batch asks it: its answer is there for the next run.")
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

    async def _answer(self, collected: list[tuple[Request, asyncio.Future[bool]]]) -> None:
        submitted: Submitted | None = None
        try:
            if self._stuck is not None:
                raise self._stuck
            submitted = await self._batches.submit([Item(request, self._tag(request)) for request, _ in collected])
            for problem in (*submitted.problems, *dict.fromkeys(left.reason for left in submitted.left)):
                self._say(problem)
            if ids := (*submitted.batches, *submitted.others):
                await self._batches.wait(ids, self._told)
        except StoppedError:
            # Nothing is asked any more: `inner` says so, too.
            pass
        except DbtDescribeError as error:
            if submitted is not None and isinstance(error, (LlmSettingsError, QuotaError)):
                # What rests on these answers would be asked without them.
                self._stuck = error
            how = "Asked one by one instead of in a batch" if submitted is None else "No batch is waited for any more"
            if submitted is not None or self._stuck is None:
                self._say(f"{how}: {error}")
        finally:
            self._let_go(collected, submitted)

    def _let_go(self, collected: list[tuple[Request, asyncio.Future[bool]]], submitted: Submitted | None) -> None:
        if submitted is not None and submitted.batches:
            self._batches.leave(submitted.batches)
        try:
            pending: Collection[str] = self._batches.pending()
        except StoreError as error:
            # Nobody can tell what a batch asks: nothing is paid twice.
            self._say(f"Left for another run: {error}")
            pending = [self._batches.key(request) for request, _ in collected]
        for request, is_under_way in collected:
            if is_under_way.done():
                continue
            if self._stuck is not None and submitted is None:
                is_under_way.set_exception(self._stuck)
            else:
                is_under_way.set_result(self._batches.key(request) in pending)
