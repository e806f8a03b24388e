"""Where dbt-osmosis would put a node's schema file, in projects that say so.

    models:
      shop:
        +dbt-osmosis: "_{model}.yml"                 of a model's or seed's configuration, or below its `meta`
    vars:
      dbt-osmosis:
        models: {staging: "_stg_{parent}.yml"}       by the folders of the node's name, the deepest first
        seeds: "_seeds.yml"                          or by folder, as with models
      dbt_osmosis_default_path: "schema.yml"         for all others

Its `sources` don't matter here: a source's descriptions belong in the file that declares it.

Source: dbt-osmosis 1.5.0, core/path_management.py and core/introspection.py, 2026-11. It fills templates with
`str.format`, which reaches any attribute; here only what `_FIELDS` names can be reached.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from dbt_describe.errors import SchemaFileError
from dbt_describe.project.nodes import Node, Project
from dbt_describe.schema_files.paths import directory_of, with_suffix
from dbt_describe.schema_files.templates import fill_template

_KEYS = ("dbt-osmosis", "dbt_osmosis")
_ROUTED_BY_VARS = frozenset({"model", "seed"})
_FIELDS: Mapping[str, Callable[[Node], object]] = {
    "name": lambda node: node.name,
    "unique_id": lambda node: node.unique_id,
    "resource_type": lambda node: node.resource_type,
    "package_name": lambda node: node.package_name,
    "database": lambda node: node.database,
    "schema": lambda node: node.schema,
    "alias": lambda node: node.alias,
    "language": lambda node: node.language,
    "version": lambda node: node.version,
    "fqn": lambda node: node.fqn,
    "tags": lambda node: node.tags,
    "config": lambda node: node.config,
    "meta": lambda node: node.config.get("meta"),
}
_REFERENCE = re.compile(r"node\.(?P<field>\w+)(?P<steps>(?:\[[^\[\]]+\]|\.\w+)*)")
_STEP = re.compile(r"\[([^\[\]]+)\]|\.(\w+)")


def find_route(node: Node, project: Project) -> str:
    """The template for the node's schema file, or empty where the project has none."""
    for settings in (node.config, node.config.get("meta")):
        configured = _configured(settings)
        if configured:
            # What isn't a text isn't used, nor is what stands behind it.
            return configured if isinstance(configured, str) else _by_vars(node, project)
    return _by_vars(node, project)


def fill_route(template: str, node: Node, project: Project) -> PurePosixPath:
    """Where the template leads for the node, from the project's root.

    A leading slash stands for the first model path; else the template starts from the node's own directory.

    Raises:
        SchemaFileError: the template can't be filled in for this node; the message goes on from its name.
    """
    directory = directory_of(node)

    def value_of(placeholder: str) -> str:
        if placeholder == "parent":
            return directory.name or project.root.absolute().name
        known = {"model": node.name, "schema": node.schema}
        return known[placeholder] if placeholder in known else _field(placeholder, node)

    path = with_suffix(fill_template(template, value_of))
    if path.startswith("/"):
        return PurePosixPath(project.model_path, path[1:])
    return directory / path


def _configured(settings: object) -> object:
    """The first of both keys that is there, whatever it says."""
    found = settings if isinstance(settings, Mapping) else {}
    return next((found[key] for key in _KEYS if key in found), None)


def _by_vars(node: Node, project: Project) -> str:
    if node.resource_type not in _ROUTED_BY_VARS:
        return ""
    settings = _configured(project.vars)
    routes = settings.get(f"{node.resource_type}s") if isinstance(settings, Mapping) else None
    if isinstance(routes, str) and node.resource_type == "seed":
        return routes
    folders = node.fqn[1:-1]
    keys = (".".join(folders[:depth]) for depth in range(len(folders), 0, -1))
    by_folder = routes if isinstance(routes, Mapping) else {}
    found = next((route for key in keys if isinstance(route := by_folder.get(key), str)), "")
    default = project.vars.get("dbt_osmosis_default_path")
    return found or (default if isinstance(default, str) else "")


def _field(placeholder: str, node: Node) -> str:
    """What `node.fqn[1]` or `node.config[materialized]` stands for."""
    reference = _REFERENCE.fullmatch(placeholder)
    if reference is None or reference["field"] not in _FIELDS:
        raise SchemaFileError(
            f"has the placeholder `{placeholder}`; there are model, parent, schema and node. with {', '.join(_FIELDS)}"
        )
    value = _FIELDS[reference["field"]](node)
    for index, name in _STEP.findall(reference["steps"]):
        value = _inner(value, index or name)
    if value is None or isinstance(value, (Mapping, tuple, list)):
        raise SchemaFileError(f"has the placeholder `{placeholder}`, which stands for nothing here")
    return str(value)


def _inner(value: object, key: str) -> object:
    """One step into a list, by its number, or into a mapping; None where there is nothing."""
    if isinstance(value, (tuple, list)):
        return value[int(key)] if key.isascii() and key.isdigit() and int(key) < len(value) else None
    return value.get(key) if isinstance(value, Mapping) else None
