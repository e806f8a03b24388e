"""`dbt-describe usage`, byte for byte."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from decimal import Decimal
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from click.testing import CliRunner

from dbt_describe.cli.main import cli
from dbt_describe.llm.usage import Attempt, Avoided, UsageLog

NOON = 1_794_830_400.0  # 2026-11-16 12:00:00 UTC
LONG = "model.another_shop.fct_orders"


def attempt(**fields: Any) -> Attempt:
    usual: dict[str, Any] = {
        "run": "r1",
        "at": NOON,
        "node": "model.shop.orders",
        "purpose": "draft",
        "prompt": "model 1",
        "endpoint": "api.openai.com/v1",
        "model": "openai/gpt-6-luna",
        "model_answered": "gpt-6-luna-2026",
        "request_key": "k",
        "attempt": 1,
        "status": "answered",
        "error": "",
        "input_tokens": 1000,
        "output_tokens": 50,
        "cached_input_tokens": 0,
        "reasoning_tokens": 0,
        "cost_usd": Decimal("0.0012"),
        "latency_s": 1.25,
        "provider": "openai",
        "host": "api.openai.com",
        "answered_by": "openai/gpt-6-luna",
        "fragments": {"sql": 600, "system": 200},
        "input_cost_usd": Decimal("0.001"),
        "prompt_cache_saved_usd": Decimal(0),
    }
    return Attempt(**(usual | fields))


FAILED: dict[str, Any] = {
    "status": "failed",
    "error": "TransientError",
    "input_tokens": 0,
    "output_tokens": 0,
    "cost_usd": None,
    "input_cost_usd": None,
    "latency_s": 30.0,
}
ROWS = (
    attempt(**FAILED),
    attempt(
        at=NOON + 60,
        attempt=2,
        cached_input_tokens=800,
        cache_write_tokens=100,
        reasoning_tokens=10,
        prompt_cache_saved_usd=Decimal("0.0007"),
        first_token_s=0.5,
        request_id="req_1",
    ),
    attempt(run="r2", at=NOON + 86_400, node=LONG, latency_s=4.0, cost_usd=None, input_cost_usd=None, fragments={}),
    attempt(run="r2", at=NOON + 86_400, status="cached", cost_usd=Decimal("0.0030")),
)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UsageLog:
    monkeypatch.setenv("DBT_DESCRIBE_STORE", str(tmp_path))
    return UsageLog(tmp_path)


@pytest.fixture
def filled(store: UsageLog) -> UsageLog:
    for row in ROWS:
        store.record(row)
    store.record_avoided(
        Avoided(run="r2", at=NOON + 86_400, reason="inherited", descriptions=23, tokens_estimated=9000)
    )
    return store


def shown(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(cli, ["usage", *words])
    assert done.exit_code == code, done.output
    return done.output


@pytest.mark.usefixtures("filled")
def test_runs_are_shown_with_what_was_saved_below() -> None:
    assert shown() == dedent(
        """\
        run    requests  failed  kept  tokens in  out      cost    saved     p50     p95
        r1            2       1     0      1,000   50   $0.0012  $0.0007  1.25 s  1.25 s
        r2            1       0     1      1,000   50   unknown  $0.0030  4.00 s  4.00 s
        total         3       1     1      2,000  100  >$0.0012  $0.0037  1.25 s  4.00 s

        Saved $0.0030 by 1 answer that was kept, $0.0007 by the providers' prompt caches.
        Not asked for (inherited): 23 descriptions, about 9,000 tokens and an unknown cost.
        """
    )


@pytest.mark.usefixtures("filled")
def test_all_columns_are_wider() -> None:
    assert shown("--all", "--run", "r1") == dedent(
        """\
        run    requests  failed  retries  kept  hit rate  tokens in  cached  written  out  reasoning     cost    saved     p50     p95     p99  first token
        r1            2       1        1     0        0%      1,000     800      100   50         10  $0.0012  $0.0007  1.25 s  1.25 s  1.25 s       0.50 s
        total         2       1        1     0        0%      1,000     800      100   50         10  $0.0012  $0.0007  1.25 s  1.25 s  1.25 s       0.50 s

        Saved $0.0007 by the providers' prompt caches.
        """  # noqa: E501 - as wide as it is
    )


def test_a_long_name_is_cut_so_that_the_table_fits_a_terminal(store: UsageLog) -> None:
    long = f"model.{'a_project_with_a_long_name_' * 3}.fct_orders"
    store.record(attempt(node=long, output_tokens=1_000_000_000))
    for words in (("--by", "node"), ("--slowest", "1")):
        text = shown(*words)
        assert max(map(len, text.splitlines())) == 120
        assert re.search(r"…\w+\.fct_orders\b", text)
    assert long in shown("--by", "node", "--csv")


@pytest.mark.usefixtures("filled")
def test_fragments_share_what_was_counted() -> None:
    assert shown("--by", "fragment") == dedent(
        """\
        fragment    requests  tokens in  share  out      cost
        (not told)         1      1,000    50%    0   unknown
        sql                1        750    38%    0   $0.0008
        system             1        250    12%    0   $0.0002
        (answers)          2          0     0%  100  >$0.0002
        total              2      2,000   100%  100  >$0.0012
        """
    )


@pytest.mark.usefixtures("filled")
def test_the_slowest_and_the_costliest_requests_are_listed() -> None:
    assert shown("--slowest", "2") == dedent(
        f"""\
        at (UTC)                took     cost  tokens in  out  status          model              node
        2026-11-16 12:00:00  30.00 s  unknown          0    0  TransientError  openai/gpt-6-luna  model.shop.orders
        2026-11-17 12:00:00   4.00 s  unknown      1,000   50  answered        openai/gpt-6-luna  {LONG}
        """
    )
    (costliest,) = json.loads(shown("--costliest", "9", "--json"))
    assert (costliest["at"], costliest["cost_usd"], costliest["request_id"]) == (
        "2026-11-16T12:01:00Z",
        "0.0012",
        "req_1",
    )
    assert "ask for one of them" in shown("--slowest", "1", "--costliest", "1", code=2)


@pytest.mark.usefixtures("filled")
def test_json_tells_everything_and_what_isnt_known_as_null() -> None:
    r1, r2, total = json.loads(shown("--json"))
    assert r1 == {
        "run": "r1",
        "requests": 2,
        "failed": 1,
        "retries": 1,
        "kept": 0,
        "hit_rate": 0.0,
        "input_tokens": 1000,
        "output_tokens": 50,
        "cached_input_tokens": 800,
        "cache_write_tokens": 100,
        "reasoning_tokens": 10,
        "cost_usd": "0.0012",
        "known_cost_usd": "0.0012",
        "unpriced": 0,
        "saved_usd": "0",
        "prompt_cache_saved_usd": "0.0007",
        "avoided_descriptions": 0,
        "avoided_tokens_estimated": 0,
        "avoided_usd": "0",
        "latency_p50_s": 1.25,
        "latency_p95_s": 1.25,
        "latency_p99_s": 1.25,
        "first_token_p50_s": 0.5,
    }
    assert (r2["cost_usd"], r2["unpriced"], r2["hit_rate"]) == (None, 1, 0.5)
    assert (r2["avoided_descriptions"], r2["avoided_usd"]) == (23, None)
    assert json.loads(shown("--by", "model", "--json"))[0]["avoided_descriptions"] is None
    assert (total["cost_usd"], total["known_cost_usd"], total["avoided_descriptions"]) == (None, "0.0012", 23)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("run", ["r1", "r2", "total"]),
        ("day", ["2026-11-16", "2026-11-17", "total"]),
        ("model", ["openai/gpt-6-luna", "total"]),
        ("provider", ["openai", "total"]),
        ("host", ["api.openai.com", "total"]),
        ("purpose", ["draft", "total"]),
        ("prompt", ["model 1", "total"]),
        ("error", ["TransientError", "answered", "cached", "total"]),
    ],
)
def test_it_sums_over_whatever_is_asked_for(by: str, groups: list[str]) -> None:
    rows = list(csv.DictReader(io.StringIO(shown("--by", by, "--csv"))))
    assert [row[by] for row in rows] == groups


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone can't be set here")
def test_days_are_those_of_this_machine(store: UsageLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC-13")
    time.tzset()
    try:
        store.record(attempt(at=NOON))
        assert json.loads(shown("--by", "day", "--json"))[0]["day"] == "2026-11-17"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.usefixtures("filled")
def test_one_run_alone_can_be_asked_for() -> None:
    assert [row["run"] for row in json.loads(shown("--run", "last", "--json"))] == ["r2", "total"]
    assert json.loads(shown("--run", "nope", "--json"))[0]["requests"] == 0
    assert "is no age" in shown("--since", "soon", code=2)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("words", [(), ("--by", "fragment"), ("--slowest", "3"), ("--all",)])
def test_where_nothing_was_asked_it_says_so(words: tuple[str, ...]) -> None:
    assert shown(*words) == "Nothing has been asked yet.\n"


def test_a_run_that_only_inherited_is_worth_a_line(store: UsageLog) -> None:
    store.record_avoided(
        Avoided(run="r", at=NOON, reason="inherited", descriptions=1, tokens_estimated=40, cost_usd=Decimal("0.00004"))
    )
    assert "Not asked for (inherited): 1 description, about 40 tokens and $0.0000." in shown()
    assert json.loads(shown("--json"))[-1]["avoided_usd"] == "0.00004"


def test_caches_that_cost_more_than_they_saved_are_told(store: UsageLog) -> None:
    store.record(attempt(prompt_cache_saved_usd=Decimal("-0.002")))
    assert "The providers' prompt caches cost $0.0020 more than they saved." in shown()
