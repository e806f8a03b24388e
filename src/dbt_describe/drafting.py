"""Fill the gaps of a plan along the DAG: follow, ask, keep what comes back, write each file when it is complete."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Collection, Mapping
from decimal import Decimal

import msgspec

from dbt_describe.conventions import as_allowed
from dbt_describe.deciding import Decide, Decided, Decisions
from dbt_describe.errors import DbtDescribeError, StoppedError
from dbt_describe.filing import Destination
from dbt_describe.lineage.origins import ColumnRef, Lineage
from dbt_describe.planning import SKIPPED, Abstention, Draft, NodePlan, Plan, Task, inherit
from dbt_describe.progress import Progress
from dbt_describe.project.graph import parents_of, topological_order
from dbt_describe.project.nodes import Project
from dbt_describe.provenance.entries import HUMAN, Place
from dbt_describe.report import Failure, Reviewed, Spent
from dbt_describe.schedule import on_interrupt, run_in_order, until_idle, waits_for
from dbt_describe.writers.protocol import Writer, WriterResult

LONGEST_UNWRITTEN_S = 5.0
"""Seconds that a complete file waits at most for a moment without anything else to do."""


class Drafting:
    """The state of one run: what is known, drafted, refused and spent so far."""

    def __init__(
        self,
        project: Project,
        lineage: Lineage,
        plan: Plan,
        writer: Writer,
        filing: Destination,
        progress: Progress,
        decide: Decide | None = None,
    ) -> None:
        """With `decide`, what the writer drafts is taken only as it says; what is inherited isn't asked for."""
        self.project = project
        self.lineage = lineage
        self.writer = writer
        self.filing = filing
        self.progress = progress
        self.known = plan.known
        self.nodes = {name: node for name, node in plan.nodes.items() if filing.has(name)}
        self.abstentions: list[Abstention] = []
        self.failures: list[Failure] = []
        self.spent = Spent()
        self.reviewed = Reviewed()
        self.redactions: dict[str, Mapping[str, int]] = {}
        """unique_id → what was taken out of the facts of the node, by kind → how often."""
        self.interrupted = False
        self.is_misconfigured = False
        self.stopped_by = ""
        """Why no language model was asked any more: settings, an account or a budget that lets no request succeed."""
        self.not_asked = 0
        """Descriptions that were left because the run was stopped, or asks nothing; known at its end."""
        self.copies_left = 0
        """Those of them that hold the values of another one."""
        self.under_way: set[str] = set()
        """Nodes of which something is asked in a batch that hasn't come back yet."""
        self.in_batches: Mapping[str, Collection[str]] = {}
        """unique_id → columns that batches ask or have answered, an empty one for the node itself."""
        self._inherited = 0
        self._ended: set[str] = set()
        self._failed: set[str] = set()
        self._left: set[Place] = set()
        """What isn't known because nothing is asked, or a batch asks it."""
        self._waiting: set[Place] = set()
        """That part of it which waits for a batch."""
        self._complete: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
        """Nodes that have ended, and until when their files are to be written, by the event loop's clock."""
        self._stop = asyncio.Event()
        self._decisions = Decisions(decide) if decide else None

    @property
    def not_begun(self) -> int:
        """Nodes whose gaps were not looked at, because the run was stopped."""
        return len(self.nodes) - len(self._ended)

    @property
    def done(self) -> set[str]:
        """Nodes of which nothing is left to be asked."""
        return self._ended - self._failed - self.under_way

    @property
    def waiting(self) -> int:
        """Descriptions that are left until a batch has come back."""
        return len(self._waiting)

    def end_early(self) -> None:
        """Ask nothing: what costs nothing is written all the same."""
        self.interrupted = True
        self._stop_asking()

    async def fill(self, concurrency: int) -> None:
        """Fill every node's gaps along the DAG, then write what is left."""
        nodes = self.project.nodes
        parents = {name: parents_of(node) for name, node in nodes.items()}
        depends_on = waits_for(topological_order(nodes), parents, self.nodes)
        self.progress.begin(len(self.nodes))
        work = asyncio.ensure_future(run_in_order(depends_on, self._node, concurrency, self._stop))
        filing = asyncio.ensure_future(self._file())
        with on_interrupt(lambda: self._interrupt(work)):
            try:
                with contextlib.suppress(asyncio.CancelledError):
                    await work
            finally:
                self._inherit_the_rest()
                self.writer.avoid(0 if self.filing.is_dry else self._inherited)
                await self.writer.aclose()
                filing.cancel()
                self.progress.end()
                self.filing.finish()
                with contextlib.suppress(asyncio.CancelledError):
                    await filing

    async def _file(self) -> None:
        """Write files in the time that answers leave: the next question of a chain doesn't wait for the disk."""
        while True:
            unique_id, latest_s = await self._complete.get()
            await until_idle(latest_s)
            self.filing.end_node(unique_id)

    def _interrupt(self, work: asyncio.Future[None]) -> None:
        if self.interrupted:
            work.cancel()
            return
        self.interrupted = True
        self._stop_asking()
        if self._decisions:
            self._decisions.end()
        self.progress.say("Stopping: waiting for the requests under way, then writing. Ctrl-C again abandons them.")

    async def _node(self, unique_id: str) -> None:
        node_plan = self.nodes[unique_id]
        drafts, task, refused, left = self._follow(node_plan)
        for draft in drafts:
            self.known.add(draft)
        try:
            result = await self._ask(task)
        except StoppedError:
            return
        styled, ruled_out = as_allowed(result.drafts, self.project.conventions)
        result = msgspec.structs.replace(result, drafts=styled, abstentions=(*result.abstentions, *ruled_out))
        self.stopped_by = self.stopped_by or result.stopped_by or result.gone_on_without
        self.is_misconfigured |= result.is_misconfigured
        self.redactions[unique_id] = result.redactions
        if result.stopped_by:
            self._stop_asking()
            if not result.failures:
                return
        self.failures += [Failure(unique_id, message) for message in result.failures]
        self._failed |= {unique_id} if result.failures else set()
        self._count(result)
        decided = await self._decided(result.drafts, task)
        result = _as_decided(result, decided)
        self.failures += [Failure(unique_id, decided.failure)] if decided.failure else []
        if decided.has_ended:
            self._stop_asking()
            self._take_before_the_end(result)
            return
        self._take(unique_id, [*node_plan.inherited, *drafts, *result.drafts], result)
        self._leave(node_plan, left, result)
        self.abstentions += [*node_plan.skipped, *refused, *result.abstentions]
        if result.under_way:
            return
        unknown = len(node_plan.skipped) + len(refused) + len(result.abstentions)
        written = len(node_plan.inherited) + len(drafts) + len(result.drafts)
        self.progress.end_node(unique_id, written, unknown, "; ".join(result.failures))

    async def _ask(self, task: Task) -> WriterResult:
        """The writer's answer; whatever goes wrong costs this node only.

        Raises:
            StoppedError: nothing was asked any more.
        """
        if not task.columns and not task.describe_node:
            return WriterResult()
        try:
            return await self.writer.write(task, self.project, self.lineage, self.known)
        except StoppedError:
            raise
        except DbtDescribeError as error:
            return WriterResult(failures=(str(error),))
        except Exception as error:  # noqa: BLE001 - a bug of ours on one node must not cost the others
            shown = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            return WriterResult(failures=(f"a bug in dbt-describe ({shown}); please open an issue",))

    def _stop_asking(self) -> None:
        self._stop.set()
        self.writer.stop()

    def _inherit_the_rest(self) -> None:
        """After a stop, what costs nothing is still written: columns of nodes not begun that copy a known one."""
        for unique_id, node_plan in self.nodes.items():
            if unique_id not in self._ended:
                drafts = [*node_plan.inherited, *self._follow(node_plan)[0]]
                for draft in drafts:
                    self.known.add(draft)
                self.filing.add(drafts)
                self._inherited += len(drafts)
                left = [name for name in node_plan.gaps if name not in {draft.column for draft in drafts}]
                waiting = self._wait(node_plan, left)
                if waiting == len(left) > 0:
                    self._ended.add(unique_id)
                    self.abstentions += node_plan.skipped
                else:
                    self.not_asked += len(left) + len(node_plan.skipped) - waiting

    def _wait(self, node_plan: NodePlan, left: Collection[str]) -> int:
        """Leave to batches what they ask of a node that wasn't begun, with copies of that; returns how much it is."""
        unique_id, following = node_plan.task.unique_id, node_plan.following
        asked = set(left) & set(self.in_batches.get(unique_id, ()))
        copies = [name for name in left if name in following and _place(following[name]) in self._waiting]
        self._waiting.update((unique_id, name.lower()) for name in (*asked, *copies))
        self.under_way |= {unique_id} if asked else set()
        return len(asked.union(copies))

    def _take(self, unique_id: str, drafts: list[Draft], result: WriterResult) -> None:
        for draft in result.drafts:
            self.known.add(draft)
        self._inherited += len(drafts) - len(result.drafts)
        self.filing.add(drafts)
        self._ended.add(unique_id)
        self._complete.put_nowait((unique_id, asyncio.get_running_loop().time() + LONGEST_UNWRITTEN_S))

    def _leave(self, node_plan: NodePlan, copies: list[str], result: WriterResult) -> None:
        """Leave what isn't known because nothing is asked, or a batch asks it; what copies it is left, too."""
        unique_id, origins = node_plan.task.unique_id, node_plan.following
        waiting = [*result.under_way, *(name for name in copies if _place(origins[name]) in self._waiting)]
        others = [name for name in copies if name not in waiting]
        self._waiting.update((unique_id, name.lower()) for name in waiting)
        self._left.update((unique_id, name.lower()) for name in (*waiting, *others, *result.not_asked))
        self.not_asked += len(others) + len(result.not_asked)
        self.copies_left += len(others)
        self.under_way |= {unique_id} if result.under_way else set()

    def _take_before_the_end(self, result: WriterResult) -> None:
        """Keep what was decided about a node; the rest of it is left for another run."""
        for draft in result.drafts:
            self.known.add(draft)
        self.filing.add(result.drafts)
        skipped = [given for given in result.abstentions if given.reason == SKIPPED]
        self.abstentions += skipped
        self.not_asked -= len(result.drafts) + len(skipped)

    async def _decided(self, drafts: tuple[Draft, ...], task: Task) -> Decided:
        """What becomes of a node's drafts; all are taken where nobody is asked."""
        node = self.project.nodes[task.unique_id]

        def text_now(draft: Draft) -> str:
            column = node.column(draft.column) if draft.column else None
            return task.previous.get(draft.column, "") or (column or node).description.strip()

        return await self._decisions.about(drafts, text_now) if self._decisions else Decided(drafts)

    def _count(self, result: WriterResult) -> None:
        """Add up what asking cost, and what a review came to."""
        self.spent = Spent(
            calls=self.spent.calls + result.calls,
            input_tokens=self.spent.input_tokens + result.input_tokens,
            output_tokens=self.spent.output_tokens + result.output_tokens,
            cost_usd=_sum(self.spent.cost_usd, result.cost_usd),
            cached=self.spent.cached + result.cached,
            batched=self.spent.batched + result.batched,
            batched_cost_usd=_sum(self.spent.batched_cost_usd, result.batched_cost_usd),
        )
        self.reviewed = Reviewed(
            self.reviewed.drafts + result.reviewed,
            self.reviewed.revised + result.revised,
            Counter(self.reviewed.missed) + Counter(result.unreviewed),
        )

    def _follow(self, node_plan: NodePlan) -> tuple[list[Draft], Task, list[Abstention], list[str]]:
        """Inherit what has been described upstream meanwhile; what stays open is asked, or given up with its origin.

        Last, the columns whose origin was left because nothing is asked.
        """
        task = node_plan.task
        node = self.project.nodes[task.unique_id]
        drafts: list[Draft] = []
        asked = set(task.columns)
        refused: list[Abstention] = []
        left: list[str] = []
        for name, origin in node_plan.following.items():
            column = node.column(name)
            if column is None:
                continue
            draft, claimed = inherit(node, column, self.lineage, self.known)
            if draft:
                drafts.append(draft)
            elif claimed or self.writer.is_free:
                asked.add(name)
            elif _place(origin) in self._left:
                left.append(name)
            elif origin.unique_id not in self._failed:
                refused.append(Abstention(task.unique_id, name, f"{_shown(origin)}, which it copies, isn't known"))
        columns = tuple(column.name for column in node.columns if column.name in asked)
        return drafts, msgspec.structs.replace(task, columns=columns), refused, left


def _as_decided(result: WriterResult, decided: Decided) -> WriterResult:
    """The result with what was taken, and abstentions in the place of what was left out."""
    skipped = tuple(Abstention(draft.unique_id, draft.column, SKIPPED, HUMAN) for draft in decided.left_out)
    return msgspec.structs.replace(result, drafts=decided.taken, abstentions=result.abstentions + skipped)


def _place(ref: ColumnRef) -> Place:
    return ref.unique_id, ref.column.lower()


def _shown(ref: ColumnRef) -> str:
    return f"{ref.unique_id}.{ref.column}"


def _sum(left: Decimal | None, right: Decimal | None) -> Decimal | None:
    return None if left is None or right is None else left + right
