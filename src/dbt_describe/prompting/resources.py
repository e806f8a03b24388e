"""What is known of resources that are no tables: exposures, metrics, semantic models, macros, tests and the like.

Of an owner the name is told, never the e-mail address: who is to be asked is no part of a description, and addresses
are personal data. Of an exposure's URL only the host is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import msgspec

from dbt_describe.lineage.origins import ColumnRef
from dbt_describe.planning import Descriptions
from dbt_describe.project.data_tests import is_generic
from dbt_describe.project.nodes import Node, Project
from dbt_describe.prompting.names import Names, known_text, shortened
from dbt_describe.prompting.properties import lines_of, mapping, mappings, rows_of, said

_ELEMENT = re.compile(r"['\"](?P<entity>\w+)__(?P<dimension>\w+)['\"]")
_DISPATCHED = re.compile(r"dispatch\(\s*['\"](?P<name>\w+)['\"]")
_SINGULAR = {"entities": "entity", "dimensions": "dimension", "measures": "measure"}
_NOT_ARGUMENTS = frozenset({"model", "column_name"})
_CONDITIONS = {
    "where": "",
    "severity": "error",
    "error_if": "!=0",
    "warn_if": "!=0",
    "limit": "",
    "fail_calc": "count(*)",
}
"""What decides whether a test fails, with what dbt assumes."""


class ResourceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of one node beside its columns. `uses` are (readable name, description or empty)."""

    about: tuple[str, ...] = ()
    code: str = ""
    language: str = "sql"
    uses: tuple[tuple[str, str], ...] = ()
    has_rows: bool = False


class _Sight(msgspec.Struct, frozen=True):
    """What the facts of a node are gathered from."""

    node: Node
    project: Project
    known: Descriptions
    names: Names

    def uses(self, unique_ids: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Names and descriptions of the nodes that are there."""
        for unique_id in dict.fromkeys(unique_ids):
            if unique_id in self.project.nodes:
                yield self.names.of(unique_id), known_text(unique_id, self.project, self.known)

    def element(self, node: Node | None, name: str) -> tuple[str, str] | None:
        """A column of a node, or an entity, dimension or measure of a semantic model, with its description."""
        if node is None:
            return None
        column = node.column(name)
        if column is None:
            return None
        kind = _SINGULAR.get(column.children, "column")
        shown = f"{kind} {column.name} ({column.definition})" if column.definition else f"{kind} {column.name}"
        text = self.known.columns.get(ColumnRef(node.unique_id, column.name.lower())) or column.description
        return shown, shortened(text)


def resource_facts(node: Node, project: Project, known: Descriptions, names: Names) -> ResourceFacts | None:
    """What is told of the node, or None for one that has rows of its own."""
    gather = _GATHERERS.get(node.resource_type)
    return gather(_Sight(node, project, known, names)) if gather else None


def _exposure(sight: _Sight) -> ResourceFacts:
    node = sight.node
    host = urlsplit(said(node.properties.get("url"))).hostname
    about = [
        *_labelled(node),
        *lines_of({key: node.properties.get(key) for key in ("type", "maturity")}),
        *_owner(node),
        *([f"found at {host}"] if host else []),
        *_tags(node),
    ]
    return ResourceFacts(about=tuple(about), uses=tuple(sight.uses(node.depends_on)))


def _metric(sight: _Sight) -> ResourceFacts:
    node = sight.node
    params = mapping(node.properties.get("type_params"))
    told = {key: value for key, value in params.items() if key != "input_measures"}
    about = [
        *_labelled(node),
        *lines_of({"type": node.properties.get("type"), **told, "filter": node.properties.get("filter")}),
        *lines_of({"time granularity": node.properties.get("time_granularity")}),
    ]
    measures = [said(measure.get("name")) for measure in mappings(params.get("input_measures"))]
    measures.append(said(mapping(params.get("measure")).get("name")))
    parents = [sight.project.nodes[name] for name in node.depends_on if name in sight.project.nodes]
    models = [parent for parent in parents if parent.resource_type == "semantic_model"]
    elements = [sight.element(model, name) for model in models for name in dict.fromkeys(filter(None, measures))]
    return ResourceFacts(
        about=tuple(about), uses=(*(found for found in elements if found), *sight.uses(node.depends_on))
    )


def _semantic_model(sight: _Sight) -> ResourceFacts:
    node = sight.node
    about = [
        *_labelled(node),
        *(f"of the model {sight.names.of(parent)}" for parent in node.depends_on),
        *lines_of(
            {"primary entity": node.properties.get("primary_entity"), "default": node.properties.get("defaults")}
        ),
    ]
    return ResourceFacts(about=tuple(about), uses=tuple(sight.uses(node.depends_on)), has_rows=True)


def _saved_query(sight: _Sight) -> ResourceFacts:
    node = sight.node
    params = mapping(node.properties.get("query_params"))
    exports = ", ".join(said(export.get("name")) for export in mappings(node.properties.get("exports")))
    about = [*_labelled(node), *lines_of(params), *([f"exported as {exports}"] if exports else [])]
    used = _ELEMENT.findall(said(params.get("group_by")))
    models = [found for found in sight.project.nodes.values() if found.resource_type == "semantic_model" and used]
    elements = (
        sight.element(model, dimension) for entity, dimension in used for model in models if model.column(entity)
    )
    return ResourceFacts(
        about=tuple(about), uses=(*sight.uses(node.depends_on), *(found for found in elements if found))
    )


def _macro(sight: _Sight) -> ResourceFacts:
    node = sight.node
    package = f"macro.{node.package_name}."
    versions = [
        name
        for called in _DISPATCHED.findall(node.raw_code)
        for name in sight.project.nodes
        if name.startswith(package) and name.removeprefix(package).endswith(f"__{called}")
    ]
    about = [*_folder(node)]
    if node.name.startswith("test_"):
        tested = [_tested(found, sight) for found in _tests_of(node, sight.project)]
        about.append(f"generic data test {node.name.removeprefix('test_')}")
        about += [f"used on {', '.join(dict.fromkeys(tested))}"] if tested else []
    about += [f"dispatches to {', '.join(map(sight.names.of, versions))}"] if versions else []
    return ResourceFacts(
        about=tuple(about),
        code=node.raw_code.strip(),
        language="jinja",
        uses=tuple(sight.uses((*node.macros, *versions))),
    )


def _function(sight: _Sight) -> ResourceFacts:
    node = sight.node
    kind = node.properties.get("type") or node.config.get("type")
    about = [*_folder(node), *lines_of({"type": kind, "volatility": node.config.get("volatility")}), *_tags(node)]
    return ResourceFacts(
        about=tuple(about),
        code=(node.raw_code or node.compiled_code).strip(),
        language=node.language,
        uses=tuple(sight.uses(node.depends_on)),
    )


def _test(sight: _Sight) -> ResourceFacts:
    node = sight.node
    configured = {key: said(node.config.get(key)) for key in _CONDITIONS}
    special = {key: text for key, text in configured.items() if re.sub(r"\s", "", text).lower() != _CONDITIONS[key]}
    about = [*lines_of(special), *_tags(node)]
    if not is_generic(node) or node.test is None:
        return ResourceFacts(
            about=(*_folder(node), *about),
            code=(node.compiled_code or node.raw_code).strip(),
            uses=tuple(sight.uses(node.depends_on)),
        )
    tested = sight.project.nodes.get(node.attached_node)
    column = sight.element(tested, node.test.column)
    given = mapping(node.properties.get("arguments"))
    arguments = {**mapping(given.get("arguments")), **given}
    shown = {key: value for key, value in arguments.items() if key not in {*_NOT_ARGUMENTS, "arguments"}}
    own = [sight.project.nodes[name] for name in node.macros if name in sight.project.nodes]
    return ResourceFacts(
        about=(f"generic data test {node.test.name}", f"of {_tested(node, sight)}", *about, *lines_of(shown)),
        code=node.compiled_code.strip() or "\n\n".join(macro.raw_code.strip() for macro in own),
        uses=(*([column] if column else []), *sight.uses(node.depends_on)),
    )


def _unit_test(sight: _Sight) -> ResourceFacts:
    node = sight.node
    lines: list[str] = []
    for given in mappings(node.properties.get("given")):
        lines += [f"given {said(given.get('input'))}:", *rows_of(given)]
    expected = mapping(node.properties.get("expect"))
    lines += ["expected:", *rows_of(expected)] if expected else []
    about = [
        f"of the model {said(node.properties.get('model'))}",
        *lines_of(node.properties.get("overrides")),
        *_tags(node),
    ]
    return ResourceFacts(
        about=tuple(about), code="\n".join(lines), language="yaml", uses=tuple(sight.uses(node.depends_on))
    )


def _group(sight: _Sight) -> ResourceFacts:
    node = sight.node
    members = [name for name in node.members if not is_generic(sight.project.nodes[name])]
    return ResourceFacts(about=tuple(_owner(node)), uses=tuple(sight.uses(members)))


def _labelled(node: Node) -> list[str]:
    return [f"label: {node.label}"] if node.label else []


def _tags(node: Node) -> list[str]:
    return [f"tags {', '.join(node.tags)}"] if node.tags else []


def _folder(node: Node) -> list[str]:
    folder = PurePosixPath(node.original_file_path).parent.as_posix()
    return [f"folder {folder}"] if folder not in {".", ""} else []


def _owner(node: Node) -> list[str]:
    name = said(mapping(node.properties.get("owner")).get("name"))
    return [f"owner: {name}"] if name and "@" not in name else []


def _tests_of(macro: Node, project: Project) -> Iterator[Node]:
    """The data tests that a macro is the code of."""
    return (node for node in project.nodes.values() if is_generic(node) and macro.unique_id in node.macros)


def _tested(test: Node, sight: _Sight) -> str:
    """What a generic test looks at: `orders.id`. All versions of a model share a test."""
    tested = sight.project.nodes.get(test.attached_node)
    name = f"{tested.source_name}.{tested.name}" if tested and tested.source_name else tested.name if tested else ""
    column = test.test.column if test.test else ""
    return f"{name}.{column}" if column else name


_GATHERERS: Mapping[str, Callable[[_Sight], ResourceFacts]] = {
    "exposure": _exposure,
    "metric": _metric,
    "semantic_model": _semantic_model,
    "saved_query": _saved_query,
    "macro": _macro,
    "function": _function,
    "test": _test,
    "unit_test": _unit_test,
    "group": _group,
}
