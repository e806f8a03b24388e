"""What a run came to, put together from its stages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from dbt_describe.drafting import Drafting
from dbt_describe.filing import Destination
from dbt_describe.planning import Abstention
from dbt_describe.preparing import Prepared
from dbt_describe.redaction.marks import told_of_marks
from dbt_describe.report import Failure, Report
from dbt_describe.settings import Settings
from dbt_describe.sharing import place_of
from dbt_describe.verifying import Verdict


def report_of(
    settings: Settings,
    prepared: Prepared,
    drafting: Drafting,
    filing: Destination,
    verdict: Verdict,
    *,
    failures: Sequence[Failure],
    warnings: Sequence[str],
    is_recorded: bool,
) -> Report:
    """The report of `document`. `failures` are of what had no place, `warnings` of what was asked in batches."""
    return Report(
        writer=drafting.writer.name,
        nodes=len(prepared.plan.selected),
        described_before=prepared.plan.described,
        missing=prepared.missing,
        outdated=prepared.plan.outdated,
        renewed=sum(place_of(draft) in prepared.outdated for draft in filing.written),
        is_recorded=is_recorded,
        drafts=tuple(filing.written),
        abstentions=_told(prepared, (*drafting.abstentions, *prepared.abstentions)),
        failures=(*failures, *drafting.failures, *filing.failures, *verdict.failures),
        files=tuple(sorted(filing.results, key=lambda result: result.path)),
        spent=drafting.spent,
        reviewed=drafting.reviewed,
        warnings=(
            *prepared.warnings,
            *told_of_marks(drafting.redactions),
            *drafting.reviewed.warnings,
            *verdict.warnings,
            *warnings,
        ),
        dry_run=settings.dry_run,
        interrupted=drafting.interrupted or verdict.interrupted,
        verified_files=verdict.files,
        stopped_by=drafting.stopped_by,
        is_misconfigured=drafting.is_misconfigured,
        not_begun=drafting.not_begun,
        not_asked=drafting.not_asked,
        copies_left=drafting.copies_left,
        cached_only=settings.llm.config.cached_only,
        under_way=len(drafting.under_way),
        waiting=drafting.waiting,
        references=filing.references,
        share=str(prepared.share or ""),
    )


def _told(prepared: Prepared, abstentions: Iterable[Abstention]) -> tuple[Abstention, ...]:
    """The abstentions; of a text that no longer holds it is said that it is still there."""
    return tuple(
        msgspec.structs.replace(given, reason=f"{given.reason}; its description no longer holds")
        if (given.unique_id, given.column.lower()) in prepared.outdated
        else given
        for given in abstentions
    )
