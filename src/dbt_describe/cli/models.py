"""`dbt-describe models` and `dbt-describe ping`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from dbt_describe.cli.options import MODEL_OPTIONS, SHARED_OPTIONS, settings_of, with_options
from dbt_describe.cli.output import show
from dbt_describe.cli.tables import aligned, money
from dbt_describe.errors import EXIT_OK, EXIT_PARTIAL

if TYPE_CHECKING:
    from dbt_describe.inspection import ModelFacts, Ping
    from dbt_describe.report import Comparison

_NONE = "The settings name no language model: lineage, SQL and tests alone are used. See: dbt-describe init"


@click.command()
@with_options(SHARED_OPTIONS)
@click.option("--probe", is_flag=True, help="Ask the endpoints for what they tell of their models; costs nothing.")
@click.option("--compare", is_flag=True, help="Show what today's plan would cost and take on each model.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def models(probe: bool, compare: bool, as_json: bool, **shared: Any) -> None:
    """Show which models the settings name, and what is known of them."""
    settings = settings_of(shared)
    from dbt_describe import comparing, inspection  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.cli.progress import open_progress  # noqa: PLC0415

    if compare:
        compared = comparing.compare(settings, open_progress())
        show(_as_json(compared) if as_json else render_comparison(compared))
        raise SystemExit(EXIT_OK if any(not one.problem for one in compared) or not compared else EXIT_PARTIAL)
    found = inspection.list_models(settings.llm, open_progress(), probe=probe)
    show(_as_json(found) if as_json else render_models(found))


@click.command()
@with_options(MODEL_OPTIONS)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def ping(as_json: bool, **shared: Any) -> None:
    """Send a tiny request to every model that the settings name, at each of its endpoints.

    Shows whether it answers, how fast, and whether it can be held to a JSON schema. Exits 3 where one doesn't answer.
    """
    settings = settings_of(shared)
    from dbt_describe import inspection  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.cli.progress import open_progress  # noqa: PLC0415

    progress = open_progress()
    # Who names a model means that one, not all that the file lists.
    pinged = inspection.ping(settings.llm, progress, listed=not shared["model"])
    show(_as_json(pinged) if as_json else render_pings(pinged))
    raise SystemExit(EXIT_PARTIAL if any(one.problem for one in pinged) else EXIT_OK)


def render_models(found: Sequence[ModelFacts]) -> str:
    """A paragraph for each model."""
    return "\n\n".join(_paragraph(facts) for facts in found) if found else _NONE


def render_pings(pinged: Sequence[Ping]) -> str:
    """A line for each endpoint: whether it answers, or what is wrong."""
    if not pinged:
        return _NONE
    width = max(len(one.model) for one in pinged)
    return "\n".join(f"{one.model:<{width}}  {_outcome(one)}" for one in pinged)


def render_comparison(compared: Sequence[Comparison]) -> str:
    """A table of what the plan comes to on each model."""
    if not compared:
        return _NONE
    rows = [
        (
            one.model,
            f"{one.calls:,}",
            f"{one.input_tokens:,}",
            f"{one.output_tokens:,}",
            money(one.cost_usd),
            "not asked yet" if one.duration_s is None else f"about {one.duration_s:,.0f} s",
        )
        for one in compared
        if not one.problem
    ]
    problems = [f"{one.model}: {one.problem}" for one in compared if one.problem]
    heads = ("model", "requests", "tokens in", "out", "cost", "takes")
    return "\n".join([*(aligned(heads, rows) if rows else ()), *problems])


def _paragraph(facts: ModelFacts) -> str:
    head = f"{facts.model}  ({', '.join(facts.roles) or 'listed'})"
    if not facts.endpoint:
        return f"{head}\n  {facts.problem}"
    several = f", {facts.endpoints} in rotation" if facts.endpoints > 1 else ""
    here = ", on this machine" if facts.is_local else ""
    window = f"{facts.context_window:,} tokens ({facts.window_source})" if facts.context_window else "unknown"
    limit = f"{facts.output_limit:,} tokens" if facts.output_limit else "unknown"
    level = f"{facts.structured_output} ({facts.structured_source})"
    lines = [
        head,
        f"  endpoint           {facts.endpoint}{several}{here}",
        f"  context window     {window}",
        f"  longest answer     {limit}",
        f"  structured output  {level}",
        f"  price              {_price(facts)}",
    ]
    lines += [f"  retires on         {facts.retires_on}"] if facts.retires_on else []
    lines += [f"  problem            {facts.problem}"] if facts.problem else []
    return "\n".join(lines)


def _price(facts: ModelFacts) -> str:
    if facts.input_usd is None or facts.output_usd is None:
        return "unknown; models.NAME.prices of dbt-describe.yml sets it"
    if facts.price_source == "local":
        return "none, it is on this machine"
    return f"${facts.input_usd:g} in, ${facts.output_usd:g} out, for a million tokens ({facts.price_source})"


def _outcome(one: Ping) -> str:
    if one.problem:
        return f"fails: {one.problem}"
    shape = {"none": "answers no JSON", "prompt": "JSON only by asking for it"}.get(
        one.structured_output, f"{one.structured_output} works"
    )
    return f"answers in {one.latency_s:.2f} s, {shape}, {money(one.cost_usd)} ({one.endpoint})"


def _as_json(rows: Sequence[Any]) -> str:
    import msgspec  # noqa: PLC0415 - --help must not wait for it

    return json.dumps(msgspec.to_builtins(rows), indent=2)
