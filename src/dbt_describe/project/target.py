"""Where a project's artifacts are: dbt's own, and those that we let dbt write beside them."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec

OWN_DIRECTORY = "dbt_describe"
"""Inside dbt's target path."""
PARTIAL_PARSE = "partial_parse.msgpack"
"""Source: https://docs.getdbt.com/reference/parsing#partial-parsing (2026-11)."""


class Target(msgspec.Struct, frozen=True):
    """Where a project's artifacts are."""

    directory: Path
    given_catalog: Path | None = None
    """In place of the project's own."""

    @property
    def catalog(self) -> Path:
        """The one that columns come from."""
        return self.given_catalog or self.directory / "catalog.json"

    @property
    def compiled(self) -> Path:
        """dbt's manifest."""
        return self.directory / "manifest.json"

    @property
    def own(self) -> Path:
        """The directory that dbt writes to where its own files should stay as they are."""
        return self.directory / OWN_DIRECTORY

    @property
    def parsed(self) -> Path:
        """The manifest there."""
        return self.own / "manifest.json"

    @property
    def options(self) -> Path:
        """What dbt was last called with by us: JSON, a list of words."""
        return self.own / "options.json"

    @property
    def notes(self) -> Path:
        """What the files held that the manifest was made of."""
        return self.own / "files.json"

    @property
    def newest(self) -> Path:
        """The manifest that was written last."""
        return max(self.compiled, self.parsed, key=mtime)


def copy_newer(path: Path, copy: Path) -> None:
    """Copy a file that is newer than its copy."""
    if mtime(path) > mtime(copy):
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def mtime(path: Path) -> float:
    """When the file was written: seconds since the epoch, 0 where there is none."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
