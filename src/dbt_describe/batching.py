"""Batches in a run: what of its plan is asked in one, what has come back, and what is still under way.

    submit: each node of the plan → its questions, each with a tag: the node, and what its descriptions rest on
    pick up: tags → what is answered and holds, by the question's key; what is under way is left out

What is answered is read with the question that was asked, however the project's other texts read by then: a node's
question shows what was known when it was sent. What a batch doesn't answer is asked as ever.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from dbt_describe.batch_tags import Asked
from dbt_describe.batched_plan import BatchedPlan
from dbt_describe.configuration.batches import BatchUse
from dbt_describe.errors import DbtDescribeError, LlmSettingsError
from dbt_describe.llm.batches.collecting import Collected
from dbt_describe.llm.batches.engine import Batches
from dbt_describe.llm.batches.records import FILE_NAME
from dbt_describe.llm.batches.submission import Item
from dbt_describe.llm.gateway import Gateway
from dbt_describe.llm.messages import Request
from dbt_describe.preparing import Prepared
from dbt_describe.progress import Progress
from dbt_describe.schedule import on_interrupt
from dbt_describe.settings import Settings
from dbt_describe.writers.batched import Batched
from dbt_describe.writers.certain import CertainFirstWriter
from dbt_describe.writers.dialogue import request_of
from dbt_describe.writers.fallback import FallbackWriter
from dbt_describe.writers.llm import LlmWriter
from dbt_describe.writers.protocol import Writer
from dbt_describe.writers.through_batches import ThroughBatches

if TYPE_CHECKING:
    from dbt_describe.drafting import Drafting
    from dbt_describe.llm.batches.states import ItemRecord
    from dbt_describe.llm.batches.tally import Round


class Batching:
    """The batches of one run. Use it as an async context manager."""

    def __init__(
        self, gateway: Gateway, llm: LlmWriter, use: BatchUse, prepared: Prepared, nodes: Collection[str], say: Progress
    ) -> None:
        """`nodes` are those of the plan that can be written to; `llm` is the writer that asks the gateway."""
        self._gateway = gateway
        self._llm = llm
        self._use = use
        self._prepared = prepared
        self._plan = BatchedPlan(prepared, nodes)
        self._progress = say
        self._shown = ""
        self._is_interrupted = False

    @property
    def warnings(self) -> Sequence[str]:
        """What of the answers isn't used."""
        return self._plan.warnings

    async def __aenter__(self) -> Batching:
        self._batches = Batches(self._gateway, self._use.sending)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._batches.aclose()

    @property
    def needs(self) -> int | None:
        """How many nodes must be asked at a time, where that isn't the settings' matter."""
        return len(self._plan.nodes) or 1 if self._is_by_level else None

    @property
    def _is_by_level(self) -> bool:
        return self._use.use != "off" and self._use.waves == "by-level"

    async def ask(self, drafting: Drafting) -> None:
        """Fetch what earlier batches have answered, send what this run asks in one, and wait for it as it is wished.

        Raises:
            LlmSettingsError: the model's provider has no batches.
        """
        if self._use.use == "on":
            self._batches.check(Request("", ()))
        waits = self._use.use != "off" and self._use.waits
        with on_interrupt(self._interrupt):
            await self._safely(self._fetch())
            if self._use.use != "off" and not self._is_by_level and not self._is_interrupted:
                await self._safely(self._submit(drafting))
            if waits and not self._is_interrupted:
                await self._safely(self._wait())
        if self._is_by_level:
            self._collect()
        self._llm.expect(self._batched())
        if self._is_interrupted:
            drafting.end_early()

    def settle(self, done: Collection[str]) -> None:
        """Forget the batches whose answers this run has seen to; `done` are the nodes of which nothing is left."""
        with contextlib.suppress(DbtDescribeError):
            items: dict[str, list[Asked]] = defaultdict(list)
            open_ = {item.batch for item in self._batches.items() if item.state == "open"}
            for item, asked in self._items():
                items[item.batch].append(asked)
            finished = [one.id for one in self._batches.batches() if one.progress == "done" and one.id not in open_]
            self._batches.forget(
                [one for one in finished if one in items and all(self._plan.is_settled(a, done) for a in items[one])]
            )

    def _interrupt(self) -> None:
        self._is_interrupted = True
        self._llm.stop()
        self._progress.say(
            "Stopping. What was sent stays with the provider: `dbt-describe batch status` shows how far it is, and "
            "`dbt-describe document` writes what has come."
        )

    async def _safely(self, step: Awaitable[None]) -> None:
        """Whatever goes wrong with batches, the run goes on without them."""
        try:
            await step
        except DbtDescribeError as error:
            if not self._is_interrupted:
                self._progress.say(f"Going on without batches: {error}")

    async def _fetch(self) -> None:
        if self._use.asks and (ids := self._open_batches()):
            self._tell_problems(await self._batches.advance(ids, now=not self._use.waits or self._use.use == "off"))

    async def _submit(self, drafting: Drafting) -> None:
        batched = self._batched()
        items = list(self._questions(batched, drafting))
        if not items:
            return
        if self._use.use == "auto":
            if len(items) < self._use.threshold:
                return
            try:
                self._batches.check(items[0].request)
            except LlmSettingsError:
                return
        submitted = await self._batches.submit(items)
        if submitted.sent:
            names = " and ".join(submitted.batches)
            self._progress.say(f"Asked {submitted.sent:,} questions in batch {names}, for answers within a day.")
        for reason in dict.fromkeys(left.reason for left in submitted.left):
            self._progress.say(f"Not in a batch: {reason}")

    def _questions(self, batched: Batched, drafting: Drafting) -> Iterator[Item]:
        """What is asked of the nodes of the plan, as it stands: columns that will copy others aren't."""
        prepared = self._prepared
        for unique_id, node in self._plan.nodes.items():
            task, _ = batched.without_under_way(node.task)
            answered = frozenset[str]().union(*(one.columns for one in batched.answered.get(unique_id, ())))
            task = msgspec.structs.replace(
                task,
                columns=tuple(name for name in task.columns if name not in answered),
                describe_node=task.describe_node and "" not in answered,
            )
            if not task.columns and not task.describe_node:
                continue
            estimate = drafting.writer.estimate(task, prepared.project, prepared.lineage, prepared.plan.known)
            for prompt in estimate.prompts:
                names = (*([""] if prompt.describe_node else []), *prompt.columns)
                yield Item(request_of(prompt, unique_id), self._plan.tag(unique_id, names))

    def _collect(self) -> None:
        collected = Collected(
            self._gateway,
            self._batches,
            self._use.sending,
            self._progress.say,
            tag=self._plan.tag_of,
            told=self._tell,
        )
        self._llm.ask(ThroughBatches(self._gateway, collected))

    async def _wait(self) -> None:
        if ids := self._open_batches():
            self._tell_problems(await self._batches.wait(ids, self._tell))

    def _tell(self, this_round: Round) -> None:
        """How far the batches are, once for each change."""
        known = {one.id: one for one in self._batches.batches()}
        mine = [known[one] for one in self._open_batches() if one in known]
        if not mine:
            return
        answered, failed = sum(one.succeeded for one in mine), sum(one.failed for one in mine)
        states = ", ".join(sorted({one.state or one.progress for one in mine}))
        counts = f"{answered:,} of {sum(one.requests for one in mine):,} answered"
        shown = f"Batch {' and '.join(one.id for one in mine)}: {states}, {counts}" + (
            f", {failed} failed" * bool(failed)
        )
        if shown != self._shown:
            self._progress.say(f"{shown}. Ctrl-C leaves it with the provider.")
            self._shown = shown

    def _tell_problems(self, this_round: Round) -> None:
        for problem in this_round.problems:
            self._progress.say(problem)

    def _open_batches(self) -> list[str]:
        """Our ids of the batches that ask something of this project."""
        mine = {item.batch for item, _ in self._items()}
        over = {"done", "uncertain"}
        return [one.id for one in self._batches.batches() if one.id in mine and one.progress not in over]

    def _items(self) -> list[tuple[ItemRecord, Asked]]:
        """The questions of this project in batches to models that the settings name."""
        batches = [one for one in self._batches.batches() if one.model in self._gateway.lanes]
        return list(self._plan.items(self._batches.items(), batches))

    def _batched(self) -> Batched:
        batched = self._plan.batched(self._items(), self._batches.pending())
        return batched if self._use.leaves_out else Batched(batched.answered)


def open_batching(
    writer: Writer, settings: Settings, prepared: Prepared, nodes: Collection[str], progress: Progress
) -> Batching | None:
    """The batches of a run; None where it neither asks in batches nor can find what others asked in some."""
    llm = _llm_writer(writer)
    if llm is None or not isinstance(llm.gateway, Gateway):
        return None
    store_dir = settings.llm.store_dir
    if settings.batch.use == "off" and not (store_dir and (store_dir / FILE_NAME).is_file()):
        return None
    return Batching(llm.gateway, llm, settings.batch, prepared, nodes, progress)


def _llm_writer(writer: Writer) -> LlmWriter | None:
    """The writer that asks a model, inside of those around it."""
    while isinstance(writer, (CertainFirstWriter, FallbackWriter)):
        writer = writer.inner
    return writer if isinstance(writer, LlmWriter) else None


async def fill(drafting: Drafting, batching: Batching, concurrency: int) -> None:
    """Fill the gaps of a plan: first what batches are for, then the rest.

    Raises:
        LlmSettingsError: batches are wished, and the model's provider has none.
        StoreError: batches are wished, and nothing can be kept.
    """
    async with contextlib.AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(batching)
            await batching.ask(drafting)
        except BaseException:
            await drafting.writer.aclose()
            raise
        await drafting.fill(batching.needs or concurrency)
        if not drafting.filing.is_dry:
            batching.settle(drafting.done)
