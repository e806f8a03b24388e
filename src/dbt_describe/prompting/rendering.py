"""A template's bodies with their variables filled in, and errors that name the file, the line and the variable."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Set

import jinja2
import jinja2.meta
import jinja2.nodes

from dbt_describe.errors import PromptError
from dbt_describe.prompting.sandbox import LimitError, Sandbox
from dbt_describe.prompting.template_files import Body

_ERRORS = (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RecursionError)
_NO_ATTRIBUTE = re.compile(r"has no attribute '(\w+)'")


class Renderer:
    """Renders bodies; each is compiled once."""

    def __init__(self) -> None:
        self._sandbox = Sandbox()
        self._compiled: dict[Body, jinja2.Template] = {}

    def render(self, body: Body, variables: Mapping[str, object]) -> str:
        """The body with the variables filled in.

        Raises:
            PromptError: a syntax error, an unknown variable, or something the sandbox forbids.
        """
        compiled = self.compile(body, variables.keys())
        try:
            self._sandbox.begin()
            return compiled.render(dict(variables)).strip() + "\n"
        except _ERRORS as error:
            line = _line_of(error)
            raise PromptError(f"{body.path}:{body.line + line - 1}: {self._problem(error, body, line)}") from error

    def compile(self, body: Body, known: Set[str]) -> jinja2.Template:
        """The body, made ready once, in which no variable is unknown on whichever way through it.

        Raises:
            PromptError: a syntax error, or a variable that isn't among those that are known.
        """
        try:
            if body not in self._compiled:
                self._compiled[body] = self._checked(body, known)
        except jinja2.TemplateSyntaxError as error:
            raise PromptError(f"{body.path}:{body.line + error.lineno - 1}: {error.message}.") from error
        except (*_ERRORS, MemoryError) as error:
            raise PromptError(f"{body.path}:{body.line}: {self._problem(error, body, 1)}") from error
        return self._compiled[body]

    def _checked(self, body: Body, known: Set[str]) -> jinja2.Template:
        tree = self._sandbox.parse(body.source)
        unknown = jinja2.meta.find_undeclared_variables(tree) - known - _asked_for(tree)
        for node in tree.find_all(jinja2.nodes.Name):
            if node.name in unknown:
                close = difflib.get_close_matches(node.name, known, 1)
                hint = f" Did you mean {close[0]}?" if close else ""
                raise PromptError(
                    f"{body.path}:{body.line + node.lineno - 1}: {node.name!r} is undefined.{hint} "
                    f"Known variables: {', '.join(sorted(known))}."
                )
        return self._sandbox.from_string(body.source)

    def _problem(self, error: BaseException, body: Body, line: int) -> str:
        """What went wrong, in a sentence."""
        if isinstance(error, LimitError):
            return f"it takes too much: {error}."
        if isinstance(error, RecursionError):
            return "macros, loops or brackets stand inside of each other too deep."
        found = _NO_ATTRIBUTE.search(str(error)) if isinstance(error, jinja2.UndefinedError) else None
        if not found:
            return f"{str(error).rstrip('.')}."
        parts = self._sandbox.parse(body.source).find_all(jinja2.nodes.Getattr)
        whole = (_dotted(part) for part in parts if part.attr == found[1] and part.lineno == line)
        return f"{next(whole, found[1])!r} is undefined."


def _asked_for(tree: jinja2.nodes.Template) -> set[str]:
    """Variables that the template itself looks for, by `is defined` or `default`: they needn't be there."""
    tests = (test.node for test in tree.find_all(jinja2.nodes.Test) if test.name in {"defined", "undefined"})
    filters = (one.node for one in tree.find_all(jinja2.nodes.Filter) if one.name in {"default", "d"})
    return {node.name for node in (*tests, *filters) if isinstance(node, jinja2.nodes.Name)}


def _dotted(node: jinja2.nodes.Node) -> str:
    """`words.part`, as it stands in the template."""
    if isinstance(node, jinja2.nodes.Getattr):
        return f"{_dotted(node.node)}.{node.attr}"
    return node.name if isinstance(node, jinja2.nodes.Name) else "…"


def _line_of(error: BaseException) -> int:
    """The template's line that the error comes from: Jinja puts it into the traceback."""
    line = 1
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
