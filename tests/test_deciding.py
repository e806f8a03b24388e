"""Drafts that somebody decides about."""

from __future__ import annotations

import asyncio

import pytest

from dbt_describe.deciding import Choice, Decided, Decisions, rewritten
from dbt_describe.errors import SchemaFileError
from dbt_describe.planning import Draft

A, B, C = (Draft("model.shop.orders", name, f"Text of {name}.", "gpt", prompt="model 1") for name in "abc")
LEFT_OUT, ENDS = Choice(), Choice(ends=True)


def decide(*choices: Choice, drafts: tuple[Draft, ...] = (A, B, C)) -> tuple[Decided, list[tuple[str, str]]]:
    asked: list[tuple[str, str]] = []
    left = list(choices)

    async def answer(draft: Draft, text: str) -> Choice:
        asked.append((draft.column, text))
        return left.pop(0)

    return asyncio.run(Decisions(answer).about(drafts, lambda draft: f"old {draft.column}")), asked


def test_each_draft_is_asked_about_with_the_text_in_its_place_now() -> None:
    decided, asked = decide(Choice(A), LEFT_OUT, Choice(rewritten(C, "Mine.")))
    assert asked == [("a", "old a"), ("b", "old b"), ("c", "old c")]
    assert decided == Decided((A, rewritten(C, "Mine.")), (B,))


def test_after_the_end_nothing_is_asked_and_what_was_decided_counts() -> None:
    decided, asked = decide(Choice(A), ENDS)
    assert (decided, len(asked)) == (Decided((A,), (), has_ended=True), 2)


def test_a_node_without_drafts_has_nothing_to_decide() -> None:
    assert decide(drafts=()) == (Decided(), [])


def test_a_rewritten_draft_is_a_persons_and_the_same_text_is_not() -> None:
    assert rewritten(A, " Text of a. \n") is A
    assert rewritten(A, "Mine.\n") == Draft(A.unique_id, "a", "Mine.", "human")


def test_nodes_are_asked_about_one_after_the_other_while_others_work() -> None:
    async def all_of_it() -> tuple[list[str], int]:
        asked: list[str] = []
        ticks = 0

        async def answer(draft: Draft, text: str) -> Choice:
            asked.append(draft.unique_id)
            await asyncio.sleep(0)
            return Choice(draft)

        async def work() -> None:
            nonlocal ticks
            while len(asked) < 6:
                ticks += 1
                await asyncio.sleep(0)

        decisions = Decisions(answer)
        drafts = [Draft(node, name, "Text.", "gpt") for node in ("n1", "n2") for name in "abc"]
        await asyncio.gather(
            decisions.about(drafts[:3], lambda _: ""), decisions.about(drafts[3:], lambda _: ""), work()
        )
        return asked, ticks

    asked, ticks = asyncio.run(all_of_it())
    assert asked == ["n1"] * 3 + ["n2"] * 3
    assert ticks > 3


def test_an_open_question_is_taken_back_when_it_ends_and_nobody_is_asked_after_it() -> None:
    async def all_of_it() -> tuple[list[Decided], list[str]]:
        events: list[str] = []

        async def never(draft: Draft, text: str) -> Choice:
            events.append(f"asked {draft.column}")
            try:
                await asyncio.Event().wait()
            finally:
                events.append("taken back")
            raise AssertionError("nobody has answered")

        decisions = Decisions(never)
        waiting = [asyncio.ensure_future(decisions.about((draft,), lambda _: "")) for draft in (A, B)]
        while not events:
            await asyncio.sleep(0)
        decisions.end()
        return list(await asyncio.gather(*waiting)), events

    decided, events = asyncio.run(all_of_it())
    assert decided == [Decided(has_ended=True)] * 2
    assert events == ["asked a", "taken back"]


def test_what_goes_wrong_in_asking_ends_it_and_costs_nothing_that_was_accepted() -> None:
    async def broken(draft: Draft, text: str) -> Choice:
        if draft is B:
            raise OSError("the terminal is gone")
        return Choice(draft)

    async def all_of_it() -> list[Decided]:
        decisions = Decisions(broken)
        return [await decisions.about(drafts, lambda _: "") for drafts in ((A, B, C), (C,))]

    failed, after = asyncio.run(all_of_it())
    assert (failed.taken, failed.left_out, failed.has_ended) == ((A,), (), True)
    assert failed.failure.startswith("asking about its drafts failed (OSError: the terminal is gone); run again")
    assert after == Decided(has_ended=True)


@pytest.mark.parametrize("text", ["{{ x }}", "A {% raw %}", " ", "\ud800"])
def test_a_text_that_no_file_can_be_given_isnt_taken(text: str) -> None:
    with pytest.raises(SchemaFileError):
        rewritten(A, text)
