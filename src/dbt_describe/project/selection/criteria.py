"""Selectors as they are written on the command line, into what they ask for.

`a b` is the union, `a,b` the intersection, and `@`, `2+`, `+3` around a criterion ask for its neighbours.

Source: https://docs.getdbt.com/reference/node-selection/syntax (2026-11), and how dbt 1.11 reads it.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from typing import Literal, TypeAlias

import msgspec

from dbt_describe.errors import SelectionError
from dbt_describe.project.graph import ALL

_CRITERION = re.compile(
    r"(?P<childrens_parents>@)?(?P<parents>(?P<parents_depth>\d*)\+)?"
    r"((?P<method>[\w.]+):)?(?P<value>.*?)"
    r"(?P<children>\+(?P<children_depth>\d*))?"
)
_FILE_SUFFIXES = (".sql", ".py", ".csv")
ASKED_OF_DBT = frozenset({"result", "source_status"})
"""Methods that need artifacts which only dbt makes sense of."""
METHODS = frozenset({
    *ASKED_OF_DBT,
    "access",
    "config",
    "exposure",
    "file",
    "fqn",
    "group",
    "metric",
    "package",
    "path",
    "resource_type",
    "saved_query",
    "selector",
    "semantic_model",
    "source",
    "state",
    "tag",
    "test_name",
    "test_type",
    "unit_test",
    "version",
})  # fmt: skip
"""Source: https://docs.getdbt.com/reference/node-selection/methods (2026-11)."""

Indirect: TypeAlias = Literal["eager", "cautious", "buildable", "empty"]
"""Which tests are selected along with what they test.

Source: https://docs.getdbt.com/reference/node-selection/test-selection-examples (2026-11).
"""
INDIRECT: tuple[Indirect, ...] = ("eager", "cautious", "buildable", "empty")


class Criterion(msgspec.Struct, frozen=True):
    """One method with its value, and which neighbours of what it matches belong to it."""

    method: str
    value: object
    """A text, but what YAML reads in a selectors.yml."""
    arguments: tuple[str, ...] = ()
    """What stands behind the method's name, as in `config.meta.owner:`."""
    parents_depth: int | None = None
    """None: no parents."""
    children_depth: int | None = None
    childrens_parents: bool = False
    indirect: Indirect = "eager"

    @property
    def text(self) -> str:
        """The value as it is written."""
        return str(self.value)


class Combination(msgspec.Struct, frozen=True):
    """Selections put together; a difference is its first part without the others."""

    operator: Literal["union", "intersection", "difference"]
    parts: tuple[Specification, ...]
    indirect: Indirect = "eager"
    written: str = ""
    """Of what stands on the command line, the words; it is told when they match nothing."""


Specification: TypeAlias = Criterion | Combination


def parse_union(words: str, indirect: Indirect = "eager") -> Combination:
    """What a `--select` or `--exclude` asks for.

    Raises:
        SelectionError: a word is no selector.
    """
    parts = tuple(
        Combination(
            operator="intersection",
            parts=tuple(parse_criterion(criterion, indirect) for criterion in word.split(",")),
            indirect=indirect,
            written=word,
        )
        for word in words.split()
    )
    return Combination("union", parts, indirect)


def parse_criterion(text: str, indirect: Indirect = "eager") -> Criterion:
    """A single criterion with its operators.

    Raises:
        SelectionError: its method doesn't exist, or its operators don't go together.
    """
    match = _CRITERION.fullmatch(text)
    if match is None:
        raise SelectionError(f'Invalid selector spec "{text}": see dbt\'s node selection syntax.')
    if match["childrens_parents"] and match["children"]:
        raise SelectionError(
            f'Invalid node spec {text}: "@" prefix and "+" suffix are incompatible: "@" takes all children along.'
        )
    method, arguments = (
        parse_method(match["method"], text) if match["method"] else (_default_method(match["value"]), ())
    )
    return Criterion(
        method=method,
        value=match["value"],
        arguments=arguments,
        parents_depth=_depth(match["parents_depth"]) if match["parents"] else None,
        children_depth=_depth(match["children_depth"]) if match["children"] else None,
        childrens_parents=bool(match["childrens_parents"]),
        indirect=indirect,
    )


def parse_method(written: str, where: str) -> tuple[str, tuple[str, ...]]:
    """A method's name and its arguments; `where` is told in the error.

    Raises:
        SelectionError: there is no such method.
    """
    method, *arguments = written.split(".")
    if method not in METHODS:
        near = difflib.get_close_matches(method, METHODS, 3) or sorted(METHODS)
        raise SelectionError(f"'{method}' is not a valid method name (in `{where}`). Use {', '.join(near)}.")
    return method, tuple(arguments)


def criteria_of(specification: Specification) -> Iterator[Criterion]:
    """All criteria that it is made of."""
    if isinstance(specification, Criterion):
        yield specification
        return
    for part in specification.parts:
        yield from criteria_of(part)


def _depth(digits: str) -> int:
    return int(digits) if digits else ALL


def _default_method(value: str) -> str:
    if os.sep in value or (os.altsep and os.altsep in value):
        return "path"
    return "file" if value.lower().endswith(_FILE_SUFFIXES) else "fqn"
