"""Estimates come closer to what a model's tokenizer counts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_describe.llm.calibration import KIND, LEAST, MOST, Calibration, roughly_counted
from dbt_describe.llm.learned import Forgetful, LearnedFacts
from dbt_describe.llm.messages import Message, Usage
from tests.llm.fakes import FakeCompleter, gateway_of, question, reply

MODEL = "openai/tiny"


def observed(calibration: Calibration, *pairs: tuple[int, int]) -> float:
    """The factor after replies with these pairs of estimated and counted tokens."""
    for estimated, counted in pairs:
        calibration.observe(question(input_tokens=estimated), reply(usage=Usage(counted, 5)))
    return calibration.factor(MODEL)


def test_a_model_that_never_answered_is_taken_at_the_estimators_word() -> None:
    assert Calibration(Forgetful()).factor(MODEL) == 1.0


def test_the_first_answer_is_believed_and_later_ones_move_it_by_a_fifth() -> None:
    calibration = Calibration(Forgetful())
    assert observed(calibration, (1000, 1300)) == pytest.approx(1.3)
    assert observed(calibration, (1000, 800)) == pytest.approx(1.2)


def test_each_model_has_a_factor_of_its_own() -> None:
    calibration = Calibration(Forgetful())
    observed(calibration, (1000, 1300))
    assert calibration.factor("openai/other") == 1.0


@pytest.mark.parametrize(("estimated", "counted"), [(0, 900), (49, 90), (1000, 0)])
def test_what_wasnt_estimated_or_counted_or_is_tiny_tells_nothing(estimated: int, counted: int) -> None:
    assert observed(Calibration(Forgetful()), (estimated, counted)) == 1.0


def test_a_kept_answer_tells_nothing_new() -> None:
    calibration = Calibration(Forgetful())
    calibration.observe(question(input_tokens=1000), reply(usage=Usage(2000), from_cache=True))
    assert calibration.factor(MODEL) == 1.0


def test_the_factor_is_remembered_from_run_to_run(tmp_path: Path) -> None:
    observed(Calibration(LearnedFacts(tmp_path)), (1000, 1300), (1000, 800))
    assert Calibration(LearnedFacts(tmp_path)).factor(MODEL) == pytest.approx(1.2)


@pytest.mark.parametrize("stored", ["nonsense", "nan", ""])
def test_a_factor_that_cant_be_read_is_learned_anew(stored: str) -> None:
    learned = Forgetful()
    learned.learn(KIND, "", MODEL, stored)
    assert Calibration(learned).factor(MODEL) == 1.0
    assert observed(Calibration(learned), (100, 110)) == pytest.approx(1.1)


@given(st.lists(st.tuples(st.integers(50, 10**6), st.integers(1, 10**7)), min_size=1))
def test_the_factor_stays_within_reason(pairs: list[tuple[int, int]]) -> None:
    assert LEAST <= observed(Calibration(Forgetful()), *pairs) <= MOST


@given(st.floats(LEAST, MOST), st.lists(st.integers(500, 100_000), min_size=30, max_size=40))
def test_a_steady_tokenizer_is_found(ratio: float, sizes: list[int]) -> None:
    pairs = [(1000, 1000), *((size, round(size * ratio)) for size in sizes)]
    assert observed(Calibration(Forgetful()), *pairs) == pytest.approx(ratio, rel=0.02)


def test_sizes_are_the_estimate_in_the_models_tokens_or_come_from_the_length() -> None:
    calibration = Calibration(Forgetful())
    observed(calibration, (1000, 1300))
    assert calibration.input_tokens(question(input_tokens=200)) == 260
    unestimated = question(messages=(Message("user", "x" * 70),))
    assert calibration.input_tokens(unestimated) == roughly_counted(unestimated) == 20


def test_a_gateway_learns_from_its_answers_and_never_from_its_own_factor() -> None:
    calibration = Calibration(Forgetful())
    fake = FakeCompleter(reply(usage=Usage(1500, 10)))

    async def ask() -> None:
        async with gateway_of(fake, calibration=calibration) as gateway:
            for number in range(3):
                await gateway.complete(question(input_tokens=1000, max_output_tokens=number + 1))

    asyncio.run(ask())
    assert calibration.factor(MODEL) == pytest.approx(1.5)
    assert {request.input_tokens for request in fake.requests} == {1000}
