"""Reports as other programs read them. Names and texts in them are anybody's: none may break out of its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from dbt_describe.checking.problems import CheckReport
from dbt_describe.cli.formats.annotations import render_annotations
from dbt_describe.cli.formats.junit import render_junit
from dbt_describe.cli.formats.repository import path_in_repository
from dbt_describe.cli.formats.sarif import render_sarif

_RENDERERS: Mapping[str, Callable[[CheckReport, str], str]] = {
    "github": render_annotations,
    "junit": render_junit,
    "sarif": render_sarif,
}
CHECK_FORMATS = tuple(_RENDERERS)


def render_check(report: CheckReport, format_: str, project_dir: Path) -> str:
    """What `check` found in one of CHECK_FORMATS; paths start at the root of the project's git repository."""
    return _RENDERERS[format_](report, path_in_repository(project_dir))
