"""Batches in a run: what of its plan is asked in one, what has come back, and what is still under way.

    submit: each node of the plan → its questions, each with a tag: the node, and what its descriptions rest on
    pick up: tags → what is answered and holds, by the question's key; what is under way is left out

What is answered is read with the question that was asked, however the project's other texts read by then: a node's
question shows what was known when it was sent. What a batch doesn't answer is asked as ever.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from dbt_describe.batch_tags import Asked
from dbt_describe.batched_plan import BatchedPlan
from dbt_describe.configuration.batches import BatchUse
from dbt_describe.errors import DbtDescribeError, LlmSettingsError
from dbt_describe.llm.batches.collecting import Collected
from dbt_describe.llm.batches.engine import Batches
from dbt_describe.llm.batches.records import FILE_NAME
from dbt_describe.llm.batches.states import how_far
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
    from dbt_describe.llm.batches.states import BatchRecord, ItemRecord
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
        self._told: set[str] = set()
        self._mine: set[str] = set()
        self._is_interrupted = False
        self._is_cut_short = False
        """Whether the last batch asks less than it should, as the budget has no room before it is answered."""

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
    def is_wished(self) -> bool:
        """Whether somebody asked for batches, come what may."""
        return self._use.use == "on"

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
        if self.is_wished:
            self._batches.check(Request("", ()))
        waits = self._use.use != "off" and self._use.waits
        with on_interrupt(self._interrupt):
            await self._safely(self._fetch())
            if self._use.use != "off" and not self._is_by_level and not self._is_interrupted:
                await self._safely(self._submit(drafting))
            if waits and not self._is_interrupted:
                # What can't be waited for is left, and the run hasn't done all that was wished.
                drafting.stopped_by = await self._safely(self._wait(drafting), "The batch stays with its provider")
        self._batches.leave()
        if self._is_by_level:
            self._collect()
        batched = self._batched()
        self._llm.expect(batched)
        drafting.in_batches = batched.asked
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

    async def _safely(self, step: Awaitable[None], meaning: str = "Going on without batches") -> str:
        """Whatever goes wrong with batches, the run goes on without them; returns what did."""
        try:
            await step
        except DbtDescribeError as error:
            if not self._is_interrupted:
                self._say_once([f"{meaning}: {error}"])
            return str(error)
        return ""

    async def _fetch(self) -> None:
        if not self._use.asks:
            return
        if not self._use.leaves_out:
            await self._call_off()
        if ids := [one.id for one in self._open_batches()]:
            this_round = await self._batches.advance(ids, now=not self._use.waits or self._use.use == "off")
            self._say_once(this_round.problems)

    async def _call_off(self) -> None:
        """What this run asks all the same, and was never sent, isn't sent any more."""
        for one in self._open_batches():
            if one.progress == "recorded":
                await self._batches.cancel(one.id)

    async def _submit(self, drafting: Drafting) -> None:
        self._is_cut_short = False
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
        self._say_once(submitted.problems)
        over = [left for left in submitted.left if left.is_over_budget]
        self._is_cut_short = bool(over and submitted.sent)
        self._say_once([f"Not in a batch: {left.reason}" for left in submitted.left if not left.is_over_budget])
        if over:
            questions = f"{len(over):,} more {'question' if len(over) == 1 else 'questions'}"
            self._progress.say(f"The budget has no room for {questions} in a batch.")

    def _questions(self, batched: Batched, drafting: Drafting) -> Iterator[Item]:
        """What is asked of the nodes of the plan, as it stands: columns that will copy others aren't."""
        prepared = self._prepared
        for task in self._plan.left_to_ask(batched):
            estimate = drafting.writer.estimate(task, prepared.project, prepared.lineage, prepared.plan.known)
            for prompt in estimate.prompts:
                names = (*([""] if prompt.describe_node else []), *prompt.columns)
                yield Item(request_of(prompt, task.unique_id), self._plan.tag(task.unique_id, names))

    def _collect(self) -> None:
        collected = Collected(
            self._gateway,
            self._batches,
            self._use.sending,
            lambda said: self._say_once([said]),
            tag=self._plan.tag_of,
            told=self._tell,
        )
        self._llm.ask(ThroughBatches(self._gateway, collected))

    async def _wait(self, drafting: Drafting) -> None:
        while ids := [one.id for one in self._open_batches()]:
            await self._batches.wait(ids, self._tell)
            if not self._is_cut_short or self._is_interrupted:
                return
            # A batch has taken less than was kept free for it: asked alone, the rest would cost twice as much.
            await self._submit(drafting)

    def _tell(self, this_round: Round) -> None:
        """What went wrong, and how far the batches are, once for each change."""
        self._say_once(one for one in this_round.problems if one != str(this_round.stuck))
        mine = self._open_batches()
        if not mine or this_round.stuck is not None:
            # Why nobody waits any longer is said by who did.
            return
        shown = how_far(mine)
        if shown != self._shown:
            self._progress.say(f"{shown} Ctrl-C leaves it with the provider.")
            self._shown = shown

    def _say_once(self, problems: Iterable[str]) -> None:
        for problem in problems:
            if problem not in self._told:
                self._progress.say(problem)
                self._told.add(problem)

    def _open_batches(self) -> list[BatchRecord]:
        """The batches under way that ask something of this project."""
        open_ = [one for one in self._named_batches() if one.progress not in {"done", "uncertain"}]
        return [one for one in open_ if one.id in self._mine or self._is_mine(one.id)]

    def _is_mine(self, batch_id: str) -> bool:
        """Whether a batch asks something of this project: what it asks stays as it is."""
        is_mine = self._plan.has_some_of(self._batches.items(batch_id))
        self._mine |= {batch_id} if is_mine else set()
        return is_mine

    def _items(self) -> list[tuple[ItemRecord, Asked]]:
        """The questions of this project in batches to models that the settings name."""
        return list(self._plan.items(self._batches.items(), self._named_batches()))

    def _named_batches(self) -> list[BatchRecord]:
        return [one for one in self._batches.batches() if one.model in self._gateway.lanes]

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
            if is_open := await _is_opened(batching, stack, drafting.progress):
                await batching.ask(drafting)
        except BaseException:
            await drafting.writer.aclose()
            raise
        await drafting.fill((is_open and batching.needs) or concurrency)
        if is_open and not drafting.filing.is_dry:
            batching.settle(drafting.done)


async def _is_opened(batching: Batching, stack: contextlib.AsyncExitStack, progress: Progress) -> bool:
    """Whether batches can be used; where nobody insists on them, a run goes on without.

    Raises:
        LlmSettingsError, StoreError: somebody insists.
    """
    try:
        await stack.enter_async_context(batching)
    except DbtDescribeError as error:
        if batching.is_wished:
            raise
        progress.say(f"Answers of batches can't be looked for: {error}")
        return False
    return True
