"""Jinja for templates of people whom nobody knows: no way out of it, no unknown variable, and an end to all work.

Jinja's own sandbox keeps a template from the process it runs in, not from taking its time and memory: a loop of 10^9
rounds is as good to it as one of ten. Here every round of a loop and every call of a macro is a step, every text that
is made is counted, and both have a limit. What could make a huge value in a single step isn't there: of the filters and
of the methods of texts only those are known that a prompt has use for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, TypeVar

import jinja2
import jinja2.filters
import jinja2.nodes
import jinja2.runtime
import jinja2.sandbox
import jinja2.utils
import jinja2.visitor
import msgspec

MOST_INTEGER_BITS = 256
WIDEST_INDENT = 100
MOST_PARTS = 100_000
"""Of lists, with all that stands in them."""
_OTHER_CHARACTERS = 10  # of a number or a truth value, about
_METHODS: Mapping[type, frozenset[str]] = {
    str: frozenset(
        {"capitalize", "count", "endswith", "find", "isdigit", "isupper", "lower", "lstrip", "removeprefix"}
        | {"removesuffix", "rstrip", "split", "splitlines", "startswith", "strip", "title", "upper"}
    ),
    dict: frozenset({"get", "items", "keys", "values"}),
    list: frozenset({"count", "index"}),
    tuple: frozenset({"count", "index"}),
    jinja2.runtime.LoopContext: frozenset({"changed", "cycle"}),
}
_PLAIN_FILTERS = frozenset(
    {"abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "int", "items", "last", "length"}
    | {"list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "select", "selectattr", "sort"}
    | {"string", "title", "trim", "truncate", "unique", "upper", "wordcount"}
)
"""What they give is hardly longer than what they get. `replace`, `join` and `indent` are here, too, but look first."""
_Filter = TypeVar("_Filter", bound=Callable[..., Any])


class Limits(msgspec.Struct, frozen=True):
    """How much one rendering may do."""

    steps: int = 20_000
    """Rounds of loops and calls of macros, all together."""
    text_characters: int = 4_000_000
    """Of a single text; the prompt is one."""
    characters: int = 40_000_000
    """Of all texts that are made on the way."""
    time_s: float = 5.0
    """Of the processor: a machine that is busy with something else, or asleep, makes no template slow."""


class LimitError(jinja2.TemplateRuntimeError):
    """A template takes too much."""


class Sandbox(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """Renders plain text: prompts are no HTML, escaping would change the SQL."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, limits: Limits = Limits(), clock: Callable[[], float] = time.thread_time) -> None:  # noqa: B008 - frozen
        super().__init__(
            undefined=jinja2.StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=self._shown,
        )
        guarded: dict[str, Callable[..., Any]] = {"replace": self._replace, "join": self._join, "indent": self._indent}
        plain = {name: self._watched(jinja2.filters.FILTERS[name]) for name in sorted(_PLAIN_FILTERS)}
        self.filters = plain | guarded
        self.globals = {"range": self._range, "namespace": jinja2.utils.Namespace, "dict": dict}
        self._limits = limits
        self._clock = clock
        self._steps = 0
        self._characters = 0
        self._ends_at_s = 0.0
        self.begin()

    def begin(self) -> None:
        """Count anew: a rendering begins."""
        self._steps = self._characters = 0
        self._ends_at_s = self._clock() + self._limits.time_s

    def step(self, characters: int) -> str:
        """Count a round of a loop or a call of a macro, whose body has so many characters of its own.

        Raises:
            LimitError: that is too much.
        """
        self._steps += 1
        if self._steps > self._limits.steps:
            raise LimitError(f"more than {self._limits.steps:,} rounds of loops and calls of macros")
        self._spend(characters)
        return ""

    def concat_texts(self, *parts: object) -> str:
        """What `~` does."""
        self._allow(sum(map(self._size, parts)))
        return "".join(map(str, parts))

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Whether a template may see it: methods only of those that are known to be quick."""
        if not super().is_safe_attribute(obj, attr, value):
            return False
        if not callable(value):
            return True
        return any(isinstance(obj, kind) and attr in names for kind, names in _METHODS.items())

    def wrap_str_format(self, value: Any) -> None:
        """No `format` of texts, which could make a huge one."""

    def call_binop(self, context: jinja2.runtime.Context, operator: str, left: Any, right: Any) -> Any:
        """The result of an operation, which mustn't be huge."""
        sequences = [side for side in (left, right) if isinstance(side, (str, list, tuple))]
        if operator == "%" and sequences:
            raise LimitError("% of a text isn't possible here; put texts together with ~")
        if operator == "+" and sequences:
            self._allow(sum(map(len, sequences)))
        if operator == "*":
            self._allow_product(left, right)
        if operator == "**" and isinstance(left, int) and isinstance(right, int):
            self._allow_bits(left.bit_length() * abs(right))
        self._spend(0)
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: jinja2.runtime.Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as in Jinja: the template's keywords may be `self` and `obj`
        """The result of a call, counted if it is a text."""
        result = super().call(__context, __obj, *args, **kwargs)
        __self._spend(len(result) if isinstance(result, (str, list)) else 0)
        return result

    def _parse(self, source: str, name: str | None, filename: str | None) -> jinja2.nodes.Template:
        """The template's tree, with a step in each loop and macro, and a `~` that counts."""
        tree = super()._parse(source, name, filename)
        _Counting().visit(tree)
        tree.set_environment(self)
        return tree

    def _spend(self, characters: int) -> None:
        self._characters += characters
        if self._characters > self._limits.characters:
            raise LimitError(f"more than {self._limits.characters:,} characters of texts made on the way")
        if self._clock() > self._ends_at_s:
            raise LimitError(f"more than {self._limits.time_s:g} s of work")

    def _allow(self, characters: int) -> None:
        """Count a text of so many characters that is about to be made."""
        if characters > self._limits.text_characters:
            raise LimitError(f"a text of more than {self._limits.text_characters:,} characters")
        self._spend(characters)

    def _allow_product(self, left: object, right: object) -> None:
        if isinstance(left, int) and isinstance(right, int):
            self._allow_bits(left.bit_length() + right.bit_length())
        for sequence, times in ((left, right), (right, left)):
            if isinstance(sequence, (str, list, tuple)) and isinstance(times, int):
                self._allow(len(sequence) * max(times, 0))

    @staticmethod
    def _allow_bits(bits: int) -> None:
        if bits > MOST_INTEGER_BITS:
            raise LimitError(f"a number of more than {MOST_INTEGER_BITS} bits")

    @staticmethod
    def _size(value: object) -> int:
        """Characters of the value as text, about; lists may stand in each other many times over."""
        total, parts, left = 0, 0, [value]
        while left:
            parts += 1
            if parts > MOST_PARTS:
                raise LimitError(f"a list of more than {MOST_PARTS:,} parts")
            part = left.pop()
            if isinstance(part, str):
                total += len(part)
            elif isinstance(part, (list, tuple)):
                left += part[: MOST_PARTS + 1]
            elif isinstance(part, Mapping):
                left += [one for pair in part.items() for one in pair]
            else:
                total += _OTHER_CHARACTERS
        return total

    def _shown(self, value: Any) -> Any:
        """What `{{ … }}` puts into the prompt."""
        self._allow(self._size(value))
        return value

    def _watched(self, plain: _Filter) -> _Filter:
        """The filter, with what it gives counted."""

        @wraps(plain)
        def watched(*args: Any, **kwargs: Any) -> Any:
            self._allow(sum(self._size(value) for value in args if isinstance(value, (str, list, tuple, dict))))
            return plain(*args, **kwargs)

        return watched  # type: ignore[return-value]  # the same signature: `wraps` says so to Jinja, too

    def _replace(self, text: str, old: str, new: str, count: int | None = None) -> str:
        most = str(text).count(str(old)) if count is None else min(count, str(text).count(str(old)))
        self._allow(len(str(text)) + max(most, 0) * len(str(new)))
        return str(text).replace(str(old), str(new), -1 if count is None else count)

    def _join(self, values: Iterable[object], separator: str = "", attribute: str | int | None = None) -> str:
        if attribute is not None:
            values = map(jinja2.filters.make_attrgetter(self, attribute), values)
        parts = list(values)
        self._allow(self._size(parts) + len(parts) * len(str(separator)))
        return str(separator).join(map(str, parts))

    def _indent(self, text: str, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
        wide = len(width) if isinstance(width, str) else width
        if wide > WIDEST_INDENT:
            raise LimitError(f"an indent of more than {WIDEST_INDENT} characters")
        self._allow(len(str(text)) + wide * (str(text).count("\n") + 1))
        return jinja2.filters.do_indent(str(text), width, first, blank)

    def _range(self, *args: int) -> range:
        rounds = range(*args)
        if len(rounds) > self._limits.steps:
            raise LimitError(f"a range of more than {self._limits.steps:,}")
        return rounds


class _Counting(jinja2.visitor.NodeTransformer):
    """Puts `Sandbox.step` and `Sandbox.concat_texts` into a template."""

    def visit(self, node: jinja2.nodes.Node, *args: Any, **kwargs: Any) -> jinja2.nodes.Node:
        """The node with what stands in it changed."""
        self.generic_visit(node, *args, **kwargs)
        if isinstance(node, jinja2.nodes.Concat):
            return _call("concat_texts", node.nodes).set_lineno(node.lineno)
        if isinstance(node, (jinja2.nodes.For, jinja2.nodes.Macro, jinja2.nodes.CallBlock)):
            characters = sum(len(text.data) for text in node.find_all(jinja2.nodes.TemplateData))
            step = jinja2.nodes.ExprStmt(_call("step", [jinja2.nodes.Const(characters)]))
            node.body.insert(0, step.set_lineno(node.lineno))
        return node


def _call(name: str, arguments: list[jinja2.nodes.Expr]) -> jinja2.nodes.Call:
    return jinja2.nodes.Call(jinja2.nodes.EnvironmentAttribute(name), arguments, [], None, None)
