"""Facts as the lines of a prompt's data."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from dbt_describe.prompting.facts import AT_PRESENT, ColumnFacts, NodeFacts
from dbt_describe.prompting.fragments import (
    Fragment,
    shrink_details,
    shrink_lines,
    shrink_python,
    shrink_sql,
    tidy_sql,
)
from dbt_describe.prompting.redaction import sendable
from dbt_describe.prompting.sizing import shorter_sql

# What stands in front of a text that is asked for anew.
BEFORE = "described before"
ASKED = "asked"
# And in front of a draft that a reviewer objected to.
REFUSED = "refused draft"
_QUALIFIER = re.compile(r"""(?:\w+|"[^"\n]+"|`[^`\n]+`)(?: v\d+)?\.(?=[\w"`])""")


def fragments_of(facts: NodeFacts) -> tuple[Fragment, ...]:
    """The data of a prompt, from what changes least between nodes to what changes most.

    What is asked is shrunk only where one thing alone is asked: before that, it is split.
    """
    shrink_code = {"sql": shrink_sql, "python": shrink_python}.get(facts.language, shrink_lines)
    code = tidy_sql(facts.sql) if facts.language == "sql" else facts.sql
    fragments = (
        Fragment("examples", _pairs((one.name, one.text) for one in facts.examples), 30, shrink_lines),
        Fragment("knowledge", _pairs((one.source, one.text) for one in facts.passages), 35, shrink_lines),
        Fragment("node", _node_lines(facts), required=True),
        Fragment("sql", code, 60, shrink_code, first=shorter_sql(facts)),
        Fragment("upstream_nodes", _pairs(facts.upstream), 25, shrink_lines),
        Fragment("downstream", "\n".join(f"- {name}" for name in facts.downstream), 10, shrink_lines),
        Fragment("described_columns", _pairs(facts.siblings), 40, shrink_lines),
        Fragment("other_columns", ", ".join(facts.undescribed), 20),
        Fragment("input_columns", _pairs(_inputs(facts.columns)), 50, shrink_lines),
    )
    return (*map(sendable, fragments), asked_fragment(facts))


def asked_fragment(facts: NodeFacts) -> Fragment:
    """The columns that are asked for, as lines."""
    is_split = len(facts.columns) + facts.describe_node <= 1
    lines = "\n".join(_column_lines(column) for column in facts.columns)
    return sendable(Fragment(ASKED, lines, shrink=shrink_details if is_split else None, required=True))


def without_repeated(facts: NodeFacts) -> NodeFacts:
    """The facts as they are told beside the whole SQL: what a column is computed as isn't said twice."""
    sql = _as_compared(facts.sql)
    columns = (
        msgspec.structs.replace(column, origin="")
        if column.expression and _as_compared(column.expression) in sql
        else column
        for column in facts.columns
    )
    return msgspec.structs.replace(facts, columns=tuple(columns))


def _as_compared(sql: str) -> str:
    """SQL without case, white space and what stands in front of a column's name."""
    return re.sub(r"\s+", "", _QUALIFIER.sub("", sql)).lower()


def true_now(text: str) -> str:
    """Without what was said before, what was drafted, what is there just now, and what we say: nothing rests on it."""
    passing = (f"{BEFORE}: ", f"{REFUSED}: ", f"{AT_PRESENT}: ")
    lines = (line for line in text.splitlines() if not line.lstrip().startswith(passing))
    return "\n".join(line for line in lines if not (line.startswith("-- (") and line.endswith(" left out)")))


def _node_lines(facts: NodeFacts) -> str:
    lines = [f"{facts.resource_type} {facts.name}", *facts.about]
    if facts.description:
        lines.append(f"description: {facts.description}")
    if facts.describe_node and facts.previous:
        lines.append(f"{BEFORE}: {facts.previous}")
    if facts.describe_node and facts.refused:
        lines.append(f"{REFUSED}: {facts.refused}")
    return "\n".join(one_line(line) for line in lines)


def _column_lines(column: ColumnFacts) -> str:
    details = [f"type {column.data_type}"] if column.data_type else []
    before = f"{BEFORE}: {column.previous}" if column.previous else ""
    refused = f"{REFUSED}: {column.refused}" if column.refused else ""
    said = (before, refused)
    told = (column.definition, column.origin, *column.tests, *column.comments, *column.uses, *column.values, *said)
    details += [detail for detail in told if detail]
    return "\n".join([f"- {one_line(column.name)}", *(f"  {one_line(detail)}" for detail in details)])


def _inputs(columns: Iterable[ColumnFacts]) -> tuple[tuple[str, str], ...]:
    return tuple(dict(pair for column in columns for pair in column.inputs).items())


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- {one_line(name)}: {one_line(text)}" if text else f"- {one_line(name)}" for name, text in pairs)


def one_line(text: str) -> str:
    """One line: a name with a line break in it mustn't look like two facts."""
    return " ".join(text.split())
