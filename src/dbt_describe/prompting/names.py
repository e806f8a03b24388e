"""What nodes are called in prompts, and how much is told of them."""

from __future__ import annotations

import re

from dbt_describe.lineage.origins import ColumnRef
from dbt_describe.placeholders import is_missing
from dbt_describe.planning import Descriptions
from dbt_describe.project.nodes import Project
from dbt_describe.redaction.credentials import without_credentials

# `"<unique_id>"."<column>"` as lineage writes it, in any dialect's quotes.
_REFERENCE = re.compile(
    r"""["`\[]((?:model|source|seed|snapshot)\.[^"`\]]+)["`\]](?:\s*\.\s*(["`\[]([^"`\]]+)["`\]]|\w+))?"""
)
_INNER_TABLE = re.compile(r"\b__node_\d+\b")
"""What lineage calls a table inside of a subquery, which says nothing to anybody."""
_DESCRIBED = 500
"""Characters of an existing description that are shown; more of it tells little about a column."""
LONGEST_FACT = 600
"""Characters of one fact; a longer expression is in the SQL anyway."""


class Names:
    """Readable names: `stg_orders`, `raw.orders` for a source's table, `orders v2` for a versioned model."""

    def __init__(self, project: Project) -> None:
        self._project = project

    def of(self, unique_id: str) -> str:
        """The name of a node, or the end of the id where the node isn't in the project."""
        node = self._project.nodes.get(unique_id)
        if node is None:
            return unique_id.rpartition(".")[2]
        if node.source_name:
            return f"{node.source_name}.{node.name}"
        return f"{node.name} v{node.version}" if node.version else node.name

    def of_column(self, ref: ColumnRef) -> str:
        """`stg_orders.amount`."""
        return f"{self.of(ref.unique_id)}.{ref.column}"

    def of_relation(self, name: str) -> str:
        """The name of the node behind `"db"."schema"."orders"` or `ref('orders')`, which the table mostly has, too."""
        words = re.findall(r"[^\W\d]\w*", name)
        return words[-1] if words else name

    def in_sql(self, expression: str) -> str:
        """The expression with readable names in place of unique_ids."""

        def readable(match: re.Match[str]) -> str:
            column = match[3] or (match[2] or "")
            return f"{self.of(match[1])}.{column}" if column else self.of(match[1])

        return _REFERENCE.sub(readable, _INNER_TABLE.sub("…", expression))


def known_text(unique_id: str, project: Project, known: Descriptions) -> str:
    """What is known of a node's meaning, shortened; empty where nothing is."""
    node = project.nodes.get(unique_id)
    return shortened(known.nodes.get(unique_id) or (node.description if node else ""))


def known_words(ref: ColumnRef, project: Project) -> str:
    """What a person wrote of a column's meaning, shortened; empty where nobody did.

    What we have written of a reader may rest on what the column was thought to be.
    """
    node = project.nodes.get(ref.unique_id)
    column = node.column(ref.column) if node else None
    return shortened(column.description) if column and (ref.unique_id, ref.column) not in project.generated else ""


def shortened(text: str) -> str:
    """The text on one line, cut; empty for a placeholder."""
    line = "" if is_missing(text) else " ".join(text.split())
    if len(line) <= _DESCRIBED:
        return line
    line = without_credentials(line)  # half a key isn't known as one
    return line if len(line) <= _DESCRIBED else line[: _DESCRIBED - 1] + "…"
