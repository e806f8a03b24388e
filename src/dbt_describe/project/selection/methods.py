"""dbt's selection methods: what each looks at in a node.

A method is made once for a criterion and then asked of every node, so what can be prepared is.

Source: https://docs.getdbt.com/reference/node-selection/methods (2026-11), and what dbt 1.11 selects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatch

from dbt_describe.errors import SelectionError
from dbt_describe.project.nodes import Node, Project
from dbt_describe.project.selection.criteria import Criterion
from dbt_describe.project.selection.paths import match_path

Matcher = Callable[[Node], bool]

OUTSIDE = frozenset({"macro", "group"})
"""Resource types that aren't in dbt's graph. We let them be chosen by what they are named and where they lie."""
_IN_NODES = frozenset({"model", "seed", "snapshot", "analysis", "test"})
_IN_GRAPH = _IN_NODES | {"source", "exposure", "metric", "unit_test", "semantic_model", "saved_query", "function"}
_NO_NODES = frozenset({"operation", "sql_operation", "rpc", "doc", "fixture"})
"""Further names of resource types that dbt takes, and of which nothing can be described."""
_GLOB_SIGNS = frozenset("*?[]")


def matcher_of(criterion: Criterion, project: Project) -> Matcher:
    """Whether a node has what a criterion asks for.

    Raises:
        SelectionError: the value is none that the method takes.
    """
    resource_types, make = _METHODS[criterion.method]
    matches = make(criterion, project)
    return lambda node: node.resource_type in resource_types and matches(node)


def _fqn(criterion: Criterion, project: Project) -> Matcher:
    """The name itself, or the leading parts of the fqn, with or without the package."""
    value = criterion.text
    wanted = value.split(".")
    glob_begins = next((place for place, part in enumerate(wanted) if _GLOB_SIGNS & set(part)), None)
    literal = wanted if glob_begins is None else wanted[:glob_begins]
    pattern = "" if glob_begins is None else ".".join(wanted[glob_begins:])

    def matches_parts(fqn: tuple[str, ...], leaf: str) -> bool:
        flat = [part for segment in fqn for part in segment.split(".")]
        if len(flat) < len(wanted) or flat[: len(literal)] != literal:
            return False
        if not pattern:
            return True
        # A glob stands for all that follows, and without a dot for the name alone too.
        return fnmatch(".".join(flat[len(literal) :]), pattern) or ("." not in value and fnmatch(leaf, value))

    def matches(node: Node) -> bool:
        fqn = node.fqn or (node.package_name, node.name)
        is_versioned = bool(node.version) and node.resource_type == "model" and len(fqn) > 1
        leaf = fqn[-2] if is_versioned else fqn[-1]
        if value == leaf or (is_versioned and "_".join(wanted[-2:]) == "_".join(fqn[-2:])):
            return True
        return matches_parts(fqn, leaf) or matches_parts(fqn[1:], leaf)

    return matches


def _file(criterion: Criterion, project: Project) -> Matcher:
    def matches(node: Node) -> bool:
        name = node.original_file_path.rpartition("/")[2]
        stem = name.rpartition(".")[0] or name
        return fnmatch(name, criterion.text) or fnmatch(stem, criterion.text)

    return matches


def _tag(criterion: Criterion, project: Project) -> Matcher:
    return lambda node: any(fnmatch(tag, criterion.text) for tag in node.tags)


def _group(criterion: Criterion, project: Project) -> Matcher:
    return lambda node: isinstance(group := node.config.get("group"), str) and fnmatch(group, criterion.text)


def _access(criterion: Criterion, project: Project) -> Matcher:
    return lambda node: node.access == criterion.text


def _package(criterion: Criterion, project: Project) -> Matcher:
    wanted = project.name if criterion.text == "this" else criterion.text
    return lambda node: fnmatch(node.package_name, wanted)


def _resource_type(criterion: Criterion, project: Project) -> Matcher:
    if criterion.text not in _IN_GRAPH | OUTSIDE | _NO_NODES:
        raise SelectionError(
            f'Invalid resource_type selector "{criterion.text}"; there are {", ".join(sorted(_IN_GRAPH | OUTSIDE))}.'
        )
    return lambda node: node.resource_type == criterion.text


def _source(criterion: Criterion, project: Project) -> Matcher:
    parts = _parts(criterion, "source", "source", "source.table", "package.source.table")
    package, source, table = {
        1: ("*", *parts, "*"),
        2: ("*", *parts),
        3: tuple(parts),
    }[len(parts)]
    return lambda node: (
        fnmatch(node.package_name, package) and fnmatch(node.source_name, source) and fnmatch(node.name, table)
    )


def _named(criterion: Criterion, project: Project) -> Matcher:
    """A node of the method's own resource type: `name` or `package.name`."""
    parts = _parts(criterion, criterion.method.replace("_", " "), "name", "package.name")
    package, name = parts if len(parts) == 2 else ("*", parts[0])
    return lambda node: fnmatch(node.package_name, package) and fnmatch(node.name, name)


def _parts(criterion: Criterion, kind: str, *forms: str) -> list[str]:
    parts = criterion.text.split(".")
    if len(parts) > len(forms):
        raise SelectionError(f'Invalid {kind} selector value "{criterion.text}": write {" or ".join(forms)}.')
    return parts


def _test_name(criterion: Criterion, project: Project) -> Matcher:
    def matches(node: Node) -> bool:
        if node.resource_type == "unit_test":
            return fnmatch(node.name, criterion.text)
        return node.test is not None and fnmatch(node.test.name.rpartition(".")[2], criterion.text)

    return matches


def _test_type(criterion: Criterion, project: Project) -> Matcher:
    kinds = {
        "generic": {"generic"},
        "schema": {"generic"},  # as dbt named them once
        "data": {"generic", "singular"},
        "singular": {"singular"},
        "unit": {"unit"},
    }.get(criterion.text)
    if kinds is None:
        raise SelectionError(
            f'Invalid test type selector {criterion.text}: expected "generic", "singular", "unit", or "data".'
        )
    return lambda node: (
        ("unit" if node.resource_type == "unit_test" else "generic" if node.test else "singular") in kinds
    )


def _version(criterion: Criterion, project: Project) -> Matcher:
    tests: dict[str, Matcher] = {
        "latest": lambda node: bool(node.version) and node.version == node.latest_version,
        "prerelease": lambda node: _is_older(node.latest_version, node.version),
        "old": lambda node: _is_older(node.version, node.latest_version),
        "none": lambda node: not node.version,
    }
    if criterion.text not in tests:
        raise SelectionError(
            f"Invalid version type selector {criterion.text}: "
            'expected one of: "latest", "prerelease", "old", or "none".'
        )
    return tests[criterion.text]


def _is_older(version: str, other: str) -> bool:
    """Versions are numbers, or else texts, for dbt."""
    if not version or not other:
        return False
    try:
        return float(version) < float(other)
    except ValueError:
        return version < other


def _config(criterion: Criterion, project: Project) -> Matcher:
    """A config's value, or one of its values where it is a list; without globs, as in dbt."""
    wanted = criterion.value
    if criterion.arguments == ("severity",):
        return lambda node: str(node.config.get("severity", "")).upper() == str(wanted).upper()
    truth = {"true": True, "false": False}.get(str(wanted).lower())

    def matches(node: Node) -> bool:
        found: object = node.config
        for key in criterion.arguments:
            if not isinstance(found, Mapping) or key not in found:
                return False
            found = found[key]
        values = found if isinstance(found, list) else [found]
        return any(value == wanted or (truth is not None and value is truth) for value in values)

    return matches


_METHODS: Mapping[str, tuple[frozenset[str], Callable[[Criterion, Project], Matcher]]] = {
    "access": (frozenset({"model"}), _access),
    "config": (_IN_NODES | {"source"}, _config),
    "exposure": (frozenset({"exposure"}), _named),
    "file": (_IN_GRAPH | OUTSIDE, _file),
    "fqn": ((_IN_GRAPH | OUTSIDE) - {"source"}, _fqn),
    "group": (_IN_NODES | {"metric"}, _group),
    "metric": (frozenset({"metric"}), _named),
    "package": (_IN_GRAPH | OUTSIDE, _package),
    "path": (_IN_GRAPH | OUTSIDE, match_path),
    "resource_type": (_IN_GRAPH | OUTSIDE, _resource_type),
    "saved_query": (frozenset({"saved_query"}), _named),
    "semantic_model": (frozenset({"semantic_model"}), _named),
    "source": (frozenset({"source"}), _source),
    "tag": (_IN_GRAPH - {"semantic_model"}, _tag),
    "test_name": (frozenset({"test", "unit_test"}), _test_name),
    "test_type": (frozenset({"test", "unit_test"}), _test_type),
    "unit_test": (frozenset({"unit_test"}), _named),
    "version": (frozenset({"model"}), _version),
}
"""By method: the resource types that it looks at, and what makes the rest of it."""
