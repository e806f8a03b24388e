"""The method `state`: what is new or modified, by comparing the manifest with an older one as dbt does.

Source: https://docs.getdbt.com/reference/node-selection/state-comparison-caveats and
https://docs.getdbt.com/reference/node-selection/methods#state (2026-11), and what dbt 1.11 selects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from dbt_describe.errors import SelectionError
from dbt_describe.project.decoding import decode_artifact
from dbt_describe.project.selection.entries import Entry, StateManifest, read_previous

_PARSED = frozenset({"model", "seed", "snapshot", "analysis", "test", "function"})
_NO_CONFIGS = _PARSED | {"source", "exposure", "metric", "semantic_model", "saved_query"}
_UNCOMPARED_CONFIGS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(_PARSED, frozenset({"alias", "schema", "database", "tags", "group"})),
    "metric": frozenset({"group"}),
}
_TEST_CONFIGS = (
    "severity",
    "where",
    "limit",
    "fail_calc",
    "warn_if",
    "error_if",
    "store_failures",
    "store_failures_as",
)
"""The only configs of a data test whose change counts."""
_COMPARED: Mapping[str, tuple[str, ...]] = {
    "source": ("fqn", "database", "schema", "identifier", "quoting", "freshness", "loaded_at_field", "external"),
    "exposure": ("fqn", "type", "owner", "maturity", "url", "description", "label"),
    "metric": ("type", "description", "label"),
    "semantic_model": (
        "model",
        "description",
        "defaults",
        "entities",
        "dimensions",
        "measures",
        "config",
        "primary_entity",
        "group",
    ),
    "saved_query": ("description", "label", "config", "group", "tags"),
    "unit_test": ("checksum",),
}
"""What must be the same of what dbt doesn't parse from SQL."""


class Comparison:
    """Two manifests of a project, and what differs."""

    def __init__(self, current: Path, previous: Path, *, by_unrendered: bool = False) -> None:
        """`by_unrendered`: a source's database and schema are compared as they are written, not as they render.

        Raises:
            ManifestError, SelectionError: one of them can't be read.
        """
        new, old = decode_artifact(current, StateManifest, "manifest"), read_previous(previous)
        self._new, self._old = new.graph(), old.graph()
        self._with_changed_macros = _using_changed_macros(new.macros or {}, old.macros or {})
        self._by_unrendered = by_unrendered
        self._tests: Mapping[str, Callable[[str], bool]] = {
            "new": lambda unique_id: unique_id not in self._old,
            "old": lambda unique_id: unique_id in self._old,
            "modified": self._is_modified,
            "unmodified": lambda unique_id: not self._is_modified(unique_id),
            "modified.body": self._differing(_same_body, _PARSED),
            "modified.configs": self._differing(_same_configs, _NO_CONFIGS),
            "modified.persisted_descriptions": self._differing(_same_persisted_descriptions, _PARSED),
            "modified.relation": self._differing(self._same_relation, _PARSED | {"source"}),
            "modified.macros": self._uses_changed_macro,
            "modified.contract": self._differing(_same_contract, _PARSED),
        }

    def test_of(self, wanted: str) -> Callable[[str], bool]:
        """Whether a unique_id of the current manifest is `wanted`: `new`, `modified`, `modified.body` and so on.

        Raises:
            SelectionError: dbt knows no such state.
        """
        if wanted not in self._tests:
            raise SelectionError(f'Got an invalid selector "{wanted}", expected one of {", ".join(self._tests)}.')
        test = self._tests[wanted]
        return lambda unique_id: unique_id in self._new and test(unique_id)

    def _differing(self, same: Callable[[Entry, Entry], bool], resource_types: frozenset[str]) -> Callable[[str], bool]:
        def differs(unique_id: str) -> bool:
            new, old = self._new[unique_id], self._old.get(unique_id)
            return new.resource_type in resource_types and (old is None or not same(new, old))

        return differs

    def _is_modified(self, unique_id: str) -> bool:
        new, old = self._new[unique_id], self._old.get(unique_id)
        if old is None:  # what isn't parsed from code is new then, but not modified
            is_modified = new.resource_type in _PARSED | {"unit_test"}
        elif new.resource_type in _PARSED:
            is_modified = not self._same_parsed(new, old)
        else:
            is_modified = not self._same_declared(new, old)
        return is_modified or self._uses_changed_macro(unique_id)

    def _uses_changed_macro(self, unique_id: str) -> bool:
        depends_on = self._new[unique_id].depends_on
        return bool(depends_on and self._with_changed_macros.intersection(depends_on.macros or ()))

    def _same_parsed(self, new: Entry, old: Entry) -> bool:
        if new.test_metadata is not None:
            return _same_configs(new, old) and new.fqn == old.fqn
        tests = (_same_body, _same_configs, _same_persisted_descriptions, self._same_relation, _same_contract)
        keys: tuple[str, ...] = ("fqn",)
        if new.resource_type == "model":
            keys += ("latest_version", "access", "deprecation_date")
        elif new.resource_type == "function":
            keys += ("arguments", "returns")
        return _same(new, old, keys) and all(test(new, old) for test in tests)

    def _same_declared(self, new: Entry, old: Entry) -> bool:
        kind = new.resource_type
        if kind == "source" and self._by_unrendered:
            keys = tuple(f"unrendered_{key}" if key in {"database", "schema"} else key for key in _COMPARED[kind])
            return _same(new, old, keys) and _same_configs(new, old)
        if not _same(new, old, _COMPARED.get(kind, ())):
            return False
        if kind == "exposure" and _parents(new) != _parents(old):
            return False
        if kind == "saved_query":
            return _same_query(new, old)
        return kind not in {"source", "exposure", "metric"} or _same_configs(new, old)

    def _same_relation(self, new: Entry, old: Entry) -> bool:
        if new.resource_type == "source":
            prefix = "unrendered_" if self._by_unrendered else ""
            return _same(new, old, (f"{prefix}database", f"{prefix}schema", "identifier"))
        mine, others = new.unrendered_config or {}, old.unrendered_config or {}
        return all(mine.get(key) == others.get(key) for key in ("database", "schema", "alias"))


def _using_changed_macros(new: Mapping[str, Entry], old: Mapping[str, Entry]) -> frozenset[str]:
    """Macros that are changed, added or gone, and all that call one of them, at any distance."""
    changed = {name for name in new.keys() | old.keys() if name not in new or name not in old}
    changed |= {name for name in new.keys() & old.keys() if new[name].macro_sql != old[name].macro_sql}
    callers: dict[str, list[str]] = {}
    for name, macro in new.items():
        for called in (macro.depends_on and macro.depends_on.macros) or ():
            if called is not None:
                callers.setdefault(called, []).append(name)
    frontier = set(changed)
    while frontier:
        frontier = {caller for name in frontier for caller in callers.get(name, ())} - changed
        changed |= frontier
    return frozenset(changed)


def _same(new: Entry, old: Entry, keys: tuple[str, ...]) -> bool:
    return all(getattr(new, key) == getattr(old, key) for key in keys)


def _parents(entry: Entry) -> set[str]:
    return set((entry.depends_on and entry.depends_on.nodes) or ())


def _same_body(new: Entry, old: Entry) -> bool:
    return new.checksum == old.checksum if new.resource_type == "seed" else new.raw_code == old.raw_code


def _same_configs(new: Entry, old: Entry) -> bool:
    """As they are written: what differs only by target or profile is no change."""
    if new.resource_type == "semantic_model":
        return bool(new.config == old.config)
    if new.resource_type == "saved_query":
        return bool(new.config == old.config)
    mine, others = new.unrendered_config or {}, old.unrendered_config or {}
    keys = set(_TEST_CONFIGS) if new.resource_type == "test" else mine.keys() | others.keys()
    keys -= _UNCOMPARED_CONFIGS.get(new.resource_type, frozenset())
    return all((key in mine) == (key in others) and mine.get(key) == others.get(key) for key in keys)


def _same_persisted_descriptions(new: Entry, old: Entry) -> bool:
    persisted = (new.config or {}).get("persist_docs") or {}
    if persisted.get("relation") and new.description != old.description:
        return False
    return not persisted.get("columns") or _column_descriptions(new) == _column_descriptions(old)


def _column_descriptions(entry: Entry) -> dict[str, object]:
    return {name: column.get("description") for name, column in (entry.columns or {}).items()}


def _same_contract(new: Entry, old: Entry) -> bool:
    if new.resource_type != "model":
        return True
    mine, others = new.contract or {}, old.contract or {}
    if not mine.get("enforced") and not others.get("enforced"):
        return True
    return bool(mine.get("enforced") and others.get("enforced")) and mine.get("checksum") == others.get("checksum")


def _same_query(new: Entry, old: Entry) -> bool:
    mine, others = new.query_params or {}, old.query_params or {}
    return all(mine.get(key) == others.get(key) for key in ("metrics", "group_by", "where")) and (
        _exports(new) == _exports(old)
    )


def _exports(entry: Entry) -> list[tuple[object, ...]]:
    return [
        (
            export.get("name"),
            *((export.get("unrendered_config") or {}).get(key) for key in ("export_as", "schema", "alias")),
        )
        for export in entry.exports or ()
    ]
