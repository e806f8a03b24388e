"""How severe each rule is, and how much must be described."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from dbt_describe.checking.problems import Rule, Severity

Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
CheckedType = Literal[
    "model", "seed", "snapshot", "source", "analysis", "exposure", "metric", "semantic_model", "saved_query", "macro",
    "function", "test", "unit_test", "group",
]  # fmt: skip
"""DESCRIBABLE_RESOURCE_TYPES."""


class CoverageSettings(msgspec.Struct, frozen=True):
    """How many percent of the descriptions there must be; without thresholds nothing is required."""

    severity: Severity = "error"
    """Of a coverage that is too low, or lower than that of `--against`."""
    project: Percent = 0
    """Of the project, in percent; as `--min-coverage`."""
    folders: Mapping[str, Percent] = {}
    """Of what is defined below a folder, by its path from the project's directory: `models/marts: 100`."""
    resource_types: Mapping[CheckedType, Percent] = {}
    """Of all of a resource type: `source: 50`. Also of one that isn't checked otherwise."""


class CheckSettings(msgspec.Struct, frozen=True):
    """What `dbt-describe check` looks for: each rule is an `error`, a `warning` or `off`."""

    missing: Severity = "error"
    """No description, though there could be one."""
    placeholder: Severity = "error"
    """A text that stands for one, like `TODO`."""
    stale: Severity = "error"
    """What the description rests on has changed since: the SQL, type or accepted values, or the text it copies."""
    inconsistent: Severity = "error"
    """A column that holds the same values as one upstream, and is described otherwise."""
    restating: Severity = "error"
    """A text that says nothing its name doesn't say."""
    jinja: Severity = "error"
    """Jinja that dbt left in the text, or that it can't render; a schema file that it can't read."""
    coverage: CoverageSettings = CoverageSettings()
    """How much must be described."""

    def severity(self, rule: Rule) -> Severity:
        """Of a rule's problems."""
        if rule == "coverage":
            return self.coverage.severity
        found: Severity = getattr(self, rule)
        return found

    def with_severity(self, rule: Rule, severity: Severity) -> CheckSettings:
        """The same settings but for a rule."""
        if rule == "coverage":
            coverage = msgspec.structs.replace(self.coverage, severity=severity)
            return msgspec.structs.replace(self, coverage=coverage)
        changed: CheckSettings = msgspec.structs.replace(self, **{str(rule): severity})
        return changed
