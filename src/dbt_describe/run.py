"""The whole run, from artifacts to schema files. The only module that knows every stage."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path

import msgspec

from dbt_describe.background import background_of
from dbt_describe.conventions import writes_other_script
from dbt_describe.deciding import Decide
from dbt_describe.drafting import Drafting
from dbt_describe.errors import DbtCommandError, LlmSettingsError, LockFileError, ManifestError
from dbt_describe.filing import Destination, Filing
from dbt_describe.hosting import Host
from dbt_describe.placing import find_schema_files
from dbt_describe.planning import Abstention, leave_out
from dbt_describe.preparing import Opened, Prepared, prepare
from dbt_describe.progress import Progress, Silent
from dbt_describe.project.dbt import find_dbt
from dbt_describe.project.exclusive import writing_alone
from dbt_describe.project.nodes import Conventions, Project
from dbt_describe.provenance.entries import FILE_NAME as LOCK_FILE
from dbt_describe.recording import Recorder
from dbt_describe.redaction.marks import told_of_marks
from dbt_describe.report import Failure, NodeEstimate, PlanReport, Report
from dbt_describe.reporting import report_of
from dbt_describe.schedule import run_to_end
from dbt_describe.settings import Settings
from dbt_describe.sharding import shard_failures, shard_plan, share_of
from dbt_describe.sharing import share_blocks
from dbt_describe.tracking import UNTRACKED, Track, tracked
from dbt_describe.verifying import Verdict, verify
from dbt_describe.writers.certain import CertainFirstWriter
from dbt_describe.writers.fallback import FallbackWriter
from dbt_describe.writers.protocol import Writer, WriterResult
from dbt_describe.writers.rules import RulesWriter


def find_places(
    prepared: Prepared, settings: Settings, host: Host | None = None, begun: Collection[str] | None = None
) -> tuple[Prepared, dict[str, Path], list[Failure]]:
    """The schema file of each node, and what can't be written: left out of the plan, it is asked of nobody.

    Of a shard that was begun before, `begun` are the nodes that it had then.
    """
    gaps = {unique_id: node.gaps for unique_id, node in prepared.plan.nodes.items()}
    paths, failures, refused = (
        host.find_places(gaps) if host else find_schema_files(prepared.written, gaps, settings.schema_path)
    )
    if settings.shard:
        share = share_of(settings.shard, prepared.plan, prepared.project, paths, begun)
        own = shard_plan(prepared.plan, share, prepared.outdated)
        failures = shard_failures(share, failures, prepared.project)
        refused = {gap: reason for gap, reason in refused.items() if gap[0] in share.nodes}
        prepared = msgspec.structs.replace(prepared, plan=own, share=share)
    borrowed = tuple(Abstention(*gap, reason) for gap, reason in refused.items() if reason)
    left = leave_out(prepared.plan, refused)
    return msgspec.structs.replace(prepared, plan=left, abstentions=borrowed), paths, failures


def plan(settings: Settings, progress: Progress | None = None) -> PlanReport:
    """What `document` would inherit, ask and spend. Asks nothing.

    Raises:
        DbtDescribeError: see `document`.
    """
    progress = progress or Silent()
    writer = open_writer(settings, progress, asks=False)
    prepared, paths, failures = find_places(prepare(settings, progress), settings)
    _tell_language(prepared.project, writer, progress)
    writer.inform(background_of(prepared, settings, progress, asks=False))
    gaps = prepared.plan
    estimates = estimate_nodes(prepared, writer, paths)
    return PlanReport(
        writer=writer.name,
        nodes=len(gaps.selected),
        described_before=gaps.described,
        outdated=gaps.outdated,
        estimates=estimates,
        drafts=tuple(draft for node in gaps.nodes.values() for draft in node.inherited if draft.unique_id in paths),
        abstentions=(*(given for node in gaps.nodes.values() for given in node.skipped), *prepared.abstentions),
        failures=(*failures, *(Failure(one.unique_id, message) for one in estimates for message in one.failures)),
        warnings=(*prepared.warnings, *told_of_marks({one.unique_id: one.redactions for one in estimates})),
        share=str(prepared.share or ""),
        in_batches=settings.batch.sends(sum(one.calls for one in estimates)),
    )


def estimate_nodes(prepared: Prepared, writer: Writer, paths: Mapping[str, Path]) -> tuple[NodeEstimate, ...]:
    """What each node that has a path to be written to would come to, in the order of the DAG."""
    project, lineage, gaps = prepared.project, prepared.lineage, prepared.plan
    estimates = []
    for unique_id, node_plan in gaps.nodes.items():
        if unique_id not in paths:
            continue
        estimate = writer.estimate(node_plan.task, project, lineage, gaps.known) if node_plan.asks else WriterResult()
        estimates.append(
            NodeEstimate(
                unique_id=unique_id,
                path=paths[unique_id].relative_to(project.root).as_posix(),
                is_new_file=not paths[unique_id].exists(),
                inherited=len(node_plan.inherited),
                following=len(node_plan.following),
                asked=len(node_plan.task.columns) + node_plan.task.describe_node,
                calls=estimate.calls,
                input_tokens=estimate.input_tokens,
                output_tokens=estimate.output_tokens,
                cost_usd=estimate.cost_usd,
                batch_cost_usd=estimate.batch_cost_usd if estimate.calls else Decimal(0),
                redactions=estimate.redactions,
                failures=estimate.failures,
            )
        )
    return tuple(estimates)


def document(
    settings: Settings,
    progress: Progress | None = None,
    decide: Decide | None = None,
    opened: Opened | None = None,
    host: Host | None = None,
) -> Report:
    """Describe what is missing and write it into the schema files; with `decide`, only the drafts that it takes.

    What is `opened` isn't read from the project's artifacts. A `host` writes the files in our place.

    A node or file that fails is reported and costs the others nothing. Ctrl-C lets the requests under way end, writes
    what there is and returns a report with `interrupted`; a second Ctrl-C abandons the requests too. While another
    dbt-describe writes to the project, this one waits: what it then reads has all that the other wrote.

    Raises:
        ProjectError: no project, no usable manifest, a selector that matches nothing, or no dbt to verify with.
        SettingsError, LlmSettingsError: a setting can't be used, e.g. there is no key for the model.
    """
    progress = progress or Silent()
    if settings.dry_run:
        settings = msgspec.structs.replace(settings, verify=False)
    if settings.verify:
        find_dbt("parse", "leave out --verify")
    with tracked(settings, progress) as (settings, track):
        writer = open_writer(settings, progress)
        writer.charge(track.spent)
        if settings.dry_run:
            return document_with(writer, settings, progress, decide, opened, host, track)
        with writing_alone(settings.dbt, progress.wait) as warning:
            report = document_with(writer, settings, progress, decide, opened, host, track)
        return msgspec.structs.replace(report, warnings=(*report.warnings, warning)) if warning else report


def document_with(
    writer: Writer,
    settings: Settings,
    progress: Progress,
    decide: Decide | None = None,
    opened: Opened | None = None,
    host: Host | None = None,
    track: Track = UNTRACKED,
) -> Report:
    """`document` with a writer of the caller's, who sees to it that nobody else writes to the project meanwhile."""
    prepared = prepare(settings, progress, opened)
    if not prepared.project.has_files:
        raise ManifestError(
            f"None of the files that the manifest names is in {prepared.project.root}: nothing can be written. Run "
            "`document` where they are, or `plan` here."
        )
    if settings.verify and prepared.project.unread:
        raise DbtCommandError("--verify needs a project that dbt can parse. " + prepared.project.warnings[-1])
    begun = track.shard(prepared.plan, writer.name) if settings.shard else None
    prepared, paths, failures = find_places(prepared, settings, host, begun)
    _tell_language(prepared.project, writer, progress)
    progress = track.begin(prepared.plan, paths, writer.name, progress)
    asks = not (settings.dry_run or settings.llm.config.cached_only)
    writer.inform(background_of(prepared, settings, progress, asks=asks, charge=writer.charge))
    recorder = Recorder(prepared.written, prepared.standings.bases, prepared.lock, is_own=not settings.sources.manifest)
    filing = _open_destination(prepared, paths, settings, recorder, host)
    drafting = Drafting(prepared.project, prepared.lineage, prepared.plan, writer, filing, progress, decide)
    told = _fill(drafting, prepared, paths, settings, progress)
    verdict = (
        verify(settings.dbt, filing, progress.wait) if settings.verify and isinstance(filing, Filing) else Verdict()
    )
    progress.end()
    is_recorded = _record(recorder, filing, drafting) if not settings.dry_run else False
    report = report_of(
        settings, prepared, drafting, filing, verdict, failures=failures, warnings=told, is_recorded=is_recorded
    )
    track.end(report)
    return report


def _fill(
    drafting: Drafting, prepared: Prepared, nodes: Collection[str], settings: Settings, progress: Progress
) -> Sequence[str]:
    """Ask for what is missing, in batches where that is wished; returns what a person should know of these."""
    batches = None
    if settings.llm.config.model and not settings.llm.is_hook:
        from dbt_describe import batching  # noqa: PLC0415 - only where a model is asked

        batches = batching.open_batching(drafting.writer, settings, prepared, nodes, progress)
    if batches is None:
        run_to_end(drafting.fill(settings.concurrency))
        return ()
    run_to_end(batching.fill(drafting, batches, settings.concurrency))
    return batches.warnings


def _open_destination(
    prepared: Prepared, paths: dict[str, Path], settings: Settings, recorder: Recorder, host: Host | None
) -> Destination:
    if host:
        return host.open_destination(paths, recorder.note, dry_run=settings.dry_run)
    share = partial(share_blocks, project=prepared.project, lineage=prepared.lineage) if settings.doc_blocks else None
    return Filing(prepared.written, paths, dry_run=settings.dry_run, share=share, note=recorder.note)


def _record(recorder: Recorder, filing: Destination, drafting: Drafting) -> bool:
    """Whether the lock file has changed; where it can't be written, that is a failure like a schema file's."""
    try:
        return recorder.settle(filing.written, drafting.abstentions)
    except LockFileError as error:
        filing.failures.append(Failure(LOCK_FILE, str(error)))
        return False


def _tell_language(project: Project, writer: Writer, progress: Progress) -> None:
    language = project.conventions.language
    if isinstance(writer, RulesWriter) and language != Conventions().language:
        progress.say(f"Descriptions are in {language} here; without a language model, new ones are in English.")
    elif writes_other_script(project):
        progress.say(
            f"Descriptions here are in another script; new ones are in {language}. `language` in dbt-describe.yml says "
            "what to write in."
        )


def open_writer(settings: Settings, progress: Progress, *, asks: bool = True) -> Writer:
    """The writer that the settings name: a language model, or the rules where none is configured.

    Without `asks`, it only estimates.

    Raises:
        LlmSettingsError: the model's provider isn't known, or has no key.
    """
    if settings.llm.config.model:
        from dbt_describe.llm.routes import make_routes  # noqa: PLC0415 - openai and jinja2 only where they are used
        from dbt_describe.writers.opening import open_llm_writer  # noqa: PLC0415

        is_hook = settings.llm.is_hook
        if is_hook:  # a model that doesn't exist is a mistake; one without a key here isn't
            planned = msgspec.structs.replace(settings.llm.config, plans_only=True, offline=False)
            make_routes(planned, settings.llm.environ)
        try:
            writer: Writer = open_llm_writer(settings.llm, asks=asks, gives_up=is_hook, say=progress.say)
        except LlmSettingsError as error:
            if not (is_hook or (settings.llm.rules_fallback and settings.llm.config.offline)):
                raise
            progress.say(f"{error} Describing from lineage, SQL and tests alone.")
            return RulesWriter()
        if settings.llm.rules_fallback:
            writer = FallbackWriter(writer, RulesWriter(), progress.say)
        return CertainFirstWriter(writer)
    if settings.llm.not_asked:
        progress.say(f"{settings.llm.not_asked} Describing from lineage, SQL and tests alone.")
    elif not settings.llm.is_hook:
        progress.say(
            "No language model is configured: describing from lineage, SQL and tests alone. "
            "For one, set OPENAI_API_KEY and pass --model openai/NAME."
        )
    return RulesWriter()
