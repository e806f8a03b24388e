"""Flags over environment variables over the file over defaults."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation

import msgspec

from dbt_describe.configuration.files import Configuration
from dbt_describe.errors import LlmSettingsError, SettingsError, UnsetVariableError
from dbt_describe.llm.config import Budget, LlmConfig, RouteConfig, Timeouts
from dbt_describe.llm.registry import find_spec
from dbt_describe.llm.routes import AUTO

RULES = "rules"
"""What the rules writer is called at the end of a chain."""
SAME_ROUTE, NOBODY = "model", "none"
"""Who reviews where no model is named: that of `routes.review`; or nobody, whatever the file says."""
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"", "0", "false", "no", "off"})
_OFFLINE = "DBT_DESCRIBE_OFFLINE"


class Flags(msgspec.Struct, frozen=True):
    """What was said on the command line; empty, 0 and None where nothing was."""

    model: str = ""
    fallback: tuple[str, ...] = ()
    offline: bool = False
    max_cost: Decimal | float | str | None = None
    """US dollars for the run."""
    max_tokens: int = 0
    concurrency: int = 0
    no_prompt_cache: bool = False
    review: str = ""
    """Who reviews drafts: a model, `model` for that of `routes.review`, or `none`."""
    cached_only: bool = False
    """Whether nothing is asked, and only answers that are kept are given."""


class Merged(msgspec.Struct, frozen=True):
    """The gateway's settings; `rules_fallback` says whether the rules writer describes what no model could."""

    config: LlmConfig
    rules_fallback: bool = False
    review: str = ""
    """Who reviews drafts, as in the file; `config.routes` say the same."""


def merge(file: Configuration, flags: Flags, environ: Mapping[str, str]) -> Merged:
    """The settings of a run.

    A model that is named by a flag or by DBT_DESCRIBE_MODEL is asked for every purpose and size of task; `rules` asks
    nobody.

    Raises:
        SettingsError: a flag or a variable can't be used, or `rules` isn't a chain's last.
        UnsetVariableError: a model that may be asked is one of an endpoint with a variable that isn't set.
    """
    config = _with_model(file.llm, flags, environ)
    config, review = _with_reviewer(config, file.prompting.review, flags, environ)
    config = _with_timeout(config, environ.get("DBT_DESCRIBE_TIMEOUT", ""))
    budget = _budget(config.budget, flags)
    config = msgspec.structs.replace(
        config,
        offline=flags.offline or truth_of(_OFFLINE, environ.get(_OFFLINE), otherwise=config.offline),
        budget=budget,
        concurrency=flags.concurrency or config.concurrency,
        prompt_cache="off" if flags.no_prompt_cache else config.prompt_cache,
    )
    merged = _cached_only(msgspec.structs.replace(_without_rules(config), review=review), flags)
    for model in (*_models(merged.config), *([file.prompting.embeddings] if merged.config.model else [])):
        prefix = model.strip().partition("/")[0]
        message = file.unresolved.get(prefix) or file.unresolved.get(prefix.lower())
        if message:
            raise UnsetVariableError(message)
    return merged


def _named(flags: Flags, environ: Mapping[str, str]) -> str:
    """The model that a flag or a variable names."""
    return (flags.model or environ.get("DBT_DESCRIBE_MODEL", "")).strip()


def _with_model(config: LlmConfig, flags: Flags, environ: Mapping[str, str]) -> LlmConfig:
    named = _named(flags, environ)
    if named:
        routes = {} if named == RULES else {name: RouteConfig("", at.fallback) for name, at in config.routes.items()}
        fallback = () if named == RULES else config.fallback
        config = msgspec.structs.replace(config, model=named, fallback=fallback, routes=routes, small_tasks=None)
    elif not config.model.strip():
        config = msgspec.structs.replace(config, model=osmosis_model(environ))
    if not flags.fallback:
        return config
    if not config.model:
        raise SettingsError("--fallback needs a model that is asked before: name it with --model.")
    routes = {name: RouteConfig(at.model) for name, at in config.routes.items()}
    return msgspec.structs.replace(config, fallback=flags.fallback, routes=routes)


def _with_reviewer(config: LlmConfig, given: str, flags: Flags, environ: Mapping[str, str]) -> tuple[LlmConfig, str]:
    """The settings with the route to the reviewer, and who it is; nobody where nothing is drafted by a model."""
    review = (flags.review or given).strip()
    if review in {"", NOBODY}:
        return config, ""
    if config.model in {"", RULES}:
        if flags.review:
            raise SettingsError("--review needs a model that drafts: name it with --model.")
        return config, ""
    if review == RULES:
        raise SettingsError("`rules` can't review: name a model, or `none`.")
    if not flags.review and _named(flags, environ):
        # The model of the command line is asked for everything, as with `routes`.
        review = SAME_ROUTE
    if review == SAME_ROUTE:
        return config, review
    route = msgspec.structs.replace(config.routes.get("review", RouteConfig()), model=review)
    return msgspec.structs.replace(config, routes={**config.routes, "review": route}), review


def osmosis_model(environ: Mapping[str, str]) -> str:
    """The model that dbt-osmosis would ask, from LLM_PROVIDER and the provider's own variable; empty without them."""
    provider = environ.get("LLM_PROVIDER", "").strip().lower()
    if not provider:
        return ""
    try:
        spec = find_spec(provider)
    except LlmSettingsError as error:
        raise SettingsError(
            f"LLM_PROVIDER can't be used: {error} Or name a model by --model or DBT_DESCRIBE_MODEL (`rules` asks none)."
        ) from error
    set_ones = (environ[variable].strip() for variable in spec.model_variables if environ.get(variable, "").strip())
    name = next(set_ones, "") or spec.default_model
    if not name:
        variable = spec.model_variables[0] if spec.model_variables else "DBT_DESCRIBE_MODEL"
        raise SettingsError(f"LLM_PROVIDER is {provider}, and no model is named: set {variable}, or name a model.")
    return f"{provider}/{name}"


def _with_timeout(config: LlmConfig, timeout: str) -> LlmConfig:
    if not timeout:
        return config
    try:
        seconds = float(timeout)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise SettingsError(f"DBT_DESCRIBE_TIMEOUT is `{timeout}`; it must be a number of seconds above 0.")

    def bounded(timeouts: Timeouts) -> Timeouts:
        return msgspec.structs.replace(timeouts, read=seconds, total=seconds)

    endpoints = {
        name: msgspec.structs.replace(endpoint, timeouts=bounded(endpoint.timeouts)) if endpoint.timeouts else endpoint
        for name, endpoint in config.endpoints.items()
    }
    return msgspec.structs.replace(config, timeouts=bounded(config.timeouts), endpoints=endpoints)


def _cached_only(merged: Merged, flags: Flags) -> Merged:
    """Where nothing is asked, no model is too far away for what it answered before."""
    offline = merged.config.offline and (merged.rules_fallback or not flags.cached_only)
    config = msgspec.structs.replace(merged.config, offline=offline, cached_only=flags.cached_only)
    return msgspec.structs.replace(merged, config=config)


def truth_of(name: str, value: str | None, *, otherwise: bool) -> bool:
    """What a variable of that name says; `otherwise`, where it isn't set.

    Raises:
        SettingsError: it is neither true nor false.
    """
    if value is None:
        return otherwise
    word = value.strip().lower()
    if word not in _TRUE | _FALSE:
        raise SettingsError(f"{name} is `{value}`; it must be 1 or 0.")
    return word in _TRUE


def _budget(budget: Budget, flags: Flags) -> Budget:
    if flags.max_tokens < 0:
        raise SettingsError(f"--max-tokens is {flags.max_tokens}; it must be at least 1.")
    return msgspec.structs.replace(
        budget,
        max_cost=budget.max_cost if flags.max_cost is None else _dollars(flags.max_cost),
        max_tokens=flags.max_tokens or budget.max_tokens,
    )


def _dollars(amount: Decimal | float | str) -> Decimal:
    try:
        dollars = Decimal(str(amount).strip().removeprefix("$"))
    except InvalidOperation:
        dollars = Decimal(-1)
    if not dollars.is_finite() or dollars < 0:
        raise SettingsError(f"--max-cost is `{amount}`; it must be an amount in US dollars, 0 or more, like 2.50.")
    return dollars


def _without_rules(config: LlmConfig) -> Merged:
    """Chains without `rules` at their ends."""
    chain = (config.model.strip(), *(name.strip() for name in config.fallback))
    routes = {name: (at.model.strip(), *(model.strip() for model in at.fallback)) for name, at in config.routes.items()}
    for where, models in (
        ("fallback", chain),
        *((f"routes.{name}.fallback", models) for name, models in routes.items()),
    ):
        if RULES in models[:-1]:
            raise SettingsError(f"`rules` must be the last of {where}: the rules writer always answers.")
    if RULES in {config.small_tasks and config.small_tasks.model, *(models[0] for models in routes.values())}:
        raise SettingsError("`rules` can't be the model of a route or of small_tasks; it can end a fallback.")
    if chain[0] == RULES:
        return Merged(msgspec.structs.replace(config, model="", fallback=()), rules_fallback=True)
    # Only what can't be drafted is left to the rules; what can't be repaired or reviewed is no gap.
    drafts = routes.get("draft", ())
    ends = drafts[-1] if len(drafts) > 1 else chain[-1]
    kept = {name: _route(models, config) for name, models in routes.items()}
    replaced = msgspec.structs.replace(config, model=chain[0], fallback=_without(chain[1:]), routes=kept)
    return Merged(replaced, rules_fallback=ends == RULES)


def _route(models: tuple[str, ...], config: LlmConfig) -> RouteConfig:
    """A route without `rules`; where these alone were its fallback, no model is: an empty one is that of all others."""
    if models[1:] != (RULES,):
        return RouteConfig(models[0], _without(models[1:]))
    # A model that falls back to itself falls back to none.
    return RouteConfig(models[0], (models[0] or config.model.strip(),))


def _without(models: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(model for model in models if model != RULES)


def _models(config: LlmConfig) -> Iterator[str]:
    """Every model that may be asked."""
    if not config.model:
        return
    yield config.model
    yield from config.fallback
    for route in config.routes.values():
        yield from (route.model, *route.fallback)
    if config.small_tasks:
        yield config.small_tasks.model
    if config.model == AUTO:
        yield from config.models
