"""Which providers there are: ours, and those of packages with an entry point in the group `dbt_describe.providers`."""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING

from dbt_describe.errors import LlmSettingsError
from dbt_describe.llm.specs import ProviderSpec

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINT_GROUP = "dbt_describe.providers"

_OURS = {
    "openai": ("openai", "SPEC"),
    "anthropic": ("anthropic", "SPEC"),
    "azure": ("azure", "SPEC"),
    "gemini": ("gemini", "SPEC"),
    "groq": ("groq", "SPEC"),
    "lm-studio": ("lm_studio", "SPEC"),
    "ollama": ("ollama", "SPEC"),
    "openai-compatible": ("openai_compatible", "SPEC"),
}
"""A provider's name → its module in `providers/`, and the name of its ProviderSpec there."""

_ALIASES = {
    "azure-openai": _OURS["azure"],
    "azure-openai-ad": ("azure", "ENTRA_SPEC"),
    "google": _OURS["gemini"],
    "google-gemini": _OURS["gemini"],
    "lmstudio": _OURS["lm-studio"],
}
"""Other names of the same, among them dbt-osmosis's. They aren't listed."""


def provider_names() -> tuple[str, ...]:
    """All names that may stand before the slash of a model, ours first, without aliases. Nothing is imported."""
    return (*_OURS, *sorted(_theirs().keys() - _OURS.keys() - _ALIASES.keys()))


def our_provider_names() -> tuple[str, ...]:
    """Those of this package, aliases included."""
    return (*_OURS, *_ALIASES)


def canonical_name(name: str) -> str:
    """How a provider is written everywhere: lower-case, and by its own name where it has others."""
    lower = name.lower()
    same = [own for own, place in _OURS.items() if _ALIASES.get(lower) == place]
    return same[0] if same else lower


def find_spec(name: str) -> ProviderSpec:
    """The provider of that name; ours win over others of the same name.

    Raises:
        LlmSettingsError: there is none, or the package that has it can't be imported; the nearest known one is named.
    """
    if name in _OURS or name in _ALIASES:
        module, attribute = _OURS.get(name) or _ALIASES[name]
        spec: object = getattr(importlib.import_module(f"dbt_describe.llm.providers.{module}"), attribute)
    elif name in (theirs := _theirs()):
        spec = _loaded(theirs[name])
    else:
        nearest = difflib.get_close_matches(name, (*provider_names(), *_ALIASES), n=1)
        hint = f"Did you mean {nearest[0]}?" if nearest else f"There are {', '.join(provider_names())}."
        raise LlmSettingsError(f"There is no provider {name!r}. {hint}")
    if not isinstance(spec, ProviderSpec):
        raise LlmSettingsError(f"The provider {name!r} comes from a package whose entry point is no ProviderSpec.")
    return spec


def _theirs() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - 20 ms, for providers that aren't ours

    return {entry_point.name: entry_point for entry_point in entry_points(group=ENTRY_POINT_GROUP)}


def _loaded(entry_point: EntryPoint) -> object:
    package = entry_point.dist.name if entry_point.dist else entry_point.module
    try:
        return entry_point.load()
    except Exception as error:  # a foreign package's import may fail in any way
        shown = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise LlmSettingsError(
            f"The provider {entry_point.name!r} of the package {package} can't be imported: {shown}"
        ) from error
