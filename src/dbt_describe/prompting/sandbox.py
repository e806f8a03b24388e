"""Jinja for templates of people whom nobody knows: no way out of it, no unknown variable, and an end to all work.

Jinja's own sandbox keeps a template from the process it runs in, not from taking its time and memory: a loop of 10^9
rounds is as good to it as one of ten. Here every round of a loop and every call of a macro is a step, every text that
is made is counted, and both have a limit. What could make a huge value in a single step isn't there: of the filters and
of the methods of texts only those are known that a prompt has use for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeAlias, TypeVar, cast

import jinja2
import jinja2.filters
import jinja2.nodes
import jinja2.runtime
import jinja2.sandbox
import jinja2.tests
import msgspec

from dbt_describe.prompting.counting import Counting, Namespace

MOST_INTEGER_BITS = 256
WIDEST_INDENT = 100
MOST_PARTS = 100_000
"""Of lists, with all that stands in them, as often as it does."""
MOST_DEPTH = 16
"""Of lists that stand in lists."""
_OTHER_CHARACTERS = 10  # of a number or a truth value, about
METHODS: Mapping[type, frozenset[str]] = {
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
    {"abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "items", "last", "length"}
    | {"list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "select", "selectattr", "sort"}
    | {"string", "title", "trim", "truncate", "unique", "upper", "wordcount"}
)
"""What they give is hardly longer than what they get. `replace`, `join`, `indent` and `int` are here, too,
but look first."""
_SIZED = (str, list, tuple, dict, range)
_Test: TypeAlias = Callable[..., Any]
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

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "**", "%"})

    def __init__(self, limits: Limits = Limits(), clock: Callable[[], float] = time.thread_time) -> None:  # noqa: B008 - frozen
        super().__init__(
            undefined=jinja2.StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=self._shown,
        )
        self.filters = {name: self._watched(jinja2.filters.FILTERS[name]) for name in sorted(_PLAIN_FILTERS)}
        self.filters |= {"replace": self._replace, "join": self._join, "indent": self._indent, "int": self._int}
        self.tests = {name: self._timed(cast("_Test", test)) for name, test in jinja2.tests.TESTS.items()}
        self.globals = {"range": self._range, "namespace": Namespace, "dict": dict}
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

    def bounded(self, value: object) -> object:
        """A value that is made or compared: as an argument of a call, it is looked through (see `call`)."""
        return value

    def counted(self, value: object) -> object:
        """A part of a text or of a list: a copy of its own."""
        self._allow(self._size(value))
        return value

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
        return any(isinstance(obj, kind) and attr in names for kind, names in METHODS.items())

    def wrap_str_format(self, value: Any) -> None:
        """No `format` of texts, which could make a huge one."""

    def call_binop(self, context: jinja2.runtime.Context, operator: str, left: Any, right: Any) -> Any:
        """The result of an operation, which mustn't be huge."""
        sides = (left, right)
        sequences = [side for side in sides if isinstance(side, (str, list, tuple))]
        if operator == "%" and sequences:
            raise LimitError("% of a text isn't possible here; put texts together with ~")
        if operator == "+" and sequences:
            self._allow(self._size(*sequences))
        _allow_bits(max(map(_bits, sides)))
        if operator == "*":
            self._allow_product(left, right)
        if operator == "**" and isinstance(left, int) and isinstance(right, int):
            _allow_bits(left.bit_length() * abs(right))
        self._spend(0)
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: jinja2.runtime.Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as in Jinja: the template's keywords may be `self` and `obj`
        """The result of a call, counted if it is a text."""
        # A macro has them as lists, `varargs` and `kwargs`, that may come to stand in each other.
        __self._measure([args, kwargs])
        result = super().call(__context, __obj, *args, **kwargs)
        __self._spend(len(result) if isinstance(result, (str, list)) else 0)
        return result

    def _parse(self, source: str, name: str | None, filename: str | None) -> jinja2.nodes.Template:
        """The template's tree, with a step in each loop and macro, and a `~` that counts."""
        tree = super()._parse(source, name, filename)
        Counting().visit(tree)
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
            _allow_bits(left.bit_length() + right.bit_length())
        for sequence, times in ((left, right), (right, left)):
            if isinstance(sequence, (str, list, tuple)) and isinstance(times, int):
                parts, characters = self._measure(sequence)
                if not isinstance(sequence, str):
                    _allow_parts(parts * max(times, 0))
                self._allow(max(characters, len(sequence)) * max(times, 0))

    def _size(self, *values: object) -> int:
        """Characters of the values as text, about."""
        return self._measure(values[0] if len(values) == 1 else values)[1]

    def _measure(self, value: object) -> tuple[int, int]:
        """Of how many parts and, as text, of about how many characters it is.

        Lists may stand in each other many times over: to compare, to show and to hash them takes as much as if each
        was another one.

        Raises:
            LimitError: that is too much for a value.
        """
        parts, characters, left = 0, 0, [(value, 0)]
        while left:
            part, depth = left.pop()
            inner, own = _opened(part)
            parts += max(1, len(part)) if isinstance(part, range) else 1
            characters += own
            _allow_parts(parts + len(inner))
            if inner and depth > MOST_DEPTH:
                raise LimitError(f"lists that stand in each other more than {MOST_DEPTH} deep")
            if characters > self._limits.text_characters:
                raise LimitError(f"a value of more than {self._limits.text_characters:,} characters")
            left += [(one, depth + 1) for one in inner]
        self._spend(0)
        return parts, characters

    def _shown(self, value: Any) -> Any:
        """What `{{ … }}` puts into the prompt."""
        self._allow(self._size(value))
        return value

    def _watched(self, plain: _Filter) -> _Filter:
        """The filter, with what it gives counted."""

        @wraps(plain)
        def watched(*args: Any, **kwargs: Any) -> Any:
            self._allow(self._size([one for one in (*args, *kwargs.values()) if isinstance(one, _SIZED)]))
            return plain(*args, **kwargs)

        return watched  # type: ignore[return-value]  # the same signature: `wraps` says so to Jinja, too

    def _timed(self, plain: _Test) -> _Test:
        """The test, with the time looked at: `select` may make it very often."""

        @wraps(plain)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._spend(0)
            return plain(*args, **kwargs)

        return timed

    def _int(self, value: object, default: int = 0, base: int = 10) -> int:
        if isinstance(value, str) and len(value) > MOST_INTEGER_BITS:
            raise LimitError(f"a number of more than {MOST_INTEGER_BITS} characters")
        _allow_bits(_bits(number := jinja2.filters.do_int(value, default, base)))
        return number

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


def _opened(value: object) -> tuple[Sequence[object], int]:
    """What stands in the value, and about how many characters it has beside that."""
    if isinstance(value, str):
        return (), len(value)
    if isinstance(value, (list, tuple)):
        return value[: MOST_PARTS + 1], 0
    if isinstance(value, Mapping):
        return [one for pair in value.items() for one in pair], 0
    return (), _OTHER_CHARACTERS * (len(value) if isinstance(value, range) else 1)


def _allow_parts(parts: int) -> None:
    if parts > MOST_PARTS:
        raise LimitError(f"a list of more than {MOST_PARTS:,} parts")


def _bits(value: object) -> int:
    return value.bit_length() if isinstance(value, int) else 0


def _allow_bits(bits: int) -> None:
    if bits > MOST_INTEGER_BITS:
        raise LimitError(f"a number of more than {MOST_INTEGER_BITS} bits")
