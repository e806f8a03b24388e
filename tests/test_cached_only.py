"""A run that asks nothing: what was answered before is given, and the rest is left for a run that asks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import dbt_describe
from dbt_describe import run
from dbt_describe.errors import LlmError
from dbt_describe.llm.cache import AnswerCache
from dbt_describe.llm.learned import LearnedFacts
from dbt_describe.llm.messages import Reply, Request
from dbt_describe.llm.surroundings import Memory
from dbt_describe.progress import Silent
from dbt_describe.prompting.templates import open_templates
from dbt_describe.provenance.entries import FILE_NAME
from dbt_describe.report import Report
from dbt_describe.writers.llm import LlmWriter
from tests.llm.fakes import FakeCompleter, described, gateway_of, model_of
from tests.test_keeping_true import SCHEMA, Shop

NOT_INHERITED, COPIES = 8, 1
"""Of the shop's 11 missing descriptions, those whose values no described column upstream holds; of these, copies."""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    (tmp_path / "shop").mkdir()
    return Shop(tmp_path / "shop")


def answer(request: Request, bad: Iterable[str] = ()) -> Reply:
    """A text for all that the request asks for; of `bad` columns one with Jinja, but in a repair."""
    properties: Any = request.schema["properties"]
    named = re.findall(r"^- (\w+)$", request.messages[1].content.rpartition('<data name="asked">')[2], re.MULTILINE)
    names = named if "columns" in properties else []
    wrong = set(bad) if request.purpose == "draft" else set()
    texts = {name: "{{ x }}" if name in wrong else f"What the till tells of `{name}` in the end." for name in names}
    return described(texts, "Orders as the till has them, one row each." if "node" in properties else "")


def document(shop: Shop, fake: FakeCompleter, *, cached_only: bool = False, **options: Any) -> Report:
    """A run with the answers that are kept beside the shop."""
    settings = shop.settings(**options)
    config = msgspec.structs.replace(settings.llm.config, model="openai/tiny", cached_only=cached_only)
    settings = msgspec.structs.replace(settings, llm=msgspec.structs.replace(settings.llm, config=config))
    store = shop.root.parent / "store"
    memory = Memory(AnswerCache(store), learned=LearnedFacts(store))
    gateway = gateway_of(fake, memory=memory, cached_only=cached_only)
    return run.document_with(LlmWriter(gateway, "openai/tiny", open_templates()), settings, Silent())


def cached_only(shop: Shop, **options: Any) -> Report:
    """A run that asks nothing, which is held against what was sent."""
    fake = FakeCompleter(LlmError("sent after all"))
    report = document(shop, fake, cached_only=True, **options)
    assert (fake.requests, report.failures, report.exit_code) == ([], (), 0)
    return report


def test_without_kept_answers_all_that_a_model_would_be_asked_for_is_left_and_counted(shop: Shop) -> None:
    before = shop.texts
    report = cached_only(shop)
    inherited = {draft.column for draft in report.drafts}
    assert inherited == {"order_id"}
    assert report.not_asked == report.missing - len(report.drafts) == NOT_INHERITED
    assert (report.copies_left, report.to_ask) == (COPIES, NOT_INHERITED - COPIES)
    assert (report.abstentions, report.not_begun, report.spent.calls) == ((), 0, 0)
    assert shop.texts.items() >= before.items()


def test_nothing_is_recorded_of_what_was_left(shop: Shop) -> None:
    cached_only(shop)
    lock = shop.root / FILE_NAME
    assert '"unknown"' not in lock.read_text(encoding="utf-8")
    document(shop, asked := FakeCompleter(answer))
    assert {request.node.rpartition(".")[2] for request in asked.requests} == {"stg", "mart", "top"}


def test_what_was_answered_before_is_given_to_the_byte(shop: Shop) -> None:
    before = (shop.root / SCHEMA).read_bytes()
    document(shop, FakeCompleter(answer))
    written = (shop.root / SCHEMA).read_bytes()
    (shop.root / SCHEMA).write_bytes(before)
    (shop.root / FILE_NAME).unlink()
    report = cached_only(shop)
    assert (shop.root / SCHEMA).read_bytes() == written
    assert (report.not_asked, report.spent.calls, report.spent.cached) == (0, 0, 3)


def test_a_node_of_which_only_a_part_was_answered_is_left_whole(shop: Shop) -> None:
    def refuse_repairs(request: Request) -> Reply:
        if request.purpose == "repair":
            raise LlmError("gone")
        return answer(request, bad=("amount",))

    document(shop, FakeCompleter(refuse_repairs), dry_run=True)
    report = cached_only(shop, dry_run=True)
    assert {draft.unique_id.rpartition(".")[2] for draft in report.drafts if draft.writer != "inherited"} == set()
    assert (report.abstentions, report.not_asked) == ((), NOT_INHERITED)


def test_repairs_that_were_answered_are_given_too(shop: Shop) -> None:
    document(shop, FakeCompleter(lambda request: answer(request, bad=("amount",))), dry_run=True)
    assert cached_only(shop, dry_run=True).not_asked == 0


def test_a_local_server_isnt_even_asked_what_it_is() -> None:
    class Probed(FakeCompleter):
        async def probe(self, model: str) -> None:
            raise AssertionError("probed")

    async def prepare() -> int | None:
        fake = Probed(LlmError("sent"))
        served_here = model_of(fake, base_url="http://localhost:8080/v1")
        async with gateway_of(fake, served_here, cached_only=True) as gateway:
            await gateway.prepare()
            return gateway.window("draft")

    asyncio.run(prepare())


def test_no_key_is_needed_and_no_limit_checked(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBT_DESCRIBE_STORE", str(shop.root / "store"))
    (shop.root / "dbt-describe.yml").write_text("budget: {max_cost: 1}\noffline: true\n", encoding="utf-8")
    shop.settings()  # has dbt make the manifest
    report = dbt_describe.document(
        shop.root, model="openai/nobody-knows-its-price", cached_only=True, resource_types="model"
    )
    assert (report.exit_code, report.not_asked, report.cached_only) == (0, NOT_INHERITED, True)
