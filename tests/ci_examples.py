"""The CI configurations in docs/how-to/check-in-ci.md, by the path that each names in its first line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent / "docs/how-to/check-in-ci.md"
EXAMPLES: Mapping[str, str] = {
    path: f"# {path}\n{text}"
    for path, text in re.findall(
        r"^```yaml\n# (\S+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
}


def steps_of(workflow: Mapping[Any, Any]) -> list[dict[str, Any]]:
    """All steps of a workflow of GitHub Actions."""
    return [step for job in workflow.get("jobs", {}).values() for step in job["steps"]]
