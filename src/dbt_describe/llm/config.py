"""What can be set of the gateway: the shape of its part of `dbt-describe.yml`.

Plain data: who reads the file and the environment fills it in, `routes.py` makes endpoints and models of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

Positive = Annotated[int, msgspec.Meta(gt=0)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Money = Decimal
"""0 or more: who reads the settings checks it, since msgspec 0.22 bounds no Decimal."""
Texts = str | tuple[str, ...]
DEFAULT_CONCURRENCY = 32
"""Requests in flight at most, where neither settings nor the provider say: chains of models are as many, and more."""


class Timeouts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds. `read` is the longest silence between two parts of an answer, `total` bounds a whole attempt."""

    connect: Seconds = 10.0
    """Seconds until a connection stands."""
    read: Seconds = 120.0
    """The longest silence between two parts of an answer, in seconds."""
    total: Seconds = 120.0
    """Seconds for one attempt, connecting included."""


class RetryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often a failed request is sent. Attempts include the first."""

    attempts: Positive = 3
    """Requests for one answer at most, the first included; a form that a server refuses is left out once for free."""
    rate_limited_attempts: Positive = 7
    """The same where the server asks to wait."""
    longest_wait: Seconds = 120.0
    """A server that asks for a longer wait, in seconds, isn't waited for."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an endpoint allows in a minute; None: what its headers say, if anything."""

    requests_per_minute: Positive | None = None
    """Requests in a minute."""
    tokens_per_minute: Positive | None = None
    """Tokens in a minute, prompt and answer together."""
    input_tokens_per_minute: Positive | None = None
    """Tokens of prompts in a minute, where they are limited apart."""
    output_tokens_per_minute: Positive | None = None
    """Tokens of answers in a minute, where they are limited apart."""
    shared: bool = False
    """Whether all processes on this machine share them."""


class EndpointConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One endpoint of any provider; a provider's own config adds to it. Several URLs or keys are used in rotation."""

    provider: str = ""
    """Which kind of provider it is; empty: the one that the entry is named after."""
    base_url: Texts = ""
    """Where it is; empty: the provider's variable, else its own URL."""
    api_key: Texts = ""
    """`${NAME}` of the variable with the key; empty: the provider's own variable."""
    headers: Mapping[str, str] = {}
    """Sent with every request."""
    concurrency: Positive | None = None
    """Requests in flight at most; None: the run's."""
    limits: Limits = Limits()
    """What it allows in a minute, where its answers don't tell."""
    timeouts: Timeouts | None = None
    """Timeouts for this endpoint alone; None: the run's."""
    local: bool | None = None
    """Whether it costs nothing and data stays in the house; None: whether the URL is this machine's."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(provider={self.provider!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # msgspec's own shows the key.
        return [("provider", self.provider)]


class Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """US dollars for a million tokens. What isn't set costs what `input` does."""

    input: Money
    """For a million tokens of prompts."""
    output: Money
    """For a million tokens of answers."""
    cached_input: Money | None = None
    """For a million tokens read from the provider's prompt cache."""
    cache_write: Money | None = None
    """For a million tokens written to it."""


class ModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known better of a model than the provider or the price list tell."""

    context_window: Positive | None = None
    """Tokens of prompt and answer together."""
    output_limit: Positive | None = None
    """Tokens of an answer at most."""
    structured_output: Literal["json_schema", "json_object", "prompt"] | None = None
    """How strictly the shape of an answer is asked for."""
    prices: Prices | None = None
    """US dollars for a million tokens, over those of the price list."""
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    """0 for the likeliest words; None: what the prompt template says."""
    reasoning_effort: str = ""
    """How long a reasoning model thinks, in its provider's words; empty: as it does by itself."""


class RouteConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which model answers, and which ones after it when it can't."""

    model: str = ""
    """The model for this purpose; empty: the one of all others."""
    fallback: tuple[str, ...] = ()
    """Asked in this order when it can't answer; empty: the fallback of all others."""


class SmallTasks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tasks of at most so many prompt tokens go to another model."""

    model: str
    """The model that they go to."""
    max_input_tokens: Positive = 2000
    """Prompt tokens that a small task has at most."""


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be spent, in US dollars and in tokens (in and out together); None: no bound."""

    max_cost: Money | None = None
    """US dollars for one run."""
    max_tokens: Positive | None = None
    """Tokens for one run."""
    max_cost_per_day: Money | None = None
    """US dollars for all runs of a day together."""
    max_tokens_per_day: Positive | None = None
    """Tokens for all runs of a day together."""


class LlmConfig(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. An empty `model` asks nobody.

    Models are written `provider/NAME`, or `endpoint/NAME` with a key of `endpoints`; `auto` is the cheapest of `models`
    that fits the task.
    """

    model: str = ""
    """The model that is asked, as `provider/NAME` or `endpoint/NAME`; empty: none, `auto`: the cheapest that fits."""
    fallback: tuple[str, ...] = ()
    """Asked in this order when the model can't answer. `rules`, as the last one, is the rules writer."""
    routes: Mapping[Literal["draft", "review", "repair"], RouteConfig] = {}
    """Another model, or other fallbacks, for one purpose."""
    small_tasks: SmallTasks | None = None
    """Another model for tasks with short prompts."""
    endpoints: Mapping[str, EndpointConfig] = {}
    """Where models are, by a provider's name or by one of your own."""
    models: Mapping[str, ModelConfig] = {}
    """What you know better of a model than its provider and the price list; `model: auto` chooses among them."""
    concurrency: Positive | None = None
    """Requests in flight at most; unset: 32, and 4 where a local server answers few at once (Ollama, LM Studio)."""
    timeouts: Timeouts = Timeouts()
    """How long is waited for an answer."""
    retry: RetryConfig = RetryConfig()
    """How often a failed request is sent."""
    budget: Budget = Budget()
    """What may be spent. When it is, nothing more is asked, and what there is is written."""
    prompt_cache: Literal["5m", "1h", "off"] = "5m"
    """How long a provider is asked to keep what prompts have in common."""
    offline: bool = False
    """Only endpoints of this machine may be asked."""
    plans_only: bool = False
    """Nothing will be asked, so that no key is needed."""
    cached_only: bool = False
    """Answers that are kept are given, and nothing is sent."""
