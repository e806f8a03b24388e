"""The rules first where they know all there is to know, so that nothing is paid for it."""

from __future__ import annotations

from dbt_describe.lineage.origins import Lineage
from dbt_describe.llm.bounds import Amount
from dbt_describe.planning import Descriptions, Task
from dbt_describe.project.data_tests import is_generic
from dbt_describe.project.nodes import Conventions, Project
from dbt_describe.prompting.facts import Enrich
from dbt_describe.writers.protocol import Writer, WriterResult
from dbt_describe.writers.rules import RulesWriter


class CertainFirstWriter:
    """Lets the rules describe generic data tests, and `other` whatever they can't.

    What `unique` checks is known, and a project has hundreds of them. The rules write English: where a project's
    texts are in another language, they aren't asked.
    """

    def __init__(self, other: Writer) -> None:
        self._rules = RulesWriter()
        self._other = other

    @property
    def name(self) -> str:
        """The other writer's."""
        return self._other.name

    @property
    def inner(self) -> Writer:
        """The writer that is asked for whatever the rules can't."""
        return self._other

    @property
    def is_free(self) -> bool:
        """Whether the other writer is."""
        return self._other.is_free

    async def write(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        """Describe what the task names.

        Raises:
            StoppedError: nothing was asked, because `stop` was called before.
        """
        certain = self._certain(task, project, lineage, known)
        return certain or await self._other.write(task, project, lineage, known)

    def estimate(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        """What the other writer would cost for what it would be asked."""
        certain = self._certain(task, project, lineage, known)
        return WriterResult() if certain else self._other.estimate(task, project, lineage, known)

    def inform(self, enrich: Enrich) -> None:
        """Only the other writer has use for it."""
        self._other.inform(enrich)

    def avoid(self, descriptions: int) -> None:
        """The other writer would have been asked."""
        self._other.avoid(descriptions)

    def charge(self, used: Amount) -> None:
        """Only the other writer spends."""
        self._other.charge(used)

    def stop(self) -> None:
        """Ask nothing more; what is under way ends."""
        self._other.stop()

    async def aclose(self) -> None:
        """Give back connections."""
        await self._other.aclose()

    def _certain(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult | None:
        """What the rules say of a generic test, or None."""
        is_english = project.conventions.language == Conventions().language
        if not is_english or not is_generic(project.nodes[task.unique_id]):
            return None
        result = self._rules.answer(task, project, lineage, known)
        return result if result.drafts else None
