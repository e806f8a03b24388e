"""What can be set of the gateway: the shape of its part of `dbt-describe.yml`.

Plain data: who reads the file and the environment fills it in, `routes.py` makes endpoints and models of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

Positive = Annotated[int, msgspec.Meta(gt=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Money = Decimal
"""0 or more: who reads the settings checks it, since msgspec 0.22 bounds no Decimal."""
Texts = str | tuple[str, ...]


class Timeouts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Seconds. `read` is the longest silence between two parts of an answer, `total` bounds a whole attempt."""

    connect: Seconds = 10.0
    read: Seconds = 120.0
    total: Seconds = 120.0


class RetryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often a failed request is sent. Attempts include the first."""

    attempts: Positive = 3
    rate_limited_attempts: Positive = 7
    longest_wait: Seconds = 120.0
    """A server that asks for a longer wait, in seconds, isn't waited for."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an endpoint allows in a minute; None: what its headers say, if anything."""

    requests_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None
    input_tokens_per_minute: Positive | None = None
    output_tokens_per_minute: Positive | None = None
    shared: bool = False
    """Whether all processes on this machine share them."""


class EndpointConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One endpoint of any provider; a provider's own config adds to it. Several URLs or keys are used in rotation."""

    provider: str = ""
    base_url: Texts = ""
    api_key: Texts = ""
    headers: Mapping[str, str] = {}
    """Sent with every request."""
    concurrency: Positive | None = None
    """Requests in flight at most; None: the run's."""
    limits: Limits = Limits()
    timeouts: Timeouts | None = None
    local: bool | None = None
    """Whether it costs nothing and data stays in the house; None: whether the URL is this machine's."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(provider={self.provider!r})"


class Prices(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """US dollars for a million tokens. What isn't set costs what `input` does."""

    input: Money
    output: Money
    cached_input: Money | None = None
    cache_write: Money | None = None


class ModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known better of a model than the provider or the price list tell."""

    context_window: Positive | None = None
    output_limit: Positive | None = None
    structured_output: Literal["json_schema", "json_object", "prompt"] | None = None
    prices: Prices | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    reasoning_effort: str = ""


class RouteConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which model answers, and which ones after it when it can't."""

    model: str = ""
    fallback: tuple[str, ...] = ()


class SmallTasks(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tasks of at most so many prompt tokens go to another model."""

    model: str
    max_input_tokens: Positive = 2000


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be spent, in US dollars and in tokens (in and out together); None: no bound."""

    max_cost: Money | None = None
    max_tokens: Positive | None = None
    max_cost_per_day: Money | None = None
    max_tokens_per_day: Positive | None = None


class LlmConfig(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. An empty `model` asks nobody.

    Models are written `provider/NAME`, or `endpoint/NAME` with a key of `endpoints`; `auto` is the cheapest of `models`
    that fits the task.
    """

    model: str = ""
    fallback: tuple[str, ...] = ()
    """Asked in this order when the model can't answer. `rules`, as the last one, is the rules writer."""
    routes: Mapping[Literal["draft", "review", "repair"], RouteConfig] = {}
    """Another model, or other fallbacks, for one purpose."""
    small_tasks: SmallTasks | None = None
    endpoints: Mapping[str, EndpointConfig] = {}
    models: Mapping[str, ModelConfig] = {}
    concurrency: Positive = 16
    timeouts: Timeouts = Timeouts()
    retry: RetryConfig = RetryConfig()
    budget: Budget = Budget()
    prompt_cache: Literal["5m", "1h", "off"] = "5m"
    """How long a provider is asked to keep what prompts have in common."""
    offline: bool = False
    """Only endpoints of this machine may be asked."""
    plans_only: bool = False
    """Nothing will be asked, so that no key is needed."""
