"""dbt's node selection over the manifest: the common methods built in, the rest handed to dbt.

Built in: the methods fqn, path, file, tag, source, package, resource_type and config.*; the graph operators `+`, `n+`
and `@`; globs; union by spaces and intersection by commas.
Source: https://docs.getdbt.com/reference/node-selection/syntax
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase

import msgspec

from dbt_describe.errors import SelectionError
from dbt_describe.project.graph import children_by_node
from dbt_describe.project.nodes import Node, Project

_CRITERION = re.compile(
    r"(?P<childrens_parents>@)?(?P<parents>(?P<parents_depth>\d*)\+)?"
    r"((?P<method>[a-z_]+(\.[\w.\-]+)?):)?(?P<value>.*?)"
    r"(?P<children>\+(?P<children_depth>\d*))?"
)
_FILE_SUFFIXES = (".sql", ".py", ".csv")


class UnsupportedSelectorError(Exception):
    """A selector that only dbt itself understands."""


class Selection(msgspec.Struct, frozen=True):
    """unique_ids in the manifest's order; `unmatched` are the criteria that match no node of any package."""

    unique_ids: tuple[str, ...]
    unmatched: tuple[str, ...] = ()


class _Criterion(msgspec.Struct, frozen=True):
    method: str
    argument: str
    value: str
    parents_depth: int | None
    """None: no parents; -1: all."""
    children_depth: int | None
    childrens_parents: bool


def select_nodes(
    project: Project, select: str = "", exclude: str = "", ask_dbt: Callable[[str, str], set[str]] | None = None
) -> Selection:
    """The project's own nodes that a selector matches; all for an empty one.

    `ask_dbt(select, exclude)` is called for selectors that aren't built in.

    Raises:
        SelectionError: the selector matches nothing, or isn't built in and there is no dbt to ask.
    """
    own = [unique_id for unique_id, node in project.nodes.items() if project.is_own(node)]
    try:
        chosen = _union(project.nodes, select) if select.strip() else set(own)
        chosen -= _union(project.nodes, exclude) if exclude.strip() else set()
    except UnsupportedSelectorError as unsupported:
        if ask_dbt is None:
            raise SelectionError(f"The selector `{unsupported}` needs dbt itself, which isn't there.") from unsupported
        chosen = ask_dbt(select, exclude)
    selected = tuple(unique_id for unique_id in own if unique_id in chosen)
    if not selected and (select.strip() or exclude.strip()):
        raise SelectionError(_nothing_matches(project, select, exclude))
    return Selection(selected, _unmatched(project.nodes, f"{select} {exclude}"))


def _unmatched(nodes: Mapping[str, Node], selectors: str) -> tuple[str, ...]:
    """The words that match nothing by themselves; those that only dbt understands are left to dbt."""
    found = []
    for part in dict.fromkeys(selectors.split()):
        try:
            matches = _intersection(nodes, part)
        except UnsupportedSelectorError:
            continue
        if not matches:
            found.append(part)
    return tuple(found)


def _nothing_matches(project: Project, select: str, exclude: str) -> str:
    names = {node.name for node in project.nodes.values() if project.is_own(node)}
    words = [word for word in re.split(r"[\s,]+", select.strip()) if word.strip("+@0123456789") not in names]
    near = [name for word in words for name in difflib.get_close_matches(word.strip("+@0123456789"), names, 3, 0.6)]
    hint = f" Did you mean {' or '.join(f'`{name}`' for name in dict.fromkeys(near))}?" if near else ""
    given = " ".join(
        f"{flag} {value}" for flag, value in (("--select", select), ("--exclude", exclude)) if value.strip()
    )
    return f"The selection criterion `{given}` does not match any enabled nodes of this project.{hint}"


def _union(nodes: Mapping[str, Node], selector: str) -> set[str]:
    return {unique_id for part in selector.split() for unique_id in _intersection(nodes, part)}


def _intersection(nodes: Mapping[str, Node], part: str) -> set[str]:
    return set.intersection(*(_matches(nodes, criterion) for criterion in part.split(",")))


def _matches(nodes: Mapping[str, Node], text: str) -> set[str]:
    criterion = _parse(text)
    matches = _METHODS.get(criterion.method)
    if matches is None:
        raise UnsupportedSelectorError(text)
    found = {unique_id for unique_id, node in nodes.items() if matches(node, criterion)}
    children = children_by_node(nodes)
    parents = {
        unique_id: [parent for parent in node.depends_on if parent in nodes] for unique_id, node in nodes.items()
    }
    if criterion.childrens_parents:
        with_children = _reachable(found, children, -1)
        return _reachable(with_children, parents, -1)
    selected = set(found)
    if criterion.parents_depth is not None:
        selected |= _reachable(found, parents, criterion.parents_depth)
    if criterion.children_depth is not None:
        selected |= _reachable(found, children, criterion.children_depth)
    return selected


def _parse(text: str) -> _Criterion:
    match = _CRITERION.fullmatch(text)
    if match is None or not match["value"]:
        raise SelectionError(f"`{text}` is not a selector of dbt; see dbt's node selection syntax.")
    method, _, argument = (match["method"] or "").partition(".")
    return _Criterion(
        method=method or _default_method(match["value"]),
        argument=argument,
        value=match["value"],
        parents_depth=int(match["parents_depth"] or -1) if match["parents"] else None,
        children_depth=int(match["children_depth"] or -1) if match["children"] else None,
        childrens_parents=bool(match["childrens_parents"]),
    )


def _default_method(value: str) -> str:
    if "/" in value or "\\" in value:
        return "path"
    return "file" if value.lower().endswith(_FILE_SUFFIXES) else "fqn"


def _reachable(start: Iterable[str], neighbours: Mapping[str, list[str]], depth: int) -> set[str]:
    seen = set(start)
    frontier = set(seen)
    while frontier and depth != 0:
        frontier = {neighbour for unique_id in frontier for neighbour in neighbours.get(unique_id, ())} - seen
        seen |= frontier
        depth -= 1
    return seen


def _matches_fqn(node: Node, criterion: _Criterion) -> bool:
    """The name itself, or the leading parts of the fqn, with or without the package; never a source, as in dbt."""
    if node.resource_type == "source":
        return False
    fqn = node.fqn or (node.package_name, node.name)
    value = criterion.value
    if fnmatchcase(fqn[-1], value) or (node.version and value in (f"{node.name}.v{node.version}", node.name)):
        return True
    wanted = value.split(".")
    return any(_starts_with(parts, wanted) for parts in (fqn, fqn[1:]))


def _starts_with(parts: tuple[str, ...], wanted: list[str]) -> bool:
    return len(wanted) <= len(parts) and all(fnmatchcase(part, word) for part, word in zip(parts, wanted, strict=False))


def _matches_path(node: Node, criterion: _Criterion) -> bool:
    wanted = criterion.value.replace("\\", "/").removeprefix("./").rstrip("/")
    paths = [node.original_file_path, node.patch_path.partition("://")[2]]
    for path in filter(None, paths):
        parts = path.split("/")
        above = ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]
        if any(_same_depth_match(prefix, wanted) for prefix in above):
            return True
    return False


def _same_depth_match(path: str, pattern: str) -> bool:
    """A `*` doesn't cross a slash, as in pathlib's glob; `**` does."""
    if "**" in pattern:
        return fnmatchcase(path, pattern.replace("**/", "*"))
    path_parts, pattern_parts = path.split("/"), pattern.split("/")
    return len(path_parts) == len(pattern_parts) and all(map(fnmatchcase, path_parts, pattern_parts))


def _matches_file(node: Node, criterion: _Criterion) -> bool:
    file_name = node.original_file_path.rpartition("/")[2]
    return fnmatchcase(file_name, criterion.value) or fnmatchcase(file_name.rpartition(".")[0], criterion.value)


def _matches_tag(node: Node, criterion: _Criterion) -> bool:
    return any(fnmatchcase(tag, criterion.value) for tag in node.tags)


def _matches_source(node: Node, criterion: _Criterion) -> bool:
    parts = criterion.value.split(".")
    names = {
        1: (node.source_name,),
        2: (node.source_name, node.name),
        3: (node.package_name, node.source_name, node.name),
    }.get(len(parts))
    return node.resource_type == "source" and names is not None and all(map(fnmatchcase, names, parts))


def _matches_package(node: Node, criterion: _Criterion) -> bool:
    if criterion.value == "this":
        raise UnsupportedSelectorError("package:this")
    return fnmatchcase(node.package_name, criterion.value)


def _matches_resource_type(node: Node, criterion: _Criterion) -> bool:
    return node.resource_type == criterion.value


def _matches_config(node: Node, criterion: _Criterion) -> bool:
    found: object = node.config
    for key in criterion.argument.split("."):
        if not isinstance(found, Mapping) or key not in found:
            return False
        found = found[key]
    values = found if isinstance(found, list) else list(found) if isinstance(found, Mapping) else [found]
    return any(fnmatchcase(_as_written(value), criterion.value) for value in values)


def _as_written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_METHODS: dict[str, Callable[[Node, _Criterion], bool]] = {
    "config": _matches_config,
    "file": _matches_file,
    "fqn": _matches_fqn,
    "package": _matches_package,
    "path": _matches_path,
    "resource_type": _matches_resource_type,
    "source": _matches_source,
    "tag": _matches_tag,
}
