"""One spelling for what SQL can say in several: brackets that do nothing, named windows, the words of a frame."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

_WHOLE = (
    exp.Column, exp.Literal, exp.Null, exp.Boolean, exp.Case, exp.Cast, exp.Coalesce, exp.Anonymous, exp.AggFunc,
    exp.Window, exp.If, exp.Abs, exp.Round, exp.Lower, exp.Upper, exp.Trim,
)  # fmt: skip
"""What operators around it can't bind into."""
_TAKING_APART = (exp.Func, exp.Binary, exp.Unary, exp.Between, exp.In, exp.Alias, exp.Window, exp.Where, exp.Having)
"""Around which brackets do nothing but hold together; elsewhere they may mean a row, or no position: GROUP BY (1)."""
_LISTING = (exp.AggFunc, exp.Coalesce, exp.Anonymous, exp.If, exp.Case, exp.Round, exp.Abs)
"""Whose arguments commas or words set apart."""
_DEFINED = ("partition_by", "order", "spec")


def made_plain(nodes: list[exp.Expr]) -> bool:
    """Spell the nodes of a query, level by level, in one way; returns whether there are other nodes now."""
    is_other = False
    # The innermost brackets first.
    for node in reversed(nodes):
        if isinstance(node, exp.WindowSpec):
            for name, word in node.args.items():
                if isinstance(word, str):
                    node.set(name, word.upper())
        elif isinstance(node, exp.Paren) and _does_nothing(node):
            node.replace(node.this)
            is_other = True
    for node in nodes:
        if isinstance(node, exp.Select) and node.args.get("windows"):
            _write_out_windows(node)
            is_other = True
    return is_other


def _does_nothing(brackets: exp.Paren) -> bool:
    inner, around = brackets.this, brackets.parent
    if isinstance(inner, exp.Query) or isinstance(around, exp.Dot):
        return False
    if isinstance(around, _LISTING):
        return True
    if isinstance(around, (exp.Group, exp.Ordered)):
        return isinstance(inner, exp.Column)
    return isinstance(inner, _WHOLE) and isinstance(around, _TAKING_APART)


def _write_out_windows(select: exp.Select) -> None:
    """`OVER w … WINDOW w AS (…)` as `OVER (…)`."""
    named = {window.name.lower(): window for window in select.args["windows"]}
    for window in list(select.find_all(exp.Window)):
        if window.args.get("alias") is not None and window.find_ancestor(exp.Select) is select:
            _complete(window, named)
    select.set("windows", None)


def _complete(window: exp.Window, named: Mapping[str, exp.Window]) -> None:
    """Put what the windows that it names say where it says nothing of its own."""
    seen: set[str] = set()
    name = window.alias.lower()
    window.set("alias", None)
    while name in named and name not in seen:
        seen.add(name)
        for part in _DEFINED:
            found = named[name].args.get(part)
            if found and not window.args.get(part):
                window.set(part, [each.copy() for each in found] if isinstance(found, list) else found.copy())
        name = named[name].alias.lower()
