"""What is configured, what is known of it, and whether it answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from dbt_describe.errors import LlmError
from dbt_describe.llm.clients import Clients
from dbt_describe.llm.config import LlmConfig
from dbt_describe.llm.gateway import Gateway
from dbt_describe.llm.lane import STRUCTURED_OUTPUT, WINDOW
from dbt_describe.llm.learned import Learned
from dbt_describe.llm.messages import Message, Probed, Reply, Request, Usage
from dbt_describe.llm.prices import context_window, pricing_of
from dbt_describe.llm.retry import RetryPolicy
from dbt_describe.llm.routes import AUTO, ModelEndpoint, Routes, find_model
from dbt_describe.llm.surroundings import Memory, Surroundings

_THOUSAND = 1000
_PING = 'This is a test of the connection. Answer with the JSON object {"ok": true}.'
_PING_SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
# Enough for a model that thinks before it says two words.
_PING_OUTPUT_TOKENS = 2_000

Source = Literal["settings", "probed", "learned", "genai-prices", "provider", ""]


class ModelFacts(msgspec.Struct, frozen=True):
    """What is known of one configured model; None or empty where it isn't. Each fact's source stands beside it."""

    model: str
    roles: tuple[str, ...] = ()
    """What it is asked for: `first`, `fallback`, `draft`, `repair`, …; empty where it is only listed."""
    endpoint: str = ""
    """Host, port and path of the first endpoint."""
    endpoints: int = 0
    """Endpoints and keys that are used in rotation."""
    is_local: bool = False
    context_window: int | None = None
    window_source: Source = ""
    output_limit: int | None = None
    structured_output: str = ""
    structured_source: Source = ""
    input_usd: Decimal | None = None
    """US dollars for a million tokens."""
    output_usd: Decimal | None = None
    price_source: str = ""
    retires_on: str = ""
    """The day, as YYYY-MM-DD, from which it isn't served any more."""
    problem: str = ""
    """Why it can't be asked."""


class Ping(msgspec.Struct, frozen=True):
    """What came of a tiny request to one model of one endpoint. With a `problem`, nothing else is known."""

    model: str
    endpoint: str
    latency_s: float = 0.0
    structured_output: str = ""
    """The level at which a JSON answer was had, `none` where the answer wasn't the JSON that was asked for."""
    model_answered: str = ""
    cost_usd: Decimal | None = None
    problem: str = ""


def configured_models(config: LlmConfig) -> dict[str, tuple[str, ...]]:
    """Every model that the settings name, and what it is asked for, in the order in which they name them."""
    roles: dict[str, list[str]] = {}

    def note(model: str, role: str) -> None:
        if model and model != AUTO:
            roles.setdefault(model, []).append(role)

    note(config.model, "first")
    for model in config.fallback:
        note(model, "fallback")
    for purpose, route in config.routes.items():
        note(route.model, purpose)
        for model in route.fallback:
            # One that is named twice falls back to none.
            if model != (route.model or config.model):
                note(model, f"{purpose} fallback")
    if config.small_tasks:
        note(config.small_tasks.model, "small tasks")
    for model in config.models:
        roles.setdefault(model, []).extend(["auto"] if config.model == AUTO else [])
    return {model: tuple(dict.fromkeys(named)) for model, named in roles.items()}


async def inspect_models(
    config: LlmConfig, environ: Mapping[str, str], learned: Learned, *, probe: bool = False
) -> tuple[ModelFacts, ...]:
    """What is known of every configured model; with `probe`, their endpoints are asked, which generates nothing."""
    clients = Clients(learned)
    try:
        return tuple(
            await asyncio.gather(
                *(
                    _inspect(model, roles, config, environ, clients if probe else None, learned)
                    for model, roles in configured_models(config).items()
                )
            )
        )
    finally:
        await clients.aclose()


async def ping_models(
    config: LlmConfig, environ: Mapping[str, str], memory: Memory, *, listed: bool = True
) -> tuple[Ping, ...]:
    """Send one tiny request to every configured model at each of its endpoints: they cost a few tokens each.

    Offline, models of other machines are left out; without `listed`, those that no request is routed to.
    """
    found: list[ModelEndpoint | Ping] = []
    for model, roles in configured_models(config).items():
        if not (listed or roles):
            continue
        try:
            one = find_model(model, config, environ)
            found += [] if config.offline and not one.is_local else list(_each_endpoint(one))
        except LlmError as error:
            found.append(Ping(model, "", problem=str(error)))
    return tuple(
        await asyncio.gather(*(_ping(one, memory) if isinstance(one, ModelEndpoint) else _done(one) for one in found))
    )


async def _inspect(
    model: str,
    roles: Sequence[str],
    config: LlmConfig,
    environ: Mapping[str, str],
    clients: Clients | None,
    learned: Learned,
) -> ModelFacts:
    facts = ModelFacts(model, tuple(roles))
    try:
        found = find_model(model, msgspec.structs.replace(config, plans_only=True), environ)
    except LlmError as error:
        return msgspec.structs.replace(facts, problem=str(error))
    probed, problem = Probed(), ""
    try:
        may_ask = clients is not None and (found.is_local or not config.offline)
        probed, problem = await _probed(find_model(model, config, environ), clients if may_ask else None)
    except LlmError as error:
        problem = str(error)
    pricing = pricing_of(found)
    window, window_source = _window(found, probed, learned)
    level = learned.recall(STRUCTURED_OUTPUT, found.endpoints[0].shown, found.name)
    assumed: Source = "settings" if found.config.structured_output else "provider"
    return msgspec.structs.replace(
        facts,
        endpoint=found.endpoints[0].shown,
        endpoints=len(found.endpoints),
        is_local=found.is_local,
        context_window=window,
        window_source=window_source,
        output_limit=found.config.output_limit or probed.output_limit or found.capabilities.output_limit,
        structured_output=level or found.capabilities.structured_output,
        structured_source="learned" if level else assumed,
        input_usd=_for_a_million(pricing.cost(Usage(_THOUSAND, 0))),
        output_usd=_for_a_million(pricing.cost(Usage(0, _THOUSAND))),
        price_source=pricing.source,
        retires_on=probed.retires_on,
        problem=problem,
    )


def _for_a_million(cost_usd: Decimal | None) -> Decimal | None:
    """From the price of a thousand tokens: a request of a million would be one of the dearer, long ones."""
    return None if cost_usd is None else cost_usd * _THOUSAND


async def _probed(found: ModelEndpoint, clients: Clients | None) -> tuple[Probed, str]:
    """What the endpoint tells of the model, and what is wrong with it."""
    if clients is None:
        return Probed(), ""
    try:
        return await clients.get(found.spec, found.endpoints[0]).probe(found.name) or Probed(), ""
    except LlmError as error:
        return Probed(), str(error)


def _window(found: ModelEndpoint, probed: Probed, learned: Learned) -> tuple[int | None, Source]:
    remembered = learned.recall(WINDOW, found.endpoints[0].shown, found.name)
    known: tuple[tuple[int | None, Source], ...] = (
        (found.config.context_window, "settings"),
        (probed.context_window, "probed"),
        (int(remembered) if remembered.isdecimal() else None, "learned"),
        (context_window(found.name, found.endpoints[0].base_url), "genai-prices"),
        (found.capabilities.context_window, "provider"),
    )
    return next(((tokens, source) for tokens, source in known if tokens), (None, ""))


def _each_endpoint(found: ModelEndpoint) -> Iterator[ModelEndpoint]:
    for endpoint in found.endpoints:
        yield msgspec.structs.replace(found, endpoints=(endpoint,))


async def _ping(found: ModelEndpoint, memory: Memory) -> Ping:
    routes = Routes({found.model: found}, (found.model,))
    around = Surroundings(
        Clients(memory.learned),
        msgspec.structs.replace(memory, answers=None),
        retry=RetryPolicy(attempts=1, rate_limited_attempts=1),
        prompt_cache="off",
    )
    request = Request(
        model=found.model,
        messages=(Message("user", _PING),),
        schema_name="ping",
        schema=_PING_SCHEMA,
        max_output_tokens=_PING_OUTPUT_TOKENS,
        purpose="ping",
    )
    ping = Ping(found.model, found.endpoints[0].shown)
    gateway = Gateway(routes, around)
    try:
        reply = await gateway.complete(request)
    except LlmError as error:
        return msgspec.structs.replace(ping, problem=str(error))
    finally:
        await around.clients.aclose()
    return msgspec.structs.replace(
        ping,
        latency_s=reply.latency_s,
        structured_output=reply.structured_output if _is_as_asked(reply) else "none",
        model_answered=reply.model,
        cost_usd=reply.cost_usd,
    )


def _is_as_asked(reply: Reply) -> bool:
    try:
        answer = json.loads(reply.text)
    except (ValueError, RecursionError):
        return False
    return isinstance(answer, dict) and isinstance(answer.get("ok"), bool)


async def _done(ping: Ping) -> Ping:
    return ping
