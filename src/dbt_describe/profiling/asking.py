"""Ask the warehouse through the user's own dbt, some tables at a time; a table that fails costs the others nothing."""

from __future__ import annotations

import itertools
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from dbt_describe.errors import DbtCommandError, DbtTimeoutError
from dbt_describe.profiling.profiles import ColumnProfile, safe_value, shows_values, with_values
from dbt_describe.profiling.queries import figures_query, values_query
from dbt_describe.profiling.subjects import Subject
from dbt_describe.project.dbt import DbtInvocation, run_dbt

TIMEOUT_S = 60.0
"""What one call of dbt may take, from its start."""
TOTAL_S = 600.0
"""What all of a run may take: then the rest stays unknown."""
MOST_TABLES = 16
"""In one query."""
MOST_WIDTH = 400
"""Columns in one query."""

_LONGEST_REASON = 300
_PLACE = re.compile(r"LINE \d+:|compiled code at ")
_HEADING = re.compile(r"(?:Runtime|Database|Compilation) Error(?: in .*)?$")
_BEGIN = re.compile(r"^[{\[]", re.MULTILINE)

Show = Callable[[str, int, float], Sequence[Mapping[str, object]]]
"""The rows of a query: its SQL, the most rows, how long it may take in seconds."""
Note = Callable[[Subject, Mapping[str, ColumnProfile]], None]


class Failed(msgspec.Struct, frozen=True):
    """A table of which nothing was learnt, and why."""

    unique_id: str
    reason: str


def show_by(invocation: DbtInvocation) -> Show:
    """How dbt is asked: `dbt show --inline`, which changes nothing and leaves dbt's artifacts alone."""

    def show(sql: str, limit: int, timeout_s: float) -> Sequence[Mapping[str, object]]:
        command = ["--quiet", "--no-write-json", "show", "--output", "json", "--limit", str(limit), "--inline", sql]
        return rows_in(run_dbt(invocation, command, timeout_s))

    return show


def rows_in(output: str) -> Sequence[Mapping[str, object]]:
    """The rows that `dbt show --output json` prints, with names in lower case, as databases differ in them.

    Raises:
        DbtCommandError: there are none in it.
    """
    shown = next(filter(None, map(_decoded, _BEGIN.finditer(output))), None)
    if isinstance(shown, dict):
        shown = shown.get("show")
    if not isinstance(shown, list):
        raise DbtCommandError(f"`dbt show` printed no rows as JSON, but: {' '.join(output.split())[:200] or 'nothing'}")
    return [{str(name).lower(): value for name, value in row.items()} for row in shown if isinstance(row, dict)]


def _decoded(begin: re.Match[str]) -> object:
    """The JSON that begins here, whatever follows it."""
    try:
        found: object = json.JSONDecoder().raw_decode(begin.string, begin.start())[0]
    except json.JSONDecodeError:
        return None
    return found


def ask(
    subjects: Sequence[Subject],
    adapter_type: str,
    show: Show,
    note: Note,
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Failed, ...]:
    """Look at tables; `note` is told of each as soon as it is known. Those that couldn't be looked at are given back.

    Several tables that fail together are asked in halves. One that takes too long isn't asked again.
    """
    until = clock() + TOTAL_S
    failed: list[Failed] = []
    waiting = list(_batches(subjects))[::-1]
    while waiting:
        batch = waiting.pop()
        if clock() >= until:
            failed += [Failed(one.unique_id, f"looking at tables took {TOTAL_S:.0f} s before") for one in batch]
            continue
        try:
            for subject, profiles in _profiles(batch, adapter_type, show):
                note(subject, profiles)
        except DbtCommandError as error:
            if len(batch) == 1:
                failed.append(Failed(batch[0].unique_id, _reason(error)))
            elif isinstance(error, DbtTimeoutError):
                waiting += [(one,) for one in reversed(batch)]
            else:
                waiting += [batch[len(batch) // 2 :], batch[: len(batch) // 2]]
    return tuple(failed)


def _batches(subjects: Sequence[Subject]) -> Iterator[tuple[Subject, ...]]:
    batch: list[Subject] = []
    for subject in subjects:
        width = max(len(one.columns) for one in (*batch, subject))
        if batch and (len(batch) == MOST_TABLES or width * (len(batch) + 1) > MOST_WIDTH):
            yield tuple(batch)
            batch = []
        batch.append(subject)
    if batch:
        yield tuple(batch)


def _profiles(
    batch: Sequence[Subject], adapter_type: str, show: Show
) -> Iterator[tuple[Subject, Mapping[str, ColumnProfile]]]:
    rows = {_number(row, "node_at"): row for row in show(figures_query(batch, adapter_type), len(batch), TIMEOUT_S)}
    found = [
        [_profile(rows[at], place) for place in range(len(subject.columns))] if at in rows else []
        for at, subject in enumerate(batch)
    ]
    wanted = [
        (at, place)
        for at, profiles in enumerate(found)
        for place, profile in enumerate(profiles)
        if batch[at].columns[place].has_values and shows_values(profile)
    ]
    limit = sum(found[at][place].kinds for at, place in wanted)
    values = show(values_query(batch, wanted, adapter_type), limit, TIMEOUT_S) if wanted else ()
    for at, place in wanted:
        held = [
            (str(row.get("shown")), _number(row, "row_count"))
            for row in values
            if (_number(row, "node_at"), _number(row, "column_at")) == (at, place)
        ]
        found[at][place] = with_values(found[at][place], held)
    for subject, profiles in zip(batch, found, strict=True):
        if not profiles:
            raise DbtCommandError(f"`dbt show` gave no row of {subject.unique_id}")
        yield subject, {column.name: profile for column, profile in zip(subject.columns, profiles, strict=True)}


def _profile(row: Mapping[str, object], place: int) -> ColumnProfile:
    low, high = (safe_value(str(row.get(f"{name}{place}") or "")) for name in ("l", "h"))
    return ColumnProfile(
        rows=_number(row, "row_count"),
        filled=_number(row, f"f{place}"),
        kinds=_number(row, f"k{place}"),
        low=low,
        high=high,
    )


def _number(row: Mapping[str, object], name: str) -> int:
    """A count, which some databases give as a decimal number or as text."""
    try:
        return int(float(str(row[name])))
    except (KeyError, ValueError) as error:
        raise DbtCommandError(f"`dbt show` gave no number {name}") from error


def _reason(error: DbtCommandError) -> str:
    """What dbt said, on one line: without where in a query of ours it was."""
    said = str(error).partition("dbt said:\n")[2] or str(error)
    lines = itertools.takewhile(lambda line: not _PLACE.match(line), map(str.strip, said.splitlines()))
    told = " ".join(line for line in lines if line and not _HEADING.match(line))[:_LONGEST_REASON]
    return told.rstrip(".") or "dbt gave no reason"
