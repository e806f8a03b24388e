"""What is missing, what is inherited, what must be asked.

Draft and Abstention are what every writer answers with; Task is what it is asked.
"""

from __future__ import annotations

import msgspec

from dbt_describe.lineage.origins import ColumnRef


class Draft(msgspec.Struct, frozen=True):
    """A description to be written. `column` is empty for the node itself, else spelled as in `Node.columns`."""

    unique_id: str
    column: str
    text: str
    writer: str
    """`inherited`, `rules`, or the llm model's name."""
    confidence: str = "high"
    """`high`, `medium` or `low`; low ones are reported, never written."""
    evidence: str = ""
    """What the text rests on, one line; for an inherited text the column it comes from."""


class Abstention(msgspec.Struct, frozen=True):
    """A description that nobody could write truthfully, and why."""

    unique_id: str
    column: str
    reason: str


class Task(msgspec.Struct, frozen=True):
    """What one node still needs, asked in one go. `columns` in the node's order, spelled as in `Node.columns`."""

    unique_id: str
    columns: tuple[str, ...]
    describe_node: bool = False


class Descriptions(msgspec.Struct):
    """What is known of meanings at this moment of a run: existing texts, inherited ones and drafts already made."""

    nodes: dict[str, str] = {}
    columns: dict[ColumnRef, str] = {}
