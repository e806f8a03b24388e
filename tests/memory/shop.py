"""A small shop with texts by people and texts that were written for them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from dbt_describe.lineage import trace_project
from dbt_describe.planning import Plan, make_plan
from dbt_describe.preparing import Prepared
from dbt_describe.project.nodes import Node, Project
from dbt_describe.prompting.facts import ColumnFacts, NodeFacts
from dbt_describe.provenance.entries import LockFile
from dbt_describe.provenance.standings import Standings, new_entry
from dbt_describe.settings import Settings, make_settings
from tests.manifests import make_project

GPT = "openai/gpt"


def prepared_of(project: Project, written: Mapping[str, str] = {}, plan: Plan | None = None) -> Prepared:
    """What is known of the project; `written` is `model.column` → who wrote its text, people all others."""
    lineage = trace_project(project)
    bases = Standings(project, lineage, LockFile()).bases
    entries = {}
    for place, writer in written.items():
        name, _, column = place.partition(".")
        node = project.nodes[f"model.{project.name}.{name}"]
        found = node.column(column)
        entry = new_entry((node.unique_id, column), writer, (found or node).description, bases.of(node, found))
        entries[entry.place] = [entry]
    lock = LockFile(entries)
    found_plan = plan or make_plan(project, lineage, list(project.nodes))
    return Prepared(project, lineage, found_plan, project, Standings(project, lineage, lock), lock)


def settings_in(root: Path, text: str = "", model: str = GPT) -> Settings:
    """Settings of a project at `root` whose store is beside it."""
    (root / "dbt_project.yml").write_text("name: shop\n", encoding="utf-8")
    (root / "dbt-describe.yml").write_text(text, encoding="utf-8")
    environ = {"DBT_DESCRIBE_STORE": str(root / "store"), "OPENAI_API_KEY": "k"}
    return make_settings(project_dir=root, model=model, environ=environ)


def shop(directory: Path, *entries: Mapping[str, Any], **options: Any) -> Project:
    """The project of these manifest entries."""
    directory.mkdir(exist_ok=True)
    return make_project(directory, *entries, **options)


def facts_of(node: Node, *columns: str, describe_node: bool = False, **fields: Any) -> NodeFacts:
    """The facts of a question about some columns of a node, which say nothing."""
    asked = tuple(ColumnFacts(column) for column in columns)
    facts = NodeFacts(node.unique_id, node.name, node.resource_type, describe_node, asked)
    return msgspec.structs.replace(facts, **fields)
