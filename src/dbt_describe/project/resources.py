"""What a manifest has beside nodes and sources: exposures, metrics, semantic models, macros and the like.

They are read leniently, as what each engine writes of them differs more than what it writes of nodes.

Source: https://docs.getdbt.com/reference/artifacts/manifest-json (2026-11).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from dbt_describe.project.nodes import Column, Node
from dbt_describe.project.signatures import read_signature, takes_any_arguments
from dbt_describe.project.wishes import wish_in

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
_AGGREGATIONS: Mapping[str, str] = {
    "sum": "sum({})",
    "min": "min({})",
    "max": "max({})",
    "average": "avg({})",
    "count": "count({})",
    "count_distinct": "count(distinct {})",
    "sum_boolean": "sum(case when {} then 1 else 0 end)",
}
RETURNS = "returns"
"""What a function returns, as a column: its name, and the key of a schema file that describes it."""
NOT_TAKEN = "the macro doesn't take it"
"""`Column.definition` of an argument that only the schema file still lists."""


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


def with_members(nodes: Mapping[str, Node]) -> Iterator[Node]:
    """The groups among the nodes, each with its members."""
    members: dict[tuple[str, str], list[str]] = {}
    for node in nodes.values():
        if node.group and node.resource_type != "group":
            members.setdefault((node.package_name, node.group), []).append(node.unique_id)
    for node in nodes.values():
        if node.resource_type == "group":
            found = members.get((node.package_name, node.name), ())
            yield msgspec.structs.replace(node, members=tuple(found))


def _node(unique_id: str, resource_type: str, raw: Mapping[str, Any]) -> Node:
    config = _mapping(raw.get("config"))
    name = _text(raw.get("name")) or unique_id.rpartition(".")[2]
    reads = _mapping(raw.get("depends_on"))
    depends_on = _texts(reads.get("nodes"))
    own_macros = f"macro.{raw.get('package_name')}."
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
        fqn=_texts(raw.get("fqn")),
        tags=_tags(raw["tags"] if "tags" in raw else config.get("tags")),
        depends_on=depends_on,
        macros=tuple(name for name in _texts(reads.get("macros")) if name.startswith(own_macros)),
        version=_text(raw.get("version")),
        config=config,
        group=_text(raw.get("group") or config.get("group")),
        access=_text(raw.get("access") or config.get("access")),
        label=_text(raw.get("label")),
        attached_node=depends_on[0] if resource_type == "unit_test" and depends_on else "",
        properties={key: raw[key] for key in _PROPERTIES[resource_type] if raw.get(key) not in (None, "", [], {})},
        wish=wish_in((config.get("meta"), raw.get("meta"))),
    )


def _children(resource_type: str, raw: Mapping[str, Any]) -> Iterable[Column]:
    """What is described inside of it: arguments, or a semantic model's entities, dimensions and measures."""
    match resource_type:
        case "macro":
            return _macro_arguments(raw)
        case "function":
            return _function_parts(raw)
        case "semantic_model":
            found: dict[str, Column] = {}
            for element in _elements(raw):
                # dbt refuses two elements of one name; of those that get through, the first can be told of.
                found.setdefault(element.name.lower(), element)
            return found.values()
        case _:
            return ()


def _macro_arguments(raw: Mapping[str, Any]) -> Iterator[Column]:
    """The arguments of the signature, in its order, with what the schema file says; then those that it alone lists."""
    code = _text(raw.get("macro_sql"))
    signature = read_signature(code, _text(raw.get("name")))
    listed = {column.name.lower(): column for column in _arguments(raw)}
    for argument in signature or ():
        column = listed.pop(argument.name.lower(), Column(argument.name))
        default = f"default {argument.default}" if argument.default else ""
        yield msgspec.structs.replace(column, name=argument.name, definition=default)
    is_complete = signature is not None and not takes_any_arguments(code)
    for column in listed.values():
        yield msgspec.structs.replace(column, definition=NOT_TAKEN) if is_complete else column


def _arguments(raw: Mapping[str, Any]) -> Iterator[Column]:
    for argument in _mappings(raw.get("arguments")):
        default = _text(argument.get("default_value"))
        yield Column(
            name=_text(argument.get("name")),
            description=_text(argument.get("description")),
            data_type=_text(argument.get("type") or argument.get("data_type")),
            declared=True,
            definition=f"default {default}" if default else "",
        )


def _function_parts(raw: Mapping[str, Any]) -> Iterator[Column]:
    arguments = [*_arguments(raw)]
    yield from arguments
    returns = _mapping(raw.get(RETURNS))
    if returns and all(argument.name.lower() != RETURNS for argument in arguments):
        yield Column(
            name=RETURNS,
            description=_text(returns.get("description")),
            data_type=_text(returns.get("data_type") or returns.get("type")),
            declared=True,
            children=RETURNS,
        )


def _elements(raw: Mapping[str, Any]) -> Iterator[Column]:
    for children in ("entities", "dimensions", "measures"):
        for child in _mappings(raw.get(children)):
            name = _text(child.get("name"))
            yield Column(
                name=name,
                description=_text(child.get("description")),
                declared=True,
                children=children,
                definition=_definition(child),
                expression=_expression(child),
                wish=wish_in((_mapping(child.get("config")).get("meta"), child.get("meta"))),
            )


def _definition(child: Mapping[str, Any]) -> str:
    """`primary order_id`, `time ordered_at`, `sum of amount`: its kind and what it is made of."""
    expression = _text(child.get("expr")) or _text(child.get("name"))
    if child.get("agg"):
        return f"{child['agg']} of {expression}"
    return f"{_text(child.get('type'))} {expression}".strip()


def _expression(child: Mapping[str, Any]) -> str:
    """SQL for it; empty for a measure whose aggregation depends on more than its rows, or that SQL has no one word for.

    Source: https://docs.getdbt.com/docs/build/measures (2026-11).
    """
    expression = _text(child.get("expr")) or _text(child.get("name"))
    if not child.get("agg"):
        return expression
    if child.get("non_additive_dimension") or any((child.get("agg_params") or {}).values()):
        return ""
    return _AGGREGATIONS.get(_text(child["agg"]).lower(), "").format(expression)


def _tags(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(map(str, value)) if isinstance(value, list) else ()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(values: object) -> Iterable[Mapping[str, Any]]:
    return [value for value in values if isinstance(value, Mapping)] if isinstance(values, list) else []


def _texts(values: object) -> tuple[str, ...]:
    return tuple(map(str, values)) if isinstance(values, list) else ()


def _text(value: object) -> str:
    return "" if value is None else str(value)
