"""Embeddings find what shares no word with a name; they are asked for once, and a run goes on without them."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Callable, Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dbt_describe.errors import LlmError, LlmSettingsError, SettingsError
from dbt_describe.llm.bounds import Amount
from dbt_describe.memory import meaning
from dbt_describe.memory.index import Index
from dbt_describe.memory.meaning import add_by_meaning
from dbt_describe.memory.passages import Kind, Remembered, source_of
from dbt_describe.memory.retrieval import MOST_BY_MEANING, Recall
from dbt_describe.memory.words import abbreviations_of
from dbt_describe.project.nodes import Node
from dbt_describe.settings import Settings, make_settings
from tests.memory.shop import GPT, facts_of
from tests.memory.test_gathering import Told

ORDERS = Node("model.shop.fct_orders", "model", "fct_orders", "shop")
EMBEDDINGS = "embeddings: openai/text-embedding-3-small\n"
ATTRITION = Remembered("glossary", "terms.yml", "Attrition", "Customers who cancelled.")
VOUCHER = Remembered("document", "docs/a.md", "Vouchers", "Given at fairs.")
DIRECTIONS = {"Attrition": 0, "churn": 10, "Vouchers": 80, "order": 170}
"""A word of a text → where its vector points to, in degrees."""


class Embeddings:
    """A double of `embed`: a text's vector is that of the first word that it knows."""

    def __init__(self, error: LlmError | None = None) -> None:
        self.error = error
        self.asked: list[str] = []

    async def __call__(
        self,
        texts: list[str],
        model: object,
        config: object,
        store: object,
        keep: Callable[[Mapping[str, bytes]], None],
        charge: Callable[[Amount], None],
        say: object,
    ) -> None:
        self.asked += texts
        keep({text: vector_of(text) for text in (texts[:1] if self.error else texts)})
        charge(Amount(Decimal("0.00002"), 10))
        if self.error:
            raise self.error


def vector_of(text: str) -> bytes:
    degrees = next((angle for word, angle in DIRECTIONS.items() if word in text), 270)
    return struct.pack("<2f", math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))


def settings_in(root: Path, text: str = EMBEDDINGS, **options: Any) -> Settings:
    (root / "dbt_project.yml").write_text("name: shop\n", encoding="utf-8")
    (root / "dbt-describe.yml").write_text(text, encoding="utf-8")
    environ = {"DBT_DESCRIBE_STORE": str(root / "store"), "OPENAI_API_KEY": "k", "WAREHOUSE_PASSWORD": "hunter2-x9Q"}
    return make_settings(project_dir=root, model=GPT, environ=environ, **options)


class Run:
    """One run: what it was told, and what its models are shown."""

    def __init__(self, root: Path, *passages: Remembered, text: str = EMBEDDINGS, **options: Any) -> None:
        self.told = Told()
        self.settings = settings_in(root, text, **options)
        self.path = root / "memory.db"
        self.passages = passages or (ATTRITION, VOUCHER)
        self.charged: list[Amount] = []

    def shown(self, *columns: str, embed: Embeddings, asks: bool = True) -> list[str]:
        with closing(Index(self.path)) as index:
            by_source: dict[tuple[Kind, str], list[Remembered]] = {}
            for one in self.passages:
                by_source.setdefault((one.kind, one.source), []).append(one)
            index.renew([source_of(kind, name, found) for (kind, name), found in by_source.items()])
            recall = Recall(index, abbreviations_of({}))
            recall.learn(ORDERS.name, columns)
            add_by_meaning(recall, index, self.settings, self.told, asks, self.charged.append, embed)
        return [one.text for one in recall.passages(facts_of(ORDERS, *columns))]


def test_a_passage_is_found_that_shares_no_word_with_the_name(tmp_path: Path) -> None:
    run, embed = Run(tmp_path), Embeddings()
    assert run.shown("is_churned", embed=embed) == [ATTRITION.text]
    assert sorted(embed.asked) == sorted(
        ["Attrition: Customers who cancelled.", "Vouchers: Given at fairs.", "churned", "order"]
    )
    assert run.charged == [Amount(Decimal("0.00002"), 10)]
    assert run.told.said == [
        "Finding passages by what they mean took 10 tokens of openai/text-embedding-3-small, $0.000020."
    ]


def test_what_words_find_comes_first(tmp_path: Path) -> None:
    by_words = Remembered("glossary", "terms.yml", "Churned", "Gone for good.")
    assert Run(tmp_path, ATTRITION, by_words).shown("churned", embed=Embeddings()) == [by_words.text, ATTRITION.text]


def test_of_what_is_near_only_the_nearest_are_shown_in_one_order(tmp_path: Path) -> None:
    near = [Remembered("glossary", "terms.yml", f"Attrition {n}", f"Text {n}.") for n in range(MOST_BY_MEANING + 2)]
    shown = Run(tmp_path, *reversed(near)).shown("churn", embed=Embeddings())
    assert shown == [one.text for one in near[:MOST_BY_MEANING]]


def test_nothing_is_embedded_twice(tmp_path: Path) -> None:
    first = Embeddings()
    Run(tmp_path).shown("churn", embed=first)
    again = Embeddings()
    assert Run(tmp_path).shown("churn", "coupon_code", embed=again) == [ATTRITION.text]
    assert again.asked == ["coupon code"]


def test_a_plan_asks_nothing_and_goes_by_what_is_kept(tmp_path: Path) -> None:
    untouched = Embeddings()
    assert Run(tmp_path).shown("churn", embed=untouched, asks=False) == []
    Run(tmp_path).shown("churn", embed=Embeddings())
    run = Run(tmp_path)
    assert run.shown("churn", embed=untouched, asks=False) == [ATTRITION.text]
    assert (untouched.asked, run.told.said) == ([], [])


def test_offline_only_a_model_of_this_machine_is_asked(tmp_path: Path) -> None:
    embed = Embeddings()
    local = "\nendpoints: {ollama: {base_url: 'http://localhost:11434'}}\n"
    run = Run(tmp_path, offline=True)
    assert run.shown("churn", embed=embed) == []
    assert run.told.said[0].startswith("Offline, openai/text-embedding-3-small isn't asked")
    here = Run(tmp_path, text=f"embeddings: ollama/nomic-embed-text{local}", offline=True)
    assert here.shown("churn", embed=embed) == [ATTRITION.text]


def test_an_endpoint_that_fails_is_told_of_and_what_came_before_is_used(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert run.shown("churn", embed=Embeddings(LlmError("It is down."))) == []
    assert run.told.said[-1] == "Not all passages can be found by what they mean: It is down."
    again = Embeddings()
    assert Run(tmp_path).shown("churn", embed=again) == [ATTRITION.text]
    assert len(again.asked) == 3


def test_what_is_kept_is_found_offline_and_without_a_key(tmp_path: Path) -> None:
    first, later = Run(tmp_path), Run(tmp_path, offline=True)
    first.shown("churn", embed=Embeddings())
    without_key = {"DBT_DESCRIBE_STORE": str(tmp_path / "store")}
    llm = msgspec.structs.replace(later.settings.llm, environ=without_key)
    later.settings = msgspec.structs.replace(later.settings, llm=llm)
    assert later.shown("churn", "coupon_code", embed=Embeddings()) == [ATTRITION.text]
    assert [said.partition(",")[0] for said in later.told.said] == ["Offline"]


def test_a_missing_key_costs_the_run_nothing(tmp_path: Path) -> None:
    run = Run(tmp_path, text="embeddings: gemini/gemini-embedding-001\n")
    assert run.shown("churn", embed=Embeddings()) == []
    assert "GEMINI_API_KEY" in run.told.said[0]


@pytest.mark.parametrize("model", ["anthropic/claude-x", "groq/llama"])
def test_a_provider_without_embeddings_is_refused(model: str, tmp_path: Path) -> None:
    with pytest.raises(LlmSettingsError, match=r"isn't among the providers .*openai, azure, gemini, lm-studio, ollama"):
        Run(tmp_path, text=f"embeddings: {model}\n").shown("churn", embed=Embeddings(), asks=False)


def test_what_names_no_provider_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LlmSettingsError, match="embeddings: The model 'small' names no provider"):
        Run(tmp_path, text="embeddings: small\n").shown("churn", embed=Embeddings(), asks=False)


def test_where_an_event_loop_runs_they_are_asked_for_as_well(tmp_path: Path) -> None:
    async def in_a_notebook() -> list[str]:
        return Run(tmp_path).shown("churn", embed=Embeddings())

    assert asyncio.run(in_a_notebook()) == [ATTRITION.text]


def test_the_documents_are_left_out_first_where_there_is_too_much_to_compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meaning, "MOST_MULTIPLICATIONS", 4)
    run = Run(tmp_path, msgspec.structs.replace(VOUCHER, title="Attrition"), ATTRITION)
    assert run.shown("churn", embed=Embeddings()) == [ATTRITION.text]
    assert "compared with 1 passages" in run.told.said[-1]


def test_descriptions_arent_sent(tmp_path: Path) -> None:
    embed = Embeddings()
    private = Remembered("description", "model.shop.a", "left", "Said by a person.", "model.shop.a", "left")
    Run(tmp_path, private, ATTRITION).shown("churn", embed=embed)
    assert not any("Said by a person" in text for text in embed.asked)


def test_what_isnt_sent_with_prompts_isnt_sent_here(tmp_path: Path) -> None:
    secret = Remembered("document", "a.md", "Access", "The password is hunter2-x9Q; ask jo@example.com.")
    embed = Embeddings()
    Run(tmp_path, secret).shown("churn", embed=embed)
    assert "hunter2-x9Q" not in str(embed.asked)
    assert "jo@example.com" in str(embed.asked)
    redacting = Embeddings()
    Run(tmp_path, secret, text=f"{EMBEDDINGS}redact: true\n").shown("churn", embed=redacting)
    assert redacting.asked
    assert "jo@example.com" not in str(redacting.asked)


def test_the_memory_forgets_vectors_too(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.shown("churn", embed=Embeddings())
    with closing(Index(run.path)) as index:
        index.clear()
    again = Embeddings()
    run.shown("churn", embed=again)
    assert len(again.asked) == 4


def test_an_endpoint_whose_variable_isnt_set_is_told_of_before_anything_else(tmp_path: Path) -> None:
    text = 'embeddings: work/x\nendpoints: {work: {provider: openai, api_key: "${NOT_SET}"}}\n'
    with pytest.raises(SettingsError, match="needs the environment variable NOT_SET"):
        settings_in(tmp_path, text)
