"""What a server's list of models says of one of them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from dbt_describe.errors import LlmSettingsError
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.messages import Probed

Entry = Mapping[str, object]
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def entries_of(listing: object) -> tuple[Entry, ...] | None:
    """The models of a list, or None where it isn't one (LM Studio answers 200 to a path that it doesn't know)."""
    if isinstance(listing, dict):
        listing = listing.get("data", listing.get("models"))
    if not isinstance(listing, list):
        return None
    return tuple(entry for entry in listing if isinstance(entry, dict))


def probed_of(entries: Sequence[Entry], model: str, endpoint: Endpoint, *, lists_all: bool = True) -> Probed:
    """What the list says of the model. `lists_all`: whether a model that isn't listed doesn't exist.

    Raises:
        LlmSettingsError: there is no such model; the nearest one is named.
    """
    entry = _entry_of(entries, model)
    if entry is not None:
        return Probed(_window_of(entry), _output_limit_of(entry), _retirement_of(entry))
    if not lists_all:
        return Probed()
    names = sorted({name for entry in entries for name in _names_of(entry)})
    nearest = difflib.get_close_matches(model, names, n=1) or names[:1]
    hint = f"It has {len(entries)}, e.g. {nearest[0]}." if nearest else "It lists none."
    raise LlmSettingsError(f"{endpoint.shown} doesn't know the model {model!r}. {hint}")


def _entry_of(entries: Sequence[Entry], model: str) -> Entry | None:
    by_name = {name: entry for entry in entries for name in _names_of(entry)}
    # OpenRouter's variants (`:nitro`, `:online`) aren't listed; LiteLLM lists patterns (`openai/*`).
    for name in (model, f"{model}:latest", model.rpartition(":")[0]):
        if name in by_name:
            return by_name[name]
    pattern = next((name for name in by_name if "*" in name and fnmatchcase(model, name)), "")
    if pattern:
        return {}
    # llama-server answers with the one model that it has, whatever it is asked for.
    return entries[0] if len(entries) == 1 and entries[0].get("owned_by") == "llamacpp" else None


def _names_of(entry: Entry) -> tuple[str, ...]:
    """An entry's id, without Gemini's `models/`, and its other names; LM Studio's own list calls it `key`."""
    aliases = entry.get("aliases")
    named = (entry.get("id"), entry.get("key"), *(aliases if isinstance(aliases, list) else ()))
    return tuple(name.removeprefix("models/") for name in named if isinstance(name, str) and name)


def _window_of(entry: Entry) -> int | None:
    """The smallest of the windows that are told, since one may be the model's and another the server's.

    Source: vLLM (max_model_len), LiteLLM (max_input_tokens), OpenRouter (context_length, top_provider), Groq
    (context_window), llama-server (meta.n_ctx; n_ctx_train is only the model's), 2026-11.
    """
    if "max_context_length" in entry:
        return _loaded_window_of(entry)
    provider, meta = _mapping(entry.get("top_provider")), _mapping(entry.get("meta"))
    names = ("max_model_len", "max_input_tokens", "context_length", "context_window")
    told = [_count(entry.get(name)) for name in names]
    told += [_count(provider.get("context_length")), _count(meta.get("n_ctx"))]
    return min((window for window in told if window), default=None)


def _loaded_window_of(entry: Entry) -> int | None:
    """LM Studio's window of a loaded model.

    One that isn't loaded yet will be with another window than its largest, so that nothing is known of it.
    Source: https://lmstudio.ai/docs/developer/rest, 2026-04.
    """
    instances = entry.get("loaded_instances")
    configs = [_mapping(_mapping(one).get("config")) for one in (instances if isinstance(instances, list) else [])]
    told = [_count(entry.get("loaded_context_length")), *(_count(config.get("context_length")) for config in configs)]
    return min((window for window in told if window), default=None)


def _output_limit_of(entry: Entry) -> int | None:
    """LiteLLM's, Groq's, or OpenRouter's limit of an answer."""
    provider = _mapping(entry.get("top_provider"))
    told = (
        _count(entry.get("max_output_tokens")),
        _count(entry.get("max_completion_tokens")),
        _count(provider.get("max_completion_tokens")),
    )
    return next((limit for limit in told if limit), None)


def _retirement_of(entry: Entry) -> str:
    """OpenAI's `shutdown_date`, OpenRouter's `expiration_date`."""
    day = _DAY.match(str(entry.get("shutdown_date") or entry.get("expiration_date") or ""))
    return day[0] if day else ""


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _mapping(value: object) -> Entry:
    return value if isinstance(value, dict) else {}
