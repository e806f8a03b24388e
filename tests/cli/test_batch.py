"""`dbt-describe batch`, with a double of the provider where one is asked."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dbt_describe.batch_tags import Asked, encode_tag
from dbt_describe.cli.main import cli
from dbt_describe.errors import LlmError, SettingsError
from dbt_describe.llm.batches.contract import BatchResult
from dbt_describe.llm.batches.submission import Item
from dbt_describe.llm.messages import Request
from dbt_describe.provenance.basis import Basis
from dbt_describe.runs.records import Runs
from dbt_describe.runs.states import RunRecord, State
from tests.llm.batches.fakes import FakeBatches, World, answered, ask, states


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DBT_DESCRIBE_STORE", str(tmp_path))
    return tmp_path


def invoke(*words: str) -> Result:
    return CliRunner().invoke(cli, ["batch", *words])


def send(store: Path, provider: FakeBatches | None = None) -> tuple[World, str]:
    world = World(store, provider)
    tags = [encode_tag(Asked("/home/me/shop", f"model.shop.{name}", {"": Basis("1:x")})) for name in ("a", "b")]
    items = [Item(ask(str(number)), tag) for number, tag in enumerate([*tags, b"not ours"])]
    submitted = world.run(world.batches.submit(items))
    return world, submitted.batches[0]


def test_without_batches_it_says_how_to_send_one(store: Path) -> None:
    assert invoke("list").stdout == "No batch is known. `dbt-describe document --batch` sends one.\n"
    assert invoke("list", "--json").stdout == "[]\n"
    assert list(store.iterdir()) == []


def test_batches_are_shown_with_how_far_they_are(store: Path) -> None:
    world, name = send(store)
    (line,) = invoke("list").stdout.splitlines()[1:]
    assert line.split() == [name, "sent", *["0", "of", "3", "0", "0", "2", "1970-01-12", "13:46:40", "openai/tiny"]]
    (shown,) = json.loads(invoke("list", "--json").stdout)
    assert shown == {
        "batch": name,
        "model": "openai/tiny",
        "state": "sent",
        "questions": 3,
        "answered": 0,
        "failed": 0,
        "fetched": 0,
        "open": 3,
        "nodes": 2,
        "projects": ["/home/me/shop"],
        "made": "1970-01-12T13:46:40Z",
        "provider_id": "batch_1",
        "message": "",
    }
    world.run(world.batches.advance(now=True))
    (shown,) = json.loads(invoke("list", "--json").stdout)
    assert (shown["state"], shown["fetched"], shown["open"]) == ("done", 3, 0)


def test_what_is_wrong_with_a_batch_is_told_below_the_table(store: Path) -> None:
    world, name = send(store)
    world.provider.answer = lambda custom_id, request: []
    world.run(world.batches.advance(now=True))
    assert f"{name}: Of its results, 3 are missing." in invoke("list").stdout


@pytest.fixture
def provider(store: Path, monkeypatch: pytest.MonkeyPatch) -> FakeBatches:
    """Who answers the commands that ask somebody."""
    fake = FakeBatches()
    (store / "dbt_project.yml").write_text("name: shop\n", encoding="utf-8")
    monkeypatch.chdir(store)
    monkeypatch.setattr("dbt_describe.batch_desk.open_gateway", lambda *_: World(store, fake).gateway)
    return fake


def test_cancelling_tells_what_becomes_of_what_isnt_answered(store: Path, provider: FakeBatches) -> None:
    _, name = send(store, provider)
    provider.states = states("cancelled")

    def first_only(custom_id: str, request: Request) -> Sequence[BatchResult]:
        if custom_id.endswith("0"):
            return answered(custom_id, request)
        return [BatchResult(custom_id, error=LlmError("The batch was cancelled."))]

    provider.answer = first_only
    shown = invoke("cancel", name)
    assert shown.exception is None, shown.exc_info
    assert shown.stdout.splitlines() == [
        f"Batch {name}: 2 of its requests are left to be asked one by one, the first because: The batch was cancelled.",
        "1 answer is here. `dbt-describe document` writes what has come.",
        f"Batch {name} is cancelled.",
        "`dbt-describe document` asks the 2 questions that no batch answers one by one, at the usual price; "
        "with --batch, in a new batch.",
    ]
    assert invoke("cancel", name).stdout == f"Batch {name} was done before: there is nothing to cancel.\n"


def test_a_batch_that_is_still_being_cancelled_tells_what_will_become_of_it(store: Path, provider: FakeBatches) -> None:
    _, name = send(store, provider)
    provider.states = states("cancelling")
    assert invoke("cancel", name).stdout.splitlines() == [
        f"Batch {name} is cancelled. The provider is still at it: `dbt-describe batch fetch` fetches what it has "
        "answered.",
        "`dbt-describe document` asks what it doesn't answer one by one, at the usual price; "
        "with --batch, in a new batch.",
    ]


def test_a_batch_is_forgotten_by_its_name(store: Path) -> None:
    _, name = send(store)
    refused = invoke("forget", "nowhere")
    assert isinstance(refused.exception, SettingsError)
    assert "There is no batch nowhere" in str(refused.exception)
    assert isinstance(invoke("forget", "").exception, SettingsError)
    assert invoke("forget", name).stdout.splitlines() == [
        "Forgot 1 batch.",
        f"Batch {name} is still with its provider (batch_1 there), which goes on with it and bills it.",
        "What it asks, `dbt-describe document` asks anew, and it is paid once more.",
    ]
    assert invoke("list", "--json").stdout == "[]\n"


def test_a_batch_that_is_over_is_forgotten_without_a_word_of_its_provider(store: Path) -> None:
    world, name = send(store)
    world.run(world.batches.advance(now=True))
    assert invoke("forget", name).stdout == "Forgot 1 batch.\n"


def test_a_batch_is_named_by_the_beginning_of_its_id_or_by_the_providers(store: Path, provider: FakeBatches) -> None:
    provider.states = states("running")
    world, first = send(store, provider)
    second = world.run(world.batches.submit([Item(ask("another"))])).batches[0]

    def shown(*words: str) -> list[str]:
        return [one["batch"] for one in json.loads(invoke("status", "--json", *words).stdout)]

    assert shown(first) == shown("batch_1") == shown(first[:-1]) == shown("batch_1", first) == [first]
    refused = invoke("fetch", "b")
    assert isinstance(refused.exception, SettingsError)
    assert f"b is the beginning of 2 batches, {second} and {first}: write more of it." in str(refused.exception)
    assert invoke("cancel", "batch_2").stdout.startswith(f"Batch {second} is cancelled.")
    assert set(provider.cancelled) == {"batch_2"}
    assert f"Batch {first} is still with its provider" in invoke("forget", first[:-2]).stdout


def test_a_run_doesnt_wait_for_a_batch_that_is_forgotten(store: Path) -> None:
    with contextlib.closing(Runs(store)) as runs:
        ended: list[tuple[str, State]] = [("/home/me/shop", "waiting"), ("/home/me/shop", "failed"), ("/x", "waiting")]
        for number, (project, state) in enumerate(ended):
            name = f"r{number}"
            runs.begin(RunRecord(id=name, project=project, started=float(number), goes=(name,)), {})
            runs.end(name, state)
        world, first = send(store)
        tag = encode_tag(Asked("/home/me/shop", "model.shop.c", {"": Basis("1:x")}))
        second = world.run(world.batches.submit([Item(ask("another"), tag)])).batches[0]

        def known() -> dict[str, str]:
            return {one.id: one.state for one in runs.newest()}

        before = {"r0": "waiting", "r1": "failed", "r2": "waiting"}
        invoke("forget", first)
        assert known() == before
        invoke("forget", second)
        assert known() == before | {"r0": "interrupted"}
