"""Where a column's values come from, down to the sources, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from dbt_describe.inheritance import is_tested_present, is_tested_unique, same_values
from dbt_describe.lineage.origins import ColumnRef, Derived, Lineage, Origin
from dbt_describe.placeholders import is_missing
from dbt_describe.planning import Descriptions
from dbt_describe.project.nodes import Node, Project
from dbt_describe.prompting.comments import NO_COMMENTS, Comments, comments_in
from dbt_describe.prompting.fragments import middle_out
from dbt_describe.prompting.names import LONGEST_FACT, Names, shortened
from dbt_describe.prompting.proofs import values_in_words
from dbt_describe.uniqueness import Proofs

MOST_INPUTS = 12
"""Upstream columns that are told of for one column."""
DEEPEST = 4
"""Computations that are followed upstream of a column's own."""
_STEP_CHARACTERS = 240
"""Of what an undescribed upstream column is computed as."""
_MOST_VALUES_CHARACTERS = 160
_QUERIES = ("model", "snapshot", "analysis")
_CAST = re.compile(r"""(?:TRY_|SAFE_)?CAST\((?:["`\[][^"`\]]*["`\]]\.?){2} AS [\w ,()]+\)""")
"""Of a single column."""


class Sight(msgspec.Struct, frozen=True):
    """What facts are gathered from."""

    project: Project
    lineage: Lineage
    known: Descriptions
    names: Names
    proofs: Proofs

    @classmethod
    def of(cls, project: Project, lineage: Lineage, known: Descriptions) -> Sight:
        """What is seen of a project."""
        return cls(project, lineage, known, Names(project), Proofs(project, lineage))

    def computed(self, ref: ColumnRef) -> tuple[tuple[ColumnRef, ...], Origin | None]:
        """The columns whose values this one has, up to the first that is described; and the origin of the last."""
        copied: list[ColumnRef] = []
        for upstream in same_values(ref, self.lineage):
            copied.append(upstream)
            if self.is_described(upstream):
                return tuple(copied), None
        return tuple(copied), self.lineage.origin(copied[-1] if copied else ref)

    def is_described(self, ref: ColumnRef) -> bool:
        """Whether the meaning of the column is known."""
        return not is_missing(self.known.columns.get(ref, ""))

    def meant(self, ref: ColumnRef) -> ColumnRef | None:
        """The nearest described column whose values this one has, cast or not; it may be this one."""
        for _ in range(DEEPEST):
            if found := next(filter(self.is_described, (ref, *same_values(ref, self.lineage))), None):
                return found
            made = self.computed(ref)[1]
            if not isinstance(made, Derived) or len(made.inputs) != 1 or not _CAST.fullmatch(made.expression):
                return None
            ref = made.inputs[0]
        return None

    def comments(self, ref: ColumnRef) -> tuple[str, ...]:
        """What stands next to a column in the code of its node."""
        node = self.project.nodes.get(ref.unique_id)
        return comments_of(node).columns.get(ref.column, ()) if node else ()


def comments_of(node: Node) -> Comments:
    """The comments in the code of a node that is a query."""
    is_query = node.resource_type in _QUERIES and node.language == "sql"
    return comments_in(node.raw_code or node.compiled_code) if is_query else NO_COMMENTS


def origin_in_words(copied: Sequence[ColumnRef], origin: Origin | None, sight: Sight) -> str:
    """A part of a sentence; empty where nothing is known."""
    parts = [f"the same as {' and '.join(map(sight.names.of_column, copied))}"] if copied else []
    if isinstance(origin, Derived):
        parts.append(("there " if copied else "") + f"computed as {_short_sql(origin.expression, sight)}")
        for level in origin.aggregations:
            keys = ", ".join(_short_sql(key, sight) for key in level.group_by)
            parts.append(f"aggregated per {keys}" if keys else "aggregated over all rows")
            if level.filters:
                conditions = (_short_sql(condition, sight) for condition in level.filters)
                parts.append("of the rows where " + " and ".join(conditions))
    return middle_out("; ".join(parts), 2 * LONGEST_FACT)


def own_expression(copied: Sequence[ColumnRef], origin: Origin | None, sight: Sight) -> str:
    """What the node's own SQL computes a column as; empty where it copies another one."""
    return _short_sql(origin.expression, sight) if isinstance(origin, Derived) and not copied else ""


def inputs_in_words(copied: Sequence[ColumnRef], origin: Origin | None, sight: Sight) -> tuple[tuple[str, str], ...]:
    """The upstream columns that a column is made of, with what is known of each: its meaning, or how it is made.

    What has no meaning of its own is followed to what it is made of, nearest first, down to the sources. Only what
    there is something to say of is told.
    """
    told: dict[str, str] = {}
    waiting = [(ref, 0) for ref in (*copied, *(origin.inputs if isinstance(origin, Derived) else ()))]
    seen = {ref for ref, _ in waiting}
    for ref, depth in waiting:
        if len(told) >= MOST_INPUTS:
            break
        if ref in copied:  # its own origin and tests are told of the column itself
            text = shortened(sight.known.columns.get(ref, "")) or "; ".join(sight.comments(ref))
            told |= {sight.names.of_column(ref): text} if text else {}
            continue
        meant = sight.meant(ref)
        passed, made = ((), None) if meant else sight.computed(ref)
        name, text = _meaning(ref, meant, sight) if meant else _making(ref, passed, made, sight)
        told |= {name: text if depth == 0 else middle_out(text, _STEP_CHARACTERS)} if text else {}
        if depth < DEEPEST and isinstance(made, Derived):
            waiting += [(one, depth + 1) for one in made.inputs if one not in seen]
            seen.update(made.inputs)
    return tuple(told.items())


def _meaning(ref: ColumnRef, meant: ColumnRef, sight: Sight) -> tuple[str, str]:
    """The name of a column, with that of the one it has its values from; and what that one means."""
    name, text = sight.names.of_column(ref), shortened(sight.known.columns[meant])
    return name if meant == ref else f"{name} (from {sight.names.of_column(meant)})", _with_values(text, meant, sight)


def _making(ref: ColumnRef, passed: Sequence[ColumnRef], made: Origin | None, sight: Sight) -> tuple[str, str]:
    """The name of a column without a meaning, and how it is made."""
    # That it is a copy of the same name says nothing.
    is_told = isinstance(made, Derived) or (bool(passed) and passed[-1].column != ref.column)
    step = middle_out(origin_in_words(passed, made, sight), _STEP_CHARACTERS) if is_told else ""
    comments = (comment for one in (ref, *passed) for comment in sight.comments(one))
    parts = (step, *comments, *passed_tests((ref, *passed), sight))
    return sight.names.of_column(ref), "; ".join(dict.fromkeys(filter(None, parts)))


def passed_tests(copied: Sequence[ColumnRef], sight: Sight) -> Iterator[str]:
    """What tests upstream say that is true of every copy of the values: to what they refer, and which there are.

    That values are unique or never null there isn't: a join may repeat rows, or add some without a match.
    """
    for ref in copied:
        node = sight.project.nodes.get(ref.unique_id)
        column = node.column(ref.column) if node else None
        for test in column.tests if column else ():
            if test.conditional:
                continue
            if test.name == "accepted_values":
                yield f"{values_in_words((test,))} (in {sight.names.of(ref.unique_id)})"
            elif test.name == "relationships" and test.to:
                yield f"tested to refer to {sight.names.of(test.to)}.{test.field} (in {sight.names.of(ref.unique_id)})"


def proved_upstream(ref: ColumnRef, sight: Sight) -> Iterator[str]:
    """What is proved of a column without a test of its own: it is a copy of a tested one, and has just its rows."""
    nodes = ((one, sight.project.nodes.get(one.unique_id)) for one in (ref, *same_values(ref, sight.lineage)))
    columns = [(one, column) for one, node in nodes if node and (column := node.column(one.column))]
    unique = next((one for one, column in columns if is_tested_unique(column)), ref)
    if unique != ref and sight.proofs.is_unique(ref.unique_id, ref.column):
        yield f"unique, as tested of {sight.names.of_column(unique)}: no row is repeated on the way"
    present = next((one for one, column in columns if is_tested_present(column)), ref)
    if present != ref and sight.proofs.is_present(ref.unique_id, ref.column):
        yield f"never null, as tested of {sight.names.of_column(present)}"


def _with_values(text: str, ref: ColumnRef, sight: Sight) -> str:
    """The meaning, and which values there are, where that is short and the meaning doesn't name them already."""
    node = sight.project.nodes.get(ref.unique_id)
    column = node.column(ref.column) if node else None
    tests = [test for test in column.tests if test.name == "accepted_values"] if column else []
    values = values_in_words(tests)
    is_news = any(value.lower() not in text.lower() for test in tests for value in test.accepted_values)
    return f"{text} ({values})" if is_news and values and len(values) <= _MOST_VALUES_CHARACTERS else text


def _short_sql(expression: str, sight: Sight) -> str:
    return middle_out(sight.names.in_sql(expression), LONGEST_FACT)
