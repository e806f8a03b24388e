"""What is said of a selector that matches nothing."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping

from dbt_describe.project.nodes import Node, Project
from dbt_describe.project.selection.criteria import parse_criterion
from dbt_describe.project.selection.selectors import Selectors

_NEAREST = 3
_CLOSE = 0.6
"""From 0 to 1, as `difflib` measures it."""


def matches_nothing(written: str) -> str:
    """dbt's own sentence."""
    return f"The selection criterion '{written}' does not match any enabled nodes"


def word_matches_nothing(project: Project, word: str) -> str:
    """The same of one word of a selection, with what may have been meant."""
    return f"{matches_nothing(word)}.{_suggestion([word], project)}"


def nothing_matches(project: Project, selectors: Selectors, unmatched: Iterable[str], by_default: str) -> str:
    """What is wrong where none of the project's own nodes is selected, and what may have been meant."""
    name = selectors.selector or by_default
    if name:
        which = (
            f"the selector '{name}' of selectors.yml" if selectors.selector else f"selectors.yml's default, '{name}'"
        )
        return f"Nothing is selected: {which} does not match any enabled nodes of this project."
    words = [word for word in selectors.select.split() if word in set(unmatched)]
    if words:
        return ". ".join(map(matches_nothing, words)) + "." + _suggestion(words, project)
    given = " ".join(
        f"{flag} {value}"
        for flag, value in (("--select", selectors.select), ("--exclude", selectors.exclude))
        if value.strip()
    )
    return f"{matches_nothing(given)} of this project."


def _suggestion(words: Iterable[str], project: Project) -> str:
    """` Did you mean …?` with the nearest values to those of the words' criteria, or nothing."""
    own = [node for node in project.nodes.values() if project.is_own(node)]
    near = [name for word in words for text in word.split(",") for name in _nearest(text, own)]
    return f" Did you mean {' or '.join(f'`{name}`' for name in dict.fromkeys(near))}?" if near else ""


def _nearest(text: str, own: Iterable[Node]) -> list[str]:
    criterion = parse_criterion(text)
    values = sorted({value for node in own for value in _VALUES.get(criterion.method, _names)(node)})
    if criterion.text in values:
        return []
    prefix = text[: text.find(":") + 1].lstrip("@+0123456789") if ":" in text else ""
    return [f"{prefix}{value}" for value in difflib.get_close_matches(criterion.text, values, _NEAREST, _CLOSE)]


def _names(node: Node) -> list[str]:
    return [node.name]


def _paths(node: Node) -> list[str]:
    parts = node.original_file_path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _named(resource_type: str) -> Callable[[Node], list[str]]:
    return lambda node: [node.name] if node.resource_type == resource_type else []


_VALUES: Mapping[str, Callable[[Node], list[str]]] = {
    "config": lambda node: [],
    "exposure": _named("exposure"),
    "file": lambda node: [node.original_file_path.rpartition("/")[2]],
    "group": lambda node: [node.group] if node.group else [],
    "metric": _named("metric"),
    "package": lambda node: [node.package_name],
    "path": _paths,
    "saved_query": _named("saved_query"),
    "semantic_model": _named("semantic_model"),
    "source": lambda node: [node.source_name, f"{node.source_name}.{node.name}"] if node.source_name else [],
    "state": lambda node: [],
    "tag": lambda node: list(node.tags),
    "test_name": lambda node: [node.test.name.rpartition(".")[2]] if node.test else [],
    "unit_test": _named("unit_test"),
}
"""By method, the values that would match a node; by its name else."""
