"""What `--log-level` and `--log-bodies` do."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from dbt_describe.cli.main import cli
from dbt_describe.errors import LlmSettingsError
from dbt_describe.llm.logs import BODIES
from dbt_describe.logs import logging_to
from dbt_describe.settings import secret_values

OURS = logging.getLogger("dbt_describe.llm")


def test_lines_of_the_level_and_above_are_written_with_time_and_level() -> None:
    lines: list[str] = []
    with logging_to(lines.append, "info"):
        OURS.debug("small")
        OURS.info("told of %s", "model.x")
        OURS.warning("odd")
    OURS.error("later")
    assert [re.sub(r"^\d\d:\d\d:\d\d\.\d{3} ", "", line) for line in lines] == ["info   told of model.x", "warn   odd"]


def test_other_libraries_stay_silent() -> None:
    lines: list[str] = []
    with logging_to(lines.append, "debug"):
        logging.getLogger("openai").debug("Request options: the whole prompt")
    assert lines == []


def test_a_reader_who_has_gone_ends_nothing() -> None:
    def gone(_: str) -> None:
        raise BrokenPipeError

    with logging_to(gone, "debug"):
        OURS.error("nobody hears it")


def test_bodies_go_to_the_file_alone_and_without_the_environments_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "correct horse")
    lines: list[str] = []
    with logging_to(lines.append, "debug", tmp_path / "bodies.jsonl"):
        BODIES.debug("exchange", extra={"body": {"reply": "It is correct horse.", "attempt": 1}})
    BODIES.debug("exchange", extra={"body": {}})
    assert json.loads((tmp_path / "bodies.jsonl").read_text(encoding="utf-8")) == {"reply": "It is ***.", "attempt": 1}
    assert lines == []


def test_a_file_that_cant_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    handlers = list(logging.getLogger("dbt_describe").handlers)
    with pytest.raises(LlmSettingsError), logging_to(print, "debug", tmp_path / "no/where"):
        raise AssertionError
    assert logging.getLogger("dbt_describe").handlers == handlers


def test_names_of_variables_tell_which_values_are_secret() -> None:
    environ = {
        "OPENAI_API_KEY": "a",
        "DBT_PASSWORD": "b",
        "DBT_ENV_SECRET_X": "c",
        "AZURE_TOKEN": "d",
        "PG_PWD": "e",
        "PWD": "/here",
        "OLDPWD": "/there",
        "HOME": "/home",
        "EMPTY_KEY": "",
    }
    assert secret_values(environ) == ("a", "b", "c", "d", "e")


@pytest.mark.parametrize("words", [["--log-level", "loud"], ["--log-bodies", "no/where/x", "--project-dir", "."]])
def test_wrong_flags_are_refused(words: list[str]) -> None:
    done = CliRunner().invoke(cli, ["plan", *words])
    assert done.exit_code != 0


def test_the_level_may_come_from_the_environment() -> None:
    done = CliRunner().invoke(cli, ["plan"], env={"DBT_DESCRIBE_LOG_LEVEL": "loud"})
    assert (done.exit_code, "'loud' is not one of" in done.output) == (2, True)
