"""What a run did, as data: what the command prints and what the library returns."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from dbt_describe.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_PARTIAL, EXIT_USAGE
from dbt_describe.planning import Abstention, Draft


class Failure(msgspec.Struct, frozen=True):
    """A node (by unique_id) or a schema file (by path) that could not be finished, and why."""

    subject: str
    message: str


class FileResult(msgspec.Struct, frozen=True):
    """One schema or docs file before and after.

    `path` is relative to the project; `before` is empty for a new file.
    """

    path: str
    before: str
    after: str
    descriptions: int
    created: bool
    doc_blocks: int = 0
    """Docs blocks added to it; such a file has no descriptions of its own."""


class Spent(msgspec.Struct, frozen=True):
    """What asking cost. `cost_usd` is None where a price isn't known."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal | None = Decimal(0)
    cached: int = 0
    """Answers that were paid for before."""
    batched: int = 0
    """Answers that came with batches, whenever those were sent and fetched, and are used for the first time."""
    batched_cost_usd: Decimal | None = Decimal(0)


class Reviewed(msgspec.Struct, frozen=True):
    """What a second model said of the drafts."""

    drafts: int = 0
    """Drafts that it graded."""
    revised: int = 0
    """Drafts that were written anew after its objection."""
    missed: Mapping[str, int] = {}
    """Why drafts went without its grade → how many; they are written all the same."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What wasn't reviewed, and why."""
        return tuple(
            f"{count:,} {'draft' if count == 1 else 'drafts'} went without a review: {reason}"
            for reason, count in self.missed.items()
        )


class Report(msgspec.Struct, frozen=True):
    """The outcome of `document`; in a dry run, what would have been written."""

    writer: str
    """`rules` or the llm model."""
    nodes: int
    """Nodes selected."""
    described_before: int
    missing: int = 0
    """Descriptions that were missing before the run."""
    drafts: tuple[Draft, ...] = ()
    abstentions: tuple[Abstention, ...] = ()
    failures: tuple[Failure, ...] = ()
    files: tuple[FileResult, ...] = ()
    spent: Spent = Spent()
    reviewed: Reviewed = Reviewed()
    warnings: tuple[str, ...] = ()
    dry_run: bool = False
    interrupted: bool = False
    stopped_by: str = ""
    """Why no language model was asked any more: no request could succeed. The rules may have written the rest."""
    is_misconfigured: bool = False
    """Whether that is a setting, a template or the account, and not a budget or a server that is down."""
    verified_files: int = 0
    """Files written that dbt then parsed without complaint; 0 where it wasn't asked to, or refused."""
    references: Mapping[tuple[str, str], str] = {}
    """The docs block that a written description refers to, by unique_id and lower-case column."""
    outdated: int = 0
    """Descriptions of ours that no longer held before the run."""
    renewed: int = 0
    """Those of them that were written anew."""
    is_recorded: bool = False
    """Whether dbt-describe.lock has changed."""
    taken_over: int = 0
    """Texts that a host, dbt-osmosis, had itself, and that were written with the drafts."""
    not_begun: int = 0
    """Nodes that were still to be asked when the run was stopped."""
    not_asked: int = 0
    """Their descriptions that were left for another run; with `cached_only`, because nothing is asked."""
    copies_left: int = 0
    """Those of the latter that will be inherited from others of them."""
    cached_only: bool = False
    """Whether nothing was asked, and only answers that were kept were given."""
    under_way: int = 0
    """Nodes of which something is asked in a batch that hasn't come back yet."""
    waiting: int = 0
    """Their descriptions, and those that copy them, that were left until it has."""
    share: str = ""
    """What of the whole plan this is, where several machines work on it; empty where it is all of it."""

    @property
    def inherited(self) -> int:
        """Descriptions taken over from a column that holds the same values."""
        return sum(draft.writer == "inherited" for draft in self.drafts)

    @property
    def rejected(self) -> int:
        """Descriptions that a model answered and that couldn't be accepted; they are among the abstentions."""
        return sum(bool(abstention.rejected) for abstention in self.abstentions)

    @property
    def to_ask(self) -> int:
        """Descriptions that a model would be asked for, had it not been a run that gives only what is kept."""
        return self.not_asked - self.copies_left if self.cached_only else 0

    @property
    def written(self) -> int:
        """Descriptions that the writer wrote."""
        return len(self.drafts) - self.inherited

    @property
    def doc_blocks(self) -> int:
        """Docs blocks that were written."""
        return sum(file.doc_blocks for file in self.files)

    @property
    def exit_code(self) -> int:
        """0 done (unknowns are reported, not failures), 2 nothing could be asked, 3 partial, 130 interrupted.

        3, too, where the rules wrote what a model could not be asked any more.
        """
        if self.interrupted:
            return EXIT_INTERRUPTED
        asked_in_vain = self.failures or self.spent.calls or self.spent.cached or self.spent.batched
        if self.is_misconfigured and self.not_begun and not asked_in_vain:
            return EXIT_USAGE
        return EXIT_PARTIAL if self.failures or self.not_begun or self.stopped_by else EXIT_OK


class NodeEstimate(msgspec.Struct, frozen=True):
    """One node's share of a plan. Tokens are estimates, 0 where nothing is asked of a model."""

    unique_id: str
    path: str
    """The schema file its descriptions go to, relative to the project."""
    inherited: int
    following: int
    asked: int
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal | None = Decimal(0)
    batch_cost_usd: Decimal | None = None
    """The same in a batch; None where that isn't known, or the model's provider has none."""
    is_new_file: bool = False
    """The schema file doesn't exist yet."""
    redactions: Mapping[str, int] = {}
    """What is taken out of its facts before a model sees them, by kind → how often."""
    failures: tuple[str, ...] = ()
    """Why it couldn't be asked, a sentence each."""


class PlanReport(msgspec.Struct, frozen=True):
    """The outcome of `plan`: everything that is known before a request is made."""

    writer: str
    nodes: int
    described_before: int
    outdated: int = 0
    """Descriptions of ours that no longer hold."""
    estimates: tuple[NodeEstimate, ...] = ()
    drafts: tuple[Draft, ...] = ()
    """The inherited ones."""
    abstentions: tuple[Abstention, ...] = ()
    failures: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()
    share: str = ""
    """As in `Report`."""
    in_batches: bool = False
    """Whether what it asks is to be asked in batches, where the model's provider has these."""

    @property
    def calls(self) -> int:
        """Requests that the plan needs: one for each node that must be asked, more where one doesn't fit the model."""
        return sum(estimate.calls for estimate in self.estimates)

    @property
    def exit_code(self) -> int:
        """0, or 3 where nodes can't be written to."""
        return EXIT_PARTIAL if self.failures else EXIT_OK


class Comparison(msgspec.Struct, frozen=True):
    """What today's plan would come to on one model. With a `problem`, nothing else is known."""

    model: str
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal | None = None
    """None where the price isn't known."""
    duration_s: float | None = None
    """About how long the asking takes, from how long this model took lately; None where it hasn't been asked yet."""
    problem: str = ""
