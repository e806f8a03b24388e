"""What a pre-commit hook prints."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from dbt_describe.cli.commits import render_outcome
from dbt_describe.committing import CommitReport
from dbt_describe.planning import Abstention, Draft
from dbt_describe.report import Failure, Report

ID = Draft("model.shop.orders", "id", "Number of the order.", "inherited")
TOTAL = Draft("model.shop.orders", "total", "What was paid.", "rules")
UNKNOWN = (Abstention("model.shop.orders", "x", "no idea"),)
FILES = (Path("/repo/shop/models/the marts/orders.yml"), Path("/repo/shop/dbt-describe.lock"))


def test_what_was_written_is_counted_and_to_be_staged_from_here() -> None:
    failures = (Failure("model.shop.broken", "models/broken.yml: is read-only."),)
    report = Report("gpt, then rules", 1, 0, 4, (ID, TOTAL), UNKNOWN, failures, warnings=("Old dbt.",))
    assert render_outcome(CommitReport(report, FILES), Path("/repo")) == dedent(
        """\
        Failed:
          model.shop.broken: models/broken.yml: is read-only.
        Warning: Old dbt.
        Described 2 (1 inherited, 1 by rules); 1 unknown, left empty. Read it, stage it, and commit again:
          git add 'shop/models/the marts/orders.yml' shop/dbt-describe.lock"""
    )


def test_nothing_to_write_is_a_line() -> None:
    report = Report("rules", 1, 0, abstentions=UNKNOWN)
    assert render_outcome(CommitReport(report), Path("/repo")) == "Nothing to write; 1 unknown, left empty."
    assert render_outcome(CommitReport(Report("rules", 0, 0)), Path("/repo")) == "Nothing to write."


def test_what_failed_alone_is_told_as_what_wasnt_written_and_stops_no_commit() -> None:
    report = Report("rules", 1, 0, 1, failures=(Failure("models/a.yml", "models/a.yml:3: has a description already"),))
    outcome = CommitReport(report)
    assert render_outcome(outcome, Path("/repo")) == dedent(
        """\
        Failed:
          models/a.yml:3: has a description already
        Nothing written. What failed doesn't stop the commit."""
    )
    assert outcome.exit_code == 0


def test_where_only_the_lock_file_changed_that_is_said() -> None:
    told = render_outcome(CommitReport(Report("gpt", 1, 0, abstentions=UNKNOWN), FILES[1:]), Path("/repo"))
    assert told.startswith("Recorded in dbt-describe.lock; 1 unknown, left empty. Read it, stage it,")


def test_a_dry_run_asks_for_nothing_to_be_staged() -> None:
    outcome = CommitReport(Report("rules", 1, 0, 1, (ID,), dry_run=True), FILES[1:])
    said = "Would describe 1 (1 inherited, 0 by rules), in shop/dbt-describe.lock."
    assert render_outcome(outcome, Path("/repo")) == said
