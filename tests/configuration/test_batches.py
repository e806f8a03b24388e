"""Whether a run asks in batches: what flags say over what the file says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dbt_describe.configuration import Hook, load_configuration
from dbt_describe.configuration.batches import BatchUse, batch_use
from dbt_describe.errors import SettingsError
from dbt_describe.settings import make_settings


def use(tmp_path: Path, text: str, **flags: Any) -> BatchUse:
    path = tmp_path / "dbt-describe.yml"
    path.write_text(text, encoding="utf-8")
    usual: dict[str, Any] = {"batch": None, "wait": None, "waves": ""}
    return batch_use(load_configuration(path, {}), **(usual | flags))


@pytest.mark.parametrize(
    ("text", "flags", "wanted"),
    [
        ("", {}, "off"),
        ("batch: on", {}, "on"),
        ("batch: 'on'", {}, "on"),
        ("batch: off", {}, "off"),
        ("batch: auto", {}, "auto"),
        ("batch: auto", {"batch": True}, "on"),
        ("batch: on", {"batch": False}, "off"),
        ("batch: on", {"cached_only": True}, "off"),
    ],
)
def test_flags_win_over_the_file(text: str, flags: dict[str, Any], wanted: str, tmp_path: Path) -> None:
    assert use(tmp_path, text, **flags).use == wanted


def test_the_file_says_how(tmp_path: Path) -> None:
    found = use(tmp_path, "batch: auto\nbatches: {threshold: 7, waves: by-level, retries: 1, first_wait: 2}")
    assert (found.threshold, found.waves, found.sending.retries, found.sending.first_wait) == (7, "by-level", 1, 2)
    assert (found.waits, found.leaves_out, found.asks) == (True, True, True)
    assert use(tmp_path, "batches: {waves: by-level}", batch=True, waves="one").waves == "one"
    assert not use(tmp_path, "", batch=True, wait=False).waits
    assert not use(tmp_path, "", batch=False).leaves_out
    assert not use(tmp_path, "batch: on", cached_only=True).asks


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"wait": False}, "--no-wait is about batches: give --batch, too."),
        ({"wait": True}, "--wait is about batches: give --batch, too."),
        ({"waves": "one"}, "--waves is about batches: give --batch, too."),
        ({"batch": True, "waves": "two"}, "--waves is two; choose from one, by-level."),
        ({"batch": True, "waves": "by-level", "wait": False}, "--no-wait goes with --waves one."),
        ({"batch": True, "cached_only": True}, "--cached-only asks nothing: leave --batch out."),
    ],
)
def test_flags_that_contradict_each_other_are_refused(flags: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=said):
        use(tmp_path, "", **flags)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"batch": True}, "--batch can't be combined with --hook: a commit doesn't wait for a batch."),
        ({"batch": True, "model": "openai/x"}, "--batch can't be combined with --hook"),
        ({"wait": False}, "--no-wait can't be combined with --hook"),
        ({"wait": True}, "--wait can't be combined with --hook"),
        ({"waves": "by-level"}, "--waves can't be combined with --hook"),
    ],
)
@pytest.mark.parametrize("written", ["", "model: openai/x\n", "batch: on\nmodel: openai/x\n"])
def test_a_hook_that_shall_ask_in_batches_is_refused(
    flags: dict[str, Any], said: str, written: str, tmp_path: Path
) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: shop\n", encoding="utf-8")
    (tmp_path / "dbt-describe.yml").write_text(written, encoding="utf-8")
    with pytest.raises(SettingsError, match=said):
        make_settings(project_dir=tmp_path, environ={}, hook=Hook(), **flags)


@pytest.mark.parametrize("flags", [{}, {"batch": False}])
def test_a_hook_asks_in_no_batches_whatever_the_file_says(flags: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: shop\n", encoding="utf-8")
    (tmp_path / "dbt-describe.yml").write_text("batch: on\nmodel: openai/x\n", encoding="utf-8")
    assert make_settings(project_dir=tmp_path, environ={}, hook=Hook(), **flags).batch == BatchUse()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("retries", (-1, 1.5)),
        *((name, (0, -1, 1.5)) for name in ("send_tries", "collect_requests", "threshold")),
        *((name, (0, -1, ".inf", ".nan")) for name in ("first_wait", "longest_wait", "settle", "collect_wait")),
    ],
)
def test_numbers_that_mean_nothing_are_refused(name: str, values: tuple[object, ...], tmp_path: Path) -> None:
    for value in values:
        with pytest.raises(SettingsError, match=rf"dbt-describe\.yml:1: .*{name}"):
            use(tmp_path, f"batches: {{{name}: {value}}}")


def test_no_further_batch_may_be_wished(tmp_path: Path) -> None:
    assert use(tmp_path, "batches: {retries: 0}").sending.retries == 0


@pytest.mark.parametrize(
    ("text", "flags", "requests", "wanted"),
    [
        ("", {}, 500, False),
        ("", {"batch": True}, 1, True),
        ("batch: on", {}, 1, True),
        ("batch: on", {"batch": False}, 500, False),
        ("batch: auto", {}, 99, False),
        ("batch: auto", {}, 100, True),
        ("{batch: auto, batches: {threshold: 7}}", {}, 7, True),
    ],
)
def test_how_many_requests_go_in_batches(
    text: str, flags: dict[str, Any], requests: int, wanted: bool, tmp_path: Path
) -> None:
    assert use(tmp_path, text, **flags).sends(requests) == wanted


def test_batches_need_a_model(tmp_path: Path) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: shop\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="--batch asks a language model: name one with --model"):
        make_settings(project_dir=tmp_path, batch=True, environ={})
    (tmp_path / "dbt-describe.yml").write_text("batch: on\n", encoding="utf-8")
    assert make_settings(project_dir=tmp_path, environ={}).batch.use == "on"
