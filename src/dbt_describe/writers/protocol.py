"""What every writer of descriptions is: a Task in, Drafts and Abstentions out."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

import msgspec

from dbt_describe.lineage.origins import Lineage
from dbt_describe.llm.bounds import Amount
from dbt_describe.planning import Abstention, Descriptions, Draft, Task
from dbt_describe.project.nodes import Project
from dbt_describe.prompting.facts import Enrich

if TYPE_CHECKING:
    from dbt_describe.prompting.prompts import Prompt


class WriterResult(msgspec.Struct, frozen=True):
    """A draft or an abstention for each description asked for, unless `failures` or `not_asked` says why not.

    And what asking cost: `cost_usd` is None where the model's price isn't known.
    """

    drafts: tuple[Draft, ...] = ()
    abstentions: tuple[Abstention, ...] = ()
    failures: tuple[str, ...] = ()
    """What went wrong, a sentence each; empty where everything asked for was answered."""
    stopped_by: str = ""
    """Why no further request can succeed: settings, a template, the budget, or the account.

    Without failures, nothing was asked for this node, and it is left for another run.
    """
    gone_on_without: str = ""
    """Why the writer that was asked first can't be asked any more, where another one wrote the rest in its place."""
    is_misconfigured: bool = False
    """Whether it is a setting, a template or the account that must be changed first."""
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal | None = Decimal(0)
    cached: int = 0
    """Answers that were paid for before, and are not among the calls."""
    prompts: tuple[Prompt, ...] = ()
    """Of an estimate, what a model would be asked with."""
    reviewed: int = 0
    """Drafts that a reviewer graded."""
    revised: int = 0
    """Drafts that were written anew after its objection."""
    unreviewed: tuple[str, ...] = ()
    """Of each draft that it should have graded and didn't, why."""
    batch_cost_usd: Decimal | None = None
    """Of an estimate, what it would cost in a batch; None where that isn't known, or there are none."""
    batched: int = 0
    """Answers that came with batches, used for the first time; neither among the calls nor among those of before."""
    batched_cost_usd: Decimal | None = Decimal(0)
    under_way: tuple[str, ...] = ()
    """Columns, an empty one for the node itself, of which nothing is said because a batch asks them."""
    not_asked: tuple[str, ...] = ()
    """Columns, an empty one for the node itself, that are left open because the run asks nothing that isn't kept."""
    redactions: Mapping[str, int] = {}
    """What was taken out of the facts before they were shown, by kind → how often."""


class Writer(Protocol):
    """The rules, or a language model."""

    @property
    def name(self) -> str:
        """`rules` or the llm model's name: what reports and drafts call the writer."""

    @property
    def is_free(self) -> bool:
        """Whether asking costs nothing, so that a column is asked for even where its origin gave no answer."""

    async def write(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        """Describe what the task names.

        Raises:
            StoppedError: nothing was asked, because `stop` was called before.
        """

    def estimate(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        """What `write` would cost, without asking: a result without drafts. Failures say why it can't be asked."""

    def inform(self, enrich: Enrich) -> None:
        """From now on, `enrich` adds to the facts of every node."""

    def avoid(self, descriptions: int) -> None:
        """So many descriptions were inherited, and needn't be asked for."""

    def charge(self, used: Amount) -> None:
        """So much of what this run may spend was spent before."""

    def stop(self) -> None:
        """Ask nothing more; what is under way ends."""

    async def aclose(self) -> None:
        """Give back connections."""
