"""One model served by several endpoints, or by one endpoint under several keys: each takes its turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dbt_describe.errors import LlmError, LlmSettingsError, QuotaError
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.messages import Completer, Reply, Request

COOL_DOWN_S = 5.0
"""How long an endpoint that has just failed comes after the others."""


class Rotation:
    """The layer that sends each attempt to the endpoint that is least busy and doesn't pause.

    Where another endpoint is free, a failed attempt may be tried again at once. An endpoint whose key or account is
    refused isn't asked again.

    Args:
        pauses_s: for each endpoint, how long its limits still keep requests waiting.
    """

    def __init__(
        self, inners: Sequence[Completer], clock: Callable[[], float], pauses_s: Sequence[Callable[[], float]] = ()
    ) -> None:
        self._inners = list(inners)
        self._clock = clock
        self._pauses_s = list(pauses_s) or [lambda: 0.0] * len(inners)
        self._under_way = [0] * len(inners)
        self._sent = [0] * len(inners)
        self._failed_at = [float("-inf")] * len(inners)
        self._refused: dict[int, LlmError] = {}

    async def complete(self, request: Request) -> Reply:
        """The answer of one endpoint.

        Raises:
            TransientError: it failed; `is_elsewhere_free` says whether another one might do at once.
            LlmSettingsError, QuotaError: all endpoints are refused for good; the last one's error.
            LlmError: the request itself was refused.
        """
        while (index := self._next()) is not None:
            self._under_way[index] += 1
            self._sent[index] += 1
            try:
                return await self._inners[index].complete(request)
            except (LlmSettingsError, QuotaError) as error:
                self._refused[index] = error
            except TransientError as error:
                self._failed_at[index] = self._clock()
                following = self._next()
                error.is_elsewhere_free = following not in {None, index} and not self._rests(following or 0)
                raise
            finally:
                self._under_way[index] -= 1
        raise next(reversed(self._refused.values()))

    def _next(self) -> int | None:
        """The endpoint to ask next, None where all are refused."""
        usable = [index for index in range(len(self._inners)) if index not in self._refused]
        return min(usable, key=self._rank, default=None)

    def _rank(self, index: int) -> tuple[float, bool, int, int]:
        return self._pauses_s[index](), self._rests(index), self._under_way[index], self._sent[index]

    def _rests(self, index: int) -> bool:
        return self._clock() - self._failed_at[index] < COOL_DOWN_S or self._pauses_s[index]() > 0
