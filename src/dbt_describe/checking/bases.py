"""What was described at a base that coverage is compared with: another manifest, or a commit.

Another manifest tells exactly. For a commit no dbt is run: the files that differ from it are read as text. So some of
it is an approximation:

- A node was there if the file that defines it was, under this name in any folder; what schema files define, as sources
  are, if one of them listed it.
- A column of a node whose SQL differs was there if the schema file listed it, if its name is a word in the SQL then, or
  if that selected `*`. In other nodes, all columns were there that are now, but for those that only the schema file
  has and didn't list then.
- A text was a description if it wasn't empty or a placeholder; a reference to a docs block if the block was.
- Data tests that stand at their model or column count as they are now.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import PurePosixPath

import msgspec

from dbt_describe.checking.naming import file_of
from dbt_describe.placeholders import is_missing
from dbt_describe.project.data_tests import is_generic
from dbt_describe.project.nodes import Column, Node, Project
from dbt_describe.provenance.entries import Place
from dbt_describe.schema_files.written import Key, Written, key_of, written_in

SCHEMA_SUFFIXES = frozenset({".yml", ".yaml"})
READ_SUFFIXES = SCHEMA_SUFFIXES | {".sql", ".py", ".csv", ".md"}
"""Of files that tell something of what was described."""
_STAR = re.compile(r"(?:\bselect|\bdistinct|,|\.)\s*\*|\bstar\(", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_REFERENCE = re.compile(r"\{\{-?\s*doc\([^)]*?['\"](\w+)['\"]\s*\)\s*-?\}\}")
_BLOCK = re.compile(r"\{%-?\s*docs\s+(\w+)\s*-?%\}(.*?)\{%-?\s*enddocs\s*-?%\}", re.DOTALL)


class BaseFiles(msgspec.Struct, frozen=True, dict=True):
    """The files of a project that differ from a commit, as they were there."""

    added: frozenset[str] = frozenset()
    """Not there then."""
    texts: Mapping[str, str] = {}
    """Of those that were there: what stood in them. They are changed now, or gone."""

    @cached_property
    def written(self) -> Mapping[Key, Written]:
        """What schema files among them say."""
        found: dict[Key, Written] = {}
        for path, text in self.texts.items():
            if PurePosixPath(path).suffix in SCHEMA_SUFFIXES:
                found |= written_in(text)
        return found

    @cached_property
    def blocks(self) -> Mapping[str, str]:
        """The docs blocks in them, as they are written."""
        files = (text for path, text in self.texts.items() if PurePosixPath(path).suffix == ".md")
        return dict(block for text in files for block in _BLOCK.findall(text))

    @cached_property
    def by_name(self) -> Mapping[str, str]:
        """Paths of those that were there, by the name of the file."""
        return {PurePosixPath(path).name: path for path in self.texts}


def described_in(project: Project, unique_ids: Iterable[str]) -> dict[Place, bool]:
    """The places of another manifest's project: whether each was described."""
    found: dict[Place, bool] = {}
    for unique_id in unique_ids:
        node = project.nodes.get(unique_id)
        if node is not None:
            found[unique_id, ""] = not is_missing(node.description)
            found |= {(unique_id, column.name.lower()): not is_missing(column.description) for column in node.columns}
    return found


def described_at(project: Project, unique_ids: Iterable[str], files: BaseFiles) -> dict[Place, bool]:
    """The places of these nodes that were there at the commit: whether each was described."""
    blocks = {block.name: block.text for block in project.doc_blocks if block.path not in files.added}
    blocks |= files.blocks
    return {
        place: is_described
        for unique_id in unique_ids
        for place, is_described in _of_node(project.nodes[unique_id], files, blocks)
    }


def _of_node(node: Node, files: BaseFiles, blocks: Mapping[str, str]) -> Iterator[tuple[Place, bool]]:
    code = _code_at(node, files)
    if code is None:
        return
    before = _written_at(node, files)
    for column in (None, *node.columns):
        name = column.name.lower() if column else ""
        place = node.unique_id, name
        if before is None:
            if column is None or _had(column, None, code):
                yield place, not is_missing((column or node).description)
        elif column is None or _had(column, before, code):
            text = before.columns.get(name, "") if column else before.description
            yield place, not is_missing(_rendered(text, blocks))


def _code_at(node: Node, files: BaseFiles) -> str | None:
    """What stood in the file that defined the node: empty if that is as it is now, None if there was no such file.

    Of a CSV it is the header.
    """
    path = node.original_file_path
    if PurePosixPath(path).suffix in SCHEMA_SUFFIXES:
        differs = path in files.added or path in files.texts
        return None if differs and not is_generic(node) and key_of(node) not in files.written else ""
    is_new = path in files.added
    text = files.texts.get(files.by_name.get(PurePosixPath(path).name, "") if is_new else path)
    if text is None:
        return None if is_new else ""
    return text.partition("\n")[0] if path.endswith(".csv") else text


def _written_at(node: Node, files: BaseFiles) -> Written | None:
    """What was written of the node; None if that is what is written now."""
    if is_generic(node):
        return None
    key = key_of(node)
    found = files.written.get(key) or files.written.get((*key[:2], ""))
    path = file_of(node)
    is_as_now = path not in files.added and path not in files.texts
    if found is None and is_as_now and (node.patch_path or PurePosixPath(path).suffix in SCHEMA_SUFFIXES):
        return None
    return found or Written()


def _had(column: Column, before: Written | None, code: str) -> bool:
    """Whether the node had the column; `code` is empty where it is the same now."""
    if before is not None and column.name.lower() in before.columns:
        return True
    if not code:
        # A column that is known from elsewhere doesn't come and go with the schema file.
        return before is None or not column.declared or bool(column.data_type)
    if _STAR.search(code):
        return True
    return column.name.lower() in {word.lower() for word in _WORD.findall(code)}


def _rendered(text: str, blocks: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda found: blocks.get(found[1], ""), text)
