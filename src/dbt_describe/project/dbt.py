"""Find the dbt project, and call the user's own dbt.

dbt is called as a command, never imported: its engines share the command line, not their Python internals.
"""

from __future__ import annotations

import itertools
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from dbt_describe.errors import DbtCommandError, DbtTimeoutError, ProjectNotFoundError, SelectionError

_GRACE_S = 10.0
"""What dbt gets to cancel its queries when it is stopped."""
_LONGEST_WORD = 80
"""Characters of a word of a command that are shown."""
_ERROR_LINES = 12
"""Lines of dbt's output shown when it fails: enough for its message, short enough to read."""
_NOISE = re.compile(r"\bleaked (instance|type|function)s?\b|skipped remaining")
"""What DuckDB's bindings say of themselves as dbt ends."""
_V2_ERROR = re.compile(r"\s*(error: |\[error\])")
"""`error: dbt1060: …` or `[error] [UnusedConfigKey (dbt1060)]: …`; warnings and a summary come after it.

Source: log_message.rs of dbt-core 2.0.0-beta.2 (2026-08), and what Fusion's users report.
"""
_UNTOLD = ("--no-send-anonymous-usage-stats",)
"""Source: https://docs.getdbt.com/reference/global-configs/usage-stats (2026-11)."""
_UNCONNECTED = ("--no-introspect", "--no-populate-cache")
"""With both, dbt opens no connection as it compiles; SQL that asks the warehouse fails (tried with dbt 1.10 and 1.11).

Source: https://docs.getdbt.com/reference/commands/compile; crates/dbt-clap-core of dbt-core 2.0.0-beta.2 (2026-11).
"""
ONLY = ("--indirect-selection", "empty", "--select")
"""What follows is compiled, and no tests of it."""
_DEFERRING = frozenset({"compile", "docs"})
"""Commands that compile, and so may ask tables what is in them.

Source: https://docs.getdbt.com/reference/node-selection/defer (2026-11).
"""


class DbtInvocation(msgspec.Struct, frozen=True):
    """How to call dbt for one project; empty options are left to dbt's own defaults."""

    project_dir: Path
    profiles_dir: Path | None = None
    profile: str = ""
    target: str = ""
    vars: str = ""
    target_path: Path | None = None
    defer_state: Path | None = None
    """The directory of another environment's manifest.json: what isn't built here is read there as SQL is compiled."""
    connects: bool = True
    """Whether dbt may ask the warehouse, and tell its maker that it ran."""

    def options(self) -> list[str]:
        """The options that dbt's commands share."""
        options = ["--project-dir", str(self.project_dir)]
        if self.profiles_dir:
            options += ["--profiles-dir", str(self.profiles_dir)]
        if self.target_path:
            options += ["--target-path", str(self.target_path)]
        named = (("--profile", self.profile), ("--target", self.target), ("--vars", self.vars))
        return options + [word for flag, value in named if value for word in (flag, value)]


def find_project_dir(start: Path) -> Path:
    """The directory that holds dbt_project.yml: `start` itself or the nearest one above it, as dbt looks for it.

    Raises:
        ProjectNotFoundError: there is none.
    """
    resolved = start.resolve()
    for directory in (resolved, *resolved.parents):
        if (directory / "dbt_project.yml").is_file():
            return directory
    raise ProjectNotFoundError(
        f"No dbt_project.yml in {resolved} or above it. Run dbt-describe inside a dbt project, or pass --project-dir."
    )


def compile_command(invocation: DbtInvocation) -> list[str]:
    """The command that compiles all SQL, without a connection if the invocation allows none."""
    return ["compile", *(() if invocation.connects else _UNCONNECTED)]


def run_dbt(invocation: DbtInvocation, command: list[str], timeout_s: float | None = None) -> str:
    """Run a dbt command for the project and return what it printed.

    Raises:
        DbtCommandError: there is no dbt that can be started, or the command failed; the message ends with dbt's words.
        DbtTimeoutError: it took longer than `timeout_s`, and was stopped.
    """
    words = [
        find_dbt(next(word for word in command if not word.startswith("-"))),
        "--no-use-colors",
        *command,
        *invocation.options(),
        *(() if invocation.connects else _UNTOLD),
    ]
    if invocation.defer_state and command[0] in _DEFERRING:
        words += ["--defer", "--defer-state", str(invocation.defer_state)]
    done = start_dbt(words, invocation.project_dir, timeout_s)
    if done.returncode != 0:
        shown = " ".join(map(_shown, command))
        raise DbtCommandError(
            f"`dbt {shown}` failed in {invocation.project_dir} (exit {done.returncode}). dbt said:\n"
            + "\n".join(f"  {line}" for line in _said(done.stdout + done.stderr))
        )
    return done.stdout


def start_dbt(words: list[str], directory: Path, timeout_s: float | None = None) -> subprocess.CompletedProcess[str]:
    """Run dbt in a directory to its end, whatever that is, or until it has taken too long.

    Raises:
        DbtCommandError: it can't be started.
        DbtTimeoutError: it took longer than `timeout_s`, and was stopped.
    """
    try:
        with subprocess.Popen(  # noqa: S603 - the user's own dbt, and no shell
            words,
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        ) as process:
            return _ended(process, words, timeout_s)
    except OSError as error:
        reason = error.strerror or error
        raise DbtCommandError(f"{words[0]} can't be started: {reason}. Mend that installation of dbt.") from error


def _ended(
    process: subprocess.Popen[str], words: list[str], timeout_s: float | None
) -> subprocess.CompletedProcess[str]:
    try:
        stdout, stderr = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        # At an interrupt, dbt cancels its queries; killed at once, it would leave them to the warehouse.
        if sys.platform == "win32":
            process.terminate()
        else:
            process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=_GRACE_S)
        except subprocess.TimeoutExpired:
            process.kill()
        raise DbtTimeoutError(f"dbt took longer than {timeout_s:.0f} s, and was stopped.") from error
    except BaseException:
        process.kill()
        raise
    return subprocess.CompletedProcess(words, process.returncode, stdout, stderr)


def _shown(word: str) -> str:
    """A word of a command, cut: a whole query isn't worth reading."""
    return word if len(word) <= _LONGEST_WORD else f"{word[:_LONGEST_WORD]}…"


def _said(output: str) -> list[str]:
    """What dbt says of its error, from where it begins and without the traceback of a bug of dbt's."""
    lines = [line for line in output.splitlines() if line.strip() and not _NOISE.search(line)]
    of_v2 = next((place for place, line in enumerate(lines) if _V2_ERROR.match(line)), None)
    if of_v2 is not None:
        return lines[of_v2 : of_v2 + _ERROR_LINES]
    begin = next((place for place, line in enumerate(lines) if "Encountered an error" in line), None)
    if begin is None:
        return lines[-_ERROR_LINES:]
    return list(itertools.takewhile(lambda line: "Traceback (most" not in line, lines[begin + 1 :]))[:_ERROR_LINES]


def list_unique_ids(invocation: DbtInvocation, selectors: list[str]) -> set[str]:
    """unique_ids that `dbt ls` selects, for selectors that only dbt understands; `selectors` are its options.

    Raises:
        SelectionError: dbt refuses the selector.
    """
    command = ["--quiet", "ls", "--output", "json", "--output-keys", "unique_id", *selectors]
    try:
        output = run_dbt(invocation, command)
    except DbtCommandError as error:
        raise SelectionError(f"dbt can't select `{' '.join(selectors)}`: {error}") from error
    lines = (line for line in output.splitlines() if line.startswith("{"))
    return {str(msgspec.json.decode(line)["unique_id"]) for line in lines}


def find_dbt(command: str, instead: str = "make target/manifest.json with `dbt compile` yourself") -> str:
    """The dbt executable: the one beside this Python, else the one on PATH.

    Raises:
        DbtCommandError: there is none, and `command` is needed; `instead` is what else could be done.
    """
    found = shutil.which("dbt", path=str(Path(sys.executable).parent)) or shutil.which("dbt")
    if found is None:
        raise DbtCommandError(
            f"`dbt {command}` is needed, and there is no dbt: neither beside {sys.executable} nor on PATH. "
            "Install dbt-describe into dbt's environment, or dbt into this one (pre-commit: "
            f"`additional_dependencies`), or {instead}."
        )
    return found
