"""Path templates: text with `{placeholders}`, checked before and after they are filled in.

What fills a placeholder comes from the manifest and is data: it becomes part of one name, never a directory of its own.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

import msgspec

from dbt_describe.errors import SchemaFileError
from dbt_describe.project.nodes import Node, Project
from dbt_describe.schema_files.edits import SECTIONS
from dbt_describe.schema_files.paths import directory_of, is_file_name, with_suffix

PLACEHOLDERS: Mapping[str, str] = {
    "dir": "the directory of the node's file, from the project's root: `models/staging`",
    "dir_name": "the last part of it: `staging`",
    "parent": "the same, as in dbt-osmosis",
    "model": "the node's name, of a seed or snapshot too",
    "name": "the same",
    "section": "`models`, `seeds`, `snapshots`, `analyses`, `macros` or `data_tests`",
    "resource_type": "`model`, `seed`, `snapshot`, `analysis`, `macro` or `test`",
    "schema": "the node's schema in the database",
    "package": "the project's name",
}
"""The placeholders of `schema_path`, each with what it stands for."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Part(msgspec.Struct, frozen=True):
    """Plain text, and the placeholder after it; an empty one stands for none."""

    text: str
    placeholder: str


def split_template(template: str) -> tuple[Part, ...]:
    """The template's parts. `{{` and `}}` are plain braces.

    Raises:
        SchemaFileError: its braces can't be understood; the message goes on from the template's name.
    """
    parts = []
    try:
        for text, placeholder, format_spec, conversion in string.Formatter().parse(template):
            if conversion or format_spec:
                raise SchemaFileError(f"formats its placeholder `{placeholder}`, which isn't possible in a path")
            if placeholder == "":
                raise SchemaFileError("has an empty placeholder `{}`")
            parts.append(Part(text, placeholder or ""))
    except ValueError as error:
        raise SchemaFileError(f"has braces that don't match ({error}); a plain brace is written twice") from None
    return tuple(parts)


def check_template(template: str) -> None:
    """Refuse a `schema_path` that can't name a schema file of any project.

    Raises:
        SchemaFileError: the message goes on from the setting's name.
    """
    parts = split_template(template)
    for part in parts:
        if part.placeholder and part.placeholder not in PLACEHOLDERS:
            raise SchemaFileError(f"has the placeholder `{part.placeholder}`; there are {', '.join(PLACEHOLDERS)}")
    plain = "".join(part.text + ("x" if part.placeholder else "") for part in parts)
    if not plain.strip() or plain.endswith("/"):
        raise SchemaFileError("names no file; write it like {dir}/_{dir_name}__models.yml")
    if "\\" in plain or _CONTROL.search(plain):
        raise SchemaFileError("has a backslash or a control character; directories are parted by /")
    if plain.startswith(("/", "~")) or plain[1:2] == ":" or ".." in plain.split("/"):
        raise SchemaFileError("must stay inside the project: a path from its root, without ..")


def fill_template(template: str, value_of: Callable[[str], str], paths: frozenset[str] = frozenset()) -> str:
    """The template with its placeholders filled in, each with text that can be part of a file's name.

    Only the placeholders in `paths` may stand for several names.

    Raises:
        SchemaFileError: a value can't be part of a file's name; the message goes on from the template's name.
    """
    filled = []
    for part in split_template(template):
        filled.append(part.text)
        if part.placeholder:
            value = value_of(part.placeholder)
            if part.placeholder not in paths and not is_file_name(value):
                raise SchemaFileError(
                    f"has the placeholder `{part.placeholder}`, which stands for {value!r} here: "
                    "that can't be part of a file's name"
                )
            filled.append(value)
    return "".join(filled)


def fill_schema_path(template: str, node: Node, project: Project) -> PurePosixPath:
    """Where a `schema_path` leads for a node, from the project's root.

    Raises:
        SchemaFileError: as `check_template` and `fill_template`.
    """
    check_template(template)
    directory = directory_of(node)
    # A node beside dbt_project.yml: the root's own name differs from machine to machine.
    dir_name = directory.name or project.name
    values = {
        "dir": str(directory),
        "dir_name": dir_name,
        "parent": dir_name,
        "model": node.name,
        "name": node.name,
        "section": SECTIONS[node.resource_type].key,
        "resource_type": node.resource_type,
        "schema": node.schema,
        "package": node.package_name,
    }
    return PurePosixPath(with_suffix(fill_template(template, values.__getitem__, frozenset({"dir"}))))
