"""What a call costs: as settings say, else from genai-prices' data (offline; https://github.com/pydantic/genai-prices)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

import msgspec

from dbt_describe.llm.config import Prices
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.messages import Usage
from dbt_describe.llm.routes import ModelEndpoint

BATCH: Mapping[str, str] = {"processing": "batch"}
"""The circumstances of a batch's request, in genai-prices' words: half the price at OpenAI, Anthropic and Gemini.

Groq's is half, too, and isn't in the list: where a batch would cost what other requests do, half of that is taken, as
it is of a price in settings.

Service tiers are written likewise: `{"service_tier": "flex"}` or `priority`, in OpenAI's words. Source: genai-prices
0.2.3's data, 2026-11; where it knows no other price for the circumstances, the usual one is taken.
"""
_MILLION = Decimal(1_000_000)
# Settings have one price for writing to a cache, that for minutes. Anthropic takes 1.25 times the input's price for
# five of them, and twice that price for an hour (2026-11).
_HOUR_OVER_FIVE_MINUTES = Decimal(2) / Decimal("1.25")


class Priced(Protocol):
    """What a ledger and a budget need to know of the prices of one model."""

    @property
    def source(self) -> str:
        """Where they come from; empty where they aren't known."""

    def cost(self, usage: Usage, context: Mapping[str, str] = {}) -> Decimal | None:
        """US dollars for one call; None where unknown."""

    def prompt_cache_savings(self, usage: Usage, context: Mapping[str, str] = {}) -> Decimal | None:
        """US dollars that the provider's prompt cache has saved in one call; None where unknown."""


class Pricing(msgspec.Struct, frozen=True):
    """The prices of one model at one endpoint."""

    model: str
    """The provider's own name of it."""
    base_url: str
    is_local: bool = False
    settings: Prices | None = None
    """What settings say, which wins over everything else."""
    price_provider: str = ""
    """genai-prices' id of the provider, where its URL alone doesn't tell."""
    service_tier: str = ""
    """The tier that settings ask for; another one counts where the context names it."""

    def cost(self, usage: Usage, context: Mapping[str, str] = {}) -> Decimal | None:
        """US dollars for one call, 0 on this machine, None where the price isn't known."""
        counted = _consistent(usage)
        if self.settings is not None:
            cost_usd = _cost_as_set(self.settings, counted)
            return cost_usd / 2 if _is_batch(context) else cost_usd
        return Decimal(0) if self.is_local else self._listed_cost(counted, context)

    @property
    def source(self) -> str:
        """`settings`, `local`, `genai-prices 0.2.3`, or empty where the price isn't known."""
        if self.settings is not None:
            return "settings"
        if self.is_local:
            return "local"
        if self._listed_cost(Usage(), {}) is None:
            return ""
        import genai_prices  # noqa: PLC0415 - it takes 0.35 s

        return f"genai-prices {genai_prices.__version__}"

    def prompt_cache_savings(self, usage: Usage, context: Mapping[str, str] = {}) -> Decimal | None:
        """What the input would have cost without the provider's cache, less what it did cost.

        Below 0 where more was written to the cache than read from it; None where the price isn't known.
        """
        if not usage.cached_input_tokens and not usage.cache_write_tokens:
            return Decimal(0)
        with_cache = self.cost(msgspec.structs.replace(usage, output_tokens=0), context)
        without = self.cost(Usage(usage.input_tokens), context)
        return None if with_cache is None or without is None else without - with_cache

    def _listed_cost(self, usage: Usage, context: Mapping[str, str]) -> Decimal | None:
        asked_for = {"service_tier": self.service_tier} if self.service_tier else {}
        listed = functools.partial(_listed_cost, self.model, self.base_url, self.price_provider, usage)
        cost_usd = listed(tuple((asked_for | dict(context)).items()))
        if cost_usd is None or not _is_batch(context):
            return cost_usd
        # A batch has one price, whatever the tier of other requests.
        usual = listed(())
        return cost_usd if usual is None or cost_usd < usual else usual / 2


# A price takes 0.2 ms; what one request's prompt cost alone, and where the price is from, is asked several times.
@functools.lru_cache(maxsize=256)
def _listed_cost(
    model: str, base_url: str, price_provider: str, usage: Usage, context: tuple[tuple[str, str], ...]
) -> Decimal | None:
    # Imported here: it takes 0.35 s.
    import genai_prices  # noqa: PLC0415

    counted = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cached_input_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
    }
    # What isn't there isn't handed over: each unit takes its time.
    units = genai_prices.Usage(**{name: count for name, count in counted.items() if count})
    calc, circumstances = genai_prices.calc_price, dict(context)
    try:
        if price_provider:
            return calc(units, model, provider_id=price_provider, price_context=circumstances).total_price
        return calc(units, model, provider_api_url=base_url, price_context=circumstances).total_price
    except (LookupError, ValueError):
        return None


def _is_batch(context: Mapping[str, str]) -> bool:
    return context.items() >= BATCH.items()


def pricing_of(found: ModelEndpoint, endpoint: Endpoint | None = None) -> Pricing:
    """The prices of a model at one of its endpoints, the first one unless it is given."""
    where = endpoint or found.endpoints[0]
    # Another server behind a provider's name has prices of its own.
    is_theirs = where.base_url == found.spec.base_url or not found.spec.base_url
    return Pricing(
        model=found.name,
        base_url=where.base_url,
        is_local=found.is_served_here(where),
        settings=found.config.prices,
        price_provider=found.spec.price_provider if is_theirs else "",
        service_tier=getattr(where.config, "service_tier", ""),
    )


def context_window(model: str, base_url: str) -> int | None:
    """Tokens that the model takes, prompt and answer together, None where unknown.

    `model` is the provider's own name of it.
    """
    import genai_prices  # noqa: PLC0415 - it takes 0.35 s

    try:
        found = genai_prices.calc_price(genai_prices.Usage(), model_ref=model, provider_api_url=base_url).model
    except (LookupError, ValueError):
        return None
    return found.context_window


def _consistent(usage: Usage) -> Usage:
    """The usage with parts no larger than the whole: servers' counts sometimes are, and nobody can price that."""
    inputs = max(0, usage.input_tokens)
    read = min(max(0, usage.cached_input_tokens), inputs)
    written = min(max(0, usage.cache_write_tokens), inputs - read)
    return Usage(
        input_tokens=inputs,
        output_tokens=max(0, usage.output_tokens),
        cached_input_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=min(max(0, usage.cache_write_1h_tokens), written),
    )


def _cost_as_set(prices: Prices, usage: Usage) -> Decimal:
    plain = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
    read_price = prices.input if prices.cached_input is None else prices.cached_input
    write_price = prices.input if prices.cache_write is None else prices.cache_write
    hour_price = prices.input if prices.cache_write is None else prices.cache_write * _HOUR_OVER_FIVE_MINUTES
    return (
        plain * prices.input
        + usage.cached_input_tokens * read_price
        + (usage.cache_write_tokens - usage.cache_write_1h_tokens) * write_price
        + usage.cache_write_1h_tokens * hour_price
        + usage.output_tokens * prices.output
    ) / _MILLION
