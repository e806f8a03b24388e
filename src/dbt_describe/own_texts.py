"""What we have written since a named manifest was made: it stands in schema files, and the lock says that it's ours.

Such a manifest is taken as it is, so the second half of a run would find nothing of what the first one wrote. What a
person wrote meanwhile isn't looked for here: that stays a gap, which can't be filled.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import msgspec

from dbt_describe.errors import SchemaFileError
from dbt_describe.placeholders import is_missing
from dbt_describe.project.nodes import DocBlock, Node, Project
from dbt_describe.provenance.entries import HUMAN, LockFile, hash_text
from dbt_describe.schema_files import index_siblings, locate, with_listed_tests
from dbt_describe.schema_files.written import Key, Written, key_of, written_in

_REFERENCE = re.compile(r"\{\{-?\s*doc\(\s*(['\"])(\w+)\1\s*\)\s*-?\}\}")
_BLOCK = re.compile(r"\{%-?\s*docs\s+(\w+)\s*-?%\}(.*?)\{%-?\s*enddocs\s*-?%\}", re.DOTALL)


def with_own_texts(project: Project, lock: LockFile, schema_path: Mapping[str, str] | None = None) -> Project:
    """The project with the texts of ours that its schema files have, in the place of none or of an older one of ours.

    `schema_path` by section says where new files went. A file that can't be read has nothing here.
    """
    wanted = _places(project, lock)
    if not wanted:
        return project
    found = _Files(project, schema_path)
    nodes = dict(with_listed_tests(project, wanted).nodes)
    for unique_id, hashes in wanted.items():
        nodes[unique_id] = _with_texts(nodes[unique_id], found, hashes)
    return msgspec.structs.replace(project, nodes=nodes, doc_blocks=(*project.doc_blocks, *found.new_blocks))


def _places(project: Project, lock: LockFile) -> dict[str, dict[str, frozenset[str]]]:
    """Where a text of ours may stand that the manifest doesn't have: by unique_id and column, hashes of our texts."""
    wanted: dict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    for (unique_id, name), entries in lock.entries.items():
        node = project.nodes.get(unique_id)
        holder = node.column(name) if node and name else node
        if node is None or holder is None or not project.is_own(node):
            continue
        hashes = frozenset(entry.text for entry in entries if entry.text and entry.writer != HUMAN)
        known = hash_text(holder.description)
        if hashes - {known} and (is_missing(holder.description) or known in hashes):
            wanted[unique_id][name] = hashes
    return wanted


def _with_texts(node: Node, files: _Files, hashes: Mapping[str, frozenset[str]]) -> Node:
    written = files.written(node)
    texts = {"": written.description, **written.columns}
    ours = {
        name: text for name, known in hashes.items() if hash_text(text := files.rendered(texts.get(name, ""))) in known
    }
    columns = tuple(
        msgspec.structs.replace(column, description=ours[column.name.lower()])
        if column.name.lower() in ours
        else column
        for column in node.columns
    )
    return msgspec.structs.replace(node, columns=columns, description=ours.get("", node.description))


class _Files:
    """The project's schema files and docs blocks as they stand, each file read once and only where it is asked for."""

    def __init__(self, project: Project, schema_path: Mapping[str, str] | None) -> None:
        self._project = project
        self._schema_path = schema_path
        self._siblings = index_siblings(project)
        self._allowed: dict[PurePosixPath, Path] = {}
        self._files: dict[Path, Mapping[Key, Written]] = {}
        self._known = {block.name: block.text for block in project.doc_blocks if block.package_name == project.name}
        self._has_looked = False
        self.new_blocks: list[DocBlock] = []

    def written(self, node: Node) -> Written:
        """What the schema file says of a node."""
        try:
            path = locate(
                node,
                self._project,
                schema_path=self._schema_path,
                siblings=self._siblings,
                allowed=self._allowed,
            )
        except SchemaFileError:
            return Written()
        if path not in self._files:
            self._files[path] = written_in(_read(path))
        return self._files[path].get(key_of(node), Written())

    def rendered(self, text: str) -> str:
        """The text; that of its docs block where it is a reference to one of the project's own."""
        reference = _REFERENCE.fullmatch(text)
        if not reference:
            return text
        if reference[2] not in self._known and not self._has_looked:
            self._look_for_blocks()
        return self._known.get(reference[2], "").strip()

    def _look_for_blocks(self) -> None:
        self._has_looked = True
        root = self._project.root
        for path in sorted(path for name in self._project.schema_paths for path in (root / name).rglob("*.md")):
            shown = path.relative_to(root).as_posix()
            for name, text in _BLOCK.findall(_read(path)):
                if name not in self._known:
                    self._known[name] = text.strip()
                    self.new_blocks.append(DocBlock(name, self._project.name, text.strip(), shown))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        return ""
