"""Which model dbt-osmosis would ask, and where, by its own variables.

dbt-osmosis asks every provider through OpenAI's API; ours have their own where that is better. A server that only has
OpenAI's is asked as dbt-osmosis does.

Source: `get_llm_client` in `core/llm.py` of dbt-osmosis 1.3.0 to 1.5.0 (2026-11).
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec

from dbt_describe.errors import LlmSettingsError
from dbt_describe.llm.config import LlmConfig, ModelConfig
from dbt_describe.llm.providers.anthropic import FIRST_MAJOR
from dbt_describe.llm.providers.ollama import DEFAULT_PORT
from dbt_describe.llm.providers.openai_compatible import CompatibleConfig

PROVIDER = "LLM_PROVIDER"
_AZURE = {"AZURE_OPENAI_API_VERSION": "2025-01-01-preview"}
_USUAL: Mapping[str, Mapping[str, str]] = {
    "openai": {"OPENAI_MODEL": "gpt-4o"},
    "azure-openai": _AZURE,
    "azure-openai-ad": _AZURE,
    "google-gemini": {"GOOGLE_GEMINI_MODEL": "gemini-2.0-flash"},
    "anthropic": {"ANTHROPIC_MODEL": "claude-3-5-haiku-latest"},
    "lm-studio": {"LM_STUDIO_MODEL": "local-model"},
    "ollama": {"OLLAMA_MODEL": "llama2:latest"},
}
"""A provider → what dbt-osmosis takes where a variable isn't set."""
_PREFERRED = {"GOOGLE_GEMINI_API_KEY": "GEMINI_API_KEY"}
"""A variable that dbt-osmosis reads → another one, which would win with us."""
_ANTHROPIC = "https://api.anthropic.com/v1"
_AS_DBT_OSMOSIS_DOES = "-by-openai-api"


def variables_of(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables as dbt-osmosis reads them; those that aren't set have the values that it takes then."""
    provider = environ.get(PROVIDER, "").strip().lower()
    if not provider and environ.get("OPENAI_API_KEY", "").strip():
        provider = "openai"
    unset = {name: usual for name, usual in _USUAL.get(provider, {}).items() if not environ.get(name, "").strip()}
    hidden = {other for name, other in _PREFERRED.items() if environ.get(name, "").strip()} if provider else set()
    kept = {name: value for name, value in environ.items() if name not in hidden}
    return {**kept, **unset, PROVIDER: provider}


def with_openai_api(
    config: LlmConfig, environ: Mapping[str, str], has_anthropic: Callable[[], bool] | None = None
) -> LlmConfig:
    """The settings with the way in which dbt-osmosis asks the model, where ours may not work.

    A server at a URL of the user's own may be Anthropic's or Ollama's in name alone: it is asked by OpenAI's API where
    it has no other. So is Anthropic's own where their package isn't installed: dbt-osmosis does without.

    Raises:
        LlmSettingsError: there is no key for Anthropic.
    """
    provider, _, name = config.model.partition("/")
    given = environ.get(f"{provider.upper()}_BASE_URL", "").strip()
    if provider not in {"anthropic", "ollama"} or provider in config.endpoints:
        return config
    key = environ.get(f"{provider.upper()}_API_KEY", "").strip()
    if provider == "anthropic" and not (key or given or config.cached_only):
        raise LlmSettingsError(f"Anthropic needs a key for {config.model}: set ANTHROPIC_API_KEY.")
    is_own = bool(given) and not _is_theirs(given)
    by_openai = CompatibleConfig(
        provider="openai-compatible",
        base_url=given or _ANTHROPIC,
        api_key=key or "none",
    )
    if provider == "anthropic" and not (has_anthropic or _has_anthropic)():
        # Anthropic's own ignores `response_format` (https://platform.claude.com/docs/en/api/openai-sdk, 2026-11).
        shape: dict[str, ModelConfig] = {} if is_own else {config.model: ModelConfig(structured_output="prompt")}
        return msgspec.structs.replace(
            config, endpoints={**config.endpoints, provider: by_openai}, models={**shape, **config.models}
        )
    if not is_own:
        return config
    prefix = f"{provider}{_AS_DBT_OSMOSIS_DOES}"
    return msgspec.structs.replace(
        config,
        endpoints={**config.endpoints, prefix: by_openai},
        fallback=(f"{prefix}/{name}", *config.fallback),
    )


def _is_theirs(url: str) -> bool:
    """Whether this is Anthropic's host, or the port that Ollama listens on."""
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
        return (parts.hostname or "").endswith("anthropic.com") or parts.port == DEFAULT_PORT
    except ValueError:  # no URL at all: who opens it says so
        return True


def _has_anthropic() -> bool:
    try:
        return int(importlib.metadata.version("anthropic").partition(".")[0]) >= FIRST_MAJOR
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return False
