"""One limiter for each account of an endpoint, whichever models are asked there."""

from __future__ import annotations

from functools import partial

from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.limiter import Limiter
from dbt_describe.llm.messages import Completer, Reply, Request
from dbt_describe.llm.specs import ProviderSpec
from dbt_describe.llm.surroundings import Surroundings


class Door:
    """The limiter of an endpoint: concurrency and pauses are common to all models, limits per minute are each one's."""

    def __init__(self, spec: ProviderSpec, endpoint: Endpoint, around: Surroundings) -> None:
        limits = endpoint.config.limits
        shared = around.shared_limits
        if shared is not None and not (limits.shared or shared.is_of_all):
            shared = None
        self._inners: dict[str, Completer] = {}
        self._limiter = Limiter(
            self,
            endpoint.config.concurrency or around.concurrency or spec.concurrency,
            limits=limits,
            clock=around.clock,
            sleep=around.sleep,
            say=around.say,
            name=endpoint.shown,
            open_buckets=partial(shared.buckets, endpoint.account, limits=limits) if shared else None,
            counting=spec.counting,
            longest_pause_s=around.retry.retry_after_cap_s,
        )

    def leading_to(self, model: str, inner: Completer) -> Limiter:
        """The limiter, with one more model behind it."""
        self._inners[model] = inner
        return self._limiter

    def stop(self) -> None:
        """Let nothing pass any more that waits for its turn."""
        self._limiter.stop()

    async def complete(self, request: Request) -> Reply:
        """The answer of the request's model."""
        return await self._inners[request.model].complete(request)


class Doors:
    """The doors of a gateway, by URL and key."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._doors: dict[str, Door] = {}

    def find(self, spec: ProviderSpec, endpoint: Endpoint) -> Door:
        """The door of an endpoint's account."""
        if endpoint.account not in self._doors:
            self._doors[endpoint.account] = Door(spec, endpoint, self._around)
        return self._doors[endpoint.account]

    def stop(self) -> None:
        """Let nothing pass any more."""
        for door in self._doors.values():
            door.stop()
