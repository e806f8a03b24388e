"""Options of `dbt ls`, each of which must select the same here as there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Options = list[str]


def _selects(words: str) -> Iterator[Options]:
    """One `--select` of each word."""
    yield from (["--select", word] for word in words.split())


def _around(words: str) -> Iterable[Options]:
    """Each with every operator."""
    for word in words.split():
        yield from _selects(f"{word} {word}+ +{word}+ 1+{word} 2+{word}+2")
    yield from _beside(words)


def _beside(words: str) -> Iterable[Options]:
    """Each with an operator for parents, for children and for both."""
    for word in words.split():
        yield from _selects(f"+{word} {word}+1 @{word}")


DEMO: tuple[Options, ...] = (
    *_around("stg_till__orders source:till.orders path:models/marts"),
    *_selects("""
        fct_* *_orders corner_shop.marts marts models/staging models/staging/*.sql models/* models/**/*orders*
        _staging.yml file:_staging orders.csv file:fct_?rders resource_type:seed resource_type:snapshot+
        test_type:generic test_name:unique test_name:*null config.materialized:table source:* fqn:*
        int_orders_numbered+,marts package:this nosuch
    """),
    ["--select", "stg_products stg_till__customers"],
    ["--select", "stg_till__orders+,+fct_orders,config.materialized:view fct_product_sales,resource_type:model"],
    ["--exclude", "marts"],
    ["--select", "staging", "--exclude", "stg_till__orders+ resource_type:test"],
    ["--select", "+fct_orders", "--exclude", "source:till", "--indirect-selection", "cautious"],
)
_NAMES = """
    orders lab.marts.orders lab.marts lab.* marts.* lab.*.deep lab.marts.d* * stg_?rders stg_[oc]* prices prices.v1
    prices_v2 prices.v* price* lab.marts.prices.v3 x.prices.v1 dotted.name lab.marts.dotted dotted sums_up weekly
    revenue sold kit days kit.days kit.extra unique_orders_id assert_paid below deep down deep.down ORDERS off cents
    model.lab.orders stg_orders.sql STG_ORDERS.SQL codes.csv schema.yml fqn:schema.yml
"""
_PATHS = """
    models/ ./models/staging models/* models/** **/*.yml ** models/**/below.sql models/mart? models/marts/*.sql
    models/marts/schema.yml models/staging/schema.yml models/semantic.yml seeds/* path:models path:seeds/codes.csv
    path:tests path:analyses path:macros path:models/extra path:dbt_packages/kit path:nosuch path:models/mar
    models/marts/deep path:snapshots +models/marts file:schema file:schema.* file:prices_v1 file:*.csv
    file:history.yml file:dotted.name
"""
_TAGS_AND_CONFIGS = """
    tag:night* tag:one.two tag:raw tag:kpi tag:board tag:slow tag:kit tag:none tag:
    config.meta.owner:sales config.meta.contains_pii:true config.meta.contains_pii:True config.meta.level:3
    config.meta.owner.team:core config.meta.tiers:gold config.tags:nightly config.materialized:t* config.severity:WARN
    config.severity:warn config.severity:error config.unique_key:day config.unique_key:id config.enabled:true
    config.enabled:false config.persist_docs.relation:true config.contract.enforced:true config.group:finance
    config.nosuch:1 config:x config.access:private config.strategy:check
"""
_RESOURCES = """
    source:shop.orders source:lab.shop.orders source:*.orders source:sh* source:shop.* source:a.b.c.d
    exposure:* exposure:lab.weekly exposure:a.b.c metric:* metric:lab.double* semantic_model:lab.sold saved_query:lab.*
    unit_test:*_up unit_test:lab.adds_up unit_test:adds_up+ +exposure:monthly +metric:double_revenue @metric:revenue
    group:fin* group:none access:public access:protected access:p* package:* package:lab package:this package:k?t
    package:none version:latest version:prerelease version:none version:old+ version:newest
    resource_type:model resource_type:source resource_type:test resource_type:unit_test resource_type:exposure
    resource_type:analysis resource_type:metric resource_type:semantic_model resource_type:saved_query
    resource_type:operation resource_type:banana
"""
_TESTS = """
    test_type:generic test_type:unit test_type:data test_type:schema test_type:banana test_name:is_even
    test_name:adds_up test_name:relationships test_name:not_null,orders test_name:* test_type:singular,tag:slow
"""
_OPERATORS = """
    0+orders orders+0 3+orders @stg_orders @source:shop.customers @orders+ + orders+stg_orders stg_orders+,+orders
    stg_orders,nosuch ,orders a:b foo.bar:x +tag:nightly,1+orders stg_*,tag:staging,config.materialized:view
    tag:nightly,tag:staging +exposure:weekly,resource_type:source meta.x-y:z
"""
_SELECTORS = "nightly wide single_key pii level mixed marts_without careful buildable inherited commas words no"
LAB: tuple[Options, ...] = (
    *_around("fqn:stg_orders tag:nightly source:shop metric:revenue"),
    *_beside("""
        path:models/staging file:orders.sql exposure:weekly semantic_model:sold saved_query:weekly_revenue
        unit_test:sums_up package:kit config.materialized:table group:finance access:private version:old
        resource_type:seed test_type:singular test_name:unique
    """),
    *_selects(_NAMES + _PATHS + _TAGS_AND_CONFIGS + _RESOURCES + _TESTS + _OPERATORS),
    ["--select", "orders customers"],
    ["--select", "tag:nightly,path:models tag:kit"],
    ["--exclude", "tag:nightly"],
    ["--exclude", "resource_type:test nosuch"],
    ["--select", "orders+", "--exclude", "orders"],
    ["--select", "+orders", "--exclude", "stg_customers"],
    ["--select", "marts", "--exclude", "unique_orders_id version:old"],
    ["--select", "@stg_orders", "--exclude", "+exposure:weekly test_type:generic"],
    *(["--selector", name] for name in _SELECTORS.split()),
    *(
        [flag, selector, "--indirect-selection", mode]
        for mode in ("cautious", "buildable", "empty")
        for flag, selector in (
            ("--select", "orders"),
            ("--select", "stg_orders"),
            ("--select", "sales"),
            ("--select", "+orders"),
            ("--select", "source:shop"),
            ("--select", "orders customers"),
            ("--select", "stg_orders stg_customers"),
            ("--select", "orders+1,+exposure:monthly"),
            ("--select", "tag:nightly orders,resource_type:model"),
            ("--exclude", "stg_orders"),
            ("--selector", "mixed"),
            ("--selector", "careful"),
        )
    ),
)
STATE: tuple[Options, ...] = tuple(
    [*options, "--state", "state"]
    for options in (
        *_selects("""
            state:new state:old state:modified state:unmodified state:modified.body state:modified.configs
            state:modified.persisted_descriptions state:modified.relation state:modified.macros state:modified.contract
            state:banana state:modified+ +state:new @state:modified.body state:modified,resource_type:model
            1+state:new state:modified.macros+1
        """),
        ["--select", "state:modified.body+ state:new,tag:staging"],
        ["--exclude", "state:modified+"],
        ["--select", "marts", "--exclude", "state:unmodified"],
        ["--select", "state:modified", "--indirect-selection", "empty"],
        ["--select", "state:modified", "--indirect-selection", "cautious"],
    )
)
