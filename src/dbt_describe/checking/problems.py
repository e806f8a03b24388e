"""What `check` finds, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

from dbt_describe.errors import EXIT_CHECK_FAILED, EXIT_OK

Rule = Literal["missing", "placeholder", "stale", "inconsistent", "restating", "jinja", "coverage"]
RULES: tuple[Rule, ...] = get_args(Rule)
Severity = Literal["error", "warning", "off"]


class Problem(msgspec.Struct, frozen=True, gc=False):
    """One thing that is wrong, and where."""

    rule: Rule
    message: str
    """A sentence that names the node and column, and says what to do where that isn't plain."""
    severity: Severity = "error"
    path: str = ""
    """The file to be changed, relative to the project, with slashes; empty where there is none."""
    line: int = 0
    """From 1; 0 where the file has no line of it."""
    unique_id: str = ""
    column: str = ""


class Coverage(msgspec.Struct, frozen=True):
    """How many descriptions there are, of a part of the project, and how many there should be."""

    scope: str
    """`project`, `folder models/marts`, or `resource type source`."""
    described: int
    total: int
    required_percent: float = 0
    """0 where nothing is required."""

    @property
    def percent(self) -> float:
        """100 where there is nothing to describe."""
        return 100 * self.described / self.total if self.total else 100.0


class CheckReport(msgspec.Struct, frozen=True):
    """The outcome of `check`."""

    nodes: int
    """Nodes looked at."""
    problems: tuple[Problem, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    """The project's first."""
    warnings: tuple[str, ...] = ()
    counts: Mapping[str, int] = {}
    """Problems by rule."""

    @property
    def errors(self) -> int:
        """Problems that make the check fail."""
        return sum(problem.severity == "error" for problem in self.problems)

    @property
    def exit_code(self) -> int:
        """1 where something is wrong."""
        return EXIT_CHECK_FAILED if self.errors else EXIT_OK
