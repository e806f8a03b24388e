"""What a template says of its variables' parts, `output.column_words`, and which of them there are not."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Set

import jinja2.nodes
import msgspec

from dbt_describe.prompting.sandbox import METHODS


class Unknown(msgspec.Struct, frozen=True):
    """A part that isn't there: where in the body, and what to say of it."""

    line: int
    text: str


def unknown_parts(tree: jinja2.nodes.Template, known: Mapping[str, Set[str] | None]) -> Iterator[Unknown]:
    """Parts of the known variables that they don't have; what is below None is a text or a number.

    What the template itself calls so is passed over, and what it asks for, by `is defined` or `default`.
    """
    own = {node.name for node in tree.find_all(jinja2.nodes.Name) if node.ctx != "load"}
    asked_for = {dotted(node) for node in optional(tree)}
    found = itertools.chain(tree.find_all(jinja2.nodes.Getattr), tree.find_all(jinja2.nodes.Getitem))
    for node in sorted(found, key=lambda one: one.lineno):
        name, part = _parts(node)
        if part is None or name in own or name not in known or f"{name}.{part}" in asked_for:
            continue
        keys = known[name]
        methods = METHODS[str] if keys is None else METHODS[dict]
        if part not in methods and part not in (keys or ()):
            yield Unknown(node.lineno, f"{f'{name}.{part}'!r} is undefined.{_instead(name, part, keys)}".rstrip("."))


def optional(tree: jinja2.nodes.Template) -> Iterator[jinja2.nodes.Expr]:
    """What the template itself looks for, by `is defined` or `default`: it needn't be there."""
    yield from (test.node for test in tree.find_all(jinja2.nodes.Test) if test.name in {"defined", "undefined"})
    filters = (one for one in tree.find_all(jinja2.nodes.Filter) if one.name in {"default", "d"})
    yield from (one.node for one in filters if one.node is not None)


def dotted(node: jinja2.nodes.Node) -> str:
    """`words.part`, as it stands in the template."""
    if isinstance(node, jinja2.nodes.Getattr):
        return f"{dotted(node.node)}.{node.attr}"
    if isinstance(node, jinja2.nodes.Getitem) and isinstance(node.arg, jinja2.nodes.Const):
        return f"{dotted(node.node)}.{node.arg.value}"
    return node.name if isinstance(node, jinja2.nodes.Name) else "…"


def did_you_mean(name: str, known: Iterable[str], before: str = "") -> str:
    """A hint at the known name that is nearest, if one is near."""
    close = difflib.get_close_matches(name, known, 1)
    return f" Did you mean {before}{close[0]}?" if close else ""


def _parts(node: jinja2.nodes.Expr) -> tuple[str, str | None]:
    """The variable and its part; None where that isn't a name that stands there."""
    if not isinstance(node, (jinja2.nodes.Getattr, jinja2.nodes.Getitem)) or not isinstance(
        node.node, jinja2.nodes.Name
    ):
        return "", None
    if isinstance(node, jinja2.nodes.Getattr):
        return node.node.name, node.attr
    key = node.arg.value if isinstance(node.arg, jinja2.nodes.Const) else None
    return node.node.name, key if isinstance(key, str) else None


def _instead(name: str, part: str, keys: Set[str] | None) -> str:
    if keys is None:
        return f" {name} is one value, with no parts"
    known = f" Known: {', '.join(sorted(f'{name}.{key}' for key in keys))}" if keys else f" {name} has no parts here"
    return did_you_mean(part, keys, f"{name}.") + known
