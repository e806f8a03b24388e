"""What a provider is to the gateway: its settings, its environment variables, what its models can do, how to open it.

A package adds one by an entry point of the group `dbt_describe.providers` that names a `ProviderSpec`; the entry
point's name is what stands before the slash of a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from dbt_describe.llm.batches.contract import BatchProvider
from dbt_describe.llm.config import DEFAULT_CONCURRENCY, EndpointConfig
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.expected import Counting
from dbt_describe.llm.learned import Learned
from dbt_describe.llm.messages import Provider

StructuredOutput = Literal["json_schema", "json_object", "prompt"]


class Capabilities(msgspec.Struct, frozen=True):
    """What one model of one endpoint can do; None where it isn't known."""

    context_window: int | None = None
    """Tokens of prompt and answer together."""
    output_limit: int | None = None
    structured_output: StructuredOutput = "json_schema"
    """How strictly the shape of an answer can be asked for; stepped down on proof."""
    prompt_cache: Literal["none", "automatic", "marked"] = "none"
    """Whether a prefix that occurs again is cheaper: never, by itself, or where it is marked."""
    prompt_cache_minimum: int = 1024
    """Tokens that a prefix needs at least to be cached."""
    batch: bool = False
    """Whether it takes many requests at half the price, for an answer within a day."""


class ProviderSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of provider. Nothing of it is imported or opened before one of its models is asked."""

    name: str
    """What stands before the slash of a model: `openai`."""
    title: str
    """What people call it: `OpenAI`."""
    open: Callable[[Endpoint, Learned], Provider]
    """A client for one endpoint. `Learned` is where it remembers what the endpoint turned out to take.

    Raises LlmSettingsError where the endpoint's settings can't work, or a package is missing.
    """
    config: type[EndpointConfig] = EndpointConfig
    """What can be set for an endpoint of this kind."""
    base_url: str = ""
    """Where it is unless settings say otherwise; empty where they must."""
    key_variables: tuple[str, ...] = ()
    """Environment variables that may hold the key, the first one set counts."""
    url_variables: tuple[str, ...] = ()
    normal_url: Callable[[str], str] = str
    """A URL as people write it for this provider → the one that its client takes."""
    model_variables: tuple[str, ...] = ()
    """Environment variables that may name the model, as dbt-osmosis reads them."""
    config_variables: Mapping[str, str] = {}
    """A field of `config` → the environment variable that gives it where no setting does."""
    counting: Counting = Counting()
    """What it counts against its limits per minute."""
    concurrency: int = DEFAULT_CONCURRENCY
    """Requests in flight at most, where no setting tells."""
    needs_key: bool = True
    default_model: str = ""
    """What to suggest where nobody has named a model; empty where only the user can know."""
    price_provider: str = ""
    """genai-prices' id of it, where its URL alone doesn't tell."""
    is_remote_model: Callable[[str], bool] = lambda _: False
    """Whether a server on this machine only passes requests for a model (the provider's own name of it) on."""
    batches: Callable[[Endpoint, Provider], BatchProvider] | None = None
    """The batches of one endpoint, through the client that `open` has made for it; None where it has no batches."""
    assumed: Callable[[str], Capabilities] = lambda _: Capabilities()
    """What a model (the provider's own name of it) can do as far as is known without asking."""
