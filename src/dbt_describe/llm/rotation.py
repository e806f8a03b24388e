"""One model served by several endpoints, or by one endpoint under several keys: each takes its turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dbt_describe.errors import LlmError, LlmSettingsError, QuotaError
from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.messages import Completer, Reply, Request

COOL_DOWN_S = 5.0
"""How long an endpoint that has just failed comes after the others."""


class Rotation:
    """The layer that sends each attempt to the endpoint that is least busy, and to another one where that one fails.

    Nothing is waited for between endpoints: waiting is for when all of them have failed. One whose key or account is
    refused isn't asked again.
    """

    def __init__(self, inners: Sequence[Completer], clock: Callable[[], float]) -> None:
        self._inners = list(inners)
        self._clock = clock
        self._under_way = [0] * len(inners)
        self._sent = [0] * len(inners)
        self._failed_at = [float("-inf")] * len(inners)
        self._refused: dict[int, LlmError] = {}

    async def complete(self, request: Request) -> Reply:
        """The first endpoint's answer.

        Raises:
            LlmError: the last endpoint's error; LlmSettingsError or QuotaError once all of them are refused for good.
        """
        failure: LlmError | None = None
        for index in self._order():
            self._under_way[index] += 1
            self._sent[index] += 1
            try:
                return await self._inners[index].complete(request)
            except (LlmSettingsError, QuotaError) as error:
                failure = self._refused[index] = error
            except TransientError as error:
                failure = error
                self._failed_at[index] = self._clock()
            finally:
                self._under_way[index] -= 1
        if failure is None:
            raise next(reversed(self._refused.values()))
        raise failure

    def _order(self) -> list[int]:
        now = self._clock()
        usable = [index for index in range(len(self._inners)) if index not in self._refused]
        return sorted(
            usable,
            key=lambda index: (now - self._failed_at[index] < COOL_DOWN_S, self._under_way[index], self._sent[index]),
        )
