"""What models are told beside a node's own facts: descriptions by people, passages of documents, values."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from dbt_describe.preparing import Prepared
from dbt_describe.progress import Progress
from dbt_describe.prompting.facts import Enrich, NodeFacts
from dbt_describe.settings import Settings

Gather = Callable[[Prepared, Settings, Progress, bool], Enrich | None]
"""What adds one kind of facts; None where there is nothing to add. Without the flag, nothing may be run or fetched."""


def _memory(prepared: Prepared, settings: Settings, progress: Progress, asks: bool) -> Enrich | None:
    if not settings.llm.config.model:
        return None
    from dbt_describe.memory.gathering import gather  # noqa: PLC0415 - only where a model is asked

    return gather(prepared, settings, progress, asks)


GATHERERS: tuple[Gather, ...] = (_memory,)


def background_of(prepared: Prepared, settings: Settings, progress: Progress, *, asks: bool) -> Enrich:
    """What adds to the facts of every node. Without `asks`, only what is kept from earlier runs is added."""
    found = [gather(prepared, settings, progress, asks) for gather in GATHERERS]
    enrichments = [enrich for enrich in found if enrich]

    def enrich(facts: NodeFacts) -> NodeFacts:
        return reduce(lambda known, add: add(known), enrichments, facts)

    return enrich
