"""What is known about a task's node and columns, in words and expressions that a model can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from dbt_describe.lineage.origins import ColumnRef, Derived, Lineage, Origin
from dbt_describe.planning import Descriptions, Task
from dbt_describe.project.constraints import refused_nulls, refused_repeats
from dbt_describe.project.graph import readers_by_node
from dbt_describe.project.nodes import Column, Conventions, Node, Project
from dbt_describe.prompting.fragments import middle_out
from dbt_describe.prompting.names import LONGEST_FACT, shortened
from dbt_describe.prompting.origins import (
    Sight,
    inputs_in_words,
    origin_in_words,
    own_expression,
    passed_tests,
    proved_upstream,
)
from dbt_describe.prompting.proofs import Arguments, arguments_in, constraints_in_words, tests_in_words
from dbt_describe.prompting.resources import resource_facts
from dbt_describe.prompting.tables import exposures_below, readers_in_words, table_facts
from dbt_describe.prompting.uses import Uses, uses_in, uses_in_words

AT_PRESENT = "at present, not to be quoted"
"""What stands in front of what a table holds now: nothing that a description says can rest on it."""


class Example(msgspec.Struct, frozen=True):
    """A description that a person wrote in this project."""

    name: str
    """Of its column or node, readable: `stg_orders.amount`."""
    text: str


class Passage(msgspec.Struct, frozen=True):
    """A piece of what is known beside the project's own facts."""

    source: str
    """Where it stands: `docs/glossary.md, Revenue`."""
    text: str


class ColumnFacts(msgspec.Struct, frozen=True):
    """One asked column. `origin` is a part of a sentence; `inputs` are the described upstream columns it is made of."""

    name: str
    data_type: str = ""
    tests: tuple[str, ...] = ()
    definition: str = ""
    """What a semantic model says of it, or an argument's default."""
    origin: str = ""
    expression: str = ""
    """What the node's own SQL computes it as; a part of `origin`."""
    inputs: tuple[tuple[str, str], ...] = ()
    is_unique: bool = False
    """Proved by a test on all rows, a unique key, or a GROUP BY of this column alone."""
    is_present: bool = False
    """Proved by a test on all rows that it is never null."""
    previous: str = ""
    """What it was described as when its SQL was otherwise."""
    comments: tuple[str, ...] = ()
    """What stands next to it in the SQL, after `--` or between `/*` and `*/`."""
    uses: tuple[str, ...] = ()
    """How readers use it, a line each."""
    values: tuple[str, ...] = ()
    """What it holds, a line each, redacted."""
    refused: str = ""
    """A draft that a reviewer objected to, and why."""


class NodeFacts(msgspec.Struct, frozen=True):
    """Everything about one task. Pairs are (readable name, description), which may be empty in `upstream` alone."""

    unique_id: str
    name: str
    resource_type: str
    describe_node: bool
    columns: tuple[ColumnFacts, ...]
    about: tuple[str, ...] = ()
    """One line each: materialization, folder, tags, node-level tests, grain, filters."""
    description: str = ""
    sql: str = ""
    """Its code; `language` is `sql`, `python`, `jinja` of a macro, or `yaml` of a unit test's rows."""
    language: str = "sql"
    upstream: tuple[tuple[str, str], ...] = ()
    downstream: tuple[str, ...] = ()
    siblings: tuple[tuple[str, str], ...] = ()
    """Columns of the node that are already described."""
    undescribed: tuple[str, ...] = ()
    """Columns of the node that are neither asked nor described."""
    previous: str = ""
    """What the node was described as when its SQL was otherwise."""
    has_rows: bool = True
    """Whether its text speaks of rows: then what it claims of keys and nulls must be proved."""
    conventions: Conventions = Conventions()
    dialect: str = ""
    """Of `sql`: dbt's adapter type."""
    path: str = ""
    """The file that defines it, relative to its project."""
    examples: tuple[Example, ...] = ()
    passages: tuple[Passage, ...] = ()
    refused: str = ""
    """A draft of the node's own description that a reviewer objected to, and why."""


class Surroundings(msgspec.Struct, frozen=True):
    """What of the whole project bears on single nodes: found once, for all of them."""

    readers: Mapping[str, list[str]] = {}
    """unique_ids of the nodes that read each node."""
    uses: Uses = Uses()
    arguments: Arguments = Arguments()
    has_exposures: bool = True


def surroundings_in(project: Project, lineage: Lineage) -> Surroundings:
    """The surroundings of all nodes."""
    has_exposures = any(node.resource_type == "exposure" for node in project.nodes.values())
    readers = readers_by_node(project.nodes)
    return Surroundings(readers, uses_in(project, lineage), arguments_in(project), has_exposures)


Enrich = Callable[[NodeFacts], NodeFacts]
"""Adds to the facts of a node what isn't in the project's artifacts: examples, passages, values."""


def gather_facts(
    task: Task,
    project: Project,
    lineage: Lineage,
    known: Descriptions,
    around: Surroundings | Mapping[str, list[str]],
) -> NodeFacts:
    """The facts of a task. `around` is what of the project bears on it, or just the readers of each node."""
    around = around if isinstance(around, Surroundings) else Surroundings(around)
    node = project.nodes[task.unique_id]
    sight = Sight.of(project, lineage, known)
    asked = {column.lower() for column in task.columns}
    described = [
        (column.name, text)
        for column in node.columns
        if column.name.lower() not in asked and (text := _meaning(node, column, known))
    ]
    seen = asked | {name.lower() for name, _ in described}
    told = resource_facts(node, project, known, sight.names) or table_facts(node, asked, sight, around.arguments)
    held = _Held.of(node, sight)
    return NodeFacts(
        unique_id=node.unique_id,
        name=sight.names.of(node.unique_id),
        resource_type=node.resource_type,
        describe_node=task.describe_node,
        columns=tuple(
            _column_facts(name, node, sight, around, held, task.previous.get(name, "")) for name in task.columns
        ),
        about=tuple(middle_out(line, LONGEST_FACT) for line in told.about),
        description=shortened(known.nodes.get(node.unique_id) or node.description),
        sql=told.code,
        language=told.language,
        upstream=told.uses,
        downstream=_downstream(node, around, sight, with_meanings=task.describe_node),
        siblings=tuple(described),
        undescribed=tuple(column.name for column in node.columns if column.name.lower() not in seen),
        previous=shortened(task.previous.get("", "")),
        has_rows=told.has_rows,
        conventions=project.conventions,
        dialect=project.adapter_type,
        path=node.original_file_path,
    )


def _downstream(node: Node, around: Surroundings, sight: Sight, *, with_meanings: bool) -> tuple[str, ...]:
    """Who reads the node; in its own words only where the node itself is described, whose purpose they show."""
    readers, project = around.readers, sight.project
    direct = readers_in_words(node, readers, project, sight.names, with_meanings=with_meanings)
    if not around.has_exposures:
        return direct
    return (*direct, *exposures_below(node, readers, project, sight.names, with_meanings=with_meanings))


class _Held(msgspec.Struct, frozen=True):
    """Lower-case names of the columns of a node of which its keys and constraints prove something."""

    unique: frozenset[str]
    present: frozenset[str]

    @classmethod
    def of(cls, node: Node, sight: Sight) -> _Held:
        adapter_type = sight.project.adapter_type
        unique = refused_repeats(node, adapter_type) | _sole_keys(node, sight.lineage)
        return cls(unique, refused_nulls(node, adapter_type))


def _column_facts(name: str, node: Node, sight: Sight, around: Surroundings, held: _Held, previous: str) -> ColumnFacts:
    column = node.column(name) or Column(name=name)
    ref = ColumnRef(node.unique_id, name.lower())
    copied, computed = sight.computed(ref)
    if isinstance(computed, Derived) and node.resource_type == "semantic_model" and not copied:
        # A measure is asked for per any dimension, not over all rows.
        computed = msgspec.structs.replace(computed, aggregations=())
    proofs, lower = sight.proofs, name.lower()
    tests = (
        *tests_in_words(column.tests, node.unique_id, around.arguments, sight.names),
        *constraints_in_words(column.constraints, sight.names),
        *passed_tests(copied, sight),
        *proved_upstream(ref, sight),
    )
    return ColumnFacts(
        name=name,
        data_type=column.data_type,
        definition=middle_out(column.definition, LONGEST_FACT),
        tests=tuple(dict.fromkeys(tests)),
        origin=origin_in_words(copied, computed, sight),
        expression=own_expression(copied, computed, sight),
        inputs=inputs_in_words(copied, computed, sight),
        is_unique=lower in held.unique or proofs.is_unique(node.unique_id, name),
        is_present=lower in held.present or proofs.is_present(node.unique_id, name),
        previous=shortened(previous),
        comments=sight.comments(ref),
        uses=uses_in_words(ref, around.uses, sight.project, sight.names, is_clear=_is_clear(copied, computed, sight)),
    )


def _is_clear(copied: Sequence[ColumnRef], computed: Origin | None, sight: Sight) -> bool:
    """Whether the meanings of all that the column is made of are known."""
    if isinstance(computed, Derived):
        return bool(computed.inputs) and all(map(sight.meant, computed.inputs))
    return bool(copied) and sight.is_described(copied[-1])


def _sole_keys(node: Node, lineage: Lineage) -> frozenset[str]:
    """Lower-case names of the columns that are the whole unique key, or the whole key of the GROUP BY."""
    traced = lineage.nodes.get(node.unique_id)
    grouped = traced.shape.group_by if traced and traced.shape else ()
    # A snapshot has many rows for one value of its unique key: one for each version.
    merged = node.unique_key if node.resource_type != "snapshot" else ()
    return frozenset(keys[0].lower() for keys in (grouped, merged) if len(keys) == 1)


def _meaning(node: Node, column: Column, known: Descriptions) -> str:
    return shortened(known.columns.get(ColumnRef(node.unique_id, column.name.lower())) or column.description)
