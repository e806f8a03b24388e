"""Who is on the other side of a batch: the model as it is configured, and the batches of its endpoint."""

from __future__ import annotations

import msgspec

from dbt_describe.errors import LlmSettingsError
from dbt_describe.llm.batches.contract import BatchProvider
from dbt_describe.llm.batches.states import BatchRecord
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.gateway import Gateway
from dbt_describe.llm.lane import ModelLane
from dbt_describe.llm.ledger import Ledger
from dbt_describe.llm.registry import find_spec, our_provider_names, provider_names


class Partner(msgspec.Struct, frozen=True):
    """One model, and the batches of one of its endpoints."""

    lane: ModelLane
    endpoint: Endpoint
    provider: BatchProvider
    ledger: Ledger


class Partners:
    """The models of a gateway that batches go to; what is opened for them is closed with it."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._known: dict[tuple[str, str], Partner] = {}

    def of_lane(self, lane: ModelLane, endpoint: Endpoint | None = None) -> Partner:
        """The batches of a model.

        Raises:
            LlmSettingsError: its provider has none, or its settings can't work.
        """
        where = endpoint or lane.model.endpoints[0]
        key = (lane.model.model, where.fingerprint)
        if key not in self._known:
            open_ = lane.model.spec.batches
            if open_ is None:
                raise LlmSettingsError(
                    f"{lane.model.model} can't be asked in batches: {lane.model.spec.title} has none. "
                    f"These have: {', '.join(names_with_batches())}. Ask it without --batch, or name another model."
                )
            inner = lane.provider(where)
            self._known[key] = Partner(lane, where, open_(where, inner), lane.ledger(inner, where))
        return self._known[key]

    def of_record(self, record: BatchRecord) -> Partner:
        """The batches of the model that a recorded one was sent to.

        Raises:
            LlmSettingsError: the settings don't name it, or not that endpoint.
        """
        lane = self._gateway.lanes.get(record.model)
        if lane is None:
            raise LlmSettingsError(
                f"Batch {record.id} is {record.model}'s, which the settings don't name now. Name it to go on with it."
            )
        same = [one for one in lane.model.endpoints if one.account == record.account]
        # A key may have been replaced: the account behind it is the same, as a rule.
        same += [one for one in lane.model.endpoints if one.shown == record.endpoint]
        if not same:
            raise LlmSettingsError(
                f"Batch {record.id} was sent to {record.endpoint}, which isn't where {record.model} is now. "
                "Set its base URL to go on with it."
            )
        return self.of_lane(lane, same[0])

    async def aclose(self) -> None:
        """Close what batches have opened beside the gateway's clients."""
        while self._known:
            _, partner = self._known.popitem()
            await partner.provider.aclose()


def names_with_batches() -> tuple[str, ...]:
    """The providers that have batches, ours first."""
    names: list[str] = []
    for name in provider_names():
        try:
            spec = find_spec(name)
        except LlmSettingsError:
            if name in our_provider_names():
                raise
            # A package that can't be imported has none.
            continue
        if spec.batches is not None:
            names.append(name)
    return tuple(names)
