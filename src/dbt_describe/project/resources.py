"""What a manifest has beside nodes and sources: exposures, metrics, semantic models, macros and the like.

They are read leniently, as what each engine writes of them differs more than what it writes of nodes.

Source: https://docs.getdbt.com/reference/artifacts/manifest-json (2026-11).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from dbt_describe.project.nodes import Column, Node

_Entries = dict[str, dict[str, Any]] | None
_PROPERTIES: Mapping[str, tuple[str, ...]] = {
    "exposure": ("type", "maturity", "url", "owner"),
    "metric": ("type", "type_params", "filter", "time_granularity"),
    "semantic_model": ("model", "defaults", "primary_entity"),
    "saved_query": ("query_params", "exports"),
    "unit_test": ("model", "given", "expect", "overrides"),
    "group": ("owner",),
    "function": ("type", "returns"),
    "macro": ("supported_languages",),
}
"""By resource type, the keys that become `Node.properties`."""
_CODE_KEYS = ("raw_code", "macro_sql")


class Resources(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest's sections of these, by unique_id."""

    exposures: _Entries = None
    metrics: _Entries = None
    semantic_models: _Entries = None
    saved_queries: _Entries = None
    unit_tests: _Entries = None
    groups: _Entries = None
    functions: _Entries = None
    macros: _Entries = None


def resource_nodes(resources: Resources, package_name: str) -> Iterator[Node]:
    """A Node of each; of macros, which are many, only the package's own."""
    sections: tuple[tuple[str, _Entries], ...] = (
        ("exposure", resources.exposures),
        ("metric", resources.metrics),
        ("semantic_model", resources.semantic_models),
        ("saved_query", resources.saved_queries),
        ("unit_test", resources.unit_tests),
        ("group", resources.groups),
        ("function", resources.functions),
    )
    for resource_type, entries in sections:
        for unique_id, raw in (entries or {}).items():
            yield _node(unique_id, resource_type, raw)
    for unique_id, raw in (resources.macros or {}).items():
        if raw.get("package_name") == package_name:
            yield _node(unique_id, "macro", raw)


def _node(unique_id: str, resource_type: str, raw: Mapping[str, Any]) -> Node:
    config = _mapping(raw.get("config"))
    name = _text(raw.get("name")) or unique_id.rpartition(".")[2]
    depends_on = tuple(map(str, _mapping(raw.get("depends_on")).get("nodes") or ()))
    return Node(
        unique_id=unique_id,
        resource_type=resource_type,
        name=name,
        package_name=_text(raw.get("package_name")),
        description=_text(raw.get("description")),
        columns=tuple(_children(resource_type, raw)),
        original_file_path=_text(raw.get("original_file_path")).replace("\\", "/"),
        patch_path=_text(raw.get("patch_path")).replace("\\", "/"),
        raw_code=next((_text(raw[key]) for key in _CODE_KEYS if raw.get(key)), ""),
        compiled_code=_text(raw.get("compiled_code")),
        language=_text(raw.get("language")) or "sql",
        fqn=tuple(map(str, raw.get("fqn") or ())),
        tags=tuple(map(str, raw.get("tags") or config.get("tags") or ())),
        depends_on=depends_on,
        version=_text(raw.get("version")),
        config=config,
        group=_text(raw.get("group") or config.get("group")),
        access=_text(raw.get("access") or config.get("access")),
        label=_text(raw.get("label")),
        attached_node=depends_on[0] if resource_type == "unit_test" and depends_on else "",
        properties={key: raw[key] for key in _PROPERTIES[resource_type] if raw.get(key) not in (None, "", [], {})},
    )


def _children(resource_type: str, raw: Mapping[str, Any]) -> Iterator[Column]:
    """What is described inside of it: arguments, or a semantic model's entities, dimensions and measures."""
    if resource_type in {"macro", "function"}:
        for argument in _mappings(raw.get("arguments")):
            data_type = _text(argument.get("type") or argument.get("data_type"))
            yield Column(
                name=_text(argument.get("name")),
                description=_text(argument.get("description")),
                data_type=data_type,
                declared=True,
            )
    if resource_type == "semantic_model":
        for children in ("entities", "dimensions", "measures"):
            for child in _mappings(raw.get(children)):
                yield Column(
                    name=_text(child.get("name")),
                    description=_text(child.get("description")),
                    declared=True,
                    children=children,
                    definition=_definition(child),
                )


def _definition(child: Mapping[str, Any]) -> str:
    """`primary order_id`, `time ordered_at`, `sum of amount`: its kind and what it is made of."""
    expression = _text(child.get("expr")) or _text(child.get("name"))
    if child.get("agg"):
        return f"{child['agg']} of {expression}"
    return f"{_text(child.get('type'))} {expression}".strip()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(values: object) -> Iterable[Mapping[str, Any]]:
    return [value for value in values if isinstance(value, Mapping)] if isinstance(values, list) else []


def _text(value: object) -> str:
    return "" if value is None else str(value)
