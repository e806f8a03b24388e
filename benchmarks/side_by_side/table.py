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
        ("files written", [_of(fault.files_written, fault.files_expected) for fault in faults]),
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
