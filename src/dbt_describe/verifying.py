"""The last check (`--verify`): the user's own dbt reads what was written, or all of it is taken back."""

from __future__ import annotations

import contextlib
import signal
from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from dbt_describe.errors import DbtDescribeError
from dbt_describe.filing import Filing
from dbt_describe.planning import Draft
from dbt_describe.project.dbt import DbtInvocation
from dbt_describe.project.freshness import Say, parse_anew
from dbt_describe.project.nodes import Project
from dbt_describe.report import Failure

SUBJECT = "dbt parse"
REFUSED = (
    "dbt parse refuses the project with what was written, so every file was put back as it was and nothing is written. "
    "Answers of language models are kept: the next run doesn't pay for them again. "
)
NOT_VERIFIED = "What was written was not verified: `dbt parse` was interrupted."


class Verdict(msgspec.Struct, frozen=True):
    """What dbt makes of the files of a run: how many it accepts, and what is wrong with them."""

    files: int = 0
    failures: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()
    interrupted: bool = False


def verify(invocation: DbtInvocation, filing: Filing, wait: Say) -> Verdict:
    """Let dbt parse what was written, and look for every description in its manifest.

    If dbt refuses, or can't be asked, the files are put back: all of them, Ctrl-C waits for it. Before, Ctrl-C leaves
    them as they are.
    """
    files = len(filing.results)
    if not files:
        return Verdict()
    try:
        try:
            project = parse_anew(invocation, wait)
        except (DbtDescribeError, OSError) as error:
            with _signals_held_back() as came:
                filing.take_back()
            return Verdict(failures=(Failure(SUBJECT, f"{REFUSED}{error}"),), interrupted=bool(came))
        return Verdict(files, tuple(_not_read(project, filing.written, filing)))
    except KeyboardInterrupt:
        return Verdict(warnings=(NOT_VERIFIED,) if filing.results else (), interrupted=True)


@contextlib.contextmanager
def _signals_held_back() -> Iterator[list[int]]:
    """Let Ctrl-C and SIGTERM do nothing while the block runs; yields those that came."""
    came: list[int] = []
    before = {}
    try:
        with contextlib.suppress(ValueError):  # not in the main thread, which alone gets them
            for number in (signal.SIGINT, signal.SIGTERM):
                before[number] = signal.signal(number, lambda number, _frame: came.append(number))
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _not_read(project: Project, drafts: Iterable[Draft], filing: Filing) -> Iterable[Failure]:
    """Failures for descriptions that dbt's manifest doesn't have as they were drafted, one for each node."""
    lost: dict[str, list[str]] = defaultdict(list)
    for draft in drafts:
        if _read_text(project, draft) != draft.text.strip():
            lost[draft.unique_id].append(draft.column or "(itself)")
    for unique_id, names in lost.items():
        yield Failure(
            unique_id,
            f"written to {filing.path_of(unique_id)}, but dbt's manifest doesn't have it so: {', '.join(names)}. "
            "Look whether dbt reads that file, and what else describes the node.",
        )


def _read_text(project: Project, draft: Draft) -> str | None:
    node = project.nodes.get(draft.unique_id)
    described = node.column(draft.column) if node and draft.column else node
    return described.description.strip() if described else None
