"""A project whose manifest is older than some of its schema files, and that dbt can't read as it is now.

What the manifest says of the nodes in these files may be wrong today. So their texts and tests are left out, and they
are not written to. Everything else is as the manifest has it: no other file has changed.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import yaml

from dbt_describe.project.nodes import Column, Node, Project

SCHEMA_SUFFIXES = frozenset({".yml", ".yaml"})
"""Not `.md`: a changed doc block may be in the text of any node."""
_NAMED = re.compile(
    r"""(?: \b name ["']? \s{0,99}+ : | & [^\s,\[\]{}]{1,99}+ (?=\s) )
        (?: \s | \# [^\r\n]* | [&!] \S* | [|>] [-+\d]* (?=\s) )*+
        (?= ( [^\r\n]{0,255} ) )""",
    re.VERBOSE,
)
"""For a file that is no YAML: `name:` in any style, or an anchor for a `name: *x`; comments, tags and a block's sign;
then what the name is in, to the end of its line. It never goes back, whatever is in the file."""
_QUOTED = re.compile(r"""^(?: "(?:[^"\\]|\\.)*" | '(?:[^']|'')*' )""", re.VERBOSE)
_END_OF_NAME = re.compile(r"[,\[\]{}]|\s\#")
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
        unread[path] = frozenset(node.unique_id for node in own if path in _files_of(node) or node.name in names)
    unknown = frozenset().union(*unread.values())
    nodes = {name: _bare(node) if name in unknown else node for name, node in project.nodes.items()}
    return msgspec.structs.replace(project, nodes=nodes, unread=unread)


def _files_of(node: Node) -> tuple[str, str]:
    return node.patch_path.partition("://")[2], node.original_file_path


def _names_in(path: Path) -> set[str]:
    """What may be a name in the file: each scalar, and where it is no YAML, what a search finds in the rest, too."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_READ_BYTES)
    except OSError:
        return set()
    names: set[str] = set()
    try:
        names.update(_scalars(content))
    except (yaml.YAMLError, UnicodeError):
        names.update(*(_readings(found[1]) for found in _NAMED.finditer(_decoded(content))))
    return names


def _scalars(content: bytes | str) -> Iterator[str]:
    for event in yaml.parse(content, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.ScalarEvent):
            yield event.value


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _readings(rest: str) -> Iterator[str]:
    """The names that the rest of a line may begin with."""
    quoted = _QUOTED.match(rest)
    if quoted:
        with contextlib.suppress(yaml.YAMLError):
            yield from _scalars(quoted[0])
    yield rest.strip()
    yield _END_OF_NAME.split(rest, maxsplit=1)[0].strip().strip("\"'")


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
