"""The demo with one schema file for all its models, written as people write: what of it does a tool change?

All but a few columns are described, so that there is something to do. What is counted are lines that were there before.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.side_by_side.demo import write_demo

SCHEMA_FILE = "models/schema.yml"

TEXT = """\
# Owned by the data team. Ask before you change a grain.
version: 2


models:

    # The one that everybody reads.
    - name: customers   # one row per customer
      description: "One row per customer; \\"customer\\" as sales means it."
      meta: &ownership
          owner: 'data-team'
          contains_pii: true
          reviewed: "2026-03-01"   # by finance

      columns:
          - name: customer_id   # PK
            description: 'Number of the customer, as the shop gave it out.'
            tests:
                - unique
                - not_null
          # TODO: ask sales whether nicknames count
          - name: first_name
            description: |-
                Given name, as typed.

                Never shown to anybody outside.
          - {name: last_name, description: "Family name, as typed."}

          - name: first_order   # in UTC
          - name: most_recent_order
            # null for who never ordered
          - name: number_of_orders
            description: >-
                Orders that were placed, returns included, cancelled ones left out, counted by the number of the order,
                not by its lines.
          - name: customer_lifetime_value
            meta:
                unit: 'AUD'

          - name: customer_average_value

    - name: orders
      description: "One row per order."
      meta:
          <<: *ownership
          contains_pii: false
      columns:
          - name: order_id
            description: Number of the order.
            tests: [unique, not_null]

          - name: customer_id
            description: Number of the customer who ordered.
            tests:
                - relationships: {to: ref('customers'), field: customer_id}   # since 2024
          - name: order_date
          - name: status
            description: '{{ doc("orders_status") }}'
            tests:
                - accepted_values:
                    values: ['placed', 'shipped', "completed", return_pending, returned]
          - name: amount   # AUD

# Staging: as the till has it.
    - name: stg_orders
      columns:
          - name: order_id
            description: Number of the order.
          - name: customer_id
          - name: order_date
            description: "Day on which the order was placed (UTC)."
          - name: status

    - name: stg_payments
      description: 'Payments, one row each.'
      columns:
          - name: payment_id
            quote: true
          - name: payment_method
            description: "How it was paid: card, coupon, …"

# end of file
"""


def write_torture(project: Path) -> None:
    """Write the project's files into a directory that isn't there yet."""
    write_demo(project)
    for path in (project / "models").rglob("*.yml"):
        path.unlink()
    # The versions of stg_customers are said in a schema file that is gone.
    (project / "models/staging/stg_customers_v2.sql").unlink()
    customers = project / "models/customers.sql"
    customers.write_text(customers.read_text(encoding="utf-8").replace("'stg_customers', v=1", "'stg_customers'"))
    (project / SCHEMA_FILE).write_text(TEXT, encoding="utf-8")
