"""The CI configurations in the documentation, by the path that each names in its first line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

_PAGES = Path(__file__).parent.parent / "docs/how-to"
PAGE = _PAGES / "check-in-ci.md"


def _examples_in(page: Path) -> Mapping[str, str]:
    found = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return {path: f"# {path}\n{text}" for path, text in found}


EXAMPLES: Mapping[str, str] = _examples_in(PAGE)
SHARD_EXAMPLES: Mapping[str, str] = _examples_in(_PAGES / "several-machines.md")


def steps_of(workflow: Mapping[Any, Any]) -> list[dict[str, Any]]:
    """All steps of a workflow of GitHub Actions."""
    return [step for job in workflow.get("jobs", {}).values() for step in job["steps"]]


def script_of(workflow: str, step: str) -> str:
    """The shell of a named step."""
    return next(str(one["run"]) for one in steps_of(yaml.safe_load(workflow)) if one.get("name") == step)
