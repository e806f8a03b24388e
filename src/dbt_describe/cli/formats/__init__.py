"""Reports as other programs read them. Names and texts in them are anybody's: none may break out of its place."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from dbt_describe.checking.problems import CheckReport
from dbt_describe.cli.formats.repository import path_in_repository

CheckFormat = Literal["github", "junit", "sarif"]
CHECK_FORMATS: tuple[CheckFormat, ...] = get_args(CheckFormat)


def render_check(report: CheckReport, format_: str, project_dir: Path) -> str:
    """What `check` found in one of CHECK_FORMATS; paths start at the root of the project's git repository."""
    project = path_in_repository(project_dir)
    if format_ == "junit":
        from dbt_describe.cli.formats.junit import render_junit  # noqa: PLC0415 - each waits for its own libraries alone

        return render_junit(report, project)
    if format_ == "sarif":
        from dbt_describe.cli.formats.sarif import render_sarif  # noqa: PLC0415

        return render_sarif(report, project)
    from dbt_describe.cli.formats.annotations import render_annotations  # noqa: PLC0415

    return render_annotations(report, project)
