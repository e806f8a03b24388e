"""dbt-osmosis's own demo project, with all descriptions taken out.

It is in dbt-osmosis's source distribution, from which `make bench` unpacks it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from integration_tests.osmosis import DEMO, NODES, schema_files, without_descriptions

__all__ = ["COMPUTED", "FAMILIES", "NODES", "write_demo"]


def write_demo(directory: Path) -> None:
    """Write the project's files, without descriptions, into a directory that isn't there yet."""
    shutil.copytree(DEMO, directory)
    for path in schema_files(directory):
        path.write_text(without_descriptions(path.read_text(encoding="utf-8")), encoding="utf-8")


# Columns that the demo's SQL hands on under their name, as they are. Renames aren't held against anyone here.
FAMILIES = tuple(
    tuple((node, column) for node in nodes)
    for column, nodes in {
        "first_name": ("raw_customers", "stg_customers.v1", "stg_customers.v2", "customers"),
        "last_name": ("raw_customers", "stg_customers.v1", "stg_customers.v2"),
        "id": ("raw_customers", "stg_customers.v2"),
        "customer_id": ("stg_orders", "orders"),
        "order_date": ("raw_orders", "stg_orders", "orders"),
        "status": ("raw_orders", "stg_orders", "orders"),
        "order_id": ("stg_orders", "orders"),
        "payment_method": ("raw_payments", "stg_payments"),
    }.items()
)
# What it computes under the name of what it computes it from: cents become dollars, and are summed.
COMPUTED = (
    (("raw_payments", "amount"), ("stg_payments", "amount")),
    (("stg_payments", "amount"), ("orders", "amount")),
)
