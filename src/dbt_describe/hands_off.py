"""Which descriptions we keep our hands off: those that `meta` or the settings' `ignore` name.

What stands nearer counts: a column's `meta` before a glob that names the column, then its node's `meta`, then a glob
that names the node. A glob with a slash is a path as in .gitignore; any other is a name:

    stg_legacy*            nodes
    orders._loaded_at      a column of a node
    *._fivetran_*          columns of any node
    raw.orders             a table of a source (or a column `orders` of a node `raw`)
    raw.orders._loaded_at  its column
    model.shop.orders      a unique_id, and model.shop.orders.id its column

Case doesn't count. In a node's name `*` stands for anything but a dot; in a column's for that, too.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache

from dbt_describe.project.graph import TESTS
from dbt_describe.project.ignored import paths_matching
from dbt_describe.project.nodes import Column, Node, Project
from dbt_describe.project.wishes import DESCRIBE, IGNORE, KEY
from dbt_describe.provenance.entries import Place

_WILDCARDS = re.compile(r"\*+|\?|\[!?\]?[^]]*\]")
_FILE_ENDINGS = (".csv", ".md", ".py", ".sql", ".yaml", ".yml")
_NAMED = 3
"""Places that a warning names."""


def places_left_alone(project: Project, globs: Sequence[str] = ()) -> tuple[frozenset[Place], tuple[str, ...]]:
    """What nothing is said, written or asked of, and what a person should know of it, one sentence each.

    A node that is left alone covers its columns and what tests it, unless those say otherwise. Only the project's own
    nodes are looked at: nothing is ever written to others.
    """
    nodes = {node.unique_id: node for node in project.nodes.values() if project.is_own(node)}
    named, columns, warnings = _find_named(nodes, globs)
    left: set[Place] = set()
    unclear: dict[str, list[str]] = defaultdict(list)
    for unique_id, node in nodes.items():
        is_left = _is_left(node, "", unclear, by_default=unique_id in named)
        if is_left:
            left.add((unique_id, ""))
        named_here = columns.get(unique_id, ())
        for column in node.columns:
            if not (is_left or named_here or column.wish):
                continue
            name = column.name.lower()
            if _is_left(column, unique_id, unclear, by_default=is_left or name in named_here):
                left.add((unique_id, name))
    left |= set(_tests_of(nodes.values(), left))
    return frozenset(left), (*warnings, *_unclear_warnings(unclear))


def not_left_alone(project: Project, unique_ids: Iterable[str], left_alone: Collection[Place]) -> list[str]:
    """Those of the nodes of which anything may be described."""
    return [
        name
        for name in unique_ids
        if (name, "") not in left_alone
        or any((name, column.name.lower()) not in left_alone for column in project.nodes[name].columns)
    ]


def _is_left(found: Node | Column, unique_id: str, unclear: dict[str, list[str]], *, by_default: bool) -> bool:
    """What can't be understood was meant to stop us: who wants a description needs no word for it."""
    if found.wish not in ("", IGNORE, DESCRIBE):
        unclear[found.wish].append(f"{unique_id}.{found.name}" if isinstance(found, Column) else found.unique_id)
    return found.wish != DESCRIBE if found.wish else by_default


def _tests_of(nodes: Iterable[Node], left: set[Place]) -> Iterator[Place]:
    """The tests of nodes and columns that are left alone."""
    for node in nodes:
        if node.resource_type in TESTS and node.attached_node and not node.wish:
            column = node.test.column.lower() if node.test else ""
            if (node.attached_node, "") in left or (column and (node.attached_node, column) in left):
                yield node.unique_id, ""


def _unclear_warnings(unclear: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for wish, names in unclear.items():
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        yield (
            f"The meta of {', '.join(names[:_NAMED])}{more} says `{KEY}: {wish}`, which can't be understood: left "
            f"alone. Write `{KEY}: {IGNORE}`, or `{KEY}: {DESCRIBE}`."
        )


def _find_named(
    nodes: Mapping[str, Node], globs: Sequence[str]
) -> tuple[set[str], Mapping[str, set[str]], Sequence[str]]:
    """The nodes that any of the globs names, the columns by node, and a warning for each that names nothing."""
    found: set[str] = set()
    columns: dict[str, set[str]] = defaultdict(set)
    warnings: list[str] = []
    if not globs:
        return found, columns, warnings
    names = _Names(nodes)
    for glob in globs:
        wanted = glob.strip().lower().replace("\\", "/").removeprefix("./")
        here = names.at_paths(wanted) if "/" in wanted else names.named(wanted)
        found |= here
        columns_here = names.columns_named(wanted) if "/" not in wanted else {}
        for unique_id, found_columns in columns_here.items():
            columns[unique_id] |= found_columns
        if not here and not columns_here:
            hint = f" For a file, write `**/{glob.strip()}`." if wanted.endswith(_FILE_ENDINGS) else ""
            warnings.append(f"`ignore` in dbt-describe.yml: `{glob}` matches nothing in this project.{hint}")
    return found, columns, warnings


class _Names:
    """What nodes and columns can be called, in lower case."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._paths: dict[str, list[str]] = defaultdict(list)
        self._keys: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        """By number of dots: nodes by name."""
        self._nodes_by_id = nodes
        for node in nodes.values():
            for path in {node.original_file_path, node.patch_path.partition("://")[2]} - {""}:
                self._paths[path.lower()].append(node.unique_id)
            for key in _keys_of(node):
                self._keys[key.count(".")][key].append(node.unique_id)

    def at_paths(self, pattern: str) -> set[str]:
        """Nodes by the file that they, or their descriptions, are in."""
        matching = paths_matching(pattern, self._paths)
        return {unique_id for path in matching for unique_id in self._paths[path]}

    def named(self, glob: str) -> set[str]:
        """Nodes by their name."""
        parts = glob.split(".")
        # `*.address` means columns; that there are tables of sources called so is another matter.
        is_of_columns = len(parts) == 2 and not parts[0].strip("*")
        return set() if is_of_columns else self._nodes(parts)

    def columns_named(self, glob: str) -> dict[str, set[str]]:
        """Columns by their node's name and theirs."""
        parts = glob.split(".")
        found: dict[str, set[str]] = {}
        for split in range(1, len(parts)):
            is_it = cache(_pattern(".".join(parts[split:]), anything=".").fullmatch)
            for unique_id in self._nodes(parts[:split]):
                names = {column for column in self._columns(unique_id) if is_it(column)}
                if names:
                    found[unique_id] = found.get(unique_id, set()) | names
        return found

    def _nodes(self, parts: Sequence[str]) -> set[str]:
        keys = self._keys.get(len(parts) - 1, {})
        glob = ".".join(parts)
        if not _WILDCARDS.search(glob):
            return set(keys.get(glob, ()))
        is_it = _pattern(glob, anything="[^.]").fullmatch
        return {unique_id for key, unique_ids in keys.items() if is_it(key) for unique_id in unique_ids}

    def _columns(self, unique_id: str) -> Iterable[str]:
        return (column.name.lower() for column in self._nodes_by_id[unique_id].columns)


def _keys_of(node: Node) -> set[str]:
    """A node's name, its unique_id, and both parts of a source's table or of a model's version."""
    keys = [node.name, node.unique_id]
    keys += [f"{node.source_name}.{node.name}"] if node.source_name else []
    keys += [f"{node.name}.v{node.version}"] if node.version else []
    return {key.lower() for key in keys}


def _pattern(glob: str, *, anything: str) -> re.Pattern[str]:
    """A glob's `*`, `?` and `[…]` as a regular expression; `anything` is what the first two stand for."""
    words, end = [], 0
    for found in _WILDCARDS.finditer(glob):
        words.append(re.escape(glob[end : found.start()]))
        end = found.end()
        match found[0][0]:
            case "*":
                words.append(f"{anything}*")
            case "?":
                words.append(anything)
            case _:
                inside = found[0][1:-1].replace("\\", "\\\\").replace("[", "\\[")
                words.append(f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]")
    try:
        return re.compile("".join([*words, re.escape(glob[end:])]))
    except re.error:  # a range that ends before it begins
        return re.compile(re.escape(glob))
