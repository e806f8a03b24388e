"""The rules writer: plain English from what the SQL and the tests prove, and nothing else. It needs no network."""

from __future__ import annotations

from dbt_describe.lineage.origins import Lineage
from dbt_describe.llm.bounds import Amount
from dbt_describe.planning import Abstention, Descriptions, Draft, Task
from dbt_describe.project.nodes import Project
from dbt_describe.prompting.facts import Enrich
from dbt_describe.writers.protocol import WriterResult

__all__ = ["RulesWriter"]


class RulesWriter:
    """Answers a task at once and for nothing."""

    name = "rules"
    is_free = True

    async def write(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        """A Draft for all that is certain, an Abstention with its reason for the rest."""
        return self.answer(task, project, lineage, known)

    def answer(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        """The same, at once."""
        # sqlglot takes a while to import and is needed only once there is something to write.
        from dbt_describe.writers.rules.writer import answers  # noqa: PLC0415

        found = answers(task, project, lineage, known)
        return WriterResult(
            drafts=tuple(answer for answer in found if isinstance(answer, Draft)),
            abstentions=tuple(answer for answer in found if isinstance(answer, Abstention)),
        )

    def estimate(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        """Nothing is spent."""
        return WriterResult()

    def inform(self, enrich: Enrich) -> None:
        """The rules write from the SQL and the tests alone."""

    def avoid(self, descriptions: int) -> None:
        """Nothing would have been spent."""

    def charge(self, used: Amount) -> None:
        """Nothing is spent here."""

    def stop(self) -> None:
        """Nothing is under way for long."""

    async def aclose(self) -> None:
        """Nothing is open."""
