"""Which resource types a run describes (`--resource-type`), and what the project's dbt can read of them."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from dbt_describe.errors import SelectionError, SettingsError
from dbt_describe.project.nodes import DESCRIBABLE_RESOURCE_TYPES, DESCRIBED_RESOURCE_TYPES, Project

_GROUPS: Mapping[str, tuple[str, ...]] = {"all": DESCRIBABLE_RESOURCE_TYPES, "default": DESCRIBED_RESOURCE_TYPES}
"""dbt's names for several of them: its `default` is its own commands', ours what is described unless more is asked."""
_SINCE: Mapping[str, tuple[int, int]] = {"test": (1, 9), "group": (1, 10)}
"""The first dbt that reads a description of the resource type; all others have had one as long as they exist.

Source: dbt-core's `contracts/graph/unparsed.py` and `parser/schemas.py` in 1.8.9, 1.9.4, 1.10.13, 1.11.16 (2026-11).
"""
_VERSION = re.compile(r"(\d+)\.(\d+)")


def chosen_resource_types(
    given: Sequence[str], excluded: Sequence[str] = (), *, where: str = "--resource-type"
) -> tuple[str, ...]:
    """The given resource types without the excluded ones, as dbt does it: first the one, then the other.

    None given are the default ones.

    Raises:
        SettingsError: a name isn't a resource type, or nothing is left.
    """
    wanted = _expanded(given or ("default",), where)
    refused = _expanded(excluded, where.replace("--", "--exclude-", 1))
    found = tuple(name for name in DESCRIBABLE_RESOURCE_TYPES if name in wanted and name not in refused)
    if not found:
        raise SettingsError(
            f"{where} and --exclude-resource-type leave no resource type to describe; leave one of them out."
        )
    return found


def unread_resource_types(dbt_version: str) -> Mapping[str, str]:
    """The resource types whose descriptions a dbt doesn't read, each with the version that does."""
    return {name: f"{since[0]}.{since[1]}" for name, since in _SINCE.items() if is_older(dbt_version, since)}


def readable_nodes(project: Project, selected: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """The selected nodes whose descriptions the project's dbt reads, and what is to be said of the others.

    Raises:
        SelectionError: it reads none of them.
    """
    since = unread_resource_types(project.dbt_version)
    types = {name: project.nodes[name].resource_type for name in selected}
    left_out = Counter(resource_type for resource_type in types.values() if resource_type in since)
    said = tuple(
        f"dbt {project.dbt_version} reads no description of a {resource_type} (dbt {since[resource_type]} does): "
        f"{count} left out."
        for resource_type, count in left_out.items()
    )
    left = [name for name in selected if types[name] not in since]
    if selected and not left:
        raise SelectionError(" ".join(said))
    return left, said


def is_older(dbt_version: str, since: tuple[int, int]) -> bool:
    """Whether a dbt is older than a minor version; one that tells no version isn't."""
    found = _VERSION.match(dbt_version)
    return found is not None and (int(found[1]), int(found[2])) < since


def _expanded(names: Sequence[str], where: str) -> set[str]:
    found: set[str] = set()
    for name in (name.lower() for name in names):
        if name not in DESCRIBABLE_RESOURCE_TYPES and name not in _GROUPS:
            known = (*DESCRIBABLE_RESOURCE_TYPES, *_GROUPS)
            near = difflib.get_close_matches(name, known, 1, 0.6)
            hint = f"did you mean `{near[0]}`?" if near else f"choose from {', '.join(known)}."
            raise SettingsError(f"{where} {name} isn't a resource type that can be described; {hint}")
        found.update(_GROUPS.get(name, (name,)))
    return found
