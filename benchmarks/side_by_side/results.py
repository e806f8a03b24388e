"""What is told of each run, as it is kept in JSON."""

from __future__ import annotations

import msgspec

from benchmarks.pages import Machine

INPUT_USD = 2.50
OUTPUT_USD = 10.00
"""For a million tokens: gpt-4o, which both other tools ask where nothing else is set (genai-prices, 2026-11)."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """A tool's runs on one project. Tokens are characters / 4, for all alike."""

    work: str
    tool: str
    returncode: int
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    most_in_flight: int
    llm_phase_s: float
    """From the first request to the last answer, at the server."""
    bound_s: float
    """The least that it can take to ask each node after those that it reads."""
    wall_s: float
    cpu_s: float
    peak_mb: float
    files_written: int
    descriptions_written: int
    contradictory: int
    """Columns that are passed through and have several texts, of so many `families`."""
    families: int
    copied_wrongly: int
    """Computed columns with the text of the one that they are computed from, of so many `computed`."""
    computed: int
    prompts_of_models: int
    prompts_with_sql: int
    dbt_accepts: bool
    second_calls: int
    second_wall_s: float
    second_cpu_s: float
    fresh_calls: int | None = None
    """In a run after dbt has made the manifest anew; None where the second run asked again anyway."""
    fresh_wall_s: float | None = None
    fresh_cpu_s: float | None = None


class Fault(msgspec.Struct, frozen=True):
    """A run of the demo in which one request, in the middle, is answered with 400."""

    tool: str
    returncode: int
    at: int
    files_written: int
    files_expected: int


class Torture(msgspec.Struct, frozen=True):
    """A run on a schema file that people wrote."""

    tool: str
    returncode: int
    calls: int
    descriptions_written: int
    changed_lines: int
    changed_bytes: int
    dbt_accepts: bool


class Comparison(msgspec.Struct, frozen=True):
    """All of it."""

    machine: Machine
    versions: dict[str, str]
    latencies_s: dict[str, float]
    titles: dict[str, str]
    results: tuple[Result, ...]
    faults: tuple[Fault, ...]
    tortures: tuple[Torture, ...]
    missing: tuple[str, ...] = ()
    """Tools that weren't there."""


def cost_usd(input_tokens: int, output_tokens: int) -> float:
    """What tokens cost by the one list of prices."""
    return (input_tokens * INPUT_USD + output_tokens * OUTPUT_USD) / 1_000_000
