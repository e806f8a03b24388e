"""What models are told beside a node's own facts: descriptions by people, passages of documents, values."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce

from dbt_describe.hiding import hide
from dbt_describe.llm.bounds import Amount
from dbt_describe.preparing import Prepared
from dbt_describe.progress import Progress
from dbt_describe.prompting.facts import Enrich, NodeFacts
from dbt_describe.settings import Settings, is_ci

Gather = Callable[[Prepared, Settings, Progress, bool], Enrich | None]
"""What adds one kind of facts; None where there is nothing to add. Without the flag, nothing may be run or fetched."""

Charge = Callable[[Amount], None]


def recall(
    prepared: Prepared, settings: Settings, progress: Progress, asks: bool, charge: Charge = lambda _: None
) -> Enrich | None:
    """Examples, and what is known beside the code."""
    from dbt_describe.memory.gathering import gather  # noqa: PLC0415 - only where a model is asked

    return gather(prepared, settings, progress, asks, charge)


def gather_values(prepared: Prepared, settings: Settings, progress: Progress, asks: bool) -> Enrich | None:
    """What columns hold, where that is wished; off in CI unless a flag says so."""
    wished = settings.llm.profile_values
    if wished is None and settings.llm.prompting.profile_values:
        if is_ci(settings.llm.environ):
            if asks:
                progress.say("Values aren't profiled in CI; --profile-values does it all the same.")
            return None
        wished = True
    if not wished:
        return None
    from dbt_describe.profiling import gathering  # noqa: PLC0415 - only where it is wished

    return gathering.gather_values(prepared, settings, progress, asks)


def background_of(
    prepared: Prepared, settings: Settings, progress: Progress, *, asks: bool, charge: Charge = lambda _: None
) -> Enrich:
    """What adds to the facts of every node. Without `asks`, only what is kept from earlier runs is added.

    `charge` is told what of the run's budget was spent for it.

    Raises:
        LlmSettingsError: the model of `embeddings` is of a provider that has none.
    """
    if not settings.llm.config.model:
        return lambda facts: facts
    # What hides comes last: it looks at what all others have added.
    gatherers: tuple[Gather, ...] = (partial(recall, charge=charge), gather_values, hide)
    found = [gather(prepared, settings, progress, asks) for gather in gatherers]
    enrichments = [enrich for enrich in found if enrich]

    def enrich(facts: NodeFacts) -> NodeFacts:
        return reduce(lambda known, add: add(known), enrichments, facts)

    return enrich
