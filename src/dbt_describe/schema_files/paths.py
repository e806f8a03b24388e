"""Paths of nodes and schema files, as the manifest has them: relative, parted by slashes."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import PurePosixPath

from dbt_describe.project.nodes import Node

YAML_SUFFIXES = frozenset({".yml", ".yaml"})
"""Source: what dbt-core 1.11 reads as schema files (parser/read_files.py)."""

# A name with one of them means something else to a file system, to Windows, or to a template.
_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*{}\x00-\x1f\x7f]')


def directory_of(node: Node) -> PurePosixPath:
    """Where the node's own file is, from the project's root."""
    return _parent(node.original_file_path)


@lru_cache(maxsize=2**16)
def _parent(path: str) -> PurePosixPath:
    return posix(path).parent


def described_in(node: Node) -> PurePosixPath:
    """The schema file that the manifest names, from its package's root; empty where there is none."""
    return posix(node.patch_path.partition("://")[2] or node.patch_path)


@lru_cache(maxsize=2**16)
def posix(path: str) -> PurePosixPath:
    """dbt on Windows writes backslashes."""
    return PurePosixPath(path.replace("\\", "/"))


def is_file_name(value: str) -> bool:
    """Whether the text can be part of a file's name, on any system."""
    return bool(value.strip()) and value not in {".", ".."} and not _NOT_IN_NAMES.search(value)


def with_suffix(path: str) -> str:
    """The path, ending in `.yml` where it has no ending of a YAML file."""
    return path if PurePosixPath(path).suffix in YAML_SUFFIXES else f"{path}.yml"
