"""In what the servers differ that speak OpenAI's chat completions, and what can be set of all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec

from dbt_describe.llm.config import EndpointConfig
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.providers.forms import LADDER, Form, Ladder, Level, LimitName
from dbt_describe.llm.specs import Capabilities, StructuredOutput


class ChatConfig(EndpointConfig, frozen=True, kw_only=True):
    """An endpoint that speaks chat completions."""

    extra_body: Mapping[str, object] = {}
    """Parameters of the request beyond those that are known here, sent as they are; they win over ours."""


class Quirks(msgspec.Struct, frozen=True):
    """One kind of server, as opposed to what all have in common."""

    assumed: Callable[[str], Capabilities] = lambda _: Capabilities()
    """Its models, as in its ProviderSpec: where the ladder of structured output begins, how prompts are cached."""
    ladder: Ladder = LADDER
    """The levels of structured output that it may know; LM Studio never takes json_object."""
    limit_name: LimitName = "max_tokens"
    """OpenAI, Azure and Groq know `max_completion_tokens`, other servers only obey `max_tokens`."""
    cache_key: bool = False
    """Whether it takes `prompt_cache_key`."""
    body: Mapping[str, object] = {}
    """What the endpoint's settings add to every request."""
    lists: tuple[str, ...] = ("/models",)
    """Where it lists its models: paths below the base URL, or URLs. The first list counts."""
    lists_all: bool = True
    """Whether a model that isn't listed doesn't exist. Azure lists models, but is asked for deployments."""
    daily_requests: bool = False
    """Whether its header's limit of requests is that of a day."""


_LEVELS: dict[StructuredOutput, Level] = {
    "json_schema": Level.JSON_SCHEMA,
    "json_object": Level.JSON_OBJECT,
    "prompt": Level.PROMPT,
}
# Source: https://developers.openai.com/api/docs/guides/prompt-caching and the types of openai 3.52, 2026-11:
# breakpoints are for gpt-5.6 and later models.
_TAKES_BREAKPOINTS = re.compile(r"(?:ft:)?gpt-(?:5\.(?:[6-9]|\d\d)|[6-9]|1\d)(?!\d)")


def first_form(quirks: Quirks, model: str) -> Form:
    """What to try first."""
    wanted = _LEVELS[quirks.assumed(model).structured_output]
    level = next(level for level in quirks.ladder if level <= wanted)
    return Form(level=level, limit_name=quirks.limit_name)


def body_settings(endpoint: Endpoint, **known: object) -> dict[str, object]:
    """What the settings of an endpoint add to every request: the `known` parameters that are set, then `extra_body`."""
    extra = endpoint.config.extra_body if isinstance(endpoint.config, ChatConfig) else {}
    return {name: value for name, value in known.items() if value} | dict(extra)


def takes_breakpoints(model: str) -> bool:
    """Whether OpenAI's model takes explicit prompt cache breakpoints, and bills what it writes to the cache."""
    return bool(_TAKES_BREAKPOINTS.match(model))


def assumed_of_openai(model: str) -> Capabilities:
    """What OpenAI's own models can do."""
    return Capabilities(prompt_cache="marked" if takes_breakpoints(model) else "automatic", batch=True)


def has_host(base_url: str, *suffixes: str) -> bool:
    """Whether a URL's host is one of these, or below it."""
    host = (urlsplit(base_url).hostname or "").lower()
    return any(host == suffix or host.endswith(f".{suffix}") for suffix in suffixes)
