"""dbt-describe: write the missing descriptions of a dbt project, and keep them true.

    import dbt_describe
    report = dbt_describe.document("path/to/project", model="openai/gpt-6-luna")
    print(report.written, report.inherited, len(report.abstentions))

All functions take the options of the commands of the same names, spelled as keywords.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

if TYPE_CHECKING:
    from dbt_describe.adopting import AdoptReport
    from dbt_describe.checking.problems import CheckReport, Rule, Severity
    from dbt_describe.counting import StatusReport
    from dbt_describe.progress import Progress
    from dbt_describe.report import PlanReport, Report

__all__ = ["Options", "adopt", "check", "document", "plan", "status"]


class Options(TypedDict, total=False):
    """What the commands' flags say; all are optional."""

    profiles_dir: str | Path | None
    profile: str
    target: str
    vars: str | Mapping[str, object]
    target_path: str | Path | None
    manifest: str | Path
    catalog: str | Path
    refresh: bool
    select: str | Sequence[str]
    exclude: str | Sequence[str]
    selector: str
    state: str | Path | None
    defer_state: str | Path | None
    indirect_selection: str
    changed: str
    resource_types: str | Sequence[str]
    exclude_resource_types: str | Sequence[str]
    config: str | Path | None
    model: str
    fallback: str | Sequence[str]
    offline: bool
    max_cost: Decimal | float | str | None
    max_tokens: int
    no_prompt_cache: bool
    review: str
    prompts: str | Path | None
    shard: str


def plan(project_dir: str | Path = ".", progress: Progress | None = None, **options: Unpack[Options]) -> PlanReport:
    """What `document` would inherit, ask and spend; asks and writes nothing.

    Raises:
        DbtDescribeError: the project, a setting or a selector can't be used; the message says what to do.
    """
    from dbt_describe import run  # noqa: PLC0415 - importing the package stays cheap
    from dbt_describe.settings import make_settings  # noqa: PLC0415

    return run.plan(make_settings(project_dir=project_dir, **options), progress)


def document(  # noqa: PLR0913 - one keyword per flag
    project_dir: str | Path = ".",
    progress: Progress | None = None,
    *,
    dry_run: bool = False,
    verify: bool | None = None,
    concurrency: int = 0,
    use_cache: bool = True,
    cached_only: bool = False,
    ask_again: bool = False,
    doc_blocks: bool | None = None,
    profile_values: bool | None = None,
    batch: bool | None = None,
    wait: bool | None = None,
    waves: str = "",
    resume: str = "",
    **options: Unpack[Options],
) -> Report:
    """Describe what is missing and write it into the schema files (with `dry_run`, only say what would be written).

    With `verify`, dbt must accept what was written; else it is taken back. With `cached_only`, nothing is asked, and
    answers that were had before are used. With `ask_again`, models are asked for what they didn't know in an earlier
    run, too. With `profile_values`, they are shown what columns hold. With `batch`, they are asked in batches, which
    aren't waited for if `wait` is false. `resume` is a run to go on with, as it was called, or `last` for the project's
    last one that didn't end.

    Raises:
        DbtDescribeError: the project, a setting or a selector can't be used; the message says what to do.
    """
    from dbt_describe import run  # noqa: PLC0415 - importing the package stays cheap
    from dbt_describe.progress import Silent  # noqa: PLC0415
    from dbt_describe.resuming import settings_to_go_on  # noqa: PLC0415
    from dbt_describe.settings import make_settings  # noqa: PLC0415

    make = partial(settings_to_go_on, resume, (progress or Silent()).say) if resume else make_settings
    settings = make(
        project_dir=project_dir,
        dry_run=dry_run,
        verify=verify,
        concurrency=concurrency,
        use_cache=use_cache,
        cached_only=cached_only,
        ask_again=ask_again,
        doc_blocks=doc_blocks,
        profile_values=profile_values,
        batch=batch,
        wait=wait,
        waves=waves,
        **options,
    )
    return run.document(settings, progress)


def status(project_dir: str | Path = ".", progress: Progress | None = None, **options: Unpack[Options]) -> StatusReport:
    """The states of the selected descriptions, and whose each of them is; asks and writes nothing.

    Raises:
        DbtDescribeError: the project, a setting, a selector or dbt-describe.lock can't be used.
    """
    from dbt_describe import counting  # noqa: PLC0415 - importing the package stays cheap
    from dbt_describe.settings import make_settings  # noqa: PLC0415

    return counting.status(make_settings(project_dir=project_dir, **options), progress)


def check(
    project_dir: str | Path = ".",
    progress: Progress | None = None,
    *,
    rules: Mapping[Rule, Severity] | None = None,
    min_coverage: float | None = None,
    against: str | Path = "",
    **options: Unpack[Options],
) -> CheckReport:
    """What is wrong with the selected descriptions: asks nobody, and changes none of them.

    `rules` are severities in place of the settings'; `min_coverage` is in percent; `against` is a ref of git, or the
    path of a manifest.json or of its directory.

    Raises:
        DbtDescribeError: the project, a setting, a selector, the base or dbt-describe.lock can't be used.
    """
    from dbt_describe import checkup  # noqa: PLC0415 - importing the package stays cheap
    from dbt_describe.settings import make_settings  # noqa: PLC0415

    demands = checkup.Demands(str(against), min_coverage, rules or {})
    return checkup.check(make_settings(project_dir=project_dir, **options), demands, progress)


def adopt(
    project_dir: str | Path = ".",
    progress: Progress | None = None,
    *,
    dry_run: bool = False,
    **options: Unpack[Options],
) -> AdoptReport:
    """Record that people's texts hold as they are now; where nodes are selected, outdated ones of ours, too.

    Raises:
        DbtDescribeError: the project, a setting, a selector or dbt-describe.lock can't be used.
    """
    from dbt_describe import adopting  # noqa: PLC0415 - importing the package stays cheap
    from dbt_describe.settings import make_settings  # noqa: PLC0415

    return adopting.adopt(make_settings(project_dir=project_dir, dry_run=dry_run, **options), progress)
