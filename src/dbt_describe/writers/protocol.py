"""What every writer of descriptions is: a Task in, Drafts and Abstentions out."""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

import msgspec

from dbt_describe.lineage.origins import Lineage
from dbt_describe.planning import Abstention, Descriptions, Draft, Task
from dbt_describe.project.nodes import Project


class WriterResult(msgspec.Struct, frozen=True):
    """A draft or an abstention for each description asked for, and what asking cost.

    `cost_usd` is None where the model's price isn't known.
    """

    drafts: tuple[Draft, ...] = ()
    abstentions: tuple[Abstention, ...] = ()
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal | None = Decimal(0)


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
            LlmError, AnswerError, PromptError: this node can't be described; the others may.
        """

    def estimate(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        """What `write` would cost, without asking: a result without drafts."""

    async def aclose(self) -> None:
        """Give back connections."""
