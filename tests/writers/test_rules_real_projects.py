"""What the rules writer says of real projects: not the words, which are other people's, but what must hold of all."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbt_describe.lineage import Lineage, Same, trace_project, with_sql_columns
from dbt_describe.lineage.origins import ColumnRef, Derived
from dbt_describe.planning import Descriptions, Draft, Task
from dbt_describe.project import Project, load_project
from dbt_describe.writers.rules.phrases import MAX_WORDS
from dbt_describe.writers.rules.writer import answers

COVERAGE: dict[str, dict[str, int]] = yaml.safe_load(
    (Path(__file__).parent / "data" / "rules_coverage.yml").read_text(encoding="utf-8")
)


SQL_WORDS = {"and", "between", "case", "cast", "date", "else", "end", "in", "is", "not", "null", "or", "then", "when"}


def known_of(project: Project) -> Descriptions:
    return Descriptions(
        {unique_id: node.description for unique_id, node in project.nodes.items() if node.description},
        {
            ColumnRef(unique_id, column.name.lower()): column.description
            for unique_id, node in project.nodes.items()
            for column in node.columns
            if column.description
        },
    )


def is_known(code: str, identifiers: set[str]) -> bool:
    """Whether it is an identifier, or a condition over such."""
    words = re.findall(r"[a-z_]\w*", re.sub(r"'[^']*'", "", code.lower()))
    are_known = all(word in identifiers or word in SQL_WORDS for word in words)
    return code.lower() in identifiers or (bool(words) and are_known)


def faults(text: str, identifiers: set[str]) -> list[str]:
    """What is wrong with the form of a description."""
    plain = re.sub(r"'[^']*'|`[^`]*`", "x", text)
    rules = {
        "no full stop": text.endswith("."),
        "no capital": bool(re.match(r"[A-Z`'\d(-]", text)),
        "doubled word": not re.search(r"\b([a-z]+) \1\b", plain, re.IGNORECASE),
        "doubled space or line": "  " not in text and "\n" not in text,
        "Jinja": not re.search(r"[{}]", text),
        "unique_id": not re.search(r"\b(?:model|seed|source|snapshot)\.\w+\.\w+", text),
        "filler": not re.search(r"\bthis column\b|\bthe the\b|\ba the\b|\bnull null\b", text, re.IGNORECASE),
        "too long": max(len(part.split()) for part in text.split(". ")) <= MAX_WORDS,
        "unbalanced": text.count("(") == text.count(")") and text.count("`") % 2 == 0,
        "comma before full stop": not re.search(r"[,;:]\.|,,| ,", plain),
        "unknown identifier": all(is_known(code, identifiers) for code in re.findall(r"`([^`]+)`", text)),
    }
    return [fault for fault, holds in rules.items() if not holds]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name != "jaffle-shop" else ()) for name in COVERAGE]
)
def test_every_draft_is_well_formed(
    name: str, real_project_dir: Callable[[str], Path], record_property: Callable[[str, Any], None]
) -> None:
    """No node raises, each asked-for description is answered once, and each draft is a sentence fit to be written."""
    folder = real_project_dir(name)
    project = load_project(folder, folder / "manifest.json.gz", folder / "catalog.json.gz")
    lineage = trace_project(project, processes=1)  # pytest has one for each core
    project = with_sql_columns(project, lineage)
    known = known_of(project)
    identifiers = {node.name.lower() for node in project.nodes.values()}
    identifiers |= {f"{node.source_name}.{node.name}".lower() for node in project.nodes.values() if node.source_name}
    identifiers |= {column.name.lower() for node in project.nodes.values() for column in node.columns} | {"metric_time"}
    identifiers |= {ref.column for traced in lineage.nodes.values() for ref in refs_of(traced.origins.values())}
    counts = {"columns": 0, "computed": 0, "nodes": 0, "passed_through": passed_through(project, lineage)}
    wrong: list[str] = []
    floors = {"every": 1, **COVERAGE[name]}
    for node in list(project.nodes.values())[:: floors.pop("every")]:
        task = Task(node.unique_id, tuple(column.name for column in node.columns), describe_node=True)
        found = answers(task, project, lineage, known)
        assert [answer.column for answer in found] == ["", *task.columns]
        for draft in (answer for answer in found if isinstance(answer, Draft)):
            wrong += [f"{fault}: {draft.text}" for fault in faults(draft.text, identifiers)]
            computed = isinstance(lineage.origin(ColumnRef(node.unique_id, draft.column.lower())), Derived)
            counts["columns" if draft.column else "nodes"] += 1
            counts["computed"] += computed
    for kind, count in counts.items():
        record_property(f"{name} {kind}", count)
    assert wrong == []
    assert all(counts[kind] >= least for kind, least in floors.items()), counts


def passed_through(project: Project, lineage: Lineage) -> int:
    """Of the columns that models with compiled code return, those that hold the values of another node's column."""
    compiled = [
        node.unique_id for node in project.nodes.values() if node.resource_type == "model" and node.compiled_code
    ]
    returned = (ColumnRef(name, column.lower()) for name in compiled for column in lineage.nodes[name].columns)
    return sum(isinstance(lineage.origin(ref), Same) for ref in returned)


def refs_of(origins: Any) -> set[ColumnRef]:
    return {ref for origin in origins if isinstance(origin, Derived) for ref in origin.inputs}
