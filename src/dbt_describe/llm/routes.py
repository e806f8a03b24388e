"""From settings and environment to models that can be asked: which endpoint each has, and who answers what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import msgspec

from dbt_describe.errors import LlmSettingsError
from dbt_describe.llm.config import LlmConfig, ModelConfig, Texts
from dbt_describe.llm.endpoints import Endpoint, checked_base_url
from dbt_describe.llm.registry import canonical_name, find_spec, provider_names
from dbt_describe.llm.specs import Capabilities, ProviderSpec

AUTO = "auto"


class ModelEndpoint(msgspec.Struct, frozen=True):
    """One model, and where it is served: several endpoints, or keys of one, are used in rotation."""

    model: str
    """As it is written in settings: `openai/gpt-6-luna`."""
    spec: ProviderSpec
    endpoints: tuple[Endpoint, ...]
    config: ModelConfig = ModelConfig()

    @property
    def name(self) -> str:
        """The provider's own name of it."""
        return self.model.partition("/")[2]

    @property
    def is_local(self) -> bool:
        """Whether nothing leaves this machine."""
        return all(self.is_served_here(endpoint) for endpoint in self.endpoints)

    def is_served_here(self, endpoint: Endpoint) -> bool:
        """Whether nothing that is sent to this endpoint leaves the machine, and it costs nothing."""
        return endpoint.is_local and not self.spec.is_remote_model(self.name)

    @property
    def capabilities(self) -> Capabilities:
        """What the settings say, else what the provider is known for."""
        assumed = self.spec.assumed(self.name)
        return msgspec.structs.replace(
            assumed,
            context_window=self.config.context_window or assumed.context_window,
            output_limit=self.config.output_limit or assumed.output_limit,
            structured_output=self.config.structured_output or assumed.structured_output,
        )


class Routes(msgspec.Struct, frozen=True):
    """Who answers what. Chains name models of `models`, the first choice first."""

    models: Mapping[str, ModelEndpoint]
    default: tuple[str, ...] = ()
    by_purpose: Mapping[str, tuple[str, ...]] = {}
    small: tuple[str, ...] = ()
    """The chain of small tasks."""
    small_max_input_tokens: int = 0
    auto: tuple[str, ...] = ()
    """What `auto` in a chain stands for: the cheapest of these that fits the request, then the others."""

    def chain(self, purpose: str, input_tokens: int) -> tuple[str, ...]:
        """The models for a request, in the order in which they are asked."""
        if purpose in self.by_purpose:
            return self.by_purpose[purpose]
        is_small = 0 < input_tokens <= self.small_max_input_tokens
        return self.small if self.small and is_small else self.default


def make_routes(config: LlmConfig, environ: Mapping[str, str]) -> Routes:
    """The routes of the settings; keys and URLs that these leave open are taken from `environ`.

    Offline, models of other machines are left out.

    Raises:
        LlmSettingsError: a model can't be reached with what is set, or there is none left.
    """
    default = _chain(config, config.model, config.fallback)
    by_purpose = {
        purpose: _chain(config, route.model or config.model, route.fallback or config.fallback)
        for purpose, route in config.routes.items()
    }
    small = _chain(config, config.small_tasks.model, (config.model, *config.fallback)) if config.small_tasks else ()
    chains = (default, *by_purpose.values(), small)
    listed = (
        tuple(spelled_model(model, config) for model in config.models) if any(AUTO in chain for chain in chains) else ()
    )
    named = tuple(dict.fromkeys(model for chain in chains for model in chain if model != AUTO))
    models = _found(named, listed, config, environ)
    auto = tuple(model for model in listed if model in models)

    def reachable(chain: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(model for model in chain if model in models or (model == AUTO and auto)))

    if not reachable(default) and not config.offline:
        raise LlmSettingsError("model: auto chooses among the models that are listed under models:, and none is.")
    if not reachable(default):
        raise LlmSettingsError(
            f"Offline, only models of this machine can be asked, and {config.model!r} isn't one. "
            "Name a local one, e.g. ollama/NAME, or leave --offline out."
        )
    return Routes(
        models=models,
        default=reachable(default),
        by_purpose={purpose: reachable(chain) or reachable(default) for purpose, chain in by_purpose.items()},
        small=reachable(small),
        small_max_input_tokens=config.small_tasks.max_input_tokens if config.small_tasks else 0,
        auto=auto,
    )


def find_model(model: str, config: LlmConfig, environ: Mapping[str, str]) -> ModelEndpoint:
    """The model and where it is served.

    Raises:
        LlmSettingsError: no such provider or endpoint, no URL or key where one is needed.
    """
    model = spelled_model(model, config)
    spec, endpoints = find_endpoints(model.partition("/")[0], config, environ)
    own = {spelled_model(name, config): own for name, own in config.models.items()}
    return ModelEndpoint(model, spec, endpoints, own.get(model, ModelConfig()))


def find_endpoints(
    prefix: str, config: LlmConfig, environ: Mapping[str, str]
) -> tuple[ProviderSpec, tuple[Endpoint, ...]]:
    """What stands before the slash of a model: a key of the settings' endpoints, or a provider.

    Raises:
        LlmSettingsError: there is no such thing, or no URL or key where one is needed.
    """
    configured = config.endpoints.get(prefix)
    spec = find_spec(configured.provider or prefix if configured else prefix)
    own = configured or spec.config()
    is_elsewhere = bool(spec.base_url) and any(url.rstrip("/") != spec.base_url for url in _texts(own.base_url))
    missing = {
        field: environ[variable]
        for field, variable in spec.config_variables.items()
        if environ.get(variable) and not getattr(own, field) and not is_elsewhere
    }
    own = msgspec.structs.replace(own, **missing)
    written = _texts(own.base_url) or _first(environ, spec.url_variables) or _texts(spec.base_url)
    urls = tuple(spec.normal_url(url) for url in written)
    if not urls:
        advice = f"set {spec.url_variables[0]} or " if spec.url_variables else ""
        raise LlmSettingsError(f"Where is {spec.title}? For {prefix}/…, {advice}give endpoints.{prefix}.base_url.")
    # Neither a provider's key nor its organization is sent to another host unless the settings say so.
    keys = _texts(own.api_key) or (() if is_elsewhere else _first(environ, spec.key_variables))
    is_set_here = is_elsewhere or bool(_texts(own.api_key)) or not spec.key_variables
    variable = f"endpoints.{prefix}.api_key" if is_set_here else spec.key_variables[0]
    if spec.needs_key and not keys and not config.plans_only and (not spec.base_url or spec.base_url in urls):
        raise LlmSettingsError(f"{spec.title} needs a key for {prefix}/…: set {variable}.")
    if any(not key.strip().isascii() or len(key.split()) != 1 for key in keys):
        raise LlmSettingsError(f"The value of {variable} can't be a key: it holds spaces or characters outside ASCII.")
    return spec, tuple(
        Endpoint(
            base_url=checked_base_url(url),
            api_key=key.strip(),
            key_variable=variable,
            name=prefix,
            timeouts=own.timeouts or config.timeouts,
            config=own,
            prompt_cache=config.prompt_cache,
        )
        for url, key in product(urls, keys or ("",))
    )


def _found(
    named: Sequence[str], listed: Sequence[str], config: LlmConfig, environ: Mapping[str, str]
) -> dict[str, ModelEndpoint]:
    """The models by name; offline, those of this machine.

    Raises:
        LlmSettingsError: one that is named can't be reached with what is set; of the listed ones, none can.
    """
    models: dict[str, ModelEndpoint] = {}
    problem: LlmSettingsError | None = None
    for model in dict.fromkeys((*named, *listed)):
        # Where it is can be told without its key, which a model that isn't asked doesn't need.
        is_left_out = config.offline and not find_model(model, _planned(config), environ).is_local
        if is_left_out:
            continue
        try:
            models[model] = find_model(model, config, environ)
        except LlmSettingsError as error:
            if model in named:
                raise
            problem = error
    if problem is not None and not any(model in models for model in listed):
        raise problem
    return models


def _planned(config: LlmConfig) -> LlmConfig:
    return msgspec.structs.replace(config, plans_only=True)


def _chain(config: LlmConfig, model: str, fallback: Sequence[str]) -> tuple[str, ...]:
    """The models of a chain as they are written everywhere; `auto` stays as it is."""
    return tuple(dict.fromkeys(name if name == AUTO else spelled_model(name, config) for name in (model, *fallback)))


def spelled_model(model: str, config: LlmConfig) -> str:
    """A model as it is written everywhere: names of providers are lower-case, names of endpoints as in the settings.

    Raises:
        LlmSettingsError: it names no provider.
    """
    prefix, slash, name = model.strip().partition("/")
    if not slash or not name.strip():
        known = ", ".join((*config.endpoints, *provider_names()))
        raise LlmSettingsError(
            f"The model {model!r} names no provider: write it as provider/NAME, "
            f"e.g. openai/{'NAME' if slash else model.strip() or 'NAME'} (known: {known})."
        )
    return f"{prefix if prefix in config.endpoints else canonical_name(prefix)}/{name.strip()}"


def _texts(value: Texts) -> tuple[str, ...]:
    return tuple(text for text in ((value,) if isinstance(value, str) else value) if text.strip())


def _first(environ: Mapping[str, str], variables: Sequence[str]) -> tuple[str, ...]:
    return next(((environ[variable],) for variable in variables if environ.get(variable, "").strip()), ())
