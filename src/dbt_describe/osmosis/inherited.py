"""What dbt-osmosis has given nodes in this run that their schema files don't have: texts from upstream, comments.

It changes its nodes in memory, and would write them with all else that it knows of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

import msgspec

from dbt_describe.osmosis.contexts import OsmosisColumn, OsmosisContext, OsmosisNode, core
from dbt_describe.placeholders import is_missing
from dbt_describe.planning import Draft
from dbt_describe.project.nodes import Node, Project
from dbt_describe.provenance.entries import Place
from dbt_describe.schema_files.lookup import name_key
from dbt_describe.schema_files.paths import described_in, posix
from dbt_describe.schema_files.written import Key, Written, key_of, written_in

WRITER = "dbt-osmosis"
_JINJA = re.compile(r"\{[{%#]")
REFERENCE = re.compile(r"\{\{\s*doc\(\s*(['\"])(\w+)\1\s*\)\s*\}\}")


class Inherited(msgspec.Struct, frozen=True):
    """Texts of columns that are to be written as they are."""

    drafts: tuple[Draft, ...] = ()
    replaced: Mapping[Place, str] = {}
    """What stands in the file in the place of some of them: the user has dbt-osmosis inherit over it."""
    references: Mapping[Place, str] = {}
    """The docs blocks that some of them are, by unique_id and lower-case column."""
    unwritable: tuple[Place, ...] = ()
    """Those that hold other Jinja."""


def find_inherited(context: OsmosisContext, nodes: Mapping[str, OsmosisNode], project: Project) -> Inherited:
    """The texts of columns in memory that aren't in the schema files."""
    blocks = {block.name: block.text.strip() for block in project.doc_blocks if block.package_name == project.name}
    drafts: list[Draft] = []
    replaced: dict[Place, str] = {}
    references: dict[Place, str] = {}
    unwritable: list[Place] = []
    for unique_id, name, text, before in _news(context, nodes, project):
        place = (unique_id, name.lower())
        reference = REFERENCE.fullmatch(text)
        if reference and reference[2] in blocks:
            references[place] = reference[2]
        elif _JINJA.search(text):
            unwritable.append(place)
            continue
        if not is_missing(before):
            replaced[place] = before
        drafts.append(Draft(unique_id, name, blocks[references[place]] if place in references else text, WRITER))
    return Inherited(tuple(drafts), replaced, references, tuple(unwritable))


def _news(
    context: OsmosisContext, nodes: Mapping[str, OsmosisNode], project: Project
) -> Iterator[tuple[str, str, str, str]]:
    """unique_id, column, its text in memory and the one in its file, where the former is to take the latter's place."""
    files: dict[PurePosixPath, Mapping[Key, Written]] = {}
    for unique_id, live in nodes.items():
        standing = _standing(project.nodes[unique_id], project, files)
        for name, column in _each_once(live.columns):
            text, before = (column.description or "").strip(), standing.get(name_key(name), "")
            if is_missing(text) or text == before:
                continue
            if is_missing(before) or (not _JINJA.search(before) and _is_forced(context, live, name)):
                yield unique_id, name, text, before


def _each_once(columns: Mapping[str, OsmosisColumn]) -> Iterator[tuple[str, OsmosisColumn]]:
    """The columns; of those that differ in case or quotes alone, which have one place, the first with a text."""
    found: dict[str, tuple[str, OsmosisColumn]] = {}
    for name, column in columns.items():
        key = name_key(name)
        if key not in found or is_missing(found[key][1].description or ""):
            found[key] = (name, column)
    yield from found.values()


def _standing(node: Node, project: Project, files: dict[PurePosixPath, Mapping[Key, Written]]) -> Mapping[str, str]:
    """What is written for each column of a node; each file is read once."""
    if node.resource_type == "source":
        path = posix(node.original_file_path)
    elif node.patch_path:
        path = described_in(node)
    else:
        return {}
    if path not in files:
        try:
            files[path] = written_in((project.root / path).read_text(encoding="utf-8-sig"))
        except (OSError, ValueError):
            files[path] = {}
    return files[path].get(key_of(node), Written()).columns


def _is_forced(context: OsmosisContext, node: OsmosisNode, column: str) -> bool:
    """Whether dbt-osmosis is to inherit over a text that is there."""
    otherwise = bool(getattr(context.settings, "force_inherit_descriptions", False))
    introspection, name = core("introspection"), "force-inherit-descriptions"
    if hasattr(introspection, "resolve_setting"):
        return bool(introspection.resolve_setting(context, name, node, column, fallback=otherwise))
    return bool(introspection._get_setting_for_node(name, node, column, fallback=otherwise))  # before 1.4
