"""What is told of a node that has rows of its own: a model, source, seed, snapshot or analysis."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from dbt_describe.inheritance import is_tested_unique
from dbt_describe.project.nodes import INCREMENTAL, Node, Project
from dbt_describe.prompting.fragments import middle_out
from dbt_describe.prompting.names import Names, known_text, shortened
from dbt_describe.prompting.origins import Sight, comments_of
from dbt_describe.prompting.proofs import Arguments, constraints_in_words, tests_in_words
from dbt_describe.prompting.resources import ResourceFacts

MOST_READERS = 12
MOST_EXPOSURES = 5
"""Further down than what reads the node itself."""
_MEANING_CHARACTERS = 120
"""Of a reader's description."""
_MOST_MEANINGS = 6
_LONG_CODE = 6_000
"""Characters from which the names of the CTEs are told: such code may be cut."""
_MOST_STEPS = 15
_STEP = re.compile(r"(?<![\w.])(\w+)\s+as\s*(?:(?:not\s+)?materialized\s*)?\(\s*(?:select|with)\b", re.IGNORECASE)
_PLAIN_STEPS = frozenset(
    ("source", "src", "base", "renamed", "final", "cte", "data", "import", "joined", "unioned", "filtered", "grouped")
)
_FIRST = ("exposure", "metric", "saved_query", "semantic_model")
"""What people look at stands before what reads on."""


def table_facts(node: Node, asked: Collection[str], sight: Sight, arguments: Arguments) -> ResourceFacts:
    """What is told of the node. `asked` are the lower-case names of the columns that are told of by themselves."""
    project, known = sight.project, sight.known
    uses = ((parent, known_text(parent, project, known)) for parent in node.depends_on if parent in project.nodes)
    # dbt compiles a Python model by adding a page of its own code.
    code = ((node.compiled_code if node.language == "sql" else "") or node.raw_code).strip()
    about = [*_config(node), *_keys(node, asked, sight, arguments), *_rows(node, sight), *_code_words(node, code)]
    return ResourceFacts(
        about=tuple(line for line in about if line),
        code=code,
        language=node.language,
        uses=tuple((sight.names.of(parent), text) for parent, text in uses if text),
        has_rows=True,
    )


def readers_in_words(
    node: Node, readers: Mapping[str, Sequence[str]], project: Project, names: Names, *, with_meanings: bool
) -> tuple[str, ...]:
    """Who reads the node, what people look at first."""
    direct = sorted(
        dict.fromkeys(readers.get(node.unique_id, ())), key=lambda reader: (_place(reader, project), names.of(reader))
    )
    lines = [_reader(reader, project, names) for reader in direct[:MOST_READERS]]
    if with_meanings:
        meanings = (_first_sentence(reader, project) for reader in direct[:_MOST_MEANINGS])
        told = [f"{line}: {text}" if text else line for line, text in zip(lines, meanings, strict=False)]
        lines = [*told, *lines[len(told) :]]
    if left := len(direct) - len(lines):
        lines.append(f"{left} more")
    return tuple(lines)


def _config(node: Node) -> Iterator[str]:
    folder = PurePosixPath(node.original_file_path).parent
    yield _materialized(node)
    # That all models are below `models` tells nothing.
    yield f"folder {folder.as_posix()}" if len(folder.parts) > 1 else ""
    yield f"tags {', '.join(node.tags)}" if node.tags else ""
    described = shortened(node.source_description)
    yield f"part of the source {node.source_name}: {described}" if described else ""


def _materialized(node: Node) -> str:
    # A table or a view: that tells nothing of what it holds.
    if node.materialized in {"", "table", "view"} or node.resource_type != "model":
        return ""
    # Once the table is built, the compiled SQL has the filter of `is_incremental()`.
    of_runs = ": a filter on what is newer than the table limits each run, not the table"
    return f"materialized as {node.materialized}{of_runs if node.materialized in INCREMENTAL else ''}"


def _keys(node: Node, asked: Collection[str], sight: Sight, arguments: Arguments) -> Iterator[str]:
    yield f"unique key {', '.join(node.unique_key)}" if node.unique_key else ""
    unique = [c.name for c in node.columns if is_tested_unique(c) and c.name.lower() not in asked]
    yield f"tested unique: {', '.join(unique)}" if unique else ""
    for test in node.tests:
        if test.combination and not test.conditional:
            yield f"tested unique together: {', '.join(test.combination)}"
    others = [test for test in node.tests if not test.combination]
    yield from tests_in_words(others, node.unique_id, arguments, sight.names)
    yield from constraints_in_words(node.constraints, sight.names)


def _rows(node: Node, sight: Sight) -> Iterator[str]:
    found = sight.lineage.nodes.get(node.unique_id)
    shape = found.shape if found else None
    if shape:
        names = sight.names
        yield f"one row per {', '.join(shape.group_by)} (group by)" if shape.group_by else ""
        if driving := sight.proofs.rows_of(node.unique_id):
            is_whole = not shape.filters and all(join.kind == "left" for join in shape.joins)
            yield f"one row per row of {names.of(driving)}{'' if is_whole else ', not of all of them'}"
        yield f"rows filtered by {' and '.join(names.in_sql(part) for part in shape.filters)}" if shape.filters else ""
        # An arm of several nodes has no name.
        yield f"union of {', '.join(map(names.of, shape.union))}" if shape.union and all(shape.union) else ""


def _code_words(node: Node, code: str) -> Iterator[str]:
    """What the author calls it and its steps: the comment at the head of the file, the names of CTEs in long code."""
    header = comments_of(node).header
    is_news = header and header != PurePosixPath(node.original_file_path).name
    yield f"comment at the head of its file: {header}" if is_news else ""
    if len(code) > _LONG_CODE and node.language == "sql":
        steps = dict.fromkeys(_STEP.findall(node.raw_code or code))
        told = [name for name in steps if name.lower() not in _PLAIN_STEPS]
        yield f"steps of its SQL (CTEs): {', '.join(told[:_MOST_STEPS])}" if told else ""


def _place(unique_id: str, project: Project) -> int:
    node = project.nodes.get(unique_id)
    return _FIRST.index(node.resource_type) if node and node.resource_type in _FIRST else len(_FIRST)


def _reader(unique_id: str, project: Project, names: Names) -> str:
    node = project.nodes.get(unique_id)
    kind = f"{node.resource_type.replace('_', ' ')} " if node and node.resource_type in _FIRST else ""
    label = f" ({node.label})" if node and node.label and node.label.lower() != node.name.lower() else ""
    return f"{kind}{names.of(unique_id)}{label}"


def _first_sentence(unique_id: str, project: Project) -> str:
    """Of what a person wrote: what we have written of a reader rests on the node itself."""
    node = project.nodes.get(unique_id)
    text = shortened(node.description) if node and (unique_id, "") not in project.generated else ""
    return middle_out(re.split(r"(?<=[.!?]) ", text, maxsplit=1)[0], _MEANING_CHARACTERS)


def exposures_below(
    node: Node, readers: Mapping[str, Sequence[str]], project: Project, names: Names, *, with_meanings: bool
) -> Iterator[str]:
    """The nearest exposures that aren't told of as readers, each with what the node comes to them through."""
    direct = sorted(set(readers.get(node.unique_id, ())))
    seen = set(direct)
    here = [(reader, reader) for reader in direct]
    found = 0
    while here and found < MOST_EXPOSURES:
        below = [(one, via) for reader, via in here for one in readers.get(reader, ()) if one not in seen]
        here = list(dict(sorted(below, reverse=True)).items())
        seen.update(one for one, _ in here)
        exposures = ((one, via) for one, via in here if one in project.nodes and _place(one, project) == 0)
        for one, via in sorted(exposures)[: MOST_EXPOSURES - found]:
            found += 1
            text = _first_sentence(one, project) if with_meanings else ""
            line = f"{_reader(one, project, names)}, through {names.of(via)}"
            yield f"{line}: {text}" if text else line
