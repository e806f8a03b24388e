"""What a model is asked of one of every resource type: `python -m tests.prompting.golden` writes it anew."""

from __future__ import annotations

import tempfile
from pathlib import Path

from dbt_describe.planning import make_plan
from dbt_describe.prompting.facts import gather_facts, surroundings_in
from dbt_describe.prompting.prompts import build_prompts
from dbt_describe.prompting.templates import open_templates
from dbt_describe.prompting.window import Window
from tests.every_resource import every_resource

GOLDEN = Path(__file__).with_name("golden_prompts.txt")


def prompts(directory: Path) -> dict[str, tuple[str, str]]:
    """By unique_id, the system and the user's message."""
    project, lineage = every_resource(directory)
    plan = make_plan(project, lineage, tuple(project.nodes))
    templates = open_templates()
    around = surroundings_in(project, lineage)
    found = {}
    for unique_id, node in plan.nodes.items():
        if node.asks:
            facts = gather_facts(node.task, project, lineage, plan.known, around)
            (prompt,) = build_prompts(facts, templates, Window())
            found[unique_id] = prompt.system, prompt.user
    return found


def shown(directory: Path) -> str:
    """All user's messages."""
    return "".join(f"######## {unique_id}\n{user}\n" for unique_id, (_, user) in sorted(prompts(directory).items()))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        GOLDEN.write_text(shown(Path(scratch)), encoding="utf-8")
