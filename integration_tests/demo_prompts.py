"""What a model is asked of the demo project's nodes. `python -m integration_tests.demo_prompts` notes it anew."""

from __future__ import annotations

import tempfile
from pathlib import Path

from dbt_describe.settings import make_settings
from dbt_describe.showing import Rendered, render
from integration_tests.conftest import build_demo

PATH = Path(__file__).with_suffix(".txt")
"""As the newest supported dbt tells it."""
MODEL = "openai/gpt-6-luna"
NODES = (
    "source.corner_shop.till.customers",
    "seed.corner_shop.products",
    "model.corner_shop.stg_till__order_items",
    "model.corner_shop.stg_till__payments",
    "model.corner_shop.int_order_totals",
    "model.corner_shop.int_orders_numbered",
    "model.corner_shop.int_payments_by_order",
    "model.corner_shop.dim_customers",
    "model.corner_shop.fct_orders",
    "model.corner_shop.fct_monthly_sales",
)


def prompts_of(directory: Path) -> dict[str, Rendered]:
    """By unique_id; each as `document --select` of the node alone would ask."""
    settings = make_settings(project_dir=directory, model=MODEL, environ={"DBT_DESCRIBE_STORE": f"{directory}/store"})
    return {unique_id: rendered for unique_id in NODES for rendered in render(unique_id, settings)}


def shown(found: dict[str, Rendered]) -> str:
    """All of them, the part that is the same for all models once."""
    parts: list[str] = []
    for unique_id, rendered in found.items():
        for prompt in rendered.prompts:
            system = "" if prompt.system in parts else prompt.system
            parts += [f"######## {unique_id}: {prompt.template.label}\n", system, prompt.user]
    return "\n".join(filter(None, parts))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        build_demo(Path(temporary) / "shop")
        PATH.write_text(shown(prompts_of(Path(temporary) / "shop")), encoding="utf-8")
