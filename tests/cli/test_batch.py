"""`dbt-describe batch` as far as it asks nobody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dbt_describe.batch_tags import Asked, encode_tag
from dbt_describe.cli.main import cli
from dbt_describe.errors import SettingsError
from dbt_describe.llm.batches.submission import Item
from dbt_describe.provenance.basis import Basis
from tests.llm.batches.fakes import World, ask


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DBT_DESCRIBE_STORE", str(tmp_path))
    return tmp_path


def invoke(*words: str) -> Result:
    return CliRunner().invoke(cli, ["batch", *words])


def send(store: Path) -> tuple[World, str]:
    world = World(store)
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


def test_a_batch_is_forgotten_by_its_name(store: Path) -> None:
    _, name = send(store)
    refused = invoke("forget", "nowhere")
    assert isinstance(refused.exception, SettingsError)
    assert "There is no batch nowhere" in str(refused.exception)
    assert invoke("forget", name).stdout == "Forgot 1 batch.\n"
    assert invoke("list", "--json").stdout == "[]\n"
