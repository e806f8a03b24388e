"""What is said with a model about one node: the question, what to do when it doesn't fit, and one repair."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import msgspec

from dbt_describe.answers.grounding import shown_in
from dbt_describe.answers.house_style import HouseStyle
from dbt_describe.answers.reading import Reading, Rejection, ReplyText, Subject, read_answer
from dbt_describe.answers.validation import limits_of
from dbt_describe.errors import (
    AnswerError,
    BudgetError,
    ContextWindowExceededError,
    DbtDescribeError,
    LlmError,
    LlmSettingsError,
    NotAskedError,
    PromptTooLargeError,
    QuotaError,
    RefusedAnswerError,
    StoppedError,
    TruncatedAnswerError,
)
from dbt_describe.llm.messages import LlmModel, Message, Reply, Request
from dbt_describe.planning import Abstention, Task
from dbt_describe.prompting.facts import NodeFacts
from dbt_describe.prompting.prompts import Prompt, build_prompts, render_repair, split
from dbt_describe.prompting.schemas import SCHEMA_NAME, answer_schema, common_schema
from dbt_describe.prompting.templates import Templates
from dbt_describe.prompting.window import Window
from dbt_describe.redaction.marks import most_marks
from dbt_describe.writers.account import Account
from dbt_describe.writers.turns import continued, grown_output, smaller_window, with_wish

SMALLEST_WINDOW_TOKENS = 1024
# A wish that is longer than this part of the window is made in two.
LARGEST_WISH = 4
# How much more room an answer gets that was cut off.
GROWTH = 4


class Dialogue:
    """One node's questions. `window` is set when the model's window turned out to be smaller than assumed."""

    def __init__(self, llm_model: LlmModel, templates: Templates, account: Account) -> None:
        self._llm_model = llm_model
        self._templates = templates
        self._account = account
        self.window: Window | None = None

    async def describe(self, facts: NodeFacts, window: Window, *, grown: bool = False) -> Reading:
        """A draft or an abstention for everything that the facts ask for; no rejections.

        Where several requests are needed and some fail, nothing is said of what they asked for: the account has why.

        Raises:
            NotAskedError: one of the answers isn't kept, and nothing is asked in this run.
            DbtDescribeError: no request succeeded; the first one's error.
        """
        prompts = build_prompts(facts, self._templates, window)
        self._account.redactions = most_marks((self._account.redactions, *(one.redactions for one in prompts)))
        parts = [_part(facts, prompt) for prompt in prompts]
        asked = [self._answer(part, prompt, window, grown) for part, prompt in zip(parts, prompts, strict=True)]
        return self._merged(await _all_of(asked))

    async def read(self, asked: Sequence[tuple[NodeFacts, str]], rest: NodeFacts, window: Window) -> Reading:
        """What batches have answered, parts of the facts with the keys of their questions, and the rest as `describe`.

        Raises:
            DbtDescribeError: see `describe`.
        """
        readings = [self._read_batched(part, key, window) for part, key in asked]
        if rest.columns or rest.describe_node:
            readings.append(self.describe(rest, window))
        return self._merged(await _all_of(readings))

    async def _read_batched(self, facts: NodeFacts, key: str, window: Window) -> Reading:
        prompts = build_prompts(facts, self._templates, window)
        if len(prompts) > 1:  # what took one question then takes several now: none of them is that one
            return await self.describe(facts, window)
        return await self._answer(facts, prompts[0], window, grown=False, asked_as=key)

    async def _answer(
        self, facts: NodeFacts, prompt: Prompt, window: Window, grown: bool, asked_as: str = ""
    ) -> Reading:
        """One prompt's answer; asked in another way when it is too large or its answer is cut off."""
        room = grown_output(prompt, GROWTH) if grown else prompt.max_output_tokens
        try:
            return await self._converse(facts, prompt, room, asked_as)
        except ContextWindowExceededError as error:
            smaller = smaller_window(window, error.limit_tokens, sent=prompt.input_tokens + room)
            if smaller.tokens < SMALLEST_WINDOW_TOKENS:
                raise
            self.window = min(self.window or smaller, smaller, key=lambda window: window.tokens)
            return await self.describe(facts, smaller, grown=grown)
        except TruncatedAnswerError:
            if grown:
                raise
            if len(facts.columns) + facts.describe_node < 2:
                return await self._converse(facts, prompt, grown_output(prompt, GROWTH))
            return self._merged(await _all_of([self.describe(half, window, grown=True) for half in split(facts)]))
        except RefusedAnswerError as error:
            return _abstained(facts, str(error))

    async def _converse(self, facts: NodeFacts, prompt: Prompt, max_output_tokens: int, asked_as: str = "") -> Reading:
        """Ask, and ask once more for what can't be accepted."""
        request = msgspec.structs.replace(request_of(prompt, facts.unique_id), max_output_tokens=max_output_tokens)
        reply = await self._complete(msgspec.structs.replace(request, asked_as=asked_as))
        subject = _subject(facts, prompt, reply.answered_by)
        try:
            reading = read_answer(_reply_text(reply), _task(facts), subject)
        except (TruncatedAnswerError, RefusedAnswerError):
            raise
        except AnswerError as error:
            return await self._ask_again(facts, prompt, request, reply, subject, error)
        self._llm_model.keep(request, reply)
        return await self._repair(facts, prompt, request, reply, subject, reading) if reading.rejections else reading

    async def _ask_again(
        self, facts: NodeFacts, prompt: Prompt, request: Request, reply: Reply, subject: Subject, problem: AnswerError
    ) -> Reading:
        """The whole question once more, with what was wrong with the answer."""
        try:
            reading = await self._asked_anew(facts, prompt, request, reply, subject, str(problem), ())
        except (RefusedAnswerError, LlmSettingsError, QuotaError, BudgetError, StoppedError):
            raise
        except (AnswerError, LlmError, PromptTooLargeError) as error:
            raise AnswerError(f"{problem}; asked again: {error}") from error
        return _settled(reading, facts)

    async def _repair(
        self, facts: NodeFacts, prompt: Prompt, request: Request, reply: Reply, subject: Subject, reading: Reading
    ) -> Reading:
        """The failing descriptions once more; what is good already is kept whatever happens.

        Raises:
            NotAskedError: it isn't known what the model would say, so that nothing is given up.
        """
        failing = _only(facts, reading.rejections)
        try:
            second = await self._asked_anew(failing, prompt, request, reply, subject, "", reading.rejections)
            repaired = _settled(second, failing)
        except NotAskedError:
            raise
        except (LlmSettingsError, QuotaError) as error:
            self._account.failures.append(f"what wasn't accepted couldn't be asked again: {error}")
            repaired = _settled(Reading(rejections=reading.rejections), failing)
        except (AnswerError, LlmError, PromptTooLargeError):
            repaired = _settled(Reading(rejections=reading.rejections), failing)
        return Reading(reading.drafts + repaired.drafts, reading.abstentions + repaired.abstentions)

    async def _asked_anew(
        self,
        facts: NodeFacts,
        prompt: Prompt,
        request: Request,
        reply: Reply,
        subject: Subject,
        problem: str,
        rejections: tuple[Rejection, ...],
    ) -> Reading:
        """What the model says to a wish about its answer; asked as a new question where the conversation is too long.

        Raises:
            AnswerError: the new answer can't be used, either.
            LlmError: the request failed.
            PromptTooLargeError: there is no room for the wish.
        """
        names = {*(column.name for column in facts.columns), *([""] if facts.describe_node else [])}
        wish = self._wish(prompt, problem, tuple(found for found in rejections if found.column in names))
        again = continued(request, reply, wish, prompt, *_wanted_of(facts, prompt))
        if again is not None:
            return await self._read(again, facts, subject)
        wish_tokens = prompt.profile.count(wish)
        if len(names) > 1 and wish_tokens > prompt.window.tokens // LARGEST_WISH:
            halves = [half for half in split(facts) if half.columns or half.describe_node]
            about = prompt, request, reply, subject, problem, rejections
            return self._merged([await self._asked_anew(half, *about) for half in halves])
        window = msgspec.structs.replace(prompt.window, tokens=prompt.window.tokens - wish_tokens)
        readings: list[Reading] = []
        for smaller in build_prompts(facts, self._templates, window):
            part = _part(facts, smaller)
            question = with_wish(request_of(smaller, facts.unique_id), wish)
            readings.append(await self._read(question, part, _subject(part, smaller, subject.writer)))
        return self._merged(readings)

    async def _read(self, request: Request, facts: NodeFacts, subject: Subject) -> Reading:
        reply = await self._complete(request)
        reading = read_answer(_reply_text(reply), _task(facts), subject)
        self._llm_model.keep(request, reply)
        return reading

    def _wish(self, prompt: Prompt, problem: str, rejections: tuple[Rejection, ...]) -> str:
        rejected = tuple((rejection.column, rejection.text, rejection.reason) for rejection in rejections)
        return render_repair(self._templates, prompt, problem=problem, rejected=rejected)

    async def _complete(self, request: Request) -> Reply:
        reply = await self._llm_model.complete(request)
        self._account.add(reply)
        return reply

    def _merged(self, results: Sequence[Reading | BaseException]) -> Reading:
        """All readings as one; failures of some parts go to the account, of all parts to the caller."""
        readings = [result for result in results if isinstance(result, Reading)]
        errors = [result for result in results if isinstance(result, BaseException)]
        for error in errors:
            if not readings or not isinstance(error, DbtDescribeError) or isinstance(error, NotAskedError):
                raise error
            self._account.failures.append(str(error))
        return Reading(
            tuple(draft for reading in readings for draft in reading.drafts),
            tuple(abstention for reading in readings for abstention in reading.abstentions),
        )


async def _all_of(asked: Sequence[Coroutine[Any, Any, Reading]]) -> list[Reading | BaseException]:
    """What each one comes to. A single one is no task of its own, which would have to wait for those of other nodes."""
    if len(asked) != 1:
        return await asyncio.gather(*asked, return_exceptions=True)
    try:
        return [await asked[0]]
    except Exception as error:  # noqa: BLE001 - as `gather` does it
        return [error]


def request_of(prompt: Prompt, unique_id: str) -> Request:
    """The prompt as a request; which model answers it is the gateway's choice."""
    return Request(
        model="",
        messages=(Message("system", prompt.system, ends_prefix=True), Message("user", prompt.user)),
        schema_name=SCHEMA_NAME,
        schema=prompt.schema,
        common_schema=common_schema(prompt.columns, prompt.describe_node, gives_evidence=prompt.profile.gives_evidence),
        temperature=prompt.temperature,
        max_output_tokens=prompt.max_output_tokens,
        node=unique_id,
        prompt=prompt.template.label,
        input_tokens=prompt.input_tokens,
        fragments=prompt.fragments,
    )


def _wanted_of(facts: NodeFacts, prompt: Prompt) -> tuple[Mapping[str, object], int]:
    """The schema of the answer on these columns, and how many descriptions that has."""
    columns = tuple(column.name for column in facts.columns)
    schema = answer_schema(columns, facts.describe_node, gives_evidence=prompt.profile.gives_evidence)
    return schema, len(columns) + facts.describe_node


def _settled(reading: Reading, facts: NodeFacts) -> Reading:
    """The reading with what is still rejected abstained from."""
    given_up = tuple(
        Abstention(
            facts.unique_id,
            rejection.column,
            f"the model's answer can't be accepted: {rejection.reason}",
            rejected=rejection.text,
        )
        for rejection in reading.rejections
    )
    return Reading(reading.drafts, reading.abstentions + given_up)


def _abstained(facts: NodeFacts, reason: str) -> Reading:
    asked = [*([""] if facts.describe_node else []), *(column.name for column in facts.columns)]
    return Reading(abstentions=tuple(Abstention(facts.unique_id, column, reason) for column in asked))


def _part(facts: NodeFacts, prompt: Prompt) -> NodeFacts:
    columns = tuple(column for column in facts.columns if column.name in prompt.columns)
    return msgspec.structs.replace(facts, columns=columns, describe_node=prompt.describe_node)


def _only(facts: NodeFacts, rejections: tuple[Rejection, ...]) -> NodeFacts:
    names = {rejection.column for rejection in rejections}
    columns = tuple(column for column in facts.columns if column.name in names)
    return msgspec.structs.replace(facts, columns=columns, describe_node="" in names)


def _task(facts: NodeFacts) -> Task:
    return Task(facts.unique_id, tuple(column.name for column in facts.columns), facts.describe_node)


def _subject(facts: NodeFacts, prompt: Prompt, model: str) -> Subject:
    return Subject(
        facts.name,
        model,
        shown_in(prompt.facts),
        limits_of(prompt.template.output.column_words, prompt.template.output.node_words),
        unique=frozenset(column.name.lower() for column in facts.columns if column.is_unique),
        present=frozenset(column.name.lower() for column in facts.columns if column.is_present),
        has_rows=facts.has_rows,
        language=facts.conventions.language,
        prompt=prompt.template.label,
        mends=prompt.profile.mends,
        style=HouseStyle(facts.conventions.column_words, facts.conventions.node_words, facts.conventions.forbidden),
    )


def _reply_text(reply: Reply) -> ReplyText:
    return ReplyText(reply.text, reply.finish_reason, reply.refusal)
