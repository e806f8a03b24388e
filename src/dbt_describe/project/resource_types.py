"""Which resource types a run describes (`--resource-type`)."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from dbt_describe.errors import SettingsError
from dbt_describe.project.nodes import DESCRIBABLE_RESOURCE_TYPES, DESCRIBED_RESOURCE_TYPES

_GROUPS: Mapping[str, tuple[str, ...]] = {"all": DESCRIBABLE_RESOURCE_TYPES, "default": DESCRIBED_RESOURCE_TYPES}
"""dbt's names for several of them: its `default` is its own commands', ours what is described unless more is asked."""


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
