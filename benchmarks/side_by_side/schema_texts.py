"""What a project's schema files say, and what a run did to them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

Place = tuple[str, str]
"""A resource (`stg_customers.v2` for a version) and its column; empty for the resource itself."""

SECTIONS = ("models", "seeds", "snapshots", "sources")
FOLDERS = ("models", "seeds", "snapshots")


def schema_files(project: Path) -> dict[str, bytes]:
    """The schema files and files with docs blocks, by their path in the project."""
    paths = (path for folder in FOLDERS for path in (project / folder).rglob("*") if path.suffix in (".yml", ".md"))
    return {str(path.relative_to(project)): path.read_bytes() for path in sorted(paths)}


def descriptions(project: Path) -> dict[Place, str]:
    """All descriptions that aren't empty; of two entries on one thing, the last file's."""
    found: dict[Place, str] = {}
    for path, content in schema_files(project).items():
        if path.endswith(".yml"):
            loaded = yaml.safe_load(content) or {}
            found |= dict(_of_file(loaded))
    return found


def _of_file(loaded: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    for section in SECTIONS:
        for entry in loaded.get(section) or []:
            yield from _of_resource(entry["name"], entry)
            for version in entry.get("versions") or []:
                yield from _of_resource(f"{entry['name']}.v{version['v']}", version)


def _of_resource(name: str, entry: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    if text := _said(entry):
        yield (name, ""), text
    for column in entry.get("columns") or []:
        if "name" in column and (text := _said(column)):
            yield (name, column["name"].lower()), text


def _said(entry: Mapping[str, Any]) -> str:
    return " ".join(str(entry.get("description") or "").split())


def contradictory(found: Mapping[Place, str], families: Iterable[Iterable[Place]]) -> int:
    """How many of the families, each of one value that is passed through, have more than one text."""
    return sum(len({found[place] for place in family if place in found}) > 1 for family in families)


def changed_bytes(before: bytes, after: bytes) -> int:
    """How many bytes of the lines that were there aren't there any more, unchanged and in their order."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    kept = {block.a + place for block in matcher.get_matching_blocks() for place in range(block.size)}
    return sum(len(line) for place, line in enumerate(old) if place not in kept)


def changed_lines(before: bytes, after: bytes) -> int:
    """How many of the lines that were there aren't there any more, unchanged and in their order."""
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    return len(old) - sum(block.size for block in matcher.get_matching_blocks())
