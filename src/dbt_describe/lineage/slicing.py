"""A query cut down to what decides some of its columns.

CTEs, projections and left joins that nothing of it reads are left out; all else stays as it is written, comments and
layout included. Where it isn't sure that a part decides nothing, it stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from dbt_describe.lineage.needs import Needs
from dbt_describe.lineage.outline import Query, Select, queries_in
from dbt_describe.lineage.outlining import outline_of
from dbt_describe.lineage.words import Tokens, UnsliceableError

_Edit = tuple[int, int, str]
"""From where, to before where, and what takes its place; in characters."""


def slice_sql(sql: str, columns: Iterable[str], dialect: str, *, with_rows: bool = False) -> str:
    """The query cut down to what decides the columns; empty where its parts can't be told.

    Args:
        sql: one query.
        columns: of its output, in any case; those that aren't known keep all that may be them.
        dialect: sqlglot's name of it.
        with_rows: whether it must show what the rows are, too: then no join is left out.
    """
    try:
        tokens, root = _outlined(sql, dialect)
        needs = Needs(root, _wanted(columns), rows_count=with_rows)
        edits = list(_edits(tokens, root, needs))
    except (UnsliceableError, RecursionError, IndexError, KeyError):
        return ""
    return _edited(sql, edits)


@lru_cache(maxsize=4)
def _outlined(sql: str, dialect: str) -> tuple[Tokens, Query]:
    """Kept for a while: what is asked of one query is asked for one group of its columns after the other."""
    tokens = Tokens(sql, dialect)
    return tokens, outline_of(tokens)


def _wanted(columns: Iterable[str]) -> frozenset[str]:
    """The names of the columns, those of structs without their fields."""
    return frozenset(column.lower().partition(".")[0] for column in columns)


def _edits(tokens: Tokens, root: Query, needs: Needs) -> Iterator[_Edit]:
    for query in queries_in(root):
        need = needs.of[id(query)]
        if not need.is_reached:
            continue
        kept = [needs.of[id(cte.query)].is_reached for cte in query.ctes]
        yield from _without_ctes(tokens, query, kept)
        for arm, items, segments in zip(query.arms, need.items, need.segments, strict=True):
            if len(items) < len(arm.items):
                yield from _without_items(tokens, arm, sorted(items))
            yield from _without_joins(tokens, arm, segments)


def _without_ctes(tokens: Tokens, query: Query, kept: list[bool]) -> Iterator[_Edit]:
    if all(kept):
        return
    ctes = query.ctes
    if not any(kept):
        yield _start(tokens, query.opens), _start(tokens, query.start), ""
        return
    last = max(number for number, is_kept in enumerate(kept) if is_kept)
    for number, cte in enumerate(ctes[:last]):
        if not kept[number]:
            yield _start(tokens, cte.start), _start(tokens, ctes[number + 1].start), ""
    if last + 1 < len(ctes):
        yield _end(tokens, ctes[last].end), _end(tokens, ctes[-1].end), ""


def _without_items(tokens: Tokens, arm: Select, kept: list[int]) -> Iterator[_Edit]:
    start, end = _start(tokens, arm.items[0].start), _end(tokens, arm.items[-1].end)
    texts = [tokens.text(arm.items[number].start, arm.items[number].end) for number in kept]
    missing = len(arm.items) - len(kept)
    note = f"\n-- ({missing} column{'s' if missing > 1 else ''} left out)\n"
    # After the comma that some write behind the last one.
    yield start, _start(tokens, arm.closes) if arm.closes < len(tokens) else end, ",\n  ".join(texts) + note
    for token, position in arm.positions:
        yield _start(tokens, token), _end(tokens, token + 1), str(kept.index(position) + 1)


def _without_joins(tokens: Tokens, arm: Select, kept: set[int]) -> Iterator[_Edit]:
    missing = [segment for number, segment in enumerate(arm.segments) if number not in kept]
    for segment in missing:
        note = f"\n-- ({len(missing)} left join{'s' if len(missing) > 1 else ''} left out)\n"
        yield _start(tokens, segment.start), _end(tokens, segment.end), note if segment is missing[0] else ""


def _start(tokens: Tokens, index: int) -> int:
    return tokens.tokens[index].start


def _end(tokens: Tokens, index: int) -> int:
    """The place after the last token before `index`."""
    return tokens.tokens[index - 1].end + 1


def _edited(sql: str, edits: list[_Edit]) -> str:
    """The text with all of the edits; those inside of another one's place go with it."""
    parts: list[str] = []
    done = 0
    for start, end, replacement in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
        if start < done:
            continue
        parts += [sql[done:start], replacement]
        done = end
    lines = ("".join(parts) + sql[done:]).splitlines()
    return "\n".join(line.rstrip() for line in lines if line.strip())
