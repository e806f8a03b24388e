"""How many descriptions there are, of how many there could be: in the project, in folders, of resource types.

Thresholds are of all of the project, of the folder or of the resource type, whatever is selected. `--min-coverage` and
`--against` are of what is selected.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePosixPath

import msgspec

from dbt_describe.checking.naming import file_of, label_of
from dbt_describe.checking.problems import Coverage, Problem
from dbt_describe.checking.thresholds import CoverageSettings
from dbt_describe.placeholders import is_missing
from dbt_describe.project.nodes import Node, Project
from dbt_describe.provenance.entries import Place

PROJECT, SELECTION = "project", "selection"
Described = Mapping[Place, bool]
"""Each place that a description could stand at → whether there is one."""
_MOST_NAMED = 8


class Scope(msgspec.Struct, frozen=True):
    """A part of the project."""

    name: str
    """As in `Coverage.scope`."""
    unique_ids: frozenset[str]
    required_percent: float = 0


def places_of(project: Project, unique_ids: Iterable[str], left_out: Collection[Place]) -> dict[Place, bool]:
    """The places of these nodes but for some; nothing of a node that can't be read now."""
    unread = frozenset[str]().union(*project.unread.values())
    return {
        place: is_described
        for unique_id in unique_ids
        if unique_id not in unread
        for place, is_described in _of_node(project.nodes[unique_id])
        if place not in left_out
    }


def _of_node(node: Node) -> Iterator[tuple[Place, bool]]:
    yield (node.unique_id, ""), not is_missing(node.description)
    for column in node.columns:
        yield (node.unique_id, column.name.lower()), not is_missing(column.description)


def scopes_of(
    project: Project,
    selected: Iterable[str],
    described: Described,
    resource_types: Collection[str],
    settings: CoverageSettings,
    min_coverage: float | None = None,
) -> tuple[Scope, ...]:
    """The project, what is selected of it if that is less, then each folder and resource type with a threshold.

    Of `described`, nodes of the `resource_types` are the project; of a resource type with a threshold, all nodes are in
    its scope. `min_coverage` stands above the settings: it is of what is selected.
    """
    known = {unique_id: project.nodes[unique_id].resource_type for unique_id, _ in described}
    all_own = frozenset(name for name, resource_type in known.items() if resource_type in resource_types)
    chosen = all_own.intersection(selected)
    is_narrowed = chosen != all_own
    project_percent = settings.project if is_narrowed or min_coverage is None else min_coverage
    found = [Scope(PROJECT, all_own, project_percent)]
    if is_narrowed:
        found.append(Scope(SELECTION, chosen, min_coverage or 0))
    for folder, percent in settings.folders.items():
        inside = frozenset(name for name in all_own if is_below(project.nodes[name], folder))
        found.append(Scope(f"folder {folder.strip('/')}", inside, percent))
    for resource_type, percent in settings.resource_types.items():
        of_type = frozenset(name for name, its_type in known.items() if its_type == resource_type)
        found.append(Scope(f"resource type {resource_type}", of_type, percent))
    return tuple(found)


def is_below(node: Node, folder: str) -> bool:
    """Whether the node is defined in the folder or in one below it."""
    return PurePosixPath(node.original_file_path).is_relative_to(PurePosixPath(folder.strip().strip("/")))


def measure(scope: Scope, described: Described) -> Coverage:
    """The coverage of a scope; of `described`, what isn't in it doesn't count."""
    inside = [is_described for place, is_described in described.items() if place[0] in scope.unique_ids]
    return Coverage(scope.name, sum(inside), len(inside), scope.required_percent)


def too_low(coverage: Coverage) -> Problem | None:
    """The problem of a coverage that is under its threshold."""
    if 100 * coverage.described >= coverage.required_percent * coverage.total:
        return None
    missing = coverage.total - coverage.described
    return Problem(
        "coverage",
        f"Coverage of the {coverage.scope} is {shown_percent(coverage)}, and {coverage.required_percent:g}% is "
        f"required: {missing:,} of {coverage.total:,} descriptions are missing.",
    )


def fell(scope: Scope, described: Described, before: Described, project: Project, base: str) -> Problem | None:
    """The problem of a coverage that is lower than it was.

    What isn't there any more doesn't count; what is new does. Where nothing was there, nothing can have become worse.
    """
    now = {place: is_described for place, is_described in described.items() if place[0] in scope.unique_ids}
    was = {place: before[place] for place in now if place in before}
    coverage = Coverage(scope.name, sum(now.values()), len(now))
    older = Coverage(scope.name, sum(was.values()), len(was))
    if not was or coverage.described * older.total >= older.described * coverage.total:
        return None
    lost = [place for place, is_described in now.items() if not is_described and was.get(place)]
    new = [place for place, is_described in now.items() if not is_described and place not in was]
    told = [*_named("described there and no more", lost, project), *_named("new and not described", new, project)]
    path = file_of(project.nodes[(lost or new)[0][0]])
    return Problem(
        "coverage",
        f"Coverage of the {scope.name} is {shown_percent(coverage)}, and was {shown_percent(older)} at {base}: "
        f"{'; '.join(told)}.",
        path=path if len({place[0] for place in (*lost, *new)}) == 1 else "",
    )


def _named(what: str, places: list[Place], project: Project) -> list[str]:
    if not places:
        return []
    names = [label_of(project.nodes[unique_id], column) for unique_id, column in places[:_MOST_NAMED]]
    more = len(places) - _MOST_NAMED
    return [f"{what}: {', '.join(names)}{f' and {more:,} more' if more > 0 else ''}"]


def shown_percent(coverage: Coverage) -> str:
    """To a tenth, and never up: what is below 100 isn't shown as it."""
    tenths = 1000 * coverage.described // coverage.total if coverage.total else 1000
    return f"{tenths / 10:g}%"
