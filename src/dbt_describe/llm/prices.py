"""What a call costs, from genai-prices' data (offline; https://github.com/pydantic/genai-prices)."""

from __future__ import annotations

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
