"""Artifacts that are up to date: judged by the project's files, made by the user's own dbt where they aren't.

`dbt compile` writes the project's manifest as ever. `dbt parse` would drop the compiled SQL from it, so its manifest
goes to a directory of ours, `target/dbt_describe/`; SQL compiled before is taken over where a model's file is the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from dbt_describe.errors import DbtCommandError, ManifestError
from dbt_describe.project.artifacts import Compiled, checksums, compiled_before, load_project
from dbt_describe.project.changes import (
    PROJECT_FILES,
    PROPERTY_SUFFIXES,
    FileRecord,
    changed_files,
    changed_sql,
    gone_files,
    needs_compiling,
    relative_path,
)
from dbt_describe.project.dbt import ONLY, DbtInvocation, compile_command, find_dbt, list_unique_ids, run_dbt
from dbt_describe.project.given import open_given
from dbt_describe.project.nodes import Node, Project
from dbt_describe.project.noting import note_files, read_noted
from dbt_describe.project.project_file import read_project_file, with_project_file
from dbt_describe.project.refreshing import generate_artifacts, generate_command
from dbt_describe.project.remote import find_artifacts
from dbt_describe.project.restoring import restored_on_failure
from dbt_describe.project.sources import NO_SOURCES, ArtifactSources
from dbt_describe.project.target import OWN_DIRECTORY, PARTIAL_PARSE, Target, copy_newer, mtime
from dbt_describe.project.unread import SCHEMA_SUFFIXES, without_unread

Say = Callable[[str], None]
"""Told of each call to dbt, which takes seconds."""


_OF_LAST_RUN = ("run_results.json", "sources.json")
"""What `result:` and `source_status:` select by."""


def open_project(invocation: DbtInvocation, say: Say, sources: ArtifactSources = NO_SOURCES) -> Project:
    """The project from its artifacts, which dbt is called to make where they are missing or out of date.

    A manifest that `sources` names is taken as it is, and dbt isn't called.

    Raises:
        ProjectError: there is no project, no dbt to make the manifest with, or dbt or an artifact is broken or missing.
    """
    directory = target_dir(invocation)
    given = find_artifacts(sources, directory / OWN_DIRECTORY, say)
    if given.manifest:
        return open_given(invocation.project_dir, given, sources.manifest)
    target = Target(directory, given.catalog)
    warnings = (*given.warnings, *(_generate(invocation, target, say) if sources.refresh else ()))
    project = _open_own(invocation, target, say)
    return msgspec.structs.replace(project, warnings=(*warnings, *project.warnings))


def _open_own(invocation: DbtInvocation, target: Target, say: Say) -> Project:
    reason, is_for_sql = _stale_reason(invocation, target)
    if not reason:
        return with_project_file(_load(invocation.project_dir, target))
    find_dbt("compile" if is_for_sql else "parse")
    try:
        with restored_on_failure(target.compiled, target.parsed):
            warnings = _refresh(invocation, target, reason, say, is_for_sql=is_for_sql)
    except DbtCommandError as error:
        return _open_older(invocation, target, error, say)
    root = invocation.project_dir
    project = with_project_file(_load(root, target))
    note_files(target.newest, root, target.notes, read_noted(target.newest, root, target.notes))
    return msgspec.structs.replace(project, warnings=(*project.warnings, *warnings))


def _open_older(invocation: DbtInvocation, target: Target, error: DbtCommandError, say: Say) -> Project:
    """The project from its older manifest, if only schema files have changed since; without what these may say now.

    Raises:
        DbtCommandError: the `error` that dbt ended with; there is no such manifest, or it knows too little.
    """
    if not target.newest.exists() or not _is_made_so(invocation, target):
        raise error
    root = invocation.project_dir
    try:
        project = with_project_file(_load(root, target))
        record = read_noted(target.newest, root, target.notes)
    except ManifestError:
        raise error from None
    changed = {relative_path(path, root) for path in changed_files(record, root) if not path.is_dir()}
    changed |= set(gone_files(record, root))
    if not changed or not all(_may_be_left_out(Path(path)) for path in changed):
        raise error
    going_on = f"Going on with the older manifest, without what {', '.join(sorted(changed))} may say now."
    say(f"dbt can't read the project. {going_on}")
    project = without_unread(project, changed)
    warnings = (*project.warnings, f"{error}\n{going_on}")
    return msgspec.structs.replace(project, warnings=warnings, unread_reason=str(error))


def _may_be_left_out(path: Path) -> bool:
    """Whether a changed file says nothing but what its own nodes are like."""
    return path.suffix in SCHEMA_SUFFIXES and path.name not in PROJECT_FILES


def parse_anew(invocation: DbtInvocation, say: Say) -> Project:
    """The project as dbt reads its files now. The manifest is kept: it is fresh until a file changes.

    Raises:
        ProjectError: there is no dbt, it can't parse the project, or its manifest can't be read.
    """
    target = Target(target_dir(invocation))
    before = mtime(target.parsed)
    say("Running `dbt parse`: does dbt accept what was written?")
    with restored_on_failure(target.parsed):
        _parse(invocation, target)
    if mtime(target.parsed) <= before:
        raise DbtCommandError(f"dbt wrote no {target.parsed}.")
    target.options.write_text(_noted(invocation), encoding="utf-8")
    return load_project(invocation.project_dir, target.parsed)


def target_dir(invocation: DbtInvocation) -> Path:
    """Where dbt writes its artifacts: the given target path, the project's own setting, or `target`."""
    configured = read_project_file(invocation.project_dir).get("target-path") or "target"
    return invocation.project_dir / (invocation.target_path or Path(str(configured)))


def _load(root: Path, target: Target) -> Project:
    manifest = target.newest
    project = load_project(root, manifest, target.catalog)
    if manifest == target.compiled:
        return project
    compiled = _compiled_before(target.compiled)
    by_unique_id = checksums(manifest)

    def completed(node: Node) -> Node:
        if node.compiled_code or compiled.is_of_other_relations(project.nodes, node.depends_on):
            return node
        code = compiled.code.get((node.unique_id, by_unique_id.get(node.unique_id, "")), "")
        return msgspec.structs.replace(node, compiled_code=code)

    return msgspec.structs.replace(project, nodes={name: completed(node) for name, node in project.nodes.items()})


def _compiled_before(manifest: Path) -> Compiled:
    try:
        return compiled_before(manifest) if manifest.exists() else Compiled()
    except ManifestError:
        return Compiled()


def _stale_reason(invocation: DbtInvocation, target: Target) -> tuple[str, bool]:
    """Why the manifest must be made anew, or empty, and whether SQL must be compiled for it."""
    manifest = target.newest
    if not manifest.exists():
        return "there is no manifest", True
    if not _is_made_so(invocation, target):
        return "the manifest was made with another profile, target or vars", True
    root = invocation.project_dir
    try:
        record = read_noted(manifest, root, target.notes)
    except ManifestError:  # told by who reads all of it, unless dbt makes it anew
        record = FileRecord(mtime(manifest))
    newer = changed_files(record, root)
    if newer:
        compiling = next((path for path in newer if needs_compiling(path)), None)
        shown = relative_path(compiling or next((path for path in newer if path.suffix), newer[0]), root)
        return f"{shown} is newer than the manifest", compiling is not None or not _compiled_before(
            target.compiled
        ).code
    gone = gone_files(record, root)
    if gone:
        is_for_sql = any(Path(path).suffix not in PROPERTY_SUFFIXES for path in gone)
        return f"{gone[0]}, which the manifest names, is gone", is_for_sql
    note_files(manifest, root, target.notes, record)
    return "", False


def _is_made_so(invocation: DbtInvocation, target: Target) -> bool:
    """Whether the manifest was made with this profile, target and vars."""
    # Without a note of ours the manifest is the user's own, made with dbt's defaults.
    has_note = mtime(target.options) >= mtime(target.newest)
    return (target.options.read_text(encoding="utf-8") if has_note else "[]") == _noted(invocation)


def _generate(invocation: DbtInvocation, target: Target, say: Say) -> list[str]:
    """Make manifest and catalog anew, whether or not that seems necessary; returns warnings.

    Raises:
        DbtCommandError: there is no dbt, or it couldn't.
    """
    before, catalog_before = mtime(target.newest), mtime(target.catalog)
    command = generate_command(invocation)
    say(f"Running `dbt {' '.join(command)}`.")
    with restored_on_failure(target.compiled):
        generate_artifacts(invocation, command)
    _note(invocation, target, before)
    is_new = mtime(target.catalog) > catalog_before
    return [] if is_new else [f"`dbt {' '.join(command)}` wrote no {target.catalog}: columns may be missing."]


def _refresh(invocation: DbtInvocation, target: Target, reason: str, say: Say, *, is_for_sql: bool) -> list[str]:
    """Call dbt; returns warnings.

    Raises:
        DbtCommandError: there is no dbt, or it can't even parse the project.
    """
    warnings: list[str] = []
    before = mtime(target.newest)
    if not is_for_sql:
        say(f"Running `dbt parse`: {reason}.")
        _parse(invocation, target)
        is_for_sql = _is_of_another_target(invocation.project_dir, target)
        reason = f"{relative_path(target.compiled, invocation.project_dir)} is of another target"
    if is_for_sql:
        say(f"Running `dbt compile`: {reason}.")
        try:
            with restored_on_failure(target.compiled):
                run_dbt(invocation, compile_command(invocation))
        except DbtCommandError as error:
            warnings = _compile_less(invocation, target, error, say)
    _note(invocation, target, before)
    return warnings


def _is_of_another_target(root: Path, target: Target) -> bool:
    """Whether the SQL that was compiled before names other tables than those that dbt has just parsed."""
    nodes = load_project(root, target.parsed).nodes
    return _compiled_before(target.compiled).is_of_other_relations(nodes, nodes)


def _compile_less(invocation: DbtInvocation, target: Target, error: DbtCommandError, say: Say) -> list[str]:
    """Where not all can be compiled, as some SQL asks the warehouse: only what has changed, or nothing at all.

    Raises:
        DbtCommandError: dbt can't even parse the project.
    """
    if not invocation.connects and _compiled_before(target.compiled).code:
        root = invocation.project_dir
        paths = changed_sql(read_noted(target.compiled, root, target.notes), root)
        say("`dbt compile` failed without the warehouse; compiling only what has changed.")
        with contextlib.suppress(DbtCommandError):
            _run_aside(invocation, target, [*compile_command(invocation), *ONLY, *(f"path:{path}" for path in paths)])
            return []
    say("`dbt compile` failed; trying `dbt parse`, which needs no warehouse.")
    _parse(invocation, target)
    failed = str(error).splitlines()[-1].strip()
    return [f"dbt couldn't compile the project; models with no compiled SQL have no lineage. It said: {failed}"]


def _note(invocation: DbtInvocation, target: Target, before: float) -> None:
    """Note how dbt was called for the manifest that is newer than `before`."""
    if mtime(target.newest) <= before:
        raise DbtCommandError(f"dbt wrote no {target.compiled}. Pass the --target-path that your project uses.")
    target.own.mkdir(parents=True, exist_ok=True)
    target.options.write_text(_noted(invocation), encoding="utf-8")


def list_selected(invocation: DbtInvocation, selectors: list[str]) -> set[str]:
    """`list_unique_ids`, in a directory of ours: the manifest that `dbt ls` writes has no compiled SQL.

    Raises:
        SelectionError: dbt refuses the selector.
    """
    target = Target(target_dir(invocation))
    directory = target.own / "ls"
    for name in (PARTIAL_PARSE, *_OF_LAST_RUN):
        copy_newer(target.directory / name, directory / name)
    return list_unique_ids(msgspec.structs.replace(invocation, target_path=directory), selectors)


def _parse(invocation: DbtInvocation, target: Target) -> None:
    _run_aside(invocation, target, ["parse"])


def _run_aside(invocation: DbtInvocation, target: Target, command: list[str]) -> None:
    """Let dbt write into our own directory, going on from what it has parsed before: only changed files are read."""
    copy_newer(target.directory / PARTIAL_PARSE, target.own / PARTIAL_PARSE)
    run_dbt(msgspec.structs.replace(invocation, target_path=target.own), command)


def _noted(invocation: DbtInvocation) -> str:
    return (
        msgspec.json.encode([invocation.profile, invocation.target, invocation.vars]).decode()
        if any((invocation.profile, invocation.target, invocation.vars))
        else "[]"
    )
