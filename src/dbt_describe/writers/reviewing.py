"""A second model holds the drafts of one node against the facts; what it objects to is written anew once.

    drafts → reviewed: supported ones stand
           → the others revised by the drafting model, which is told the reason, and checked like all answers
           → reviewed again: what isn't supported even then is left unknown

Every answer is kept by the gateway as soon as it has been read. A run that ends anywhere in between is gone on with by
asking everything again: only what wasn't answered yet is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from dbt_describe.answers.reading import Reading, ReplyText
from dbt_describe.answers.verdicts import (
    SCHEMA_NAME,
    SUPPORTED,
    UNSUPPORTED,
    VAGUE,
    Verdict,
    read_verdicts,
    verdict_schema,
)
from dbt_describe.errors import (
    AnswerError,
    BudgetError,
    ContextWindowExceededError,
    LlmError,
    PromptTooLargeError,
    StoppedError,
)
from dbt_describe.llm.messages import LlmModel, Message, Request
from dbt_describe.planning import Abstention, Draft
from dbt_describe.prompting.facts import NodeFacts
from dbt_describe.prompting.reviews import ReviewPrompt, build_reviews, refusing
from dbt_describe.prompting.templates import Templates
from dbt_describe.prompting.window import Window
from dbt_describe.writers.account import Account
from dbt_describe.writers.dialogue import SMALLEST_WINDOW_TOKENS, Dialogue
from dbt_describe.writers.turns import smaller_window

PURPOSE = "review"
# What a verdict with its reason takes, for estimates.
TOKENS_PER_VERDICT = 50
# The length of the drafts that an estimate reckons with.
_STAND_IN = "word " * 20
_NOT_GRADED = "the reviewer's answer says nothing on it"


class Review(msgspec.Struct, frozen=True):
    """What came of a review. `reading` is that of the drafts, with abstentions in the place of what doesn't stand."""

    reading: Reading
    reviewed: int = 0
    """Drafts that were graded."""
    revised: int = 0
    """Drafts that were written anew and stand."""
    unreviewed: tuple[str, ...] = ()
    """Of each draft that stands without a grade, why."""


class Reviewer:
    """Reviews the drafts that a dialogue came to, and has it write anew what doesn't stand."""

    def __init__(
        self, llm_model: LlmModel, templates: Templates, window: Window, dialogue: Dialogue, account: Account
    ) -> None:
        """`window` is the reviewing model's."""
        self._llm_model = llm_model
        self._templates = templates
        self._window = window
        self._dialogue = dialogue
        self._account = account

    async def review(self, facts: NodeFacts, reading: Reading, window: Window) -> Review:
        """The drafts that stand; `window` is that of the model that revises.

        A reviewer that fails, or whose answer can't be used, changes nothing: what it didn't grade stands.

        Raises:
            StoppedError, BudgetError: nothing (more) is asked; all answers so far are kept for another run.
            PromptError: the template is broken.
        """
        verdicts = await self._verdicts(facts, reading.drafts)
        objections = [
            (draft, verdict)
            for draft in reading.drafts
            if (verdict := verdicts[draft.column]).verdict in {UNSUPPORTED, VAGUE}
        ]
        revised, failure = await self._revise(facts, objections, window)
        again = await self._verdicts(facts, tuple(revised.values()))
        settled = [_settle(objection, revised, again, failure) for objection in objections]
        objected = {draft.column for draft, _ in objections}
        standing = tuple(draft for draft in reading.drafts if draft.column not in objected)
        kept = tuple(entry for entry in settled if isinstance(entry, Draft))
        given_up = tuple(entry for entry in settled if isinstance(entry, Abstention))
        return Review(
            Reading(standing + kept, reading.abstentions + given_up),
            reviewed=sum(bool(verdict.verdict) for verdict in verdicts.values()),
            revised=sum(draft is revised.get(draft.column) for draft in kept),
            unreviewed=tuple(verdicts[draft.column].reason for draft in standing if not verdicts[draft.column].verdict),
        )

    async def _verdicts(self, facts: NodeFacts, drafts: Sequence[Draft]) -> Mapping[str, Verdict]:
        """Column → the verdict on its draft; without a word, `reason` is why there is none."""
        try:
            prompts = build_reviews(facts, drafts, self._templates, self._window)
        except PromptTooLargeError as error:
            return {draft.column: Verdict("", str(error).removeprefix(f"{facts.unique_id}: ")) for draft in drafts}
        parts = await asyncio.gather(*(self._ask(facts, prompt) for prompt in prompts))
        return {column: verdict for part in parts for column, verdict in part.items()}

    async def _ask(self, facts: NodeFacts, prompt: ReviewPrompt) -> Mapping[str, Verdict]:
        request = request_of_review(prompt, facts.unique_id)
        try:
            reply = await self._llm_model.complete(request)
            self._account.add(reply)
            read = ReplyText(reply.text, reply.finish_reason, reply.refusal)
            found = read_verdicts(read, len(prompt.drafts))
        except (StoppedError, BudgetError):
            raise
        except (AnswerError, LlmError) as error:
            if isinstance(error, ContextWindowExceededError) and self._narrow(error, request):
                return await self._verdicts(facts, prompt.drafts)
            return {draft.column: Verdict("", str(error)) for draft in prompt.drafts}
        self._llm_model.keep(request, reply)
        numbered = enumerate(prompt.drafts, 1)
        return {draft.column: found.get(number, Verdict("", _NOT_GRADED)) for number, draft in numbered}

    def _narrow(self, error: ContextWindowExceededError, request: Request) -> bool:
        """Whether there is a smaller window to try, which is then the one of all further reviews of this node."""
        sent = request.input_tokens + request.max_output_tokens
        smaller = smaller_window(self._window, error.limit_tokens, sent=sent)
        self._window = smaller if smaller.tokens < self._window.tokens else self._window
        return smaller.tokens >= SMALLEST_WINDOW_TOKENS

    async def _revise(
        self, facts: NodeFacts, objections: Sequence[tuple[Draft, Verdict]], window: Window
    ) -> tuple[Mapping[str, Draft], str]:
        """Column → another draft that answers to the objection, and why there may be none."""
        if not objections:
            return {}, ""
        objected = refusing(facts, [(draft, verdict.reason or verdict.verdict) for draft, verdict in objections])
        try:
            reading = await self._dialogue.describe(objected, window)
        except (StoppedError, BudgetError):
            raise
        except (AnswerError, LlmError, PromptTooLargeError) as error:
            return {}, str(error)
        before = {draft.column: draft.text for draft, _ in objections}
        return {draft.column: draft for draft in reading.drafts if draft.text != before[draft.column]}, ""


def request_of_review(prompt: ReviewPrompt, unique_id: str) -> Request:
    """The prompt as a request; which model answers it is the gateway's choice."""
    return Request(
        model="",
        messages=(Message("system", prompt.system, ends_prefix=True), Message("user", prompt.user)),
        schema_name=SCHEMA_NAME,
        schema=verdict_schema(),
        temperature=prompt.template.parameters.temperature,
        max_output_tokens=prompt.max_output_tokens,
        purpose=PURPOSE,
        node=unique_id,
        prompt=prompt.template.label,
        input_tokens=prompt.input_tokens,
        fragments=prompt.fragments,
    )


def expected_reviews(facts: NodeFacts, templates: Templates, window: Window) -> Iterator[tuple[Request, int]]:
    """The requests that a review of all that is asked would take, each with the tokens of its answer.

    Raises:
        PromptError: the template is broken.
    """
    asked = (*([""] if facts.describe_node else []), *(column.name for column in facts.columns))
    drafts = [Draft(facts.unique_id, column, _STAND_IN, "", evidence=_STAND_IN) for column in asked]
    try:
        prompts = build_reviews(facts, drafts, templates, window)
    except PromptTooLargeError:
        return
    for prompt in prompts:
        yield request_of_review(prompt, facts.unique_id), TOKENS_PER_VERDICT * len(prompt.drafts)


def _settle(
    objection: tuple[Draft, Verdict], revised: Mapping[str, Draft], again: Mapping[str, Verdict], failure: str
) -> Draft | Abstention:
    """What becomes of a draft that was objected to.

    A vague one isn't wrong: it stands where nothing better came of it. An unsupported one doesn't, and what took its
    place does only where the reviewer has nothing against that.
    """
    draft, verdict = objection
    other = revised.get(draft.column)
    second = again.get(draft.column, Verdict("")) if other else Verdict("")
    if other and second.verdict in {SUPPORTED, VAGUE}:
        return other
    if verdict.verdict == VAGUE:
        return draft
    reason = f"a reviewer finds no support for what the model writes: {verdict.reason or 'it gives no reason'}"
    if other is None and failure:
        reason += f" (and it couldn't be written anew: {failure})"
    return Abstention(draft.unique_id, draft.column, reason, rejected=(other or draft).text)
