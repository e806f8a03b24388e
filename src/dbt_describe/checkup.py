"""`check`: what is wrong with the descriptions, found without a model, a network or a warehouse.

What it imports is light, and sqlglot isn't imported where the lineage is kept from an earlier run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from dbt_describe.checking.bases import READ_SUFFIXES, SCHEMA_SUFFIXES, BaseFiles, described_at, described_in
from dbt_describe.checking.coverage import PROJECT, SELECTION, fell, measure, places_of, scopes_of, too_low
from dbt_describe.checking.naming import file_of
from dbt_describe.checking.problems import RULES, CheckReport, Coverage, Problem, Rule, Severity
from dbt_describe.checking.rules import Rules
from dbt_describe.checking.thresholds import CheckSettings
from dbt_describe.checking.unreadable import unreadable_files, vanishing_texts
from dbt_describe.errors import SettingsError
from dbt_describe.lineage import trace_project, with_sql_columns
from dbt_describe.preparing import Studied, study
from dbt_describe.progress import Progress, Silent
from dbt_describe.project import load_project
from dbt_describe.project.engines import leave_undescribable
from dbt_describe.project.git import differences_since, read_at
from dbt_describe.project.nodes import Project
from dbt_describe.project.roomless import places_without_room
from dbt_describe.project.selection import may_hold_nodes
from dbt_describe.provenance.entries import Place
from dbt_describe.schema_files import find_lines
from dbt_describe.settings import Settings

AGAINST = "--against"


class Demands(msgspec.Struct, frozen=True):
    """What is asked of one check beside the settings."""

    against: str = ""
    """A ref of git, or the path of a manifest.json or of its directory: coverage may not be lower than there."""
    min_coverage: float | None = None
    """Of what is selected, in percent."""
    severities: Mapping[Rule, Severity] = {}
    """In place of the settings'."""


def check(settings: Settings, demands: Demands | None = None, progress: Progress | None = None) -> CheckReport:
    """What is wrong with the selected descriptions. Asks nobody, and writes nothing but dbt's artifacts and our cache.

    Where dbt has nothing to do with the settings' files, nothing is looked at.

    Raises:
        ProjectError: no project, no usable manifest, a selector that matches nothing, or no such base.
        LockFileError: the lock can't be read.
    """
    demands, progress = demands or Demands(), progress or Silent()
    if settings.files is not None and not may_hold_nodes(settings.dbt.project_dir, settings.files):
        return CheckReport(nodes=0)
    dbt = msgspec.structs.replace(settings.dbt, connects=False)
    studied = study(msgspec.structs.replace(settings, dbt=dbt), progress)
    rules = settings.check
    for rule, severity in demands.severities.items():
        rules = rules.with_severity(rule, severity)
    coverage, too_little = _coverage(studied, settings, rules, demands)
    found = [*unreadable_files(studied.project), *_of_descriptions(studied), *too_little]
    progress.end()
    severities = {rule: rules.severity(rule) for rule in RULES}
    wanted = [problem for problem in found if severities[problem.rule] != "off"]
    problems = [
        msgspec.structs.replace(problem, severity=severities[problem.rule])
        for problem in _located(studied.project, wanted)
    ]
    counts = Counter(problem.rule for problem in problems)
    return CheckReport(
        nodes=len(studied.selected),
        problems=tuple(sorted(problems, key=lambda problem: (not problem.path, problem.path, problem.line))),
        coverage=coverage,
        warnings=(*_warnings(studied), *_idle(coverage)),
        counts={rule: counts[rule] for rule in RULES if counts[rule]},
    )


def _of_descriptions(studied: Studied) -> Iterator[Problem]:
    """The problems of single descriptions, in the order of the manifest."""
    undescribable = places_without_room(studied.project, studied.selected)
    rules = Rules(studied.project, studied.lineage, studied.standings)
    own = [name for name in studied.selected if studied.project.is_own(studied.project.nodes[name])]
    for unique_id in own:
        yield from rules.problems_of(unique_id, undescribable)
    for problem in vanishing_texts(studied.project, own):
        if (problem.unique_id, problem.column.lower()) not in studied.left_alone:
            yield problem


def _located(project: Project, problems: Collection[Problem]) -> Iterator[Problem]:
    """The problems with the lines where they are to be mended; those that have a line keep it."""
    places = {(problem.unique_id, problem.column.lower()) for problem in problems if problem.unique_id}
    lines = find_lines(project, places)
    for problem in problems:
        found = lines.get((problem.unique_id, problem.column.lower()))
        is_found = found is not None and found.path and not problem.line
        yield msgspec.structs.replace(problem, path=found.path, line=found.line) if found and is_found else problem


def _coverage(
    studied: Studied, settings: Settings, rules: CheckSettings, demands: Demands
) -> tuple[tuple[Coverage, ...], list[Problem]]:
    """How much is described of each scope, and where that is too little, or less than at the base."""
    project = studied.project
    checked = {*settings.resource_types, *rules.coverage.resource_types}
    own = [node.unique_id for node in project.nodes.values() if project.is_own(node) and node.resource_type in checked]
    nodes, _ = leave_undescribable(project, own)
    left_out = places_without_room(project, nodes).union(studied.left_alone)
    described = places_of(project, nodes, left_out)
    scopes = scopes_of(
        project, studied.selected, described, settings.resource_types, rules.coverage, demands.min_coverage
    )
    coverage = tuple(measure(scope, described) for scope in scopes)
    problems = [problem for one in coverage if (problem := too_low(one))]
    if demands.against:
        before = _described_before(studied, nodes, described, settings.llm.store_dir, demands.against)
        is_narrowed = any(scope.name == SELECTION for scope in scopes)
        compared = [scope for scope in scopes if not (is_narrowed and scope.name == PROJECT)]
        fallen = (fell(scope, described, before, project, demands.against) for scope in compared)
        problems += [problem for problem in fallen if problem]
    return coverage, problems


def _described_before(
    studied: Studied, nodes: Collection[str], described: Mapping[Place, bool], store_dir: Path | None, against: str
) -> dict[Place, bool]:
    """Which places were described at the base.

    Raises:
        ProjectError: there is no such base, or it can't be read.
    """
    project = studied.project
    manifest = _manifest_of(against)
    if manifest is None:
        return described_at(project, nodes, _files_at(project, described, against))
    base = load_project(project.root, manifest, manifest.with_name("catalog.json"))
    lineage = trace_project(base, store_dir=store_dir)
    return described_in(with_sql_columns(base, lineage), nodes)


def _manifest_of(against: str) -> Path | None:
    """The manifest that is named, by itself or by its directory; None where it is a ref of git.

    Raises:
        SettingsError: it is a directory without one, or a file that is none.
    """
    path = Path(against)
    if path.is_dir() and (path / "manifest.json").is_file():
        return path / "manifest.json"
    if path.suffix in {".json", ".gz"}:
        if not path.is_file():
            raise SettingsError(f"{AGAINST}: there is no {path}. Name a manifest.json, its directory, or a ref of git.")
        return path
    return None


def _files_at(project: Project, described: Mapping[Place, bool], ref: str) -> BaseFiles:
    """What differs from the commit, and what may be described otherwise because a docs block differs."""
    found = differences_since(project.root, ref, AGAINST)
    readable = {path for path in found.changed | found.gone if Path(path).suffix in READ_SUFFIXES}
    texts = read_at(project.root, found.commit, sorted(readable), AGAINST)
    if any(Path(path).suffix == ".md" for path in texts):
        gaps = (project.nodes[unique_id] for (unique_id, _), is_described in described.items() if not is_described)
        for path in {file_of(node) for node in gaps} - found.added - texts.keys():
            if Path(path).suffix in SCHEMA_SUFFIXES and (project.root / path).is_file():
                texts[path] = (project.root / path).read_text(encoding="utf-8", errors="replace")
    return BaseFiles(found.added, texts)


def _idle(coverage: Iterable[Coverage]) -> Iterator[str]:
    """A sentence on each threshold that guards nothing: its name may be misspelt."""
    for one in coverage:
        if one.required_percent and not one.total:
            yield f"The {one.scope} has no descriptions to be counted; is that its name in check.coverage?"


def _warnings(studied: Studied) -> tuple[str, ...]:
    """What a person should know; what dbt can't read is a problem of its own."""
    project, lineage = studied.project, studied.lineage
    selected = frozenset(studied.selected)
    known = [text for text in project.warnings if not project.unread_reason or project.unread_reason not in text]
    untraced = tuple(
        f"{unique_id} has no lineage: {node.failure}. Whether its texts still hold can't be told."
        for unique_id, node in lineage.nodes.items()
        if node.failure and unique_id in selected
    )
    return (*known, *lineage.warnings, *studied.lock.notes, *untraced)
