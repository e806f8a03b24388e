"""What is known about a task's node and columns, in words and expressions that a model can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath

import msgspec

from dbt_describe.inheritance import is_tested_unique, same_values
from dbt_describe.lineage.origins import ColumnRef, Derived, Lineage, Origin
from dbt_describe.placeholders import is_missing
from dbt_describe.planning import Descriptions, Task
from dbt_describe.project.nodes import INCREMENTAL, Column, Conventions, DataTest, Node, Project
from dbt_describe.prompting.fragments import middle_out
from dbt_describe.prompting.names import LONGEST_FACT, Names, known_text, shortened
from dbt_describe.prompting.resources import ResourceFacts, resource_facts

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


Enrich = Callable[[NodeFacts], NodeFacts]
"""Adds to the facts of a node what isn't in the project's artifacts: examples, passages, values."""


def gather_facts(
    task: Task, project: Project, lineage: Lineage, known: Descriptions, readers: Mapping[str, list[str]]
) -> NodeFacts:
    """The facts of a task. `readers` are the unique_ids of the nodes that read each node."""
    node = project.nodes[task.unique_id]
    names = Names(project)
    asked = {column.lower() for column in task.columns}
    described = [
        (column.name, text)
        for column in node.columns
        if column.name.lower() not in asked and (text := _meaning(node, column, known))
    ]
    seen = asked | {name.lower() for name, _ in described}
    told = resource_facts(node, project, known, names) or _table_facts(node, project, lineage, known, names)
    return NodeFacts(
        unique_id=node.unique_id,
        name=names.of(node.unique_id),
        resource_type=node.resource_type,
        describe_node=task.describe_node,
        columns=tuple(
            _column_facts(name, node, lineage, known, names, task.previous.get(name, "")) for name in task.columns
        ),
        about=tuple(middle_out(line, LONGEST_FACT) for line in told.about),
        description=shortened(known.nodes.get(node.unique_id) or node.description),
        sql=told.code,
        language=told.language,
        upstream=told.uses,
        downstream=tuple(names.of(reader) for reader in readers.get(node.unique_id, ())),
        siblings=tuple(described),
        undescribed=tuple(column.name for column in node.columns if column.name.lower() not in seen),
        previous=shortened(task.previous.get("", "")),
        has_rows=told.has_rows,
        conventions=project.conventions,
        dialect=project.adapter_type,
        path=node.original_file_path,
    )


def _table_facts(node: Node, project: Project, lineage: Lineage, known: Descriptions, names: Names) -> ResourceFacts:
    uses = ((parent, known_text(parent, project, known)) for parent in node.depends_on if parent in project.nodes)
    return ResourceFacts(
        about=tuple(_about(node, lineage, names)),
        # dbt compiles a Python model by adding a page of its own code.
        code=((node.compiled_code if node.language == "sql" else "") or node.raw_code).strip(),
        language=node.language,
        uses=tuple((names.of(parent), text) for parent, text in uses if text),
        has_rows=True,
    )


def _column_facts(
    name: str, node: Node, lineage: Lineage, known: Descriptions, names: Names, previous: str
) -> ColumnFacts:
    column = node.column(name) or Column(name=name)
    ref = ColumnRef(node.unique_id, name.lower())
    copied = _copied(ref, lineage, known)
    computed = lineage.origin(copied[-1] if copied else ref)
    if isinstance(computed, Derived) and node.resource_type == "semantic_model" and not copied:
        # A measure is asked for per any dimension, not over all rows.
        computed = msgspec.structs.replace(computed, aggregations=())
    inputs = computed.inputs if isinstance(computed, Derived) and not _is_described(copied, known) else ()
    return ColumnFacts(
        name=name,
        data_type=column.data_type,
        definition=middle_out(column.definition, LONGEST_FACT),
        tests=tuple(middle_out(said, LONGEST_FACT) for test in column.tests if (said := _test_in_words(test, names))),
        origin=_origin_in_words(copied, computed, known, names),
        inputs=tuple(
            (names.of_column(ref), text)
            for ref in dict.fromkeys((*copied, *inputs))
            if (text := shortened(known.columns.get(ref, "")))
        ),
        is_unique=is_tested_unique(column) or name.lower() in _sole_keys(node, lineage),
        is_present=any(test.name == "not_null" and not test.conditional for test in column.tests),
        previous=shortened(previous),
    )


def _copied(ref: ColumnRef, lineage: Lineage, known: Descriptions) -> tuple[ColumnRef, ...]:
    """The columns whose values this one has, up to the first that is described."""
    copied: list[ColumnRef] = []
    for upstream in same_values(ref, lineage):
        copied.append(upstream)
        if _is_described(copied, known):
            break
    return tuple(copied)


def _is_described(copied: Sequence[ColumnRef], known: Descriptions) -> bool:
    return bool(copied) and not is_missing(known.columns.get(copied[-1], ""))


def _sole_keys(node: Node, lineage: Lineage) -> set[str]:
    """Lower-case names of the columns that are the whole unique key, or the whole key of the GROUP BY."""
    traced = lineage.nodes.get(node.unique_id)
    grouped = traced.shape.group_by if traced and traced.shape else ()
    # A snapshot has many rows for one value of its unique key: one for each version.
    merged = node.unique_key if node.resource_type != "snapshot" else ()
    return {keys[0].lower() for keys in (grouped, merged) if len(keys) == 1}


def _origin_in_words(copied: tuple[ColumnRef, ...], computed: Origin | None, known: Descriptions, names: Names) -> str:
    parts = [f"the same as {' and '.join(map(names.of_column, copied))}"] if copied else []
    if isinstance(computed, Derived) and not _is_described(copied, known):
        parts.append(("there " if copied else "") + f"computed as {_short_sql(computed.expression, names)}")
        for level in computed.aggregations:
            keys = ", ".join(_short_sql(key, names) for key in level.group_by)
            parts.append(f"aggregated per {keys}" if keys else "aggregated over all rows")
            if level.filters:
                conditions = (_short_sql(condition, names) for condition in level.filters)
                parts.append("of the rows where " + " and ".join(conditions))
    return middle_out("; ".join(parts), 2 * LONGEST_FACT)


def _short_sql(expression: str, names: Names) -> str:
    return middle_out(names.in_sql(expression), LONGEST_FACT)


def _test_in_words(test: DataTest, names: Names) -> str:
    if test.conditional:
        return ""
    match test.name:
        case "unique":
            return "tested unique"
        case "not_null":
            return "tested never null"
        case "accepted_values":
            return "tested to be one of: " + ", ".join(repr(value) for value in test.accepted_values[:30])
        case "relationships":
            return f"tested to refer to {names.of(test.to)}.{test.field}" if test.to else ""
        case _:
            return f"test {test.name}"


def _materialized(node: Node) -> str:
    if not node.materialized or node.resource_type != "model":
        return ""
    # Once the table is built, the compiled SQL has the filter of `is_incremental()`.
    of_runs = ": a filter on what is newer than the table limits each run, not the table"
    return f"materialized as {node.materialized}{of_runs if node.materialized in INCREMENTAL else ''}"


def _about(node: Node, lineage: Lineage, names: Names) -> list[str]:
    folder = PurePosixPath(node.original_file_path).parent.as_posix()
    lines = [
        _materialized(node),
        f"folder {folder}" if folder not in {".", ""} else "",
        f"tags {', '.join(node.tags)}" if node.tags else "",
        f"part of the source {node.source_name}: {described}"
        if (described := shortened(node.source_description))
        else "",
        f"unique key {', '.join(node.unique_key)}" if node.unique_key else "",
    ]
    lines += [
        f"tested unique together: {', '.join(test.combination)}"
        for test in node.tests
        if test.combination and not test.conditional
    ]
    found = lineage.nodes.get(node.unique_id)
    shape = found.shape if found else None
    if shape:
        lines += [
            f"one row per {', '.join(shape.group_by)} (group by)" if shape.group_by else "",
            f"rows filtered by {' and '.join(names.in_sql(part) for part in shape.filters)}" if shape.filters else "",
            f"union of {', '.join(names.of(part) for part in shape.union)}" if shape.union else "",
        ]
    return [line for line in lines if line]


def _meaning(node: Node, column: Column, known: Descriptions) -> str:
    return shortened(known.columns.get(ColumnRef(node.unique_id, column.name.lower())) or column.description)
