"""Questions in parts, and what they can do without."""

from __future__ import annotations

import math
from itertools import pairwise

import msgspec

from dbt_describe.lineage.dialects import dialect_of
from dbt_describe.prompting.facts import ColumnFacts, NodeFacts
from dbt_describe.prompting.fragments import Shorten, bare_sql


def parts_of(facts: NodeFacts, most: int) -> tuple[NodeFacts, ...]:
    """The facts with equal parts of what is asked, each of at most so many descriptions."""
    count = math.ceil((len(facts.columns) + facts.describe_node) / most)
    if count <= 1:
        return (facts,)
    # The first one asks for the node, too.
    bounds = [round(part * (len(facts.columns) + facts.describe_node) / count) for part in range(count + 1)]
    bounds = [max(bound - facts.describe_node, 0) for bound in bounds]
    return tuple(
        msgspec.structs.replace(
            facts, columns=facts.columns[start:end], describe_node=facts.describe_node and not start
        )
        for start, end in pairwise(bounds)
    )


def bare_question(facts: NodeFacts) -> NodeFacts:
    """The same question without anything that is known."""
    columns = tuple(ColumnFacts("x") for _ in facts.columns)
    return NodeFacts(
        "x", "x", facts.resource_type, facts.describe_node, columns, conventions=facts.conventions, path=facts.path
    )


def shorter_sql(facts: NodeFacts) -> tuple[Shorten, ...]:
    """How SQL loses what says nothing of the asked columns."""
    if facts.language != "sql":
        return ()

    def sliced(sql: str) -> str:
        # It imports sqlglot, which takes 0.3 s.
        from dbt_describe.lineage.slicing import slice_sql  # noqa: PLC0415

        names = [column.name for column in facts.columns]
        return slice_sql(sql, names, dialect_of(facts.dialect), with_rows=facts.describe_node) or sql

    return bare_sql, sliced
