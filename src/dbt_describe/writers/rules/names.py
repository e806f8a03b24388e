"""What columns and rows are called in a sentence."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from sqlglot import exp

from dbt_describe.lineage.origins import Aggregation, ColumnRef
from dbt_describe.planning import Descriptions
from dbt_describe.project.nodes import Node, Project
from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.grain import Grain, drops_duplicates, groups_rows
from dbt_describe.writers.rules.lexicon import COUNTABLE, NOT_IN_NOUN_PHRASES, NUMBERED, OPENERS, VAGUE
from dbt_describe.writers.rules.phrases import Phrase, UnsayableError

MAX_REUSED_WORDS = 12

_DATE_TYPE = re.compile(r"date|time", re.IGNORECASE)
_AMOUNT_TYPE = re.compile(r"dec|num|float|double|real|money")
_NOT_PROSE = re.compile(r"[:;\n`*_{}()\[\]<>\"“”'|/\\!?=%$€£]|https?|\.\s|\b[ei]\.[ge]\b")


class Names:
    """Says the columns of one expression so that no two of them are called the same.

    Args:
        target: the column being described; a row-level input of its own name is told apart from it.
    """

    def __init__(self, project: Project, known: Descriptions, grain: Grain, target: ColumnRef) -> None:
        self.grain = grain
        self.drops_duplicates = drops_duplicates(project.nodes[target.unique_id])
        self._plain_rows = not groups_rows(project.nodes[target.unique_id])
        self.reused: list[ColumnRef] = []
        self._project = project
        self._known = known
        self._target = target
        self._origins: set[ColumnRef] = set()
        self._namesakes: set[str] = set()

    def tell_apart(
        self,
        columns: Iterable[exp.Column],
        *,
        from_target: bool,
        foreign: Collection[ColumnRef] = (),
        driving: str = "",
    ) -> None:
        """Find out which of the columns must be said with the node they come from.

        Args:
            columns: all that will be named.
            from_target: whether an input with the described column's own name must be told apart from it.
            foreign: columns that a reader would take for another one of the described node.
            driving: the node whose rows the described one has; a column of another is told with it where its own
                words are too general.
        """
        self._origins |= set(foreign)
        by_text: dict[str, set[ColumnRef]] = {}
        for column in columns:
            ref = self.ref(column)
            by_text.setdefault(self._plain(ref).text, set()).add(ref)
        for same in by_text.values():
            if len(same) > 1:
                self._origins |= same
        refs = {ref for same in by_text.values() for ref in same}
        self._namesakes = {ref.column for ref in refs if sum(other.column == ref.column for other in refs) > 1}
        if driving:
            self._origins |= {
                ref for text, same in by_text.items() for ref in same if ref.unique_id != driving and _is_vague(text)
            }
        if from_target:
            target = self._target.column
            said = words.words_of(target)
            self._origins |= {
                ref for text, same in by_text.items() for ref in same if ref.column == target or text == said
            }

    def column(self, column: exp.Column) -> Phrase:
        """The column as a noun phrase.

        Raises:
            UnsayableError: it isn't a column of a known node.
        """
        ref = self.ref(column)
        return self._with_origin(ref, self._plain(ref))

    def flag(self, column: exp.Column) -> Phrase:
        """The column where it is compared with true or false, 1 or 0: by its own name, which needn't be a noun.

        Raises:
            UnsayableError: it isn't a column of a known node.
        """
        ref = self.ref(column)
        named = ref.column.rsplit("_", 1)[-1] in NUMBERED | COUNTABLE or _AMOUNT_TYPE.match(self.data_type(column))
        if self._reused(ref) is not None or (named and not self.is_boolean(column)):
            return self.column(column)
        if ref.column in self._namesakes:
            self._origins.add(ref)
        return self._with_origin(ref, Phrase(words.code(self._spelled(ref)), definite=False))

    def _spelled(self, ref: ColumnRef) -> str:
        column = self.node(ref.unique_id).column(ref.column)
        return column.name if column else ref.column

    def _with_origin(self, ref: ColumnRef, phrase: Phrase) -> Phrase:
        if ref not in self._origins:
            return phrase
        text = f"{phrase.text} from {self.node_name(ref.unique_id)}"
        return Phrase(text, phrase.definite, phrase.plural, phrase.loose)

    def ref(self, column: exp.Column) -> ColumnRef:
        """The node's column that is meant.

        Raises:
            UnsayableError: it isn't one of a known node.
        """
        if column.table not in self._project.nodes:
            raise UnsayableError(f"it isn't known which relation `{column.name}` comes from")
        return ColumnRef(column.table, column.name.lower())

    def node(self, unique_id: str) -> Node:
        """The node.

        Raises:
            UnsayableError: the project has none of that id.
        """
        if unique_id not in self._project.nodes:
            raise UnsayableError("it reads a relation that isn't known")
        return self._project.nodes[unique_id]

    def node_name(self, unique_id: str) -> str:
        """The node's name as it is shown in a sentence: `stg_orders`, or `shop.orders` for a table of a source."""
        node = self.node(unique_id)
        return words.code(f"{node.source_name}.{node.name}" if node.source_name else node.name)

    def is_dated(self, column: exp.Column) -> bool:
        """Whether the column is known to hold dates or times."""
        return bool(_DATE_TYPE.search(self.data_type(column)))

    def is_boolean(self, column: exp.Column) -> bool:
        """Whether the column is known to hold true and false."""
        return self.data_type(column) in ("bool", "boolean")

    def data_type(self, column: exp.Column) -> str:
        """The column's data type in lower case, empty where it isn't known."""
        node = self._project.nodes.get(column.table)
        found = node.column(column.name) if node else None
        return found.data_type.lower() if found else ""

    def rows(self, unique_id: str) -> tuple[str, str]:
        """What one row of the node is called, and several: `order`, `orders` only where a key proves that grain."""
        entity = self.grain.entity(unique_id)
        if entity:
            return entity, words.plural(entity)
        name = self.node_name(unique_id)
        return f"row of {name}", f"rows of {name}"

    def window_rows(self, windows: Sequence[Aggregation]) -> tuple[str, str]:
        """What one row that a window function sees is called, and several."""
        (rows,) = windows if len(windows) == 1 else (Aggregation(),)
        entity = self.grain.entity(rows.driving) if rows.driving else None
        same = self._plain_rows and all(join.matches_at_most_one for join in rows.joins)
        return (entity, words.plural(entity)) if entity and same else ("row", "rows")

    def group(self, column: exp.Column) -> str:
        """What a group of rows with the same value is: `customer` for `customer_id`."""
        ref = self.ref(column)
        node = self.node(ref.unique_id)
        identified = words.identified(ref.column) or (words.entity(node) if ref.column == "id" else None)
        return identified or self.column(column).text

    def _plain(self, ref: ColumnRef) -> Phrase:
        node = self.node(ref.unique_id)
        reused = self._reused(ref)
        if reused is not None:
            return reused
        name = self._spelled(ref)
        said = words.words_of(name.lower())
        if said is None:
            return Phrase(words.code(name), definite=False)
        entity = words.entity(node)
        if " " not in said and entity and said not in entity.split():
            said = f"{entity} {said}"
        return Phrase(said, plural=words.is_plural(said))

    def _reused(self, ref: ColumnRef) -> Phrase | None:
        if ref.column == "id" or ref.column.endswith("_id"):
            return None
        text = noun_phrase(self._known.columns.get(ref, ""))
        if text is None:
            return None
        if ref not in self.reused:
            self.reused.append(ref)
        return Phrase(text, plural=words.is_plural(re.split(r" (?:of|in|for|from|at|on|by|to) ", text)[0]))


def _is_vague(text: str) -> bool:
    """Whether the words could be those of many nodes' columns."""
    return " " not in text or text.split(maxsplit=1)[0] in VAGUE


def noun_phrase(description: str) -> str | None:
    """`The amount of the payment, in cents.` → `amount of the payment in cents`; None unless that is safe.

    Only one short sentence that surely is a noun phrase, and says nothing that could be untrue elsewhere, is taken.
    """
    text = description.strip().removesuffix(".").strip()
    text = re.sub(r"^(?:the|an?)\s+", "", text, flags=re.IGNORECASE)
    if not text or len(text.split()) > MAX_REUSED_WORDS or _NOT_PROSE.search(text):
        return None
    if NOT_IN_NOUN_PHRASES & set(re.findall(r"[a-z]+", text.lower())):
        return None
    unit = re.search(r", in [a-z ]+$", text)
    if "," in (text[: unit.start()] if unit else text) or len(text.split()) < 2:
        return None
    first, rest = text.split(maxsplit=1)
    if first.lower() not in OPENERS:
        return None
    return f"{first.lower()} {rest.replace(', in ', ' in ')}"
