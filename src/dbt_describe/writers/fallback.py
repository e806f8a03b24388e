"""A language model first, and the rules where it gives no answer."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from dbt_describe.errors import StoppedError
from dbt_describe.lineage.origins import Lineage
from dbt_describe.llm.bounds import Amount
from dbt_describe.planning import Descriptions, Task
from dbt_describe.project.nodes import Project
from dbt_describe.prompting.facts import Enrich
from dbt_describe.writers.protocol import Writer, WriterResult


class FallbackWriter:
    """Writes what `first` can't by `last`. Once `first` can't be asked any more, `last` writes the rest alone.

    Only failures fall back: what the first writer abstains from stays unknown.
    """

    def __init__(self, first: Writer, last: Writer, say: Callable[[str], None] = lambda _: None) -> None:
        self._first = first
        self._last = last
        self._say = say
        self._is_first_over = False
        self._is_stopped = False

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self._first.name}, then {self._last.name}"

    @property
    def inner(self) -> Writer:
        """The writer that is asked first."""
        return self._first

    @property
    def is_free(self) -> bool:
        """Whether the first writer is."""
        return self._first.is_free

    async def write(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        """Describe what the task names.

        Raises:
            StoppedError: nothing was asked, because `stop` was called before.
        """
        if self._is_stopped:
            raise StoppedError("The run was stopped before this was asked.")
        if self._is_first_over:
            return await self._last.write(task, project, lineage, known)
        result = await self._first.write(task, project, lineage, known)
        if self._is_stopped or not (result.failures or result.stopped_by):
            return result
        if result.stopped_by and not self._is_first_over:
            self._is_first_over = True
            self._say(f"From here on, {self._last.name} alone: {result.stopped_by}")
        open_ = _still_open(task, result)
        rest = await self._last.write(open_, project, lineage, known)
        if not result.stopped_by:
            self._say(f"{task.unique_id} falls to {self._last.name}: {'; '.join(result.failures)}")
        return msgspec.structs.replace(
            result,
            drafts=result.drafts + rest.drafts,
            abstentions=result.abstentions + rest.abstentions,
            failures=rest.failures,
            stopped_by="",
            gone_on_without=result.stopped_by,
        )

    def estimate(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        """What the first writer would cost."""
        return self._first.estimate(task, project, lineage, known)

    def inform(self, enrich: Enrich) -> None:
        """Only the first writer has use for it."""
        self._first.inform(enrich)

    def avoid(self, descriptions: int) -> None:
        """The first writer would have been asked."""
        self._first.avoid(descriptions)

    def charge(self, used: Amount) -> None:
        """Only the first writer spends."""
        self._first.charge(used)

    def stop(self) -> None:
        """Ask nothing more; what is under way ends."""
        self._is_stopped = True
        self._first.stop()

    async def aclose(self) -> None:
        """Give back connections."""
        await self._first.aclose()


def _still_open(task: Task, result: WriterResult) -> Task:
    """What a result says nothing of."""
    answered = {draft.column for draft in result.drafts} | {given.column for given in result.abstentions}
    answered.update(result.under_way)
    columns = tuple(column for column in task.columns if column not in answered)
    return msgspec.structs.replace(task, columns=columns, describe_node=task.describe_node and "" not in answered)
