"""What a column holds, as figures and in words."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from dbt_describe.profiling.queries import MOST_KINDS, MOST_ROWS
from dbt_describe.prompting.facts import AT_PRESENT
from dbt_describe.redaction.credentials import without_credentials
from dbt_describe.redaction.personal import without_personal

_LONGEST_VALUE = 60
_MOST_SHOWN = 10


class ColumnProfile(msgspec.Struct, frozen=True):
    """Of the rows that were looked at: all, those with a value, its kinds; range and values as text, redacted."""

    rows: int
    filled: int
    kinds: int = 0
    """0 where they can't be counted."""
    low: str = ""
    high: str = ""
    values: tuple[tuple[str, int], ...] = ()
    """The most frequent ones first, with how many rows have each."""


def lines_of(profile: ColumnProfile) -> tuple[str, ...]:
    """What a model is told of it, a line each; nothing of an empty table.

    Figures are for understanding: tomorrow there are others, and an answer that quotes them isn't accepted.
    """
    if not profile.rows:
        return ()
    nulls = profile.rows - profile.filled
    parts = [f"{_share(nulls, profile.rows)} null" if nulls else "no nulls"]
    if profile.kinds:
        is_distinct = profile.kinds == profile.filled
        kinds = f"{profile.kinds} different values" if profile.kinds > 1 else "one value alone"
        parts.append("all values different" if is_distinct and profile.kinds > 1 else kinds)
        if profile.low != profile.high and not is_distinct:
            parts.append(f"from {profile.low} to {profile.high}")
    rows = f"the first {MOST_ROWS} rows" if profile.rows >= MOST_ROWS else f"{profile.rows} rows"
    lines = [f"{AT_PRESENT}: {', '.join(parts)}, in {rows}"]
    if profile.values:
        lines.append(f"most frequent values: {', '.join(repr(value) for value, _ in profile.values[:_MOST_SHOWN])}")
    return tuple(lines)


def shows_values(profile: ColumnProfile) -> bool:
    """Whether it has so few kinds that they say what it is about, and more rows than kinds."""
    return 0 < profile.kinds <= MOST_KINDS and profile.kinds < profile.filled


def with_values(profile: ColumnProfile, values: Sequence[tuple[str, int]]) -> ColumnProfile:
    """The profile with these values, the most frequent ones first."""
    ordered = sorted(((safe_value(value), count) for value, count in values), key=lambda one: (-one[1], one[0]))
    return msgspec.structs.replace(profile, values=tuple(ordered))


def safe_value(value: str) -> str:
    """A value as it may be kept and shown: on one line, not too long, without personal data and secrets."""
    line = re.sub(r"\s+", " ", without_personal(without_credentials(value))).strip()
    return line if len(line) <= _LONGEST_VALUE else f"{line[: _LONGEST_VALUE - 1]}…"


def _share(part: int, whole: int) -> str:
    percent = 100 * part / whole
    return "<1 %" if percent < 1 else f"{percent:.0f} %"
