"""Usage as a person reads it: rows of `rows.py` as tables that fit a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbt_describe.accounts import AvoidedSum

Cell = str | int | float | None
Row = dict[str, Cell]
NOTHING = "Nothing has been asked yet."
WIDTH = 120
"""Characters of a line; names are cut so that it isn't longer."""
_NARROWEST_NAMES = 24


def render_sums(by: str, rows: Sequence[Row], avoided: Sequence[AvoidedSum] = (), *, all_columns: bool = False) -> str:
    """A line for each group, the sum last, and what was saved below it."""
    savings = _savings(rows[-1], avoided)
    if len(rows) == 1 and not savings:
        return NOTHING
    heads = [head for head in _COLUMNS if all_columns or head not in _RARE_COLUMNS]
    lines = aligned([by, *heads], [[_name(row[by]), *(_COLUMNS[head](row) for head in heads)] for row in rows])
    return "\n".join([*lines, *savings])


def render_fragments(rows: Sequence[Row]) -> str:
    """A line for each part of the prompts, with its share of the input."""
    whole = int(rows[-1]["input_tokens"] or 0)
    if not whole:
        return NOTHING
    lines = [
        [
            _name(row["fragment"]),
            _count(row["requests"]),
            _count(row["input_tokens"]),
            f"{int(row['input_tokens'] or 0) / whole:.0%}",
            _count(row["output_tokens"]),
            _cost(row),
        ]
        for row in rows
    ]
    return "\n".join(aligned(["fragment", "requests", "tokens in", "share", "out", "cost"], lines))


def render_calls(rows: Sequence[Row]) -> str:
    """A line for each request."""
    if not rows:
        return NOTHING
    lines = [
        [
            str(row["at"]).replace("T", " ").removesuffix("Z"),
            _seconds(row["latency_s"]),
            "unknown" if row["cost_usd"] is None else money(_decimal(row["cost_usd"])),
            _count(row["input_tokens"]),
            _count(row["output_tokens"]),
            str(row["status"]),
            str(row["model"]),
            _name(row["node"]),
        ]
        for row in rows
    ]
    heads = ["at (UTC)", "took", "cost", "tokens in", "out", "status", "model", "node"]
    return "\n".join(aligned(heads, lines, words=frozenset({0, 5, 6, 7}), names=7))


def aligned(
    heads: Sequence[str], lines: Sequence[Sequence[str]], *, words: frozenset[int] = frozenset({0}), names: int = 0
) -> list[str]:
    """Columns as wide as they must be: numbers to the right, those of `words` to the left; `names` is cut to fit."""
    rows = [list(line) for line in (heads, *lines)]
    widths = [max(len(row[index]) for row in rows) for index in range(len(heads))]
    room = WIDTH - sum(widths) - 2 * (len(widths) - 1) + widths[names]
    widths[names] = min(widths[names], max(room, _NARROWEST_NAMES))
    for row in rows:
        row[names] = _cut(row[names], widths[names])

    def joined(row: Sequence[str]) -> str:
        cells = (
            f"{cell:<{width}}" if index in words else f"{cell:>{width}}"
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join(cells).rstrip()

    return [joined(row) for row in rows]


def _cut(name: str, width: int) -> str:
    """A name of at most so many characters: its end tells more than its beginning."""
    return name if len(name) <= width else f"…{name[1 - width :]}"


def _savings(total: Row, avoided: Sequence[AvoidedSum]) -> list[str]:
    """What was saved, in words, after an empty line; nothing where nothing was."""
    lines, ways = [], []
    if total["kept"]:
        answers = "answer that was" if total["kept"] == 1 else "answers that were"
        ways.append(f"{money(_decimal(total['saved_usd']))} by {_count(total['kept'])} {answers} kept")
    prompt_cache = _decimal(total["prompt_cache_saved_usd"])
    if prompt_cache > 0:
        ways.append(f"{money(prompt_cache)} by the providers' prompt caches")
    if ways:
        lines.append(f"Saved {', '.join(ways)}.")
    if prompt_cache < 0:
        lines.append(f"The providers' prompt caches cost {money(-prompt_cache)} more than they saved.")
    for one in avoided:
        descriptions = "description" if one.descriptions == 1 else "descriptions"
        cost = "an unknown cost" if one.cost_usd is None else money(one.cost_usd)
        lines.append(
            f"Not asked for ({one.reason}): {_count(one.descriptions)} {descriptions}, "
            f"about {_count(one.tokens_estimated)} tokens and {cost}."
        )
    return ["", *lines] if lines else []


def _cost(row: Row) -> str:
    """The cost, `unknown`, or `>` the part of it that is known."""
    if not row["unpriced"]:
        return money(_decimal(row["cost_usd"]))
    known = _decimal(row["known_cost_usd"])
    return f">{money(known)}" if known else "unknown"


def money(cost_usd: Decimal | None) -> str:
    """US dollars, or that the price isn't known."""
    if cost_usd is None:
        return "unknown"
    return f"{'-' if cost_usd < 0 else ''}${abs(cost_usd):,.4f}"


def _decimal(cell: Cell) -> Decimal:
    return Decimal(str(cell or 0))


def _count(cell: Cell) -> str:
    return f"{int(cell or 0):,}"


def _seconds(cell: Cell) -> str:
    """A time; there is none where nothing has answered."""
    return f"{float(cell):.2f} s" if cell else "-"


def _name(cell: Cell) -> str:
    return str(cell) or "(none)"


_COLUMNS: Mapping[str, Callable[[Row], str]] = {
    "requests": lambda row: _count(row["requests"]),
    "failed": lambda row: _count(row["failed"]),
    "retries": lambda row: _count(row["retries"]),
    "kept": lambda row: _count(row["kept"]),
    "hit rate": lambda row: f"{float(row['hit_rate'] or 0):.0%}",
    "tokens in": lambda row: _count(row["input_tokens"]),
    "cached": lambda row: _count(row["cached_input_tokens"]),
    "written": lambda row: _count(row["cache_write_tokens"]),
    "out": lambda row: _count(row["output_tokens"]),
    "reasoning": lambda row: _count(row["reasoning_tokens"]),
    "cost": _cost,
    "saved": lambda row: money(_decimal(row["saved_usd"]) + _decimal(row["prompt_cache_saved_usd"])),
    "p50": lambda row: _seconds(row["latency_p50_s"]),
    "p95": lambda row: _seconds(row["latency_p95_s"]),
    "p99": lambda row: _seconds(row["latency_p99_s"]),
    "first token": lambda row: _seconds(row["first_token_p50_s"]),
}
_RARE_COLUMNS = frozenset({"retries", "hit rate", "cached", "written", "reasoning", "p99", "first token"})
