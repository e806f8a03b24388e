"""The writer that asks a language model: one request for all gaps of a node, one more for what is not accepted."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from dbt_describe.answers.reading import Reading
from dbt_describe.errors import (
    AnswerError,
    BudgetError,
    ContextWindowExceededError,
    DbtDescribeError,
    LlmError,
    LlmSettingsError,
    ModelCapacityError,
    NotAskedError,
    PromptError,
    PromptTooLargeError,
    QuotaError,
    StoppedError,
    UnderWayError,
)
from dbt_describe.lineage.origins import Lineage
from dbt_describe.llm.bounds import Amount
from dbt_describe.llm.messages import LlmModel, Usage
from dbt_describe.planning import Descriptions, Task
from dbt_describe.project.nodes import Project
from dbt_describe.prompting.facts import Enrich, NodeFacts, Surroundings, gather_facts, surroundings_in
from dbt_describe.prompting.profiles import SMALL_WINDOW_TOKENS, is_small
from dbt_describe.prompting.prompts import build_prompts
from dbt_describe.prompting.templates import Templates
from dbt_describe.prompting.window import DEFAULT_WINDOW_TOKENS, Window
from dbt_describe.redaction.marks import most_marks
from dbt_describe.writers.account import Account, added
from dbt_describe.writers.batched import Batched
from dbt_describe.writers.dialogue import Dialogue, request_of
from dbt_describe.writers.protocol import WriterResult
from dbt_describe.writers.reviewing import PURPOSE, Review, Reviewer, expected_reviews

# What one description with its evidence takes, for estimates.
TOKENS_PER_DESCRIPTION = 90
# What one more column adds to a question that is asked anyway: its name, type, tests and expression.
TOKENS_PER_QUESTION = 60
NO_REVIEW = "models of the small profile aren't reviewed; set `profile: normal` for it"
# A larger window is left unused: more SQL than this makes an answer dearer, not better.
LARGEST_WINDOW_TOKENS = 131_072


class LlmWriter:
    """Describes nodes by asking a model through a gateway."""

    is_free = False

    def __init__(
        self,
        gateway: LlmModel,
        model: str,
        templates: Templates,
        *,
        window: Window | None = None,
        profile: Literal["auto", "small", "normal"] = "auto",
        gives_up: bool = False,
        reviews: bool = False,
    ) -> None:
        self._gateway = gateway
        self._model = model
        self._templates = templates
        self._window = window
        self._profile = profile
        self._gives_up = gives_up
        self._around = Surroundings()
        self._reviews = reviews
        self._project: Project | None = None
        self._enrich: Enrich = lambda facts: facts
        self._batched = Batched()

    @property
    def gateway(self) -> LlmModel:
        """What is asked."""
        return self._gateway

    def ask(self, gateway: LlmModel) -> None:
        """From now on, ask this one, which asks the one before in its way."""
        self._gateway = gateway

    def expect(self, batched: Batched) -> None:
        """From now on, take what batches have answered, and leave out what they ask."""
        self._batched = batched

    @property
    def name(self) -> str:
        """The model, as `provider/NAME`."""
        return self._model

    async def write(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        """Describe what the task names. What was paid for is counted, whatever came of it.

        Raises:
            StoppedError: nothing was asked, because `stop` was called before.
        """
        task, under_way = self._batched.without_under_way(task)
        if not task.columns and not task.describe_node:
            return WriterResult(under_way=under_way)
        facts = self._facts(task, project, lineage, known)
        account = Account()
        dialogue = Dialogue(self._gateway, self._templates, account)
        review = Review(Reading())
        failures: tuple[str, ...] = ()
        stopped_by = ""
        is_misconfigured = False
        try:
            if self._window is None:
                await self._gateway.prepare()
            review = await self._described(facts, dialogue, account)
        except NotAskedError as error:
            not_asked = (*task.columns, *([""] if task.describe_node else []))
            if isinstance(error, UnderWayError):
                return WriterResult(under_way=(*under_way, *not_asked))
            return WriterResult(not_asked=not_asked, under_way=under_way)
        except StoppedError:
            if not account.calls:
                raise
            failures = ("the run was stopped in the middle of it",)
        except (AnswerError, LlmError, PromptError) as error:
            is_over = _is_final(error) or (self._gives_up and _is_of_all(error))
            stopped_by = str(error) if is_over else ""
            is_misconfigured = _is_final(error) and not isinstance(error, BudgetError)
            # A node of which nothing was asked hasn't failed: it is left for the next run.
            is_untouched = stopped_by and not account.calls and not account.cached and not account.batched
            failures = () if is_untouched else (_without_name(error, task.unique_id),)
        # A window found too large for one node is too large for all.
        if dialogue.window:
            self._window = min(self._known_window(), dialogue.window, key=lambda window: window.tokens)
        return WriterResult(
            drafts=review.reading.drafts,
            abstentions=tuple(
                msgspec.structs.replace(given, writer=self._model) for given in review.reading.abstentions
            ),
            failures=(*account.failures, *failures),
            stopped_by=stopped_by,
            is_misconfigured=is_misconfigured,
            calls=account.calls,
            input_tokens=account.input_tokens,
            output_tokens=account.output_tokens,
            cost_usd=account.cost_usd,
            cached=account.cached,
            reviewed=review.reviewed,
            revised=review.revised,
            unreviewed=review.unreviewed,
            batched=account.batched,
            batched_cost_usd=account.batched_cost_usd,
            under_way=under_way,
            redactions=account.redactions,
        )

    async def _described(self, facts: NodeFacts, dialogue: Dialogue, account: Account) -> Review:
        """The drafts that stand, reviewed where the settings want it."""
        window = self._known_window()
        reading = await dialogue.read(*self._batched.split(facts), window)
        if not self._reviews:
            return Review(reading)
        if not window.profile.is_reviewed:
            return Review(reading, unreviewed=(NO_REVIEW,) * len(reading.drafts))
        reviewer = Reviewer(self._gateway, self._templates, self._window_for(PURPOSE), dialogue, account)
        return await reviewer.review(facts, reading, window)

    def estimate(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        """What `write` would cost if every answer is accepted at once; a failure where the task fits no prompt.

        Raises:
            PromptError: a template is broken.
        """
        try:
            facts = self._facts(task, project, lineage, known)
            prompts = build_prompts(facts, self._templates, self._known_window())
        except PromptTooLargeError as error:
            return WriterResult(failures=(_without_name(error, task.unique_id),))
        asked = [
            (request_of(prompt, task.unique_id), TOKENS_PER_DESCRIPTION * (len(prompt.columns) + prompt.describe_node))
            for prompt in prompts
        ]
        if self._reviews and self._known_window().profile.is_reviewed:
            asked += expected_reviews(facts, self._templates, self._window_for(PURPOSE))
        cost_usd: Decimal | None = Decimal(0)
        batch_cost_usd: Decimal | None = Decimal(0)
        for request, answer in asked:
            forecast = self._gateway.forecast(request, answer)
            cost_usd = added(cost_usd, forecast.cost_usd)
            # Reviews and repairs go the live way in any case.
            batch_cost_usd = added(
                batch_cost_usd, forecast.batch_cost_usd if request.purpose == "draft" else forecast.cost_usd
            )
        return WriterResult(
            calls=len(asked),
            input_tokens=sum(request.input_tokens for request, _ in asked),
            output_tokens=sum(answer for _, answer in asked),
            cost_usd=cost_usd,
            batch_cost_usd=batch_cost_usd,
            prompts=prompts,
            redactions=most_marks(prompt.redactions for prompt in prompts),
        )

    def inform(self, enrich: Enrich) -> None:
        """From now on, `enrich` adds to the facts of every node."""
        self._enrich = enrich

    def avoid(self, descriptions: int) -> None:
        """So many descriptions were inherited: what they would have taken is recorded as saved."""
        usage = Usage(TOKENS_PER_QUESTION * descriptions, TOKENS_PER_DESCRIPTION * descriptions)
        self._gateway.avoid("inherited", descriptions, usage)

    def charge(self, used: Amount) -> None:
        """So much of what this run may spend was spent before."""
        self._gateway.charge(used)

    def stop(self) -> None:
        """Send nothing more; requests under way end."""
        self._gateway.stop()

    async def aclose(self) -> None:
        """Close the gateway's connections."""
        await self._gateway.aclose()

    def _known_window(self) -> Window:
        """The window that prompts must fit, as far as it is known by now."""
        if self._window is None:
            self._window = self._window_for("draft")
        return self._window

    def _window_for(self, purpose: str) -> Window:
        # A small model whose server doesn't tell rarely has more.
        model = self._model if purpose == "draft" else ""
        unknown = SMALL_WINDOW_TOKENS if is_small(model) else DEFAULT_WINDOW_TOKENS
        tokens = min(self._gateway.window(purpose) or unknown, LARGEST_WINDOW_TOKENS)
        return Window(tokens, wanted=self._profile, model=model)

    def _facts(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> NodeFacts:
        if self._project is not project:
            self._project, self._around = project, surroundings_in(project, lineage)
        return self._enrich(gather_facts(task, project, lineage, known, self._around))


def _is_final(error: DbtDescribeError) -> bool:
    """Whether no other request can succeed either: settings, the account, or a broken template."""
    return isinstance(error, (LlmSettingsError, QuotaError, BudgetError, ModelCapacityError)) or (
        isinstance(error, PromptError) and not isinstance(error, PromptTooLargeError)
    )


def _is_of_all(error: DbtDescribeError) -> bool:
    """Whether other requests may well fail too: the server doesn't answer, or refuses."""
    return isinstance(error, LlmError) and not isinstance(error, ContextWindowExceededError)


def _without_name(error: DbtDescribeError, unique_id: str) -> str:
    """The message without the node in front: who reports it names the node."""
    return str(error).removeprefix(f"{unique_id}: ")
