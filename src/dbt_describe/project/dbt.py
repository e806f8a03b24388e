"""Find the dbt project, judge whether its artifacts are fresh, and call the user's own dbt.

dbt is called as a command, never imported: its engines share the command line, not their Python internals.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import yaml

from dbt_describe.errors import DbtCommandError, ManifestError, ProjectError, ProjectNotFoundError, SelectionError
from dbt_describe.project.artifacts import checksums, compiled_code_by_checksum, load_project
from dbt_describe.project.nodes import Project

_SOURCE_SUFFIXES = frozenset({".sql", ".yml", ".yaml", ".py", ".md", ".csv"})
_PATH_KEYS = {
    "model-paths": ["models"],
    "seed-paths": ["seeds"],
    "snapshot-paths": ["snapshots"],
    "macro-paths": ["macros"],
    "analysis-paths": ["analyses"],
    "test-paths": ["tests"],
    "docs-paths": [],
}
_ERROR_LINES = 12
"""Lines of dbt's output shown when it fails: enough for its message, short enough to read."""


class DbtInvocation(msgspec.Struct, frozen=True):
    """How to call dbt for one project; empty options are left to dbt's own defaults."""

    project_dir: Path
    profiles_dir: Path | None = None
    profile: str = ""
    target: str = ""
    vars: str = ""
    target_path: Path | None = None

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


def target_dir(invocation: DbtInvocation) -> Path:
    """Where dbt writes its artifacts: the given target path, the project's own setting, or `target`."""
    configured = invocation.target_path or Path(
        str(_project_file(invocation.project_dir).get("target-path") or "target")
    )
    return invocation.project_dir / configured


def open_project(invocation: DbtInvocation, say: Callable[[str], None]) -> Project:
    """The project from its artifacts, which dbt is called to make where they are missing or out of date.

    `say` is told of each call to dbt. SQL that dbt could compile before but not now is taken over from the older
    manifest where the model's file is unchanged.

    Raises:
        ProjectError: there is no project, no dbt to make the manifest with, or dbt or a manifest is broken.
    """
    directory = target_dir(invocation)
    manifest, catalog = directory / "manifest.json", directory / "catalog.json"
    reason = _stale_reason(invocation.project_dir, manifest)
    compiled: dict[tuple[str, str], str] = {}
    warnings: list[str] = []
    if reason:
        compiled = _compiled_before(manifest)
        warnings = _make_manifest(invocation, manifest, reason, say)
    project = load_project(invocation.project_dir, manifest, catalog)
    project = msgspec.structs.replace(project, warnings=(*project.warnings, *warnings))
    return _with_compiled_code(project, compiled, manifest) if compiled else project


def run_dbt(invocation: DbtInvocation, command: list[str]) -> str:
    """Run a dbt command for the project and return what it printed.

    Raises:
        DbtCommandError: there is no dbt, or the command failed; the message ends with dbt's own words.
    """
    executable = _dbt_executable()
    if executable is None:
        raise DbtCommandError(
            f"`dbt {command[0]}` is needed, and there is no dbt: neither beside {sys.executable} nor on PATH. "
            "Install dbt-describe into dbt's environment, or make target/manifest.json with `dbt compile` yourself."
        )
    words = [executable, "--no-use-colors", *command, *invocation.options()]
    done = subprocess.run(  # noqa: S603 - the user's own dbt, and no shell
        words, cwd=invocation.project_dir, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode != 0:
        output = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise DbtCommandError(
            f"`dbt {' '.join(command)}` failed in {invocation.project_dir} (exit {done.returncode}). dbt said:\n"
            + "\n".join(f"  {line}" for line in output[-_ERROR_LINES:])
        )
    return done.stdout


def list_unique_ids(invocation: DbtInvocation, select: str, exclude: str) -> set[str]:
    """unique_ids that `dbt ls` selects, for selectors that only dbt understands.

    Raises:
        SelectionError: dbt refuses the selector.
    """
    command = ["--quiet", "ls", "--output", "json", "--output-keys", "unique_id"]
    command += [
        word for flag, value in (("--select", select), ("--exclude", exclude)) if value for word in (flag, value)
    ]
    try:
        output = run_dbt(invocation, command)
    except DbtCommandError as error:
        raise SelectionError(f"dbt can't select `{select}`: {error}") from error
    lines = (line for line in output.splitlines() if line.startswith("{"))
    return {str(msgspec.json.decode(line)["unique_id"]) for line in lines}


def _dbt_executable() -> str | None:
    beside = shutil.which("dbt", path=str(Path(sys.executable).parent))
    return beside or shutil.which("dbt")


def _project_file(project_dir: Path) -> dict[str, object]:
    path = project_dir / "dbt_project.yml"
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except OSError as error:
        raise ProjectNotFoundError(
            f"Can't read {path}: {error.strerror}. Run dbt-describe inside a dbt project, or pass --project-dir."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ProjectError(f"{path} is not valid YAML: {error}") from error
    return content if isinstance(content, dict) else {}


def _stale_reason(project_dir: Path, manifest: Path) -> str:
    """Why the manifest must be made anew, or empty."""
    if not manifest.exists():
        return "there is no manifest"
    made = manifest.stat().st_mtime
    newer = next((path for path in _project_files(project_dir) if _mtime(path) > made), None)
    return f"{newer.relative_to(project_dir)} is newer than the manifest" if newer else ""


def _mtime(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _project_files(project_dir: Path) -> Iterator[Path]:
    """The files that a manifest is made of."""
    settings = _project_file(project_dir)
    yield from (
        path
        for name in ("dbt_project.yml", "packages.yml", "dependencies.yml")
        if (path := project_dir / name).exists()
    )
    directories: dict[str, None] = {}
    for key, default in _PATH_KEYS.items():
        configured = settings.get(key, default)
        for name in configured if isinstance(configured, list) else []:
            directories.setdefault(str(name))
    for name in directories:
        for directory, _, files in os.walk(project_dir / name):
            yield from (Path(directory, file) for file in files if Path(file).suffix in _SOURCE_SUFFIXES)


def _compiled_before(manifest: Path) -> dict[tuple[str, str], str]:
    try:
        return compiled_code_by_checksum(manifest) if manifest.exists() else {}
    except ManifestError:
        return {}  # it is about to be made anew


def _make_manifest(invocation: DbtInvocation, manifest: Path, reason: str, say: Callable[[str], None]) -> list[str]:
    """Compile the project, or parse it where compiling needs a warehouse that isn't reachable; returns warnings."""
    say(f"Running `dbt compile`: {reason}.")
    before = _mtime(manifest)
    try:
        run_dbt(invocation, ["compile"])
    except DbtCommandError as error:
        if _dbt_executable() is None:
            raise
        say("`dbt compile` failed; running `dbt parse`, which needs no warehouse.")
        run_dbt(invocation, ["parse"])
        failed = str(error).splitlines()[-1].strip()
        return [f"dbt couldn't compile the project; models with no compiled SQL have no lineage. It said: {failed}"]
    if _mtime(manifest) <= before:
        raise DbtCommandError(f"`dbt compile` wrote no {manifest}. Pass the --target-path that your project uses.")
    return []


def _with_compiled_code(project: Project, compiled: dict[tuple[str, str], str], manifest: Path) -> Project:
    by_unique_id = checksums(manifest)
    nodes = {
        unique_id: node
        if node.compiled_code
        else msgspec.structs.replace(node, compiled_code=compiled.get((unique_id, by_unique_id.get(unique_id, "")), ""))
        for unique_id, node in project.nodes.items()
    }
    return msgspec.structs.replace(project, nodes=nodes)
