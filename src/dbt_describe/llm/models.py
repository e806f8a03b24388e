"""Model names: `provider/NAME`."""

from __future__ import annotations

import difflib

import msgspec

from dbt_describe.errors import LlmSettingsError

KNOWN_PROVIDERS = ("openai",)


class ModelName(msgspec.Struct, frozen=True):
    """`openai/gpt-6-luna` is the provider `openai` and its name `gpt-6-luna`; a name may hold slashes itself."""

    provider: str
    name: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.name}"


def parse_model(text: str) -> ModelName:
    """The provider and its own name of the model.

    Raises:
        LlmSettingsError: there is no slash, nothing after it, or no such provider; the nearest known one is named.
    """
    provider, slash, name = text.strip().partition("/")
    known = ", ".join(KNOWN_PROVIDERS)
    if not slash or not name.strip():
        raise LlmSettingsError(
            f"The model {text!r} names no provider: write it as provider/NAME, "
            f"e.g. openai/{'NAME' if slash else text.strip() or 'NAME'} (known providers: {known})."
        )
    if provider.lower() not in KNOWN_PROVIDERS:
        nearest = difflib.get_close_matches(provider.lower(), KNOWN_PROVIDERS, n=1)
        hint = f"Did you mean {nearest[0]}/{name}?" if nearest else f"Known providers: {known}."
        raise LlmSettingsError(
            f"The model {text!r} names an unknown provider {provider!r}. {hint} Any OpenAI-compatible endpoint is "
            "reached as openai/NAME with a base URL."
        )
    return ModelName(provider.lower(), name.strip())
