"""The writer that asks a language model: one request for all gaps of a node, one more for what is not accepted."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import msgspec

from dbt_describe.answers.reading import Reading
from dbt_describe.errors import (
    AnswerError,
    DbtDescribeError,
    LlmError,
    LlmSettingsError,
    PromptError,
    PromptTooLargeError,
    QuotaError,
    StoppedError,
    StoreError,
)
from dbt_describe.lineage.origins import Lineage
from dbt_describe.llm.cache import AnswerCache
from dbt_describe.llm.config import LlmConfig
from dbt_describe.llm.gateway import GatewaySettings, Memory, open_gateway
from dbt_describe.llm.messages import LlmModel, Reply, Request, Usage
from dbt_describe.llm.prices import context_window, price_at
from dbt_describe.llm.routes import find_model
from dbt_describe.llm.usage import UsageLog
from dbt_describe.planning import Descriptions, Task
from dbt_describe.project.graph import children_by_node
from dbt_describe.project.nodes import Project
from dbt_describe.prompting.facts import NodeFacts, gather_facts
from dbt_describe.prompting.prompts import Window, build_prompts
from dbt_describe.prompting.templates import Templates, open_templates
from dbt_describe.writers.dialogue import Account, Dialogue
from dbt_describe.writers.protocol import WriterResult

# What one description with its evidence takes, for estimates.
TOKENS_PER_DESCRIPTION = 90
# A larger window is left unused: more SQL than this makes an answer dearer, not better.
LARGEST_WINDOW_TOKENS = 131_072

Price = Callable[[Usage], Decimal | None]


class ModelSettings(Protocol):
    """What opening the writer needs to be told."""

    @property
    def config(self) -> LlmConfig:
        """The gateway's own."""

    @property
    def environ(self) -> Mapping[str, str]:
        """Environment variables with the providers' keys and URLs."""

    @property
    def prompts_dir(self) -> Path | None:
        """The user's own templates."""

    @property
    def store_dir(self) -> Path | None:
        """Where answers and usage are kept; None: nowhere."""

    @property
    def use_cache(self) -> bool:
        """Whether kept answers may be used again."""


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
        timeout_s: float = 120.0,
        price: Price = lambda _: None,
    ) -> None:
        self._gateway = gateway
        self._model = model
        self._templates = templates
        self._window = window or Window()
        self._timeout_s = timeout_s
        self._price = price
        self._readers: dict[str, list[str]] = {}
        self._project: Project | None = None

    @property
    def name(self) -> str:
        """The model, as `provider/NAME`."""
        return self._model

    async def write(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        """Describe what the task names. What was paid for is counted, whatever came of it.

        Raises:
            StoppedError: nothing was asked, because `stop` was called before.
        """
        facts = self._facts(task, project, lineage, known)
        account = Account()
        dialogue = Dialogue(self._gateway, self._model, self._templates, self._timeout_s, account)
        reading = Reading()
        failures: tuple[str, ...] = ()
        stopped_by = ""
        try:
            reading = await dialogue.describe(facts, self._window)
        except StoppedError:
            if not account.calls:
                raise
            failures = ("the run was stopped in the middle of it",)
        except (AnswerError, LlmError, PromptError) as error:
            failures = (_without_name(error, task.unique_id),)
            stopped_by = str(error) if _is_final(error) else ""
        # A window found too large for one node is too large for all.
        self._window = min(self._window, dialogue.window or self._window, key=lambda window: window.tokens)
        return WriterResult(
            drafts=reading.drafts,
            abstentions=reading.abstentions,
            failures=(*account.failures, *failures),
            stopped_by=stopped_by,
            calls=account.calls,
            input_tokens=account.input_tokens,
            output_tokens=account.output_tokens,
            cost_usd=account.cost_usd,
            cached=account.cached,
        )

    def estimate(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        """What `write` would cost if every answer is accepted at once; nothing where the task fits no prompt.

        Raises:
            PromptError: a template is broken.
        """
        try:
            prompts = build_prompts(self._facts(task, project, lineage, known), self._templates, self._window)
        except PromptTooLargeError:
            return WriterResult()
        input_tokens = sum(prompt.input_tokens for prompt in prompts)
        output_tokens = TOKENS_PER_DESCRIPTION * (len(task.columns) + task.describe_node)
        return WriterResult(
            calls=len(prompts),
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cost_usd=self._price(Usage(input_tokens, output_tokens)),
        )

    def stop(self) -> None:
        """Send nothing more; requests under way end."""
        self._gateway.stop()

    async def aclose(self) -> None:
        """Close the gateway's connections."""
        await self._gateway.aclose()

    def _facts(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> NodeFacts:
        if self._project is not project:
            self._project, self._readers = project, children_by_node(project.nodes)
        return gather_facts(task, project, lineage, known, self._readers)


class Unsent:
    """A gateway that is never asked: a plan needs no key, and makes no client."""

    async def complete(self, request: Request) -> Reply:
        """Nothing is sent. Raises: StoppedError."""
        raise StoppedError("A plan asks nothing.")

    def keep(self, request: Request, reply: Reply) -> None:
        """There is nothing to keep."""

    def stop(self) -> None:
        """Nothing is under way."""

    async def aclose(self) -> None:
        """Nothing is open."""


def open_llm_writer(
    settings: ModelSettings, concurrency: int = 16, *, asks: bool = True, warn: Callable[[str], None] = lambda _: None
) -> LlmWriter:
    """The writer for the settings' model; without `asks`, only its estimates can be had, and no key is needed.

    Nothing is sent yet; templates are checked when they are first used. `warn` is told where answers can't be kept.

    Raises:
        LlmSettingsError: unknown provider, unusable base URL, or no key where one is needed.
        PromptError: the directory of templates doesn't exist.
    """
    config = msgspec.structs.replace(settings.config, plans_only=not asks)
    found = find_model(config.model, config, settings.environ)
    endpoint = found.endpoints[0]
    gateway_settings = GatewaySettings(
        model=config.model,
        base_url=endpoint.base_url,
        api_key=endpoint.api_key,
        concurrency=concurrency,
    )
    templates = open_templates(settings.prompts_dir)
    gateway = open_gateway(gateway_settings, _memory(settings, warn)) if asks else Unsent()
    tokens = context_window(found.name, endpoint.base_url)
    window = Window(tokens=min(tokens, LARGEST_WINDOW_TOKENS)) if tokens else Window()
    return LlmWriter(
        gateway,
        config.model,
        templates,
        window=window,
        timeout_s=config.timeouts.total,
        price=price_at(found.name, endpoint.base_url),
    )


def _memory(settings: ModelSettings, warn: Callable[[str], None]) -> Memory:
    """The files that outlive the run; a run goes on without them where they can't be opened."""
    if settings.store_dir is None:
        return Memory()
    try:
        return Memory(
            answers=AnswerCache(settings.store_dir),
            reads_answers=settings.use_cache,
            usage=UsageLog(settings.store_dir),
            run=f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(2)}",
            warn=warn,
        )
    except StoreError as error:
        warn(f"Answers are not kept for the next run: {error}")
        return Memory()


def _is_final(error: DbtDescribeError) -> bool:
    """Whether no other request can succeed either: settings, the account, or a broken template."""
    return isinstance(error, (LlmSettingsError, QuotaError)) or (
        isinstance(error, PromptError) and not isinstance(error, PromptTooLargeError)
    )


def _without_name(error: DbtDescribeError, unique_id: str) -> str:
    """The message without the node in front: who reports it names the node."""
    return str(error).removeprefix(f"{unique_id}: ")
