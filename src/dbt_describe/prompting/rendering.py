"""A template's bodies with their variables filled in, and errors that name the file, the line and the variable."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set

import jinja2
import jinja2.meta
import jinja2.nodes

from dbt_describe.errors import PromptError
from dbt_describe.prompting.parts import did_you_mean, dotted, optional, unknown_parts
from dbt_describe.prompting.sandbox import LimitError, Sandbox
from dbt_describe.prompting.template_files import Body

_ERRORS = (
    jinja2.TemplateError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    RecursionError,
    MemoryError,
)
_OTHER_FILES: Mapping[type[jinja2.nodes.Node], str] = {
    jinja2.nodes.Include: "include",
    jinja2.nodes.Import: "import",
    jinja2.nodes.FromImport: "import",
    jinja2.nodes.Extends: "extends",
}
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
            problem = str(error.message).rstrip(".")
            raise PromptError(f"{body.path}:{body.line + error.lineno - 1}: {problem}.") from error
        except (*_ERRORS, SyntaxError) as error:
            # Python's own, of what Jinja makes of it: it can't nest as deep as a template can.
            line = self._deepest_line(body)
            raise PromptError(f"{body.path}:{body.line + line - 1}: {self._problem(error, body, line)}") from error
        return self._compiled[body]

    def check(self, body: Body, known: Mapping[str, Set[str] | None]) -> None:
        """Look for what no variable has on whichever way through the body: the known ones with what stands below each.

        None stands for a text or a number, below which there is nothing.

        Raises:
            PromptError: there is such a thing, or one that `compile` finds.
        """
        self.compile(body, known.keys())
        for problem in unknown_parts(self._sandbox.parse(body.source), known):
            raise PromptError(f"{body.path}:{body.line + problem.line - 1}: {problem.text}.")

    def _checked(self, body: Body, known: Set[str]) -> jinja2.Template:
        tree = self._sandbox.parse(body.source)
        for other in tree.find_all(tuple(_OTHER_FILES)):
            said = f"{{% {_OTHER_FILES[type(other)]} %}}"
            raise jinja2.TemplateSyntaxError(f"{said} isn't allowed here: a body stands alone", other.lineno)
        unknown = jinja2.meta.find_undeclared_variables(tree) - known - _asked_for(tree)
        for node in tree.find_all(jinja2.nodes.Name):
            if node.name in unknown:
                hint = did_you_mean(node.name, known)
                raise PromptError(
                    f"{body.path}:{body.line + node.lineno - 1}: {node.name!r} is undefined.{hint} "
                    f"Known variables: {', '.join(sorted(known))}."
                )
        return self._sandbox.from_string(body.source)

    def _deepest_line(self, body: Body) -> int:
        """The line of the node that the most others are around; the first one where they are too deep for Jinja."""
        try:
            left: list[tuple[int, int, jinja2.nodes.Node]] = [(0, 1, self._sandbox.parse(body.source))]
        except (*_ERRORS, SyntaxError):
            return 1
        deepest = (0, 1)
        while left:
            depth, line, node = left.pop()
            deepest = max(deepest, (depth, line), key=lambda found: found[0])
            left += [(depth + 1, child.lineno or line, child) for child in node.iter_child_nodes()]
        return deepest[1]

    def _problem(self, error: BaseException, body: Body, line: int) -> str:
        """What went wrong, in a sentence."""
        if isinstance(error, LimitError):
            return f"it takes too much: {error}."
        if isinstance(error, (RecursionError, MemoryError, SyntaxError)):
            return "macros, loops or brackets stand inside of each other too deep."
        found = _NO_ATTRIBUTE.search(str(error)) if isinstance(error, jinja2.UndefinedError) else None
        if not found:
            return f"{str(error).rstrip('.')}."
        parts = self._sandbox.parse(body.source).find_all(jinja2.nodes.Getattr)
        whole = (dotted(part) for part in parts if part.attr == found[1] and part.lineno == line)
        return f"{next(whole, found[1])!r} is undefined."


def _asked_for(tree: jinja2.nodes.Template) -> set[str]:
    """Variables that the template itself looks for, by `is defined` or `default`: they needn't be there."""
    return {node.name for node in optional(tree) if isinstance(node, jinja2.nodes.Name)}


def _line_of(error: BaseException) -> int:
    """The template's line that the error comes from: Jinja puts it into the traceback."""
    line = 1
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
