"""Artifacts that are up to date: judged by the project's files, made by the user's own dbt where they aren't.

`dbt compile` writes the project's manifest as ever. `dbt parse` would drop the compiled SQL from it, so its manifest
goes to a directory of ours, `target/dbt_describe/`; SQL compiled before is taken over where a model's file is the same.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import yaml

from dbt_describe.errors import DbtCommandError, ManifestError, ProjectError, ProjectNotFoundError
from dbt_describe.project.artifacts import checksums, compiled_code_by_checksum, load_project
from dbt_describe.project.dbt import DbtInvocation, find_dbt, run_dbt
from dbt_describe.project.nodes import Project

Say = Callable[[str], None]
"""Told of each call to dbt, which takes seconds."""

OWN_DIRECTORY = "dbt_describe"
"""Inside dbt's target path."""
PARTIAL_PARSE = "partial_parse.msgpack"
"""Source: https://docs.getdbt.com/reference/parsing#partial-parsing (2026-11)."""
_PROPERTY_SUFFIXES = frozenset({".yml", ".yaml", ".md"})
_SOURCE_SUFFIXES = _PROPERTY_SUFFIXES | {".sql", ".py", ".csv"}
_PROJECT_FILES = ("dbt_project.yml", "packages.yml", "dependencies.yml")
_PATH_KEYS = {
    "model-paths": ["models"],
    "seed-paths": ["seeds"],
    "snapshot-paths": ["snapshots"],
    "macro-paths": ["macros"],
    "analysis-paths": ["analyses"],
    "test-paths": ["tests"],
    "docs-paths": [],
}


class _Target(msgspec.Struct, frozen=True):
    """Where a project's artifacts are."""

    directory: Path

    @property
    def compiled(self) -> Path:
        return self.directory / "manifest.json"

    @property
    def own(self) -> Path:
        return self.directory / OWN_DIRECTORY

    @property
    def parsed(self) -> Path:
        return self.own / "manifest.json"

    @property
    def options(self) -> Path:
        """What dbt was last called with by us: JSON, a list of words."""
        return self.own / "options.json"

    @property
    def newest(self) -> Path:
        return max(self.compiled, self.parsed, key=_mtime)


def open_project(invocation: DbtInvocation, say: Say) -> Project:
    """The project from its artifacts, which dbt is called to make where they are missing or out of date.

    Raises:
        ProjectError: there is no project, no dbt to make the manifest with, or dbt or a manifest is broken.
    """
    target = _Target(_target_dir(invocation))
    reason, needs_compiling = _stale_reason(invocation, target)
    warnings = _refresh(invocation, target, reason, say, needs_compiling=needs_compiling) if reason else []
    project = _load(invocation.project_dir, target)
    gone = "" if reason else _gone_file(project)
    if gone:
        reason = f"{gone}, which the manifest names, is gone"
        needs_compiling = Path(gone).suffix not in _PROPERTY_SUFFIXES
        warnings = _refresh(invocation, target, reason, say, needs_compiling=needs_compiling)
        project = _load(invocation.project_dir, target)
    docs_dir = _docs_dir(_project_file(invocation.project_dir))
    return msgspec.structs.replace(project, warnings=(*project.warnings, *warnings), docs_dir=docs_dir)


def _target_dir(invocation: DbtInvocation) -> Path:
    """Where dbt writes its artifacts: the given target path, the project's own setting, or `target`."""
    configured = _project_file(invocation.project_dir).get("target-path") or "target"
    return invocation.project_dir / (invocation.target_path or Path(str(configured)))


def _load(root: Path, target: _Target) -> Project:
    manifest = target.newest
    project = load_project(root, manifest, target.directory / "catalog.json")
    if manifest == target.compiled:
        return project
    compiled = _compiled_before(target.compiled)
    by_unique_id = checksums(manifest)
    nodes = {
        unique_id: node
        if node.compiled_code
        else msgspec.structs.replace(node, compiled_code=compiled.get((unique_id, by_unique_id.get(unique_id, "")), ""))
        for unique_id, node in project.nodes.items()
    }
    return msgspec.structs.replace(project, nodes=nodes)


def _compiled_before(manifest: Path) -> dict[tuple[str, str], str]:
    try:
        return compiled_code_by_checksum(manifest) if manifest.exists() else {}
    except ManifestError:
        return {}


def _stale_reason(invocation: DbtInvocation, target: _Target) -> tuple[str, bool]:
    """Why the manifest must be made anew, or empty, and whether SQL must be compiled for it."""
    manifest = target.newest
    if not manifest.exists():
        return "there is no manifest", True
    made = _mtime(manifest)
    # Without a note of ours the manifest is the user's own, made with dbt's defaults.
    noted = target.options.read_text(encoding="utf-8") if _mtime(target.options) >= made else "[]"
    if noted != _noted(invocation):
        return "the manifest was made with another profile, target or vars", True
    newer = [path for path in _project_files(invocation.project_dir) if _mtime(path) > made]
    if not newer:
        return "", False
    compiling = next((path for path in newer if _needs_compiling(path)), None)
    first = compiling or next((path for path in newer if path.suffix), newer[0])
    shown = first.relative_to(invocation.project_dir).as_posix()
    return f"{shown} is newer than the manifest", compiling is not None or not _compiled_before(target.compiled)


def _gone_file(project: Project) -> str:
    """A file of the project that the manifest names and that doesn't exist (moved or deleted), or empty."""
    for node in project.nodes.values():
        if project.is_own(node):
            for path in (node.original_file_path, node.patch_path.partition("://")[2]):
                if path and not (project.root / path).exists():
                    return path
    return ""


def _refresh(invocation: DbtInvocation, target: _Target, reason: str, say: Say, *, needs_compiling: bool) -> list[str]:
    """Call dbt; returns warnings.

    Raises:
        DbtCommandError: there is no dbt, or it can't even parse the project.
    """
    find_dbt("compile" if needs_compiling else "parse")
    warnings: list[str] = []
    before = _mtime(target.newest)
    if needs_compiling:
        say(f"Running `dbt compile`: {reason}.")
        try:
            run_dbt(invocation, ["compile"])
        except DbtCommandError as error:
            say("`dbt compile` failed; trying `dbt parse`, which needs no warehouse.")
            _parse(invocation, target)
            failed = str(error).splitlines()[-1].strip()
            warnings = [
                f"dbt couldn't compile the project; models with no compiled SQL have no lineage. It said: {failed}"
            ]
    else:
        say(f"Running `dbt parse`: {reason}.")
        _parse(invocation, target)
    if _mtime(target.newest) <= before:
        raise DbtCommandError(f"dbt wrote no {target.compiled}. Pass the --target-path that your project uses.")
    target.own.mkdir(parents=True, exist_ok=True)
    target.options.write_text(_noted(invocation), encoding="utf-8")
    return warnings


def _parse(invocation: DbtInvocation, target: _Target) -> None:
    """Parse into our own directory, going on from what dbt has parsed before: only changed files are read again."""
    parsed_before = target.directory / PARTIAL_PARSE
    if _mtime(parsed_before) > _mtime(target.own / PARTIAL_PARSE):
        target.own.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(parsed_before, target.own / PARTIAL_PARSE)
    run_dbt(msgspec.structs.replace(invocation, target_path=target.own), ["parse"])


def _noted(invocation: DbtInvocation) -> str:
    return (
        msgspec.json.encode([invocation.profile, invocation.target, invocation.vars]).decode()
        if any((invocation.profile, invocation.target, invocation.vars))
        else "[]"
    )


def _project_file(project_dir: Path) -> dict[str, object]:
    path = project_dir / "dbt_project.yml"
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except OSError as error:
        raise ProjectNotFoundError(
            f"Can't read {path}: {error.strerror}. Run dbt-describe inside a dbt project, or pass --project-dir."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        raise ProjectError(f"{path} is not valid YAML: {said}. Correct it, and check it with `dbt parse`.") from error
    return content if isinstance(content, dict) else {}


def _docs_dir(settings: dict[str, object]) -> str:
    """The first of the directories that dbt looks for docs blocks in: unless they are set, models are the first."""
    paths = settings.get("docs-paths")
    paths = (settings.get("model-paths") or _PATH_KEYS["model-paths"]) if paths is None else paths
    first = str(paths[0]) if isinstance(paths, list) and paths else ""
    return "" if "{{" in first else first


def _needs_compiling(path: Path) -> bool:
    """Whether a change of the file may change SQL; a directory only tells that a file came or went."""
    return path.name in _PROJECT_FILES or (path.suffix in _SOURCE_SUFFIXES and path.suffix not in _PROPERTY_SUFFIXES)


def _mtime(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _project_files(project_dir: Path) -> Iterator[Path]:
    """The files that a manifest is made of, and their directories."""
    settings = _project_file(project_dir)
    yield from (path for name in _PROJECT_FILES if (path := project_dir / name).exists())
    directories: dict[str, None] = {}
    for key, default in _PATH_KEYS.items():
        configured = settings.get(key, default)
        for name in configured if isinstance(configured, list) else []:
            directories.setdefault(str(name))
    for name in directories:
        for directory, _, files in os.walk(project_dir / name):
            # A file that was moved here keeps its own time, but changes its directory's.
            yield Path(directory)
            yield from (Path(directory, file) for file in files if Path(file).suffix in _SOURCE_SUFFIXES)
