"""What goes into the gateway and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, Protocol

import msgspec

Role = Literal["system", "user", "assistant"]


class Message(msgspec.Struct, frozen=True):
    """One turn of a conversation."""

    role: Role
    content: str


class Request(msgspec.Struct, frozen=True):
    """One question, independent of any provider.

    `model` is written `provider/NAME`. `schema` is the JSON schema of the wanted answer (empty: free text); providers
    ask for it as strictly as their endpoint can. `purpose`, `node` and `prompt` are only for accounts and messages.
    """

    model: str
    messages: tuple[Message, ...]
    schema_name: str = "answer"
    schema: Mapping[str, object] = {}
    temperature: float | None = None
    max_output_tokens: int = 4096
    purpose: str = "draft"
    node: str = ""
    prompt: str = ""
    """The template that the messages were made from, with its version: `model 1`."""
    timeout_s: float = 120.0
    """Total time for one attempt, connecting included."""
    attempt: int = 1
    """Which try this is; the retry layer counts."""


class Usage(msgspec.Struct, frozen=True):
    """Tokens as the provider counted them; `input_tokens` include cached ones, `output_tokens` reasoning ones."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0


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
    from_cache: bool = False
    """Nothing was sent for it, and nothing paid: it was kept, or is shared with an equal request under way."""


class Completer(Protocol):
    """Anything that answers a request: the gateway, each of its layers, and the providers at the bottom."""

    async def complete(self, request: Request) -> Reply:
        """The answer.

        Raises:
            LlmError: the request failed for good (or, below the retry layer, this attempt failed).
        """


class Provider(Completer, Protocol):
    """A completer with connections that need closing."""

    async def aclose(self) -> None:
        """Close all connections."""


class LlmModel(Provider, Protocol):
    """What is asked from outside of this package: a `Gateway`, or a double of one."""

    def keep(self, request: Request, reply: Reply) -> None:
        """Remember an answer that turned out to be good."""

    def stop(self) -> None:
        """Send nothing more."""
