"""A small project with everything that dbt selects by, and what changes in it between two states."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PROJECT: Mapping[str, str] = {
    "dbt_project.yml": """
name: lab
version: "1.0"
profile: lab
flags: {send_anonymous_usage_stats: false}
models:
  lab:
    staging: {+tags: [nightly, staging], +materialized: view}
    marts: {+materialized: table, +persist_docs: {relation: true, columns: true}}
seeds: {lab: {+tags: nightly}}
""",
    "profiles.yml": """
lab:
  target: dev
  outputs:
    dev: {type: duckdb, path: lab.duckdb}
""",
    "dbt_packages/kit/dbt_project.yml": 'name: kit\nversion: "1.0"\nmodels: {kit: {+tags: kit}}\n',
    "dbt_packages/kit/models/days.sql": "select cast('2026-01-01' as date) as day",
    "dbt_packages/kit/models/extra/hours.sql": "select 1 as hour from {{ ref('days') }}",
    "dbt_packages/kit/models/schema.yml": "models: [{name: days, columns: [{name: day, data_tests: [not_null]}]}]",
    "dbt_packages/kit/macros/kit.sql": "{% macro half(column) %}{{ column }} / 2{% endmacro %}",
    "macros/cents.sql": "{% macro cents(column) %}{{ rounded(column) }} / 100{% endmacro %}",
    "macros/rounded.sql": "{% macro rounded(column) %}round({{ column }}){% endmacro %}",
    "macros/test_is_even.sql": "{% test is_even(model, column_name) %}select 1 where false{% endtest %}",
    "seeds/codes.csv": "code,label\n1,one\n",
    "seeds/regions.csv": "region\nnorth\n",
    "analyses/deep_dive.sql": "select * from {{ ref('orders') }}",
    "tests/assert_paid.sql": "select 1 from {{ ref('orders') }} join {{ ref('customers') }} on true where false",
    "tests/assert_nothing.sql": "{{ config(severity='warn', tags=['slow']) }} select 1 where false",
    "models/staging/stg_orders.sql": """
select id, customer_id, {{ cents('total') }} as total from {{ source('shop', 'orders') }}
""",
    "models/staging/stg_customers.sql": "select id, code from {{ source('shop', 'customers') }}",
    "models/staging/stg_codes.sql": "select code, label from {{ ref('codes') }}",
    "models/staging/schema.yml": """
sources:
  - name: shop
    tags: [raw]
    tables:
      - name: orders
        columns: [{name: id, data_tests: [unique, not_null]}]
      - name: customers
        config: {meta: {owner: sales}}
  - name: web
    tables: [{name: clicks}]
models:
  - name: stg_orders
    description: An order.
    columns:
      - name: id
        data_tests:
          - unique
          - not_null: {config: {severity: warn}}
      - name: customer_id
        data_tests:
          - relationships: {arguments: {to: "ref('stg_customers')", field: id}}
  - name: stg_customers
    config: {meta: {contains_pii: true, owner: sales, level: 3}, group: finance}
    columns: [{name: id, data_tests: [is_even]}]
""",
    "models/marts/orders.sql": """
select o.id, o.total from {{ ref('stg_orders') }} o join {{ ref('stg_customers') }} c on true
""",
    "models/marts/customers.sql": """
{{ config(group='finance') }} select id from {{ ref('stg_customers') }} join {{ ref('days') }} on true
""",
    "models/marts/sales.sql": """
{{ config(tags=['more']) }} select 1 as id, 2 as total, cast('2026-01-01' as date) as ordered_at
""",
    "models/marts/prices_v1.sql": "select 1 as id",
    "models/marts/prices_v2.sql": "select 1 as id from {{ ref('stg_codes') }}",
    "models/marts/prices_v3.sql": "select 1 as id",
    "models/marts/uses_prices.sql": "select * from {{ ref('prices', v=1) }}",
    "models/marts/deep/down/below.sql": """
{{ config(unique_key=['id', 'day'], tags=['one.two'], group='finance', access='private') }} select 1 as id
""",
    "models/marts/dotted.name.sql": "select 1 as id",
    "models/marts/promised.sql": "select 1 as id, 'a' as name",
    "models/marts/off.sql": "{{ config(enabled=false) }} select 1 as id",
    "models/marts/schema.yml": """
models:
  - name: orders
    description: Orders.
    config: {contract: {enforced: false}, meta: {owner: {team: core}, tiers: [gold, silver]}}
    columns: [{name: id, description: The key., data_tests: [unique]}]
  - name: customers
    config: {access: public}
    columns: [{name: id}]
  - name: promised
    config: {contract: {enforced: true}}
    columns: [{name: id, data_type: integer}, {name: name, data_type: varchar}]
  - name: prices
    latest_version: 2
    columns: [{name: id, data_tests: [unique]}]
    versions: [{v: 1}, {v: 2}, {v: 3}]
  - name: spine
    time_spine: {standard_granularity_column: day}
    columns: [{name: day, granularity: day}]
groups:
  - name: finance
    owner: {email: finance@example.com}
unit_tests:
  - name: sums_up
    model: sales
    config: {tags: [nightly]}
    given: []
    expect: {rows: [{id: 1}]}
  - name: adds_up
    model: uses_prices
    given: [{input: "ref('prices', v=1)", rows: [{id: 1}]}]
    expect: {rows: [{id: 1}]}
""",
    "models/marts/spine.sql": "select cast('2026-01-01' as date) as day",
    "models/semantic.yml": """
exposures:
  - name: weekly
    type: dashboard
    owner: {email: finance@example.com}
    depends_on: ["ref('orders')", "source('web', 'clicks')"]
    config: {tags: [board]}
  - name: monthly
    type: notebook
    owner: {email: finance@example.com}
    depends_on: ["ref('customers')", "metric('revenue')"]
semantic_models:
  - name: sold
    model: ref('sales')
    config: {group: finance}
    defaults: {agg_time_dimension: ordered_at}
    entities: [{name: sale, type: primary, expr: id}]
    dimensions:
      - name: ordered_at
        type: time
        type_params: {time_granularity: day}
    measures: [{name: sold_total, agg: sum, expr: total}]
metrics:
  - name: revenue
    label: Revenue
    type: simple
    type_params: {measure: sold_total}
    config: {group: finance, tags: [kpi]}
  - name: double_revenue
    label: Twice
    type: derived
    type_params: {expr: revenue * 2, metrics: [revenue]}
saved_queries:
  - name: weekly_revenue
    query_params: {metrics: [revenue], group_by: []}
    config: {tags: [kpi]}
    exports: [{name: table_of_it, config: {export_as: table}}]
""",
    "snapshots/history.yml": """
snapshots:
  - name: orders_history
    relation: ref('orders')
    config: {unique_key: id, strategy: check, check_cols: all, tags: [nightly]}
""",
    "selectors.yml": """
selectors:
  - name: nightly
    description: What runs at night.
    definition: "tag:nightly"
  - name: wide
    definition: {method: tag, value: nightly, children: true, parents: true, parents_depth: 1}
  - name: single_key
    definition: {tag: nightly}
  - name: pii
    definition: {method: config.meta.contains_pii, value: true}
  - name: level
    definition: {method: config.meta.level, value: 3}
  - name: mixed
    definition:
      union:
        - intersection:
            - {method: path, value: models/staging}
            - {method: tag, value: nightly}
            - exclude: ["stg_codes"]
        - "+weekly"
        - {method: fqn, value: "lab.marts.*"}
        - exclude:
            - {method: resource_type, value: test}
            - {method: selector, value: pii}
  - name: marts_without
    definition: {method: path, value: models/marts, exclude: [{method: tag, value: one.two}, "prices"]}
  - name: careful
    definition:
      union:
        - {method: fqn, value: orders, indirect_selection: cautious}
        - {method: fqn, value: stg_orders, indirect_selection: empty}
  - name: buildable
    definition: {method: fqn, value: stg_orders, indirect_selection: buildable, childrens_parents: true}
  - name: commas
    definition: "orders,tag:nightly"
  - name: words
    definition: "orders customers"
  - name: inherited
    definition:
      intersection: [{method: selector, value: mixed}, {method: resource_type, value: model}]
""",
}
CHANGES: Mapping[str, str | None] = {
    "models/staging/stg_customers.sql": "select id, code, 1 as more from {{ source('shop', 'customers') }}",
    "models/staging/new_one.sql": "select id from {{ ref('stg_orders') }}",
    "models/marts/deep/down/below.sql": None,
    "models/marts/off.sql": "select 1 as id",
    "macros/rounded.sql": "{% macro rounded(column) %}round({{ column }}, 2){% endmacro %}",
    "models/marts/sales.sql": "{{ config(alias='sold', tags=['more']) }}"
    " select 1 as id, 2 as total, cast('2026-01-01' as date) as ordered_at",
    "seeds/codes.csv": "code,label\n1,one\n2,two\n",
    "tests/assert_paid.sql": "select 2 from {{ ref('orders') }} join {{ ref('customers') }} on true where false",
}
"""Files between two states; None: deleted."""
REPLACEMENTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "models/staging/schema.yml": (
        ("description: An order.", "description: An order, not persisted."),
        ("{config: {severity: warn}}", "{config: {severity: error}}"),
        ("tables: [{name: clicks}]", "tables: [{name: clicks, identifier: hits}, {name: visits}]"),
        ("level: 3", "level: 4"),
    ),
    "models/marts/schema.yml": (
        ("description: The key.", "description: The key, persisted."),
        ("access: public", "access: protected"),
        ("data_type: varchar", "data_type: text"),
        ("latest_version: 2", "latest_version: 3"),
        ("given: []", "given: []\n    description: Changed."),
        ("rows: [{id: 1}]}]", "rows: [{id: 2}]}]"),
    ),
    "models/semantic.yml": (
        ("type: notebook", "type: analysis"),
        ("label: Twice", "label: Doubled"),
        ("agg: sum", "agg: max"),
        ("group_by: []", "group_by: [\"Dimension('sale__ordered_at')\"]"),
        (
            "saved_queries:",
            "  - name: third\n    label: New\n    type: simple\n    type_params: {measure: sold_total}\nsaved_queries:",
        ),
    ),
    "snapshots/history.yml": (("check_cols: all", "check_cols: [id]"),),
}
"""Texts replaced in files between two states."""


def write_project(directory: Path) -> None:
    """The project in its first state."""
    for path, text in PROJECT.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text, encoding="utf-8")


def change_project(directory: Path) -> None:
    """The project in its second state."""
    for path, content in CHANGES.items():
        if content is None:
            (directory / path).unlink()
        else:
            (directory / path).write_text(content, encoding="utf-8")
    for path, replacements in REPLACEMENTS.items():
        text = (directory / path).read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text, f"{path}: {old}"
            text = text.replace(old, new, 1)
        (directory / path).write_text(text, encoding="utf-8")
