"""How the readers of a column use it: what a meaning must fit, though none of it is the meaning.

A condition in one reader isn't true of the column everywhere, so each line names the reader. Descriptions of readers
are those that stand in the project, not those that this run has made: these rest on the column's own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, get_args

import msgspec

from dbt_describe.inheritance import claims_grain
from dbt_describe.lineage.origins import ColumnRef, Derived, Lineage, NodeLineage, Same
from dbt_describe.project.data_tests import is_generic
from dbt_describe.project.nodes import INCREMENTAL, Column, Node, Project
from dbt_describe.prompting.fragments import middle_out
from dbt_describe.prompting.names import Names, known_words, shortened
from dbt_describe.prompting.properties import mapping, said

Kind = Literal[
    "described", "measured", "explained", "element", "renamed", "referred", "filtered", "computed", "grouped", "joined"
]
"""From what tells most of a meaning to what tells least."""
_ORDER: tuple[Kind, ...] = get_args(Kind)
_MEANINGS = ("described", "explained")
"""Lines with the description of a reader's column."""
_CONDITIONS = ("referred", "filtered", "grouped", "joined")
"""Lines that speak of the copy by its name."""
MOST_USES = 3
"""Lines on one column."""
_MOST_OF_A_KIND = 2
_TELLING = 3
"""So many kinds speak of meanings. Of the others, one line each."""
FURTHEST = 4
"""How many readers a column is followed through."""
_MOST_COPIES = 40
_CHARACTERS = 160
"""Of a description or a condition in a line."""
_EXPRESSION_CHARACTERS = 100
_READING = ("model", "snapshot")
_COLUMN = re.compile(
    r"""["`\[]((?:model|source|seed|snapshot)\.[^"`\]]+)["`\]]\s*\.\s*(?:["`\[]([^"`\]]+)["`\]]|(\w+))"""
)
_WORD = re.compile(r"'[^']*'|[^\W\d]\w*")


class Use(msgspec.Struct, frozen=True, gc=False):
    """One use, by one reader. `column` is the reader's, where it has one; `text` an expression or words."""

    kind: Kind
    reader: str
    column: str = ""
    text: str = ""


class Uses(msgspec.Struct, frozen=True):
    """How each column is used by what reads its node directly, and where its values go on."""

    direct: Mapping[ColumnRef, Sequence[Use]] = {}
    copies: Mapping[ColumnRef, Sequence[ColumnRef]] = {}


NO_USES = Uses()


def uses_in(project: Project, lineage: Lineage) -> Uses:
    """The uses of all columns."""
    direct: defaultdict[ColumnRef, list[Use]] = defaultdict(list)
    copies: defaultdict[ColumnRef, list[ColumnRef]] = defaultdict(list)
    # By name, not as the manifest has them: dbt writes a model that was changed behind the others.
    for unique_id, node in sorted(project.nodes.items()):
        if node.resource_type in _READING and (traced := lineage.nodes.get(unique_id)):
            _add_copies(traced, copies)
            for ref, use in _of_sql(node, traced):
                direct[ref].append(use)
        elif node.resource_type == "semantic_model":
            for ref, use in _of_semantic_model(node, project):
                direct[ref].append(use)
        elif is_generic(node) and node.test and node.test.to and node.test.column and not node.test.conditional:
            ref = ColumnRef(node.test.to, node.test.field.lower())
            if node.test.to != node.attached_node:
                direct[ref].append(Use("referred", node.attached_node, node.test.column))
    return Uses(direct, copies)


def uses_in_words(ref: ColumnRef, uses: Uses, project: Project, names: Names, *, is_clear: bool) -> tuple[str, ...]:
    """A line for each of the most telling uses, of the column or of its copies.

    Of a column that `is_clear` from what it is made of, only what others say of its meaning is told, in one line.
    """
    if not uses.direct and not uses.copies:
        return ()
    chosen: dict[str, int] = {}
    for rank, line in _ranked(ref, uses, project, names):
        is_telling = rank < _TELLING
        ranks = list(chosen.values())
        # Beside a meaning that somebody wrote of the same values, another one adds few words and many tokens.
        is_known = _ORDER[rank] in _MEANINGS and _ORDER.index("described") in ranks
        if ranks.count(rank) < (_MOST_OF_A_KIND if is_telling else 1) and not is_known and (is_telling or not is_clear):
            chosen.setdefault(line, rank)
    return tuple(chosen)[: 1 if is_clear else MOST_USES]


def _ranked(ref: ColumnRef, uses: Uses, project: Project, names: Names) -> list[tuple[int, str]]:
    """All lines, each with the place of its kind: the most telling first, of these the nearest."""
    found: list[tuple[int, int, str]] = []
    for distance, copy in _copies(ref, uses):
        if distance and (passed := _copied_as(ref, copy, project, names)):
            found.append((_ORDER.index(passed[0]), distance, passed[1]))
        for use in uses.direct.get(copy, ()):
            kind, words = _in_words(use, copy.column, project, names)
            alias = f"as {names.of_column(copy)}: " if copy.column != ref.column and kind in _CONDITIONS else ""
            if words:
                found.append((_ORDER.index(kind), distance, alias + words))
    return [(rank, line) for rank, _, line in sorted(found, key=lambda one: one[:2])]


def _add_copies(traced: NodeLineage, copies: defaultdict[ColumnRef, list[ColumnRef]]) -> None:
    for column, origin in traced.origins.items():
        if isinstance(origin, Same) and origin.ref.unique_id != traced.unique_id:
            copies[origin.ref].append(ColumnRef(traced.unique_id, column))


def _copies(ref: ColumnRef, uses: Uses) -> Iterator[tuple[int, ColumnRef]]:
    """The column and those that hold its values downstream, nearest first, each with its distance."""
    seen = {ref}
    here = [ref]
    for distance in range(FURTHEST + 1):
        yield from ((distance, one) for one in here)
        here = [copy for one in here for copy in uses.copies.get(one, ()) if copy not in seen][
            : _MOST_COPIES - len(seen)
        ]
        seen.update(here)
        if not here:
            return


def _of_sql(node: Node, traced: NodeLineage) -> Iterator[tuple[ColumnRef, Use]]:
    reader = node.unique_id
    for column, origin in traced.origins.items():
        if isinstance(origin, Derived):
            for ref in dict.fromkeys(origin.inputs):
                if ref.unique_id != reader:
                    yield ref, Use("computed", reader, column, origin.expression)
    # What limits a run of an incremental model doesn't limit its table.
    shape = traced.shape if node.materialized not in INCREMENTAL else None
    if shape is None:
        return
    for condition in shape.filters:
        yield from ((ref, Use("filtered", reader, "", condition)) for ref in _columns_in(condition))
    for join in shape.joins:
        yield from ((ref, Use("joined", reader, "", join.on)) for ref in _columns_in(join.on))
    if len(shape.group_by) == 1:
        key = traced.origins.get(shape.group_by[0].lower())
        if isinstance(key, Same):
            yield key.ref, Use("grouped", reader)


def _columns_in(expression: str) -> Iterable[ColumnRef]:
    found = (ColumnRef(match[1], (match[2] or match[3]).lower()) for match in _COLUMN.finditer(expression))
    return dict.fromkeys(found)


def _of_semantic_model(node: Node, project: Project) -> Iterator[tuple[ColumnRef, Use]]:
    model = project.nodes.get(node.depends_on[0]) if node.depends_on else None
    columns = {column.name.lower() for column in model.columns} if model else set()
    metrics = _metrics_of(node, project)
    for element in node.columns:
        if model is None:
            return
        text = "; ".join(filter(None, (_element(element), *metrics.get(element.name, ()))))
        kind: Kind = "measured" if element.children == "measures" else "element"
        is_telling = kind == "measured" or element.description or element.definition.startswith("primary")
        words = (word.lower() for word in _WORD.findall(element.expression or element.definition))
        for word in dict.fromkeys(words):
            if word in columns and is_telling:
                yield ColumnRef(model.unique_id, word), Use(kind, node.unique_id, element.name, text)


def _element(element: Column) -> str:
    kind = {"entities": "entity", "dimensions": "dimension", "measures": "measure"}.get(element.children, "")
    line = f"{kind} {element.name} ({middle_out(element.definition, _EXPRESSION_CHARACTERS)})"
    text = middle_out(shortened(element.description), _CHARACTERS)
    return f"{line}: {text}" if text else line


def _metrics_of(node: Node, project: Project) -> Mapping[str, Sequence[str]]:
    """By measure, what the simple metric of it says, the one of the same name if there are several."""
    found: dict[str, list[str]] = {}
    for _, metric in sorted(project.nodes.items()):
        is_simple = metric.resource_type == "metric" and metric.properties.get("type") == "simple"
        if not is_simple or node.unique_id not in metric.depends_on:
            continue
        params = mapping(metric.properties.get("type_params"))
        measure = said(mapping(params.get("measure")).get("name"))
        if text := shortened(metric.description):
            line = f"metric {metric.name}: {middle_out(text, _CHARACTERS)}"
            found[measure] = [line] if metric.name == measure else found.get(measure, [line])
    return found


def _copied_as(ref: ColumnRef, copy: ColumnRef, project: Project, names: Names) -> tuple[Kind, str] | None:
    """What a copy is described as, or that it has another name.

    What tells the rows of a reader apart needn't tell others apart.
    """
    if (text := known_words(copy, project)) and not claims_grain(text):
        return "described", f"passed on as {names.of_column(copy)}: {middle_out(text, _CHARACTERS)}"
    return ("renamed", f"passed on as {names.of_column(copy)}") if copy.column != ref.column else None


def _in_words(use: Use, column: str, project: Project, names: Names) -> tuple[Kind, str]:
    """The line on the use of a column of that name; empty where there is nothing to say."""
    reader = names.of(use.reader)
    expression = middle_out(names.in_sql(use.text), _CHARACTERS)
    match use.kind:
        case "measured" | "element":
            return use.kind, middle_out(use.text, 3 * _CHARACTERS)
        case "computed":
            if text := known_words(ColumnRef(use.reader, use.column), project):
                return "explained", f"part of {reader}.{use.column}: {middle_out(text, _CHARACTERS)}"
            # What keeps its name is mostly cast, or zero in place of null.
            words = f"part of {reader}.{use.column} = {middle_out(expression, _EXPRESSION_CHARACTERS)}"
            return use.kind, words if use.column != column else ""
        case "referred":
            return use.kind, f"{reader}.{use.column} is tested to refer to it"
        case "filtered":
            return use.kind, f"{reader} has only rows where {expression}"
        case "joined":
            # A longer one is of several columns: what each of them refers to can't be seen.
            return use.kind, f"{reader} joins on {expression}" if len(expression) < _CHARACTERS else ""
        case _:
            return "grouped", f"{reader} has one row per value of it"
