"""What a pre-commit hook may ask, and how long it waits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dbt_describe.configuration import Hook
from dbt_describe.errors import LlmSettingsError, SettingsError
from dbt_describe.llm.config import RetryConfig, Timeouts
from dbt_describe.run import open_writer
from dbt_describe.settings import Settings, make_settings
from dbt_describe.writers.rules import RulesWriter
from tests.test_choosing import Heard

FILE = """
model: work/tiny
fallback: [openai/tiny]
endpoints: {work: {provider: openai, api_key: "${WORK_KEY}", timeouts: {read: 90, connect: 1}}}
retry: {longest_wait: 3}
"""
KEYS = {"WORK_KEY": "k", "OPENAI_API_KEY": "k"}


def settings(directory: Path, file: str = FILE, environ: dict[str, str] | None = None, **flags: Any) -> Settings:
    (directory / "dbt_project.yml").write_text("name: shop", encoding="utf-8")
    (directory / "dbt-describe.yml").write_text(file, encoding="utf-8")
    store = {"DBT_DESCRIBE_STORE": str(directory / "store")}
    return make_settings(project_dir=directory, environ=store | (environ or {}), **{"hook": Hook(), **flags})


def opened(made: Settings) -> tuple[str, list[str]]:
    """The writer's name, and what is said as it opens."""
    heard = Heard()
    return open_writer(made, heard).name, heard.said


def test_a_hook_asks_nobody_unless_it_may(tmp_path: Path) -> None:
    made = settings(tmp_path, environ=KEYS | {"DBT_DESCRIBE_MODEL": "openai/tiny"}, fallback=("openai/tiny",))
    assert opened(made) == ("rules", [])


def test_a_hook_that_may_ask_asks_what_the_settings_name_and_then_the_rules(tmp_path: Path) -> None:
    made = settings(tmp_path, environ=KEYS, hook=Hook(asks=True))
    assert opened(made) == ("work/tiny, then rules", [])
    assert made.llm.config.fallback == ("openai/tiny",)


def test_a_hook_asks_the_model_that_its_arguments_name(tmp_path: Path) -> None:
    assert opened(settings(tmp_path, environ=KEYS, model="openai/tiny"))[0] == "openai/tiny, then rules"
    assert opened(settings(tmp_path, environ=KEYS, model="rules")) == ("rules", [])


def test_a_hook_waits_for_no_one_for_long(tmp_path: Path) -> None:
    config = settings(tmp_path, environ=KEYS, hook=Hook(asks=True)).llm.config
    assert config.timeouts == Timeouts(connect=3, read=30, total=60)
    assert config.endpoints["work"].timeouts == Timeouts(connect=1, read=30, total=60)
    assert config.retry == RetryConfig(attempts=1, rate_limited_attempts=3, longest_wait=3)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"model": "openai/tiny"}, "needs a key for openai/…: set OPENAI_API_KEY."),
        ({"hook": Hook(asks=True)}, "WORK_KEY"),
        ({"model": "anthropic/tiny", "offline": True}, "Offline, only models of this machine can be asked"),
        ({"hook": Hook(asks=True), "file": ""}, "--ask: no language model is configured."),
    ],
)
def test_a_model_that_cannot_be_asked_here_is_told_in_a_line(flags: dict[str, Any], said: str, tmp_path: Path) -> None:
    name, heard = opened(settings(tmp_path, **flags))
    assert (name, len(heard), said in heard[0]) == ("rules", 1, True)
    assert heard[0].endswith("Describing from lineage, SQL and tests alone.")


def test_a_model_that_does_not_exist_anywhere_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(LlmSettingsError, match="Did you mean openai"):
        open_writer(settings(tmp_path, model="opnai/tiny"), Heard())
    with pytest.raises(SettingsError, match="WORK_KEY"):
        settings(tmp_path, hook=None)


def test_without_a_hook_a_missing_key_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LlmSettingsError, match="needs a key"):
        open_writer(settings(tmp_path, "", model="openai/tiny", hook=None), Heard())
    assert isinstance(open_writer(settings(tmp_path, "", hook=None), Heard()), RulesWriter)
