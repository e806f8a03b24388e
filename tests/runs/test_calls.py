"""What is kept of a call, and what isn't."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from dbt_describe.runs.calls import call_of, said


def test_only_what_says_something_is_kept() -> None:
    usual = {"select": "", "verify": None, "use_cache": True, "concurrency": 0, "environ": None}
    given = {"select": (), "verify": False, "use_cache": False, "concurrency": 0, "environ": {"KEY": "x"}}
    assert said(given, usual) == {"verify": False, "use_cache": False}


def test_paths_from_here_are_kept_so_that_they_are_the_same_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {
        "files": (Path("models/a.sql"), tmp_path / "b.sql"),
        "config": Path("other.yml"),
        "manifest": "https://example.com/manifest.json",
        "catalog": "catalog.json",
        "state": "prod",
        "max_cost": Decimal("1.5"),
    }
    assert call_of(given).options == {
        "files": [str(tmp_path / "models/a.sql"), str(tmp_path / "b.sql")],
        "config": str(tmp_path / "other.yml"),
        "manifest": "https://example.com/manifest.json",
        "catalog": str(tmp_path / "catalog.json"),
        "state": "prod",
        "max_cost": "1.5",
    }


@pytest.mark.parametrize(
    "value",
    [
        "{api_key: 'hunter2hunter2'}",
        {"password": "s3cr3t-Passw0rd"},
        "https://me:s3cr3tpass@example.com/manifest.json",
        "https://bucket.example.com/manifest.json?X-Amz-Signature=abc",
        ["safe", "with of-the-environment-7 in it"],
    ],
)
def test_what_seems_to_hold_a_secret_is_not_kept_but_named(value: object) -> None:
    call = call_of({"vars": value, "select": "marts"}, {"of-the-environment-7"})
    assert (call.options, call.withheld) == ({"select": "marts"}, ("vars",))


def test_calls_that_differ_in_what_they_may_spend_are_about_the_same() -> None:
    key = call_of({"select": "marts", "max_cost": "1"}).key
    assert key == call_of({"select": "marts", "max_cost": "2", "concurrency": 3}).key
    assert key != call_of({"select": "staging"}).key
