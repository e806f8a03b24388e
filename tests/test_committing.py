"""`document` for a commit: when dbt is asked at all, and which exit code comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbt_describe.committing import CommitReport, document_commit
from dbt_describe.errors import ManifestError
from dbt_describe.progress import Silent
from dbt_describe.project.dbt import DbtInvocation
from dbt_describe.project.sources import ArtifactSources
from dbt_describe.report import Failure, Report
from dbt_describe.settings import Settings

NOTHING = Report(writer="rules", nodes=1, described_before=0)


def document(root: Path, *files: str) -> CommitReport:
    (root / "dbt_project.yml").write_text("name: shop\n", encoding="utf-8")
    broken = root / "manifest.json"
    broken.write_text("{", encoding="utf-8")
    return document_commit(Settings(DbtInvocation(root), ArtifactSources(str(broken)), files=files), Silent())


def test_files_where_dbt_looks_for_nothing_need_no_artifacts(tmp_path: Path) -> None:
    outcome = document(tmp_path, "README.md", "../tool.py")
    assert (outcome.files, outcome.exit_code) == ((), 0)
    with pytest.raises(ManifestError):
        document(tmp_path, "README.md", "models/a.sql")


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (CommitReport(NOTHING), 0),
        (CommitReport(NOTHING, (Path("a.yml"),)), 1),
        (CommitReport(Report("rules", 1, 0, failures=(Failure("model.shop.a", "gone"),), stopped_by="spent")), 0),
        (CommitReport(Report("rules", 1, 0, interrupted=True), (Path("a.yml"),)), 130),
    ],
)
def test_only_what_was_written_and_ctrl_c_keep_from_committing(outcome: CommitReport, code: int) -> None:
    assert outcome.exit_code == code
