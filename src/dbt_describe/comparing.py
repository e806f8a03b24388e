"""Today's plan on every model that the settings name, side by side."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from dbt_describe.accounts import usage_report
from dbt_describe.background import background_of
from dbt_describe.errors import LlmError
from dbt_describe.llm.inspection import configured_models
from dbt_describe.preparing import Prepared, prepare
from dbt_describe.progress import Progress, Silent
from dbt_describe.project.graph import parents_of, topological_order
from dbt_describe.report import Comparison
from dbt_describe.run import estimate_nodes, find_places, open_writer
from dbt_describe.schedule import waits_for
from dbt_describe.settings import Settings


def compare(settings: Settings, progress: Progress | None = None) -> tuple[Comparison, ...]:
    """What today's plan would cost and take on each model that the settings name. Asks nothing.

    Raises:
        ProjectError: no project, no usable manifest, or a selector that matches nothing.
    """
    progress = progress or Silent()
    models = configured_models(settings.llm.config)
    if not models:
        return ()
    prepared, paths, _ = find_places(prepare(settings, progress), settings)
    latencies = _latencies(settings)
    return tuple(_compared(model, settings, prepared, paths, latencies.get(model)) for model in models)


def _compared(
    model: str, settings: Settings, prepared: Prepared, paths: Mapping[str, Path], latency_s: float | None
) -> Comparison:
    # This model alone: what it would cost where nobody else can step in.
    alone = msgspec.structs.replace(settings.llm.config, model=model, fallback=(), routes={}, small_tasks=None)
    llm = msgspec.structs.replace(settings.llm, config=alone, rules_fallback=False)
    try:
        writer = open_writer(msgspec.structs.replace(settings, llm=llm), Silent(), asks=False)
        writer.inform(background_of(prepared, settings, Silent(), asks=False))
        estimates = estimate_nodes(prepared, writer, paths)
    except LlmError as error:
        return Comparison(model, problem=str(error))
    asked = [estimate for estimate in estimates if estimate.calls]
    known = [estimate.cost_usd for estimate in asked if estimate.cost_usd is not None]
    calls = sum(estimate.calls for estimate in asked)
    # A node's review waits for its drafts.
    at_least = _longest_chain(prepared, {estimate.unique_id for estimate in asked}) * (2 if llm.prompting.review else 1)
    rounds = max(at_least, calls / settings.concurrency)
    return Comparison(
        model,
        calls=calls,
        input_tokens=sum(estimate.input_tokens for estimate in asked),
        output_tokens=sum(estimate.output_tokens for estimate in asked),
        cost_usd=sum(known, Decimal(0)) if len(known) == len(asked) else None,
        duration_s=None if latency_s is None else rounds * latency_s,
    )


def _latencies(settings: Settings) -> dict[str, float]:
    """Model → the median time of its answers so far, in seconds."""
    if settings.llm.store is None:
        return {}
    report = usage_report(settings.llm.store, "model")
    return {found.group: found.latency_p50_s for found in report.sums if found.latency_p50_s}


def _longest_chain(prepared: Prepared, unique_ids: Collection[str]) -> int:
    """The most nodes that must be asked one after the other."""
    nodes = prepared.project.nodes
    order = topological_order(nodes)
    above = waits_for(order, {name: parents_of(node) for name, node in nodes.items()}, unique_ids)
    length: dict[str, int] = {}
    for name in order:
        if name in above:
            length[name] = 1 + max((length[parent] for parent in above[name]), default=0)
    return max(length.values(), default=0)
