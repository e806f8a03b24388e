"""Jinja that stands in rendered descriptions, and Jinja in schema files that renders as nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from dbt_describe.checking.naming import file_of
from dbt_describe.project.nodes import Node, Project

_TAG = re.compile(
    r"\{[{%#]|\{\s+%[^{}]*%\s*\}|\{\s*doc\(|\bdoc\([^()\n]*\)\s*\}|^\s*doc\(\s*['\"][^'\"\n]*['\"]\s*\)\s*$"
)
"""What begins a tag; `{ % … % }`; and what was meant as a reference: `{ doc('x') }`, `doc('x') }}`, `doc('x')`.

`}}` alone ends a piece of JSON as well.
"""
_RAW = re.compile(rb"\{%-?\s*raw\b")
_LONGEST_SHOWN = 40


class Leftovers:
    """Finds Jinja in texts; files are read only where there is some."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._are_raw: dict[str, bool] = {}

    def find(self, node: Node, text: str) -> str:
        """The piece of Jinja that dbt left in a description, or empty where it was told to by `{% raw %}`."""
        found = _TAG.search(text)
        if found is None or any(map(self._is_raw, self._files(node, text))):
            return ""
        return text[found.start() : found.start() + _LONGEST_SHOWN].split("\n", maxsplit=1)[0].strip()

    def _files(self, node: Node, text: str) -> Iterable[str]:
        """The files that the text may be from."""
        yield file_of(node)
        blocks = self._project.doc_blocks
        yield from {block.path for block in blocks if block.package_name == self._project.name and block.text in text}

    def _is_raw(self, path: str) -> bool:
        if path not in self._are_raw:
            self._are_raw[path] = _holds_raw(self._project.root / path)
        return self._are_raw[path]


def _holds_raw(path: Path) -> bool:
    try:
        return bool(_RAW.search(path.read_bytes()))
    except OSError:
        return False
