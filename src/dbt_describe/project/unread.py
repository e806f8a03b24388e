"""A project whose manifest is older than some of its schema files, and that dbt can't read as it is now.

What the manifest says of the nodes in these files may be wrong today. So their texts and tests are left out, and they
are not written to. Everything else is as the manifest has it: no other file has changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from dbt_describe.project.nodes import Column, Node, Project

SCHEMA_SUFFIXES = frozenset({".yml", ".yaml"})
"""Not `.md`: a changed doc block may be in the text of any node."""
_NAME = re.compile(rb"""\bname["']?\s*:\s*(?:[&!]\S*\s+)*["']?([\w.$-]+)""")
"""`name: x` in any style, with a tag or an anchor; the file may be no YAML at all."""
_MAX_READ_BYTES = 10 * 1024 * 1024
"""As much as a schema file that is edited may have."""


def without_unread(project: Project, changed: Iterable[str]) -> Project:
    """The project without what `changed` schema files (relative to its root) may say now.

    These are the nodes that the manifest has from such a file, and those that it names today.
    """
    own = [node for node in project.nodes.values() if project.is_own(node)]
    unread: dict[str, frozenset[str]] = {}
    for path in sorted(changed):
        names = _names_in(project.root / path)
        unread[path] = frozenset(
            node.unique_id for node in own if path in _files_of(node) or node.name.encode() in names
        )
    unknown = frozenset().union(*unread.values())
    nodes = {name: _bare(node) if name in unknown else node for name, node in project.nodes.items()}
    return msgspec.structs.replace(project, nodes=nodes, unread=unread)


def _files_of(node: Node) -> tuple[str, str]:
    return node.patch_path.partition("://")[2], node.original_file_path


def _names_in(path: Path) -> set[bytes]:
    """What stands after every `name:`, whatever the file's syntax and encoding."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_READ_BYTES)
    except OSError:
        return set()
    return set(_NAME.findall(content))


def _bare(node: Node) -> Node:
    bare = msgspec.structs.replace(
        node,
        description="",
        source_description="",
        columns=tuple(Column(column.name) for column in node.columns),
        tests=(),
    )
    if Path(node.original_file_path).suffix in SCHEMA_SUFFIXES:  # a snapshot whose query is in the file, too
        return msgspec.structs.replace(bare, raw_code="", compiled_code="")
    return bare
