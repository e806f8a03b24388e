"""What is put into the tree of a template, so that the sandbox learns of all that takes time or memory."""

from __future__ import annotations

from typing import Any, TypeGuard

import jinja2.nodes
import jinja2.utils
import jinja2.visitor

_REPEATED = (jinja2.nodes.For, jinja2.nodes.Macro, jinja2.nodes.CallBlock, jinja2.nodes.Block)


class Namespace(jinja2.utils.Namespace):
    """Says nothing of what stands in it: that may be other ones, many times over, or itself."""

    def __repr__(self) -> str:
        return "<namespace>"


class Counting(jinja2.visitor.NodeTransformer):
    """Puts `Sandbox.step`, `concat_texts`, `bounded` and `counted` into a template."""

    def visit(self, node: jinja2.nodes.Node, *args: Any, **kwargs: Any) -> jinja2.nodes.Node:
        """The node with what stands in it changed."""
        self.generic_visit(node, *args, **kwargs)
        if isinstance(node, jinja2.nodes.Concat):
            return _call("concat_texts", node.nodes).set_lineno(node.lineno)
        if isinstance(node, jinja2.nodes.Compare):
            node.expr = _call("bounded", [node.expr])
            node.expr.set_lineno(node.lineno)
        if _makes_a_list(node):
            return _call("bounded", [node]).set_lineno(node.lineno)
        if isinstance(node, jinja2.nodes.Getitem) and isinstance(node.arg, jinja2.nodes.Slice):
            return _call("counted", [node]).set_lineno(node.lineno)
        if isinstance(node, _REPEATED):
            characters = sum(len(text.data) for text in node.find_all(jinja2.nodes.TemplateData))
            step = jinja2.nodes.ExprStmt(_call("step", [jinja2.nodes.Const(characters)]))
            node.body.insert(0, step.set_lineno(node.lineno))
        return node


def _call(name: str, arguments: list[jinja2.nodes.Expr]) -> jinja2.nodes.Call:
    return jinja2.nodes.Call(jinja2.nodes.EnvironmentAttribute(name), arguments, [], None, None)


def _makes_a_list(node: jinja2.nodes.Node) -> TypeGuard[jinja2.nodes.Expr]:
    """Whether it is a list, a tuple or a mapping with something in it that other lists may have come from."""
    if isinstance(node, jinja2.nodes.Dict):
        return True
    is_list = isinstance(node, jinja2.nodes.List) or (isinstance(node, jinja2.nodes.Tuple) and node.ctx == "load")
    return is_list and any(not isinstance(one, jinja2.nodes.Const) for one in node.iter_child_nodes())
