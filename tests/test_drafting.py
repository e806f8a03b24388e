"""One run over a small project with a writer that does as it is told."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from dbt_describe.drafting import Drafting
from dbt_describe.errors import StoppedError
from dbt_describe.filing import Filing
from dbt_describe.lineage import Lineage, trace_project
from dbt_describe.llm.bounds import Amount
from dbt_describe.placing import find_schema_files
from dbt_describe.planning import Descriptions, Draft, Task, make_plan
from dbt_describe.progress import Silent
from dbt_describe.project import Project
from dbt_describe.prompting.facts import Enrich
from dbt_describe.writers.protocol import WriterResult
from tests.manifests import make_project, model

Answer = Callable[[Task, Descriptions], WriterResult]


class ScriptedWriter:
    """Answers as the script says, and every column else."""

    name = "script"
    is_free = False

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.is_stopped = False

    async def write(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        await asyncio.sleep(0)
        if self.is_stopped:
            raise StoppedError("stopped")
        name = task.unique_id.rpartition(".")[2]
        self.asked.append(name)
        return self.answers.get(name, describe_all)(task, known)

    def estimate(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        return WriterResult()

    def stop(self) -> None:
        self.is_stopped = True

    def inform(self, enrich: Enrich) -> None:
        pass

    def charge(self, used: Amount) -> None:
        pass

    def avoid(self, descriptions: int) -> None:
        self.avoided = descriptions

    async def aclose(self) -> None:
        pass


def describe_all(task: Task, known: Descriptions) -> WriterResult:
    drafts = [Draft(task.unique_id, column, f"Text of {column}.", "script") for column in task.columns]
    if task.describe_node:
        drafts.append(Draft(task.unique_id, "", "Text of the node.", "script"))
    return WriterResult(tuple(drafts), calls=1, input_tokens=10, output_tokens=5, cost_usd=Decimal(1))


def fail(task: Task, known: Descriptions) -> WriterResult:
    return WriterResult(failures=("no answer",), calls=2, input_tokens=20, cost_usd=Decimal(2))


def stop(task: Task, known: Descriptions) -> WriterResult:
    return WriterResult(failures=("no money",), stopped_by="no money")


def crash(task: Task, known: Descriptions) -> WriterResult:
    raise RuntimeError("surprise")


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    """a.x is described; b copies it and computes y; c copies both."""
    (tmp_path / "models").mkdir()
    return make_project(
        tmp_path,
        model("a", "select 1 as x", columns={"x": "Described."}, description="Described."),
        model("b", 'select x, 2 * x as y from "db"."main"."a"', reads=["a"], columns={"x": "", "y": ""}),
        model("c", 'select x, y from "db"."main"."b"', reads=["b"], columns={"x": "", "y": ""}),
        model("d", 'select x, x + 1 as z from "db"."main"."a"', reads=["a"], columns={"x": "", "z": ""}),
    )


def run(
    project: Project,
    answers: dict[str, Answer],
    concurrency: int = 1,
    writer_of: Callable[[dict[str, Answer]], ScriptedWriter] = ScriptedWriter,
    schema_path: dict[str, str] | None = None,
) -> tuple[Drafting, ScriptedWriter, Filing]:
    lineage = trace_project(project)
    plan = make_plan(project, lineage, project.nodes)
    gaps = {name: node.gaps for name, node in plan.nodes.items()}
    paths, failures, _ = find_schema_files(project, gaps, schema_path)
    assert failures == []
    filing = Filing(project, paths, dry_run=False)
    writer = writer_of(answers)

    async def fill() -> Drafting:
        drafting = Drafting(project, lineage, plan, writer, filing, Silent())
        await drafting.fill(concurrency)
        return drafting

    return asyncio.run(fill()), writer, filing


def written(filing: Filing) -> set[str]:
    return {f"{draft.unique_id.rpartition('.')[2]}.{draft.column}" for draft in filing.written}


def test_what_a_reviewer_said_of_all_nodes_is_added_up(shop: Project) -> None:
    def reviewed(task: Task, known: Descriptions) -> WriterResult:
        return msgspec.structs.replace(
            describe_all(task, known), reviewed=3, revised=1, unreviewed=("gone",) if task.describe_node else ()
        )

    drafting, _, _ = run(shop, {"b": reviewed, "c": reviewed})
    assert (drafting.reviewed.drafts, drafting.reviewed.revised, drafting.reviewed.missed) == (6, 2, {"gone": 2})


def test_a_node_that_fails_costs_the_others_nothing_and_its_spending_is_counted(shop: Project) -> None:
    drafting, _, filing = run(shop, {"d": fail})
    assert [failure.message for failure in drafting.failures] == ["no answer"]
    assert written(filing) == {"b.", "b.x", "b.y", "c.", "c.x", "c.y", "d.x"}
    assert (drafting.spent.calls, drafting.spent.cost_usd) == (4, Decimal(4))


def test_a_bug_on_one_node_is_its_failure(shop: Project) -> None:
    drafting, _, filing = run(shop, {"d": crash})
    assert "a bug in dbt-describe (RuntimeError: surprise)" in drafting.failures[0].message
    assert {"b.y", "c.y", "d.x"} <= written(filing)


def test_after_a_stop_what_costs_nothing_is_still_written(shop: Project) -> None:
    drafting, writer, filing = run(shop, {"b": stop})
    assert writer.asked == ["b"]
    assert (drafting.stopped_by, drafting.not_begun) == ("no money", 2)
    assert written(filing) == {"b.x", "c.x", "d.x"}


def test_where_another_writer_goes_on_nothing_stops_and_why_is_told(shop: Project) -> None:
    def go_on(task: Task, known: Descriptions) -> WriterResult:
        return msgspec.structs.replace(describe_all(task, known), gone_on_without="no money")

    drafting, writer, _ = run(shop, {"b": go_on})
    assert sorted(writer.asked) == ["b", "c", "d"]
    assert (drafting.stopped_by, drafting.not_begun, drafting.failures) == ("no money", 0, [])


def test_columns_inherited_a_moment_ago_are_known_when_their_node_is_asked(shop: Project) -> None:
    seen: list[str] = []

    def look(task: Task, known: Descriptions) -> WriterResult:
        seen.extend(text for ref, text in known.columns.items() if ref.unique_id == task.unique_id)
        return describe_all(task, known)

    run(shop, {"c": look})
    assert sorted(seen) == ["Described.", "Text of y."]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_handled_after_a_run_as_before_it(number: signal.Signals, shop: Project) -> None:
    def ours(_number: int, _frame: object) -> None:
        pass

    before = signal.signal(number, ours)
    try:
        run(shop, {})
        assert signal.getsignal(number) is ours
    finally:
        signal.signal(number, before)


def test_a_file_is_written_while_the_next_answer_is_awaited(shop: Project) -> None:
    class Patient(ScriptedWriter):
        async def write(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
            async with asyncio.timeout(60):
                while task.unique_id.endswith(".c") and "Text of y." not in texts():
                    await asyncio.sleep(0.01)
            return await super().write(task, project, lineage, known)

    def texts() -> str:
        return "".join(path.read_text() for path in (shop.root / "models").glob("*.yml"))

    drafting, _, _ = run(shop, {}, writer_of=Patient, schema_path={"models": "{dir}/_{model}.yml"})
    assert drafting.failures == []


def test_a_bug_in_writing_files_is_told_and_not_swallowed(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def surprise(self: Filing, unique_id: str) -> None:
        raise RuntimeError("surprise")

    monkeypatch.setattr(Filing, "end_node", surprise)
    with pytest.raises(RuntimeError, match="surprise"):
        run(shop, {})
