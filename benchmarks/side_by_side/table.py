"""The comparison as tables in Markdown: a row for each measure, a column for each tool."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.pages import table
from benchmarks.side_by_side.results import INPUT_USD, OUTPUT_USD, Comparison, Fault, Result, Torture

Measure = tuple[str, Callable[[Result], str]]


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole}" if whole else "–"


def _seconds(value: float | None) -> str:
    return "asks again" if value is None else f"{value:.1f} s"


MEASURES: tuple[Measure, ...] = (
    ("LLM calls", lambda one: f"{one.calls:,}"),
    ("input tokens", lambda one: f"{one.input_tokens:,}"),
    ("output tokens", lambda one: f"{one.output_tokens:,}"),
    ("cost", lambda one: f"${one.cost_usd:.3f}"),
    ("most requests at once", lambda one: str(one.most_in_flight)),
    ("LLM phase", lambda one: _seconds(one.llm_phase_s)),
    ("LLM phase / DAG's lower bound", lambda one: f"{one.llm_phase_s / one.bound_s:.2f} ×"),
    ("wall", lambda one: _seconds(one.wall_s)),
    ("CPU", lambda one: _seconds(one.cpu_s)),
    ("peak memory", lambda one: f"{one.peak_mb:.0f} MB"),
    ("files written", lambda one: str(one.files_written)),
    ("descriptions written", lambda one: f"{one.descriptions_written:,}"),
    ("passed-through columns with several texts", lambda one: _of(one.contradictory, one.families)),
    ("computed columns with their input's text", lambda one: _of(one.copied_wrongly, one.computed)),
    ("model prompts with the model's SQL", lambda one: _of(one.prompts_with_sql, one.prompts_of_models)),
    ("dbt accepts the result", lambda one: "yes" if one.dbt_accepts else "**no**"),
    ("second run, calls", lambda one: f"{one.second_calls:,}"),
    ("second run, wall", lambda one: _seconds(one.second_wall_s)),
    ("second run, CPU", lambda one: _seconds(one.second_cpu_s)),
    ("second run with a fresh manifest, wall", lambda one: _seconds(one.fresh_wall_s)),
    ("second run with a fresh manifest, CPU", lambda one: _seconds(one.fresh_cpu_s)),
)


def work_table(comparison: Comparison, work: str) -> str:
    """All that was measured on one project."""
    results = [result for result in comparison.results if result.work == work]
    rows = [(name, [show(result) for result in results]) for name, show in MEASURES]
    told = [(name, cells) for name, cells in rows if set(cells) != {"–"}]
    head = f"{comparison.titles[work]}; {comparison.latencies_s[work]} s for each answer"
    return table(head, [result.tool for result in results], told)


def fault_table(faults: Sequence[Fault]) -> str:
    """What one bad answer costs."""
    rows = [
        ("files written", [_of_fault(fault) for fault in faults]),
        ("exit code", [str(fault.returncode) for fault in faults]),
    ]
    return table("one answer is bad: a 400 in the middle of the demo", [fault.tool for fault in faults], rows)


def torture_table(tortures: Sequence[Torture]) -> str:
    """What tools change beside what they are asked to."""
    rows = [
        ("untouched lines changed", [str(one.changed_lines) for one in tortures]),
        ("untouched bytes changed", [f"{one.changed_bytes:,}" for one in tortures]),
        ("dbt accepts the result", ["yes" if one.dbt_accepts else "**no**" for one in tortures]),
    ]
    return table("a schema file as people write them", [one.tool for one in tortures], rows)


def markdown(comparison: Comparison) -> str:
    """All tables."""
    versions = ", ".join(f"{name} {version}" for name, version in comparison.versions.items())
    said = (
        f"{comparison.machine}; {versions}. Tokens are characters / 4; "
        f"prices are ${INPUT_USD:.2f} and ${OUTPUT_USD:.2f} for a million tokens in and out."
    )
    tables = [work_table(comparison, work) for work in comparison.titles]
    return "\n\n".join([said, *tables, fault_table(comparison.faults), torture_table(comparison.tortures)])


SHOWN = ("dbt-osmosis 1.5.0", "dbt-scribe 0.2.1", "dbt-describe")
"""The tools of the short table, by name."""


def summary(comparison: Comparison) -> str:
    """What the README shows: little, and of each tool as it is by itself."""
    demo, chains = (
        {one.tool: one for one in comparison.results if one.work == work} for work in list(comparison.titles)[:2]
    )
    faults = {one.tool: one for one in comparison.faults}
    tortures = {one.tool: one for one in comparison.tortures}
    tools = [name for name in SHOWN if name in demo and name in chains]
    columns = sum(one.families for one in chains.values() if one.tool == tools[-1])

    def row(name: str, show: Callable[[str], str]) -> tuple[str, list[str]]:
        return name, [show(tool) for tool in tools]

    rows = [
        row("dbt-osmosis's demo, 10 nodes: LLM calls", lambda tool: f"{demo[tool].calls:,}"),
        row(
            "prompts about models that have the model's SQL",
            lambda tool: _of(demo[tool].prompts_with_sql, demo[tool].prompts_of_models),
        ),
        row("files written when one answer is a 400", lambda tool: _of_fault(faults[tool])),
        row("200 models × 12 columns: LLM calls", lambda tool: f"{chains[tool].calls:,}"),
        row(
            f"time to ask, at {comparison.latencies_s['chains']} s an answer",
            lambda tool: _seconds(chains[tool].llm_phase_s),
        ),
        row(
            f"of {columns} columns that are only handed on, those with several texts",
            lambda tool: str(chains[tool].contradictory),
        ),
        row("a second run's LLM calls", lambda tool: f"{chains[tool].second_calls:,}"),
        row("other lines changed in a schema file", lambda tool: str(tortures[tool].changed_lines)),
    ]
    return table("on the same work, with the same answers", tools, rows)


def _of_fault(fault: Fault) -> str:
    return _of(fault.files_written, fault.files_expected)
