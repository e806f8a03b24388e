"""What a call costs, from genai-prices' data (offline; https://github.com/pydantic/genai-prices)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.messages import Usage

OPENAI_URL = "https://api.openai.com/v1"


def cost_of(usage: Usage, model: str, endpoint: Endpoint) -> Decimal | None:
    """US dollars for one call, 0 on this machine, None where the price isn't known.

    `model` is the provider's own name of it.
    """
    if endpoint.is_local:
        return Decimal(0)
    # Imported here: it takes 0.35 s.
    import genai_prices  # noqa: PLC0415

    counted = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=min(usage.cached_input_tokens, usage.input_tokens),
    )
    try:
        return genai_prices.calc_price(counted, model_ref=model, provider_api_url=endpoint.base_url).total_price
    except (LookupError, ValueError):
        return None


def price_at(model: str, base_url: str) -> Callable[[Usage], Decimal | None]:
    """`cost_of` for one model of one endpoint."""
    endpoint = Endpoint(base_url)
    return lambda usage: cost_of(usage, model, endpoint)


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
