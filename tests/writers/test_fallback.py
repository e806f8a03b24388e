"""A language model first, and another writer where it gives no answer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from dbt_describe.errors import StoppedError
from dbt_describe.lineage.origins import Lineage
from dbt_describe.llm.bounds import Amount
from dbt_describe.planning import Abstention, Descriptions, Draft, Task
from dbt_describe.project.nodes import Project
from dbt_describe.prompting.facts import Enrich
from dbt_describe.writers.fallback import FallbackWriter
from dbt_describe.writers.protocol import WriterResult

EMPTY = Project(Path(), "shop", "duckdb", "1.10.0", {})
TASK = Task("model.shop.orders", ("a", "b"), describe_node=True)


class Queued:
    """A writer that answers from a queue."""

    is_free = False

    def __init__(self, name: str, *results: WriterResult) -> None:
        self.name = name
        self.results = list(results)
        self.tasks: list[Task] = []
        self.is_stopped = self.is_closed = False

    async def write(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        self.tasks.append(task)
        return self.results.pop(0)

    def estimate(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        return WriterResult(calls=1)

    def inform(self, enrich: Enrich) -> None:
        pass

    def charge(self, used: Amount) -> None:
        pass

    def avoid(self, descriptions: int) -> None:
        self.avoided = descriptions

    def stop(self) -> None:
        self.is_stopped = True

    async def aclose(self) -> None:
        self.is_closed = True


def draft(column: str, writer: str = "model") -> Draft:
    return Draft("model.shop.orders", column, f"Text of {column}.", writer)


def write(writer: FallbackWriter) -> WriterResult:
    return asyncio.run(writer.write(TASK, EMPTY, Lineage("", {}), Descriptions()))


def test_only_what_the_first_said_nothing_of_is_asked_of_the_last() -> None:
    first = Queued(
        "model",
        WriterResult(
            drafts=(draft("a"),),
            abstentions=(Abstention("model.shop.orders", "", "not sure"),),
            failures=("broken answer",),
            calls=2,
        ),
    )
    last = Queued("rules", WriterResult(drafts=(draft("b", "rules"),)))
    result = write(FallbackWriter(first, last))
    assert last.tasks == [Task("model.shop.orders", ("b",))]
    assert [(one.column, one.writer) for one in result.drafts] == [("a", "model"), ("b", "rules")]
    assert (result.failures, result.calls) == ((), 2)


def test_what_the_first_abstains_from_stays_unknown() -> None:
    result = WriterResult(abstentions=(Abstention("model.shop.orders", "a", "not sure"),))
    last = Queued("rules")
    assert write(FallbackWriter(Queued("model", result), last)) == result
    assert last.tasks == []


def test_once_the_first_cannot_be_asked_any_more_the_last_goes_on_alone() -> None:
    said: list[str] = []
    first = Queued("model", WriterResult(failures=("no key",), stopped_by="no key"))
    last = Queued("rules", *(WriterResult(drafts=(draft("a", "rules"),)) for _ in range(2)))
    writer = FallbackWriter(first, last, said.append)
    results = [write(writer) for _ in range(2)]
    assert [(result.stopped_by, result.failures, len(result.drafts)) for result in results] == [("", (), 1)] * 2
    assert [result.gone_on_without for result in results] == ["no key", ""]
    assert said == ["From here on, rules alone: no key"]


def test_after_a_stop_nobody_is_asked() -> None:
    first, last = Queued("model"), Queued("rules")
    writer = FallbackWriter(first, last)
    writer.stop()
    with pytest.raises(StoppedError):
        write(writer)
    assert first.is_stopped


def test_it_is_as_dear_as_the_first_and_closes_it() -> None:
    first = Queued("model")
    writer = FallbackWriter(first, Queued("rules"))
    assert writer.estimate(TASK, EMPTY, Lineage("", {}), Descriptions()).calls == 1
    writer.avoid(3)
    assert first.avoided == 3
    assert (writer.name, writer.is_free) == ("model, then rules", False)
    asyncio.run(writer.aclose())
    assert first.is_closed
