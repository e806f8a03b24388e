"""What a call costs, and where the price comes from."""

from __future__ import annotations

from decimal import Decimal
from importlib.metadata import version

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_describe.llm.config import Prices
from dbt_describe.llm.endpoints import Endpoint
from dbt_describe.llm.messages import Usage
from dbt_describe.llm.prices import BATCH, Pricing, context_window, pricing_of
from tests.llm.fakes import FakeCompleter, model_of, reply

OPENAI_URL = "https://api.openai.com/v1"
MILLION = 1_000_000
LUNA = Pricing("gpt-6-luna", OPENAI_URL)
SONNET = Pricing("claude-sonnet-5", "https://api.anthropic.com")
SET = Pricing("own", "https://llm.example.com/v1", settings=Prices(Decimal(10), Decimal(40)))


def cost(price: Pricing, usage: Usage) -> Decimal:
    found = price.cost(usage)
    assert found is not None
    return found


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]", "a.localhost"])
def test_this_machine_costs_nothing(host: str) -> None:
    pricing = pricing_of(model_of(FakeCompleter(reply()), base_url=f"http://{host}:1/v1"))
    assert (pricing.cost(Usage(1000, 1000)), pricing.source) == (Decimal(0), "local")


def test_a_known_model_has_a_price_and_an_unknown_one_has_none() -> None:
    assert cost(LUNA, Usage(MILLION)) > 0
    assert LUNA.source == f"genai-prices {version('genai-prices')}"
    for unknown in (Pricing("no-such-model", OPENAI_URL), Pricing("gpt-6-luna", "https://llm.example.com/v1")):
        assert (unknown.cost(Usage(1, 1)), unknown.source) == (None, "")
        assert unknown.prompt_cache_savings(Usage(100, 0, 50)) is None


def test_a_provider_that_its_url_doesnt_tell_is_found_by_its_id() -> None:
    behind_a_proxy = Pricing("gpt-6-luna", "https://proxy.example.com/v1", price_provider="openai")
    assert behind_a_proxy.cost(Usage(MILLION)) == LUNA.cost(Usage(MILLION))
    assert Pricing("gpt-6-luna", OPENAI_URL, price_provider="no-such-provider").cost(Usage(1)) is None


def test_what_a_cache_holds_is_cheaper_to_read_and_dearer_to_write() -> None:
    plain, read = cost(SONNET, Usage(100_000)), cost(SONNET, Usage(100_000, 0, 100_000))
    minutes = cost(SONNET, Usage(100_000, cache_write_tokens=100_000))
    hour = cost(SONNET, Usage(100_000, cache_write_tokens=100_000, cache_write_1h_tokens=100_000))
    # Anthropic: 0.1, 1.25 and 2 times the price of input (2026-11).
    assert (read / plain, minutes / plain, hour / plain) == (Decimal("0.1"), Decimal("1.25"), Decimal(2))


def test_a_batch_costs_half() -> None:
    for price in (LUNA, SONNET):
        assert price.cost(Usage(1000, 1000), BATCH) == cost(price, Usage(1000, 1000)) / 2


def test_a_batch_costs_half_where_the_list_has_no_price_of_its_own_for_it() -> None:
    groq = Pricing("openai/gpt-oss-120b", "https://api.groq.com/openai/v1")
    own = Pricing("mine", "https://host/v1", settings=Prices(input=Decimal(1), output=Decimal(4)))
    flex = Pricing("gpt-6-luna", OPENAI_URL, service_tier="flex")
    for price in (groq, own):
        assert price.cost(Usage(1000, 1000), BATCH) == cost(price, Usage(1000, 1000)) / 2
    # Whatever tier single requests have.
    assert flex.cost(Usage(1000, 1000), BATCH) == LUNA.cost(Usage(1000, 1000), BATCH)
    assert Pricing("mine", "https://host/v1").cost(Usage(1), BATCH) is None
    assert Pricing("mine", "http://localhost/v1", is_local=True).cost(Usage(1), BATCH) == 0


def test_settings_win_over_the_list_and_over_this_machine() -> None:
    own = Prices(input=Decimal(10), output=Decimal(40), cached_input=Decimal(1), cache_write=Decimal(20))
    pricing = Pricing("gpt-6-luna", "http://localhost/v1", is_local=True, settings=own)
    usage = Usage(
        MILLION, 500_000, cached_input_tokens=300_000, cache_write_tokens=200_000, cache_write_1h_tokens=100_000
    )
    # 0.5 M plain, 0.3 M read, 0.1 M for minutes, 0.1 M for an hour at 1.6 times that, 0.5 M out.
    expected = Decimal(5) + Decimal("0.3") + Decimal(2) + Decimal("3.2") + Decimal(20)
    assert (pricing.cost(usage), pricing.source) == (expected, "settings")


def test_what_settings_leave_open_costs_what_input_does() -> None:
    usage = Usage(MILLION, 0, cached_input_tokens=300_000, cache_write_tokens=200_000, cache_write_1h_tokens=100_000)
    assert SET.cost(usage) == Decimal(10)
    assert SET.prompt_cache_savings(usage) == 0


def test_a_models_settings_and_endpoint_decide_its_price() -> None:
    found = model_of(FakeCompleter(reply()), prices=Prices(Decimal(1), Decimal(2)))
    assert pricing_of(found).cost(Usage(MILLION, MILLION)) == 3
    local = Endpoint("http://localhost:1/v1")
    assert pricing_of(model_of(FakeCompleter(reply())), local).cost(Usage(MILLION)) == 0


def test_savings_are_what_the_input_would_have_cost_less_what_it_did() -> None:
    read = SONNET.prompt_cache_savings(Usage(100_000, 9_999, cached_input_tokens=80_000))
    assert read == Decimal("0.9") * cost(SONNET, Usage(80_000))
    written = SONNET.prompt_cache_savings(Usage(100_000, 9_999, cache_write_tokens=80_000))
    assert written == Decimal("-0.25") * cost(SONNET, Usage(80_000))
    assert Pricing("no-such-model", OPENAI_URL).prompt_cache_savings(Usage(100)) == 0


counts = st.integers(min_value=-5, max_value=10**7)


@given(st.builds(Usage, counts, counts, counts, counts, counts, counts))
def test_every_count_a_server_may_make_up_has_a_price(usage: Usage) -> None:
    for price in (LUNA, SONNET, SET):
        assert cost(price, usage) >= 0


def test_the_window_is_known_for_priced_models_only() -> None:
    assert (context_window("gpt-6-luna", OPENAI_URL) or 0) > 100_000
    assert context_window("no-such-model", OPENAI_URL) is None
