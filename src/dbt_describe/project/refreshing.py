"""`--refresh`: the user's own dbt makes manifest and catalog anew."""

from __future__ import annotations

import re

from dbt_describe.errors import DbtCommandError
from dbt_describe.project.dbt import DbtInvocation, find_dbt, run_dbt, start_dbt

_VERSION = re.compile(r"(?<![\d.])(\d{1,3})\.\d+\.\d+")
"""The dbt platform's releases of v1 have a year in the first place."""


def generate_command(invocation: DbtInvocation) -> list[str]:
    """The dbt command that writes both artifacts.

    `dbt docs generate` compiles too. In v2 (Fusion) it makes no catalog.json, but compiling can.
    Source: changelog of dbt v2, `--write-catalog` (2026-11).

    Raises:
        DbtCommandError: there is no dbt.
    """
    return ["compile", "--write-catalog"] if _major_version(invocation) >= 2 else ["docs", "generate"]


def generate_artifacts(invocation: DbtInvocation, command: list[str]) -> None:
    """Run that command.

    Raises:
        DbtCommandError: it failed; the message ends with dbt's words.
    """
    try:
        run_dbt(invocation, command)
    except DbtCommandError as error:
        raise DbtCommandError(
            "--refresh needs a project that compiles and a warehouse that dbt can reach, to ask it for the columns. "
            f"Correct what dbt says, or leave --refresh out. {error}"
        ) from error


def _major_version(invocation: DbtInvocation) -> int:
    """Of the user's dbt; 1 where it doesn't say.

    The first number is the installed version: `installed: 1.11.16` in v1, `dbt-fusion 2.0.0-preview.98` in v2. v1 names
    newer ones below it.
    """
    words = [find_dbt("docs generate", "leave out --refresh"), "--version"]
    done = start_dbt(words, invocation.project_dir)
    found = _VERSION.search(done.stdout + done.stderr)
    return int(found[1]) if found else 1
