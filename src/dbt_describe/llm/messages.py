"""What goes into the gateway and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Literal, Protocol, runtime_checkable

import msgspec

from dbt_describe.llm.bounds import Amount

Role = Literal["system", "user", "assistant"]


class Message(msgspec.Struct, frozen=True):
    """One turn of a conversation."""

    role: Role
    content: str
    ends_prefix: bool = False
    """All up to its end is the same in many requests: worth a place in the provider's prompt cache."""


class Request(msgspec.Struct, frozen=True):
    """One question, independent of any provider.

    `model` is written `provider/NAME` or `endpoint/NAME`; empty, the gateway chooses it. `schema` is the JSON schema of
    the wanted answer (empty: free text); providers ask for it as strictly as their endpoint can. `node` and `prompt`
    are only for accounts and messages; `purpose` decides the route, too.
    """

    model: str
    messages: tuple[Message, ...]
    schema_name: str = "answer"
    schema: Mapping[str, object] = {}
    common_schema: Mapping[str, object] = {}
    """A laxer schema that requests with the same prefix have in common. Providers put the schema before the messages:
    where their prompt cache pays, this one is sent instead, for one of its own would end the common prefix."""
    temperature: float | None = None
    max_output_tokens: int = 4096
    purpose: str = "draft"
    node: str = ""
    prompt: str = ""
    """The template that the messages were made from, with its version: `model 1`."""
    timeout_s: float = 120.0
    """Total time for one attempt, connecting included; the gateway takes it from the endpoint's settings."""
    attempt: int = 1
    """Which try this is; the retry layer counts."""
    reasoning_effort: str = ""
    """`minimal`, `low`, `medium`, `high`, or empty for the model's default."""
    structured_output: Literal["", "json_schema", "json_object", "prompt"] = ""
    """How strictly the shape may be asked for at most; empty: as strictly as the endpoint can."""
    input_tokens: int = 0
    """About how many tokens the messages are; 0 where nobody has estimated it."""
    fragments: Mapping[str, int] = {}
    """The parts that the messages are made of → about how many tokens each is. Only for accounts."""
    key: str = ""
    """What tells it apart from others, computed once by the gateway."""
    asked_as: str = ""
    """The key of a question that was asked in its place, in other words: that one's answer is wanted."""
    on_text: Callable[[str], None] | None = None
    """Called with each piece of the answer as it comes; such a request isn't sent again after the first piece."""

    @property
    def model_name(self) -> str:
        """The provider's own name of the model: what stands after the first slash."""
        return self.model.partition("/")[2]


class Usage(msgspec.Struct, frozen=True):
    """Tokens as the provider counted them.

    `input_tokens` include those read from and written to its prompt cache, `output_tokens` reasoning ones.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0
    """Written to the prompt cache, for 5 or 30 minutes as the provider does."""
    cache_write_1h_tokens: int = 0
    """Of these, written for an hour."""


class RateLimit(msgspec.Struct, frozen=True):
    """One of a provider's limits as its headers tell it; None for what they don't say."""

    kind: Literal["requests", "tokens", "input_tokens", "output_tokens"]
    limit: int | None = None
    """How many in a minute, as far as the header's window is one."""
    remaining: int | None = None
    reset_s: float | None = None
    """Seconds until `remaining` is `limit` again."""


class Reply(msgspec.Struct, frozen=True):
    """One answer.

    `finish_reason` is the provider's word (`stop`, `length`, `content_filter`, …) or empty. `cost_usd` is None where
    the price isn't known. `latency_s` is that of the attempt that succeeded; `attempts` counts the failed ones too.
    """

    text: str
    finish_reason: str = "stop"
    refusal: str = ""
    model: str = ""
    usage: Usage = Usage()
    cost_usd: Decimal | None = None
    latency_s: float = 0.0
    attempts: int = 1
    batched: bool = False
    """It came with a batch, at a batch's price."""
    batch_id: str = ""
    """Ours of that batch."""
    used_before: bool = False
    """Of a batch's answer: it was given before, to this run or another one. The first time, it is what was paid for."""
    from_cache: bool = False
    """Nothing was sent for it, and nothing paid: it was kept, or is shared with an equal request under way."""
    first_token_s: float | None = None
    """Seconds to the first piece of the answer; None where it came as a whole."""
    request_id: str = ""
    """The provider's name for the exchange, for its support."""
    rate_limits: tuple[RateLimit, ...] = ()
    """What the response's headers say of the limits."""
    answered_by: str = ""
    """The model that answered, as it is configured: another one than was asked for where that one couldn't."""
    structured_output: str = ""
    """How the answer's shape was asked for: `json_schema`, `tool`, `json_object`, `prompt`; empty without a schema."""
    has_usage: bool = True
    """Whether the server told how many tokens it counted; `usage` is empty where it didn't."""
    service_tier: str = ""
    """How fast, and how dear: in the server's words, else as it was asked for; empty where neither says."""
    price_source: str = ""
    """Where the price comes from: `settings`, `genai-prices 0.2.3`, `local`, or empty where it isn't known."""


class Completer(Protocol):
    """Anything that answers a request: the gateway, each of its layers, and the providers at the bottom."""

    async def complete(self, request: Request) -> Reply:
        """The answer.

        Raises:
            LlmError: the request failed for good (or, below the retry layer, this attempt failed).
        """


class Probed(msgspec.Struct, frozen=True):
    """What an endpoint tells of one of its models when asked; None for what it doesn't."""

    context_window: int | None = None
    output_limit: int | None = None
    retires_on: str = ""
    """The day, as YYYY-MM-DD, from which it isn't served any more."""


class Provider(Completer, Protocol):
    """A completer with connections that need closing: one endpoint, all its models."""

    async def probe(self, model: str) -> Probed | None:
        """What the endpoint says of a model (its own name of it) without generating anything, or None.

        Raises:
            LlmError: it can't be reached, refuses the key, or doesn't know the model.
        """

    async def aclose(self) -> None:
        """Close all connections."""


@runtime_checkable
class CountsTokens(Protocol):
    """A provider that tells how many tokens a request is, for nothing."""

    async def count_tokens(self, request: Request) -> int | None:
        """The provider's own count, or None where this endpoint has none.

        Raises:
            LlmError: it can't be asked.
        """


class Forecast(msgspec.Struct, frozen=True):
    """What a request would come to. `cost_usd` is None where the price isn't known."""

    model: str
    """The model that would be asked first, as it is configured."""
    cost_usd: Decimal | None
    batch_cost_usd: Decimal | None = None
    """The same in a batch; None where its provider has none, too."""


class LlmModel(Completer, Protocol):
    """What is asked from outside of this package: a `Gateway`, or a double of one."""

    async def prepare(self) -> None:
        """Find out what must be known before the first request is made, e.g. the windows of local models."""

    def window(self, purpose: str) -> int | None:
        """Tokens of prompt and answer together that a request of this purpose may have; None where unknown."""

    def forecast(self, request: Request, output_tokens: int) -> Forecast:
        """What the request would come to with an answer of so many tokens. Nothing is sent."""

    def keep(self, request: Request, reply: Reply) -> None:
        """Remember an answer that turned out to be good."""

    def avoid(self, reason: str, count: int, usage: Usage) -> None:
        """Record what needn't be asked, and what it would have used."""

    def charge(self, used: Amount) -> None:
        """Count towards the run's limits what was spent before, elsewhere."""

    def stop(self) -> None:
        """Send nothing more."""

    async def aclose(self) -> None:
        """Close all connections."""
