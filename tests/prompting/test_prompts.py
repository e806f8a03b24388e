"""Facts, fragments and prompts."""

from __future__ import annotations

import re
import time
import unicodedata
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_describe.errors import PromptTooLargeError
from dbt_describe.lineage.origins import (
    Aggregation,
    ColumnRef,
    Derived,
    Lineage,
    NodeLineage,
    Same,
    Shape,
    Unknown,
)
from dbt_describe.planning import Descriptions, Task
from dbt_describe.project.nodes import Column, Conventions, DataTest, Node, Project
from dbt_describe.prompting.facts import ColumnFacts, NodeFacts, gather_facts
from dbt_describe.prompting.fragments import (
    Fragment,
    fenced,
    fit,
    shrink_details,
    shrink_lines,
    shrink_python,
    shrink_sql,
    tidy_sql,
)
from dbt_describe.prompting.names import Names
from dbt_describe.prompting.prompts import build_prompts, render_repair
from dbt_describe.prompting.schemas import answer_schema
from dbt_describe.prompting.templates import open_templates
from dbt_describe.prompting.tokens import estimate_tokens
from dbt_describe.prompting.window import Window

ORDERS, STG, RAW = "model.shop.orders", "model.shop.stg_orders.v2", "source.shop.raw.orders"
COLUMNS = (
    Column("id", tests=(DataTest("unique", "id"), DataTest("not_null", "id", conditional=True))),
    Column(
        "Status",
        data_type="varchar",
        tests=(
            DataTest("accepted_values", "status", accepted_values=("open", "shut")),
            DataTest("relationships", "status", to=RAW, field="status"),
            DataTest("dbt_utils.not_empty", "status"),
        ),
    ),
    Column("total"),
    Column("told", description="Said  before."),
    Column("other"),
)
NODES = {
    ORDERS: Node(
        ORDERS,
        "model",
        "orders",
        "shop",
        "Orders.",
        COLUMNS,
        tests=(DataTest("dbt_utils.unique_combination_of_columns", combination=("id", "Status")),),
        compiled_code="select 1",
        depends_on=(STG, "macro.x"),
        materialized="incremental",
        tags=("daily",),
        unique_key=("id",),
        original_file_path="models/marts/orders.sql",
    ),
    STG: Node(STG, "model", "stg_orders", "shop", "Staged orders.", version="2"),
    RAW: Node(RAW, "source", "orders", "shop", source_name="raw", source_description="The web shop."),
}
PROJECT = Project(Path(), "shop", "duckdb", "1.10", NODES)
LINEAGE = Lineage(
    "duckdb",
    {
        ORDERS: NodeLineage(
            ORDERS,
            origins={
                "id": Same(ColumnRef(STG, "order_id")),
                "status": Unknown("too deep"),
                "total": Derived(
                    f'SUM("{RAW}"."amount")',
                    (ColumnRef(RAW, "amount"), ColumnRef(RAW, "unknown")),
                    (Aggregation((f'"{STG}"."id"',), (f'"{STG}"."ok"',)), Aggregation()),
                ),
            },
            shape=Shape(group_by=("id",), filters=(f'"{STG}"."ok"',), union=(STG, RAW)),
        )
    },
)
KNOWN = Descriptions({STG: "Orders, staged."}, {ColumnRef(RAW, "amount"): "Cents.", ColumnRef(STG, "order_id"): "Key."})


def facts() -> NodeFacts:
    task = Task(ORDERS, ("id", "Status", "total"), describe_node=True)
    return gather_facts(task, PROJECT, LINEAGE, KNOWN, {ORDERS: ["model.shop.report", STG]})


def test_facts_of_columns_are_readable() -> None:
    identifier, status, total = facts().columns
    assert identifier == ColumnFacts(
        "id",
        "",
        ("tested unique",),
        origin="the same as stg_orders v2.order_id",
        inputs=(("stg_orders v2.order_id", "Key."),),
        is_unique=True,
    )
    assert status.tests == (
        "tested to be one of: 'open', 'shut'",
        "tested to refer to raw.orders.status",
        "test dbt_utils.not_empty",
    )
    assert (status.origin, status.data_type) == ("", "varchar")
    assert total.origin == (
        "computed as SUM(raw.orders.amount); aggregated per stg_orders v2.id; of the rows where stg_orders v2.ok; "
        "aggregated over all rows"
    )
    assert total.inputs == (("raw.orders.amount", "Cents."),)


def test_facts_of_the_node_are_readable() -> None:
    found = facts()
    assert found.about == (
        "materialized as incremental: a filter on what is newer than the table limits each run, not the table",
        "folder models/marts",
        "tags daily",
        "unique key id",
        "tested unique together: id, Status",
        "one row per id (group by)",
        "rows filtered by stg_orders v2.ok",
        "union of stg_orders v2, raw.orders",
    )
    assert found.upstream == (("stg_orders v2", "Orders, staged."),)
    assert found.downstream == ("report", "stg_orders v2: Staged orders.")
    assert found.siblings == (("told", "Said before."),)
    assert found.undescribed == ("other",)
    assert (found.description, found.sql) == ("Orders.", "select 1")


def test_a_source_tells_of_its_source() -> None:
    found = gather_facts(Task(RAW, ("x",)), PROJECT, LINEAGE, Descriptions(), {})
    assert found.about == ("part of the source raw: The web shop.",)
    assert found.columns == (ColumnFacts("x"),)


@pytest.mark.parametrize("quotes", ['""', "``", "[]"])
def test_references_are_readable_in_any_dialects_quotes(quotes: str) -> None:
    start, end = quotes[0], quotes[1]
    expression = f"f({start}{RAW}{end}.{start}amount{end}, {start}{RAW}{end}.plain, 'model.shop.text', {start}x{end})"
    assert (
        Names(PROJECT).in_sql(expression) == f"f(raw.orders.amount, raw.orders.plain, 'model.shop.text', {start}x{end})"
    )


def test_uses_go_before_columns_are_asked_for_apart() -> None:
    used = tuple(ColumnFacts(f"c{place}", uses=(f"part of mart.m{place}: {'much ' * 200}",)) for place in range(10))
    found = msgspec.structs.replace(facts(), columns=used)
    (large,) = build_prompts(found, open_templates(), Window(32_768))
    assert "part of mart.m9" in large.user
    (small,) = build_prompts(found, open_templates(), Window(4096))
    assert small.columns == large.columns
    assert "part of mart" not in small.user + small.facts


def test_names_that_lineage_makes_up_are_not_shown() -> None:
    condition = f'"{RAW}"."id" IN (SELECT p.id AS id FROM __node_0 AS p)'
    assert Names(PROJECT).in_sql(condition) == "raw.orders.id IN (SELECT p.id AS id FROM … AS p)"


def test_the_prompt_goes_from_stable_to_volatile() -> None:
    (prompt,) = build_prompts(facts(), open_templates(), Window())
    order = [prompt.user.index(f'<data name="{name}">') for name in (
        "node", "sql", "upstream_nodes", "downstream", "described_columns", "other_columns", "input_columns", "asked"
    )]  # fmt: skip
    assert order == sorted(order)
    assert prompt.columns == ("id", "Status", "total")
    other = build_prompts(msgspec.structs.replace(facts(), resource_type="seed", name="x"), open_templates(), Window())
    assert other[0].system == prompt.system


def test_what_is_asked_anew_is_shown_as_it_was_and_nothing_can_rest_on_it() -> None:
    previous = {"total": "Sum of\n 4711 cents.", "": "One row per visit."}
    task = Task(ORDERS, ("id", "total"), True, previous)
    found = gather_facts(task, PROJECT, LINEAGE, KNOWN, {})
    (prompt,) = build_prompts(found, open_templates(), Window())
    asked = prompt.user[prompt.user.index('<data name="asked">') :]
    assert "  described before: Sum of 4711 cents.\n" in asked
    assert "\ndescribed before: One row per visit.\n" in prompt.user
    assert "was true once; what it is about has changed since" in prompt.user
    assert "4711" not in prompt.facts
    assert "visit" not in prompt.facts
    (first,) = build_prompts(facts(), open_templates(), Window())
    assert "was true once" not in first.user
    assert first.system == prompt.system


def test_the_same_facts_give_the_same_bytes() -> None:
    assert build_prompts(facts(), open_templates(), Window()) == build_prompts(facts(), open_templates(), Window())


def test_a_node_without_columns_is_asked_for_alone() -> None:
    (prompt,) = build_prompts(msgspec.structs.replace(facts(), columns=()), open_templates(), Window())
    assert "Describe the model (node)." in prompt.user
    assert list(prompt.schema["properties"]) == ["node"]  # type: ignore[call-overload]


def test_an_unknown_resource_type_is_asked_for_with_the_base_template() -> None:
    (prompt,) = build_prompts(msgspec.structs.replace(facts(), resource_type="fixture"), open_templates(), Window())
    assert prompt.template.name == "base"


@pytest.mark.parametrize("tokens", [3000, pytest.param(4096, marks=pytest.mark.slow), 8192])
def test_no_prompt_with_its_answer_is_larger_than_the_window(tokens: int) -> None:
    wide = tuple(
        ColumnFacts(f"column_{index}", "varchar", ("tested unique",), "computed as x + y") for index in range(300)
    )
    sql = "select a_column, another_column -- note\n" * 2000
    prompts = build_prompts(msgspec.structs.replace(facts(), columns=wide, sql=sql), open_templates(), Window(tokens))
    assert [name for prompt in prompts for name in prompt.columns] == [column.name for column in wide]
    assert [prompt.describe_node for prompt in prompts] == [True] + [False] * (len(prompts) - 1)
    for prompt in prompts:
        assert prompt.input_tokens + estimate_tokens(str(prompt.schema)) + 300 < tokens
        assert prompt.input_tokens + prompt.max_output_tokens <= tokens


def test_what_cannot_fit_names_the_node() -> None:
    with pytest.raises(PromptTooLargeError, match=rf"{ORDERS}: .* window of 500 tokens"):
        build_prompts(facts(), open_templates(), Window(500))


def test_a_repair_wish_shows_what_was_rejected_as_data() -> None:
    (prompt,) = build_prompts(facts(), open_templates(), Window())
    rejected = [("total", "{{ x }}\nsecond line </data>", "it holds Jinja"), ("", "", "nothing said")]
    wish = render_repair(open_templates(), prompt, problem="", rejected=rejected)
    assert "- total: it holds Jinja (it was: {{ x }} second line &lt;/data>)\n- node: nothing said\n</data>" in wish


def test_fragments_go_by_priority_and_shrink_before_they_are_dropped() -> None:
    lines = "\n".join(f"line {index} of many" for index in range(50))
    low = Fragment("low", lines, 1)
    middle = Fragment("middle", lines, 2, shrink_lines)
    high = Fragment("high", lines, 3, shrink_lines)
    need = Fragment("need", lines, 0, required=True)
    fitted = fit((need, high, middle, low), need.tokens + high.tokens + middle.tokens // 2)
    assert fitted is not None
    texts = {fragment.name: fragment.text for fragment in fitted}
    assert texts["need"] == texts["high"] == lines
    assert "more lines left out" in texts["middle"]
    assert texts["low"] == ""
    assert fit((need, high), need.tokens - 1) is None


@given(
    st.lists(st.tuples(st.integers(0, 5), st.text("ab \n", max_size=200), st.booleans()), max_size=6),
    st.integers(0, 300),
)
def test_what_fits_is_never_over_the_budget(parts: list[tuple[int, str, bool]], budget: int) -> None:
    fragments = tuple(
        Fragment(str(i), text, priority, shrink_lines if can else None) for i, (priority, text, can) in enumerate(parts)
    )
    fitted = fit(fragments, budget)
    assert fitted is not None
    assert sum(fragment.tokens for fragment in fitted) <= budget


def test_sql_loses_its_comments_first_and_then_its_middle() -> None:
    sql = (
        "select 1 -- one\n\n\n/* two\n*/ from t\n"
        + "".join(f", column_{index}\n" for index in range(200))
        + "order by last"
    )
    assert "--" not in shrink_sql(sql, 1200)
    short = shrink_sql(sql, 200)
    assert estimate_tokens(short) <= 200
    assert short.startswith("select 1")
    assert short.endswith("order by last")
    assert "-- (left out)" in short
    assert shrink_sql(sql, 5) == ""


def test_white_space_that_means_nothing_isnt_sent() -> None:
    sql = "with a as (\n\n    select\n        'x\n\n    y' as b, -- c\n\t\n    /* d\n\n    e */ f\n)\nselect * from a"
    assert tidy_sql(sql) == ("with a as (\n select\n  'x\n\n    y' as b, -- c\n /* d\n\n    e */ f\n)\nselect * from a")


@given(
    st.lists(st.sampled_from(["'", '"', "--", "/*", "*/", "\n", " ", "\t", "a", "$$", "`", "\\"]), max_size=20).map(
        "".join
    )
)
def test_nothing_but_white_space_is_taken_out_of_sql(sql: str) -> None:
    assert "".join(tidy_sql(sql).split()) == "".join(sql.split())


@pytest.mark.parametrize(
    ("expression", "is_told"),
    [
        ("SUM(stg_payments v2.amount)", False),
        ("SUM(stg_payments.amount)", False),
        ('SUM("stg payments".amount)', False),
        ("AVG(stg_payments.amount)", True),
    ],
)
def test_what_the_sql_beside_it_says_is_not_said_twice(expression: str, is_told: bool) -> None:
    column = ColumnFacts(
        "total", origin=f"computed as {expression}; aggregated per stg_payments.id", expression=expression
    )
    sql = "select id,\n  Sum( p.amount ) as total\nfrom payments as p group by 1"
    asked = msgspec.structs.replace(facts(), columns=(column,), sql=sql)
    (prompt,) = build_prompts(asked, open_templates(), Window())
    assert ("computed as" in prompt.user) == is_told
    cut = msgspec.structs.replace(asked, sql=sql + "\n-- long" * 9000)
    (prompt,) = build_prompts(cut, open_templates(), Window(4096))
    assert "computed as" in prompt.user


# Also as a model may read it: white space and unseen characters in the tag change nothing.
FENCE = re.compile(r"<\s*/?\s*data\b", re.IGNORECASE)
TRICKS = st.sampled_from(
    ["</data>", "</ data>", "< /data>", "<\x00/data>", "</\u200bdata>", "<\u00ad/data>", "<data", "<DATA name='x'>",
     "\U000e0041", "\u202e", "\x1b[31m", "\r\n", "\r", "\ud800", "<", "/", "data", ">", "\u2060", "\x85", "\n"]
)  # fmt: skip


@given(st.lists(TRICKS | st.text(max_size=3), max_size=12).map("".join))
def test_nothing_inside_a_fence_can_close_it(inside: str) -> None:
    text = fenced("sql", inside)
    shown = text.removeprefix('<data name="sql">').removesuffix("</data>")
    assert FENCE.search(shown) is None
    assert {unicodedata.category(character) for character in text if character not in "\n\t"}.isdisjoint(
        {"Cc", "Cf", "Cs"}
    )


def test_a_fence_keeps_what_it_does_not_need_to_change() -> None:
    text = fenced("sql", "select a\tfrom b\r\nwhere x < 3 -- été </data>")
    assert text == '<data name="sql">\nselect a\tfrom b\nwhere x < 3 -- été &lt;/data>\n</data>'
    assert fenced("sql", " \n") == ""


@pytest.mark.parametrize(
    "literal",
    ["'--not a comment'", "'/* nor */ this'", "'it\\'s -- one'", '"--a"', "`--a`", "$$ -- a $$", "'a   b'", "''"],
)
def test_sql_keeps_its_literals_when_it_is_shrunk(literal: str) -> None:
    assert shrink_sql(f"select {literal}  as x, -- gone 'it\n\n\n  1 /* gone\n */ from t", 100) == (
        f"select {literal} as x,\n 1 from t"
    )


@pytest.mark.parametrize("unclosed", ["'", "\\'", '"', "$$ ", "/*", "`a` '"])
def test_sql_that_never_closes_what_it_opens_takes_no_longer(unclosed: str) -> None:
    started = time.process_time()
    shrink_sql(unclosed * 50_001, 100)
    assert time.process_time() - started < 20


def test_python_is_not_read_as_sql_when_it_is_shrunk() -> None:
    code = "x = 1 --1\n" * 300
    assert shrink_python(code, 10_000) == code
    short = shrink_python(code, 100)
    assert estimate_tokens(short) <= 100
    assert "# (left out)" in short
    assert "--1" in short


def changed(unique_id: str, **fields: object) -> Project:
    nodes = NODES | {unique_id: msgspec.structs.replace(NODES[unique_id], **fields)}
    return msgspec.structs.replace(PROJECT, nodes=nodes)


def test_a_python_model_shows_its_code() -> None:
    python = changed(ORDERS, language="python", raw_code="def model(dbt, session): ...", compiled_code="# dbt's page")
    found = gather_facts(Task(ORDERS, ("id",)), python, LINEAGE, KNOWN, {})
    (prompt,) = build_prompts(found, open_templates(), Window())
    assert 'Its code (python):\n<data name="sql">\ndef model(dbt, session): ...\n</data>' in prompt.user
    assert "Its code" not in build_prompts(facts(), open_templates(), Window())[0].user


def test_placeholders_are_no_descriptions() -> None:
    empty = changed(ORDERS, description="TODO", columns=(Column("id"), Column("told", description="TBD.")))
    undescribed = msgspec.structs.replace(NODES[STG], description="Missing description.")
    empty = msgspec.structs.replace(empty, nodes={**empty.nodes, STG: undescribed})
    found = gather_facts(Task(ORDERS, ("id",)), empty, LINEAGE, Descriptions(), {})
    assert (found.description, found.upstream, found.siblings, found.undescribed) == ("", (), (), ("told",))
    source = changed(RAW, source_description="n/a")
    assert gather_facts(Task(RAW, ("x",)), source, LINEAGE, Descriptions(), {}).about == ()


def test_only_what_is_proved_of_a_column_is_told_as_proved() -> None:
    def of(**fields: object) -> list[tuple[bool, bool]]:
        lineage = Lineage("duckdb", {ORDERS: NodeLineage(ORDERS, shape=fields.pop("shape", None))})  # type: ignore[arg-type]
        task = Task(ORDERS, ("id", "total"))
        found = gather_facts(task, changed(ORDERS, **fields), lineage, KNOWN, {}).columns
        return [(column.is_unique, column.is_present) for column in found]

    plain = (Column("id"), Column("total"))
    tested = (Column("id", tests=(DataTest("unique", "id"), DataTest("not_null", "id"))), Column("total"))
    some = (Column("id", tests=(DataTest("unique", "id", conditional=True),)), Column("total"))
    assert of(columns=plain, unique_key=()) == [(False, False), (False, False)]
    assert of(columns=tested, unique_key=()) == [(True, True), (False, False)]
    assert of(columns=some, unique_key=()) == [(False, False), (False, False)]
    assert of(columns=plain, unique_key=("ID",)) == [(True, False), (False, False)]
    assert of(columns=plain, unique_key=("id", "total")) == [(False, False), (False, False)]
    assert of(columns=plain, unique_key=("id",), resource_type="snapshot") == [(False, False), (False, False)]
    assert of(columns=plain, unique_key=(), shape=Shape(group_by=("total",))) == [(False, False), (True, False)]
    assert of(columns=plain, unique_key=(), shape=Shape(group_by=("id", "total"))) == [(False, False), (False, False)]


COPIES = Lineage(
    "duckdb",
    {
        ORDERS: NodeLineage(ORDERS, origins={"total": Same(ColumnRef(STG, "sum"))}),
        STG: NodeLineage(STG, origins={"sum": Same(ColumnRef("model.shop.deep", "x"))}),
        "model.shop.deep": NodeLineage(
            "model.shop.deep",
            origins={"x": Derived(f'ABS("{RAW}"."a")', (ColumnRef(RAW, "a"),), (Aggregation((f'"{RAW}"."b"',)),))},
        ),
    },
)


def test_a_copy_of_what_is_not_described_tells_where_it_is_computed() -> None:
    known = Descriptions(columns={ColumnRef(RAW, "a"): "Cents."})
    (total,) = gather_facts(Task(ORDERS, ("total",)), PROJECT, COPIES, known, {}).columns
    assert total.origin == (
        "the same as stg_orders v2.sum and deep.x; there computed as ABS(raw.orders.a); aggregated per raw.orders.b"
    )
    assert total.inputs == (("raw.orders.a", "Cents."),)


def test_a_copy_of_what_is_described_tells_that_alone() -> None:
    known = Descriptions(columns={ColumnRef(RAW, "a"): "Cents.", ColumnRef(STG, "sum"): "Unique sum."})
    (total,) = gather_facts(Task(ORDERS, ("total",)), PROJECT, COPIES, known, {}).columns
    assert (total.origin, total.inputs) == ("the same as stg_orders v2.sum", (("stg_orders v2.sum", "Unique sum."),))


def test_a_huge_expression_costs_no_column() -> None:
    terms = " ".join(f"WHEN x = {index} THEN {index + 1}" for index in range(3000))
    lineage = Lineage("duckdb", {ORDERS: NodeLineage(ORDERS, origins={"total": Derived(f"CASE {terms} END")})})
    task = Task(ORDERS, ("id", "Status", "total", "told", "other"), describe_node=True)
    found = gather_facts(task, PROJECT, lineage, KNOWN, {})
    assert len(found.columns[2].origin) < 700
    assert found.columns[2].origin.startswith("computed as CASE WHEN x = 0 THEN 1")
    assert found.columns[2].origin.endswith("THEN 3000 END")
    assert " … " in found.columns[2].origin
    (prompt,) = build_prompts(found, open_templates(), Window(8192))
    assert prompt.columns == task.columns


def test_a_column_asked_alone_loses_its_details_before_it_is_given_up() -> None:
    heavy = ColumnFacts("total", "decimal", tuple(f"test {'x y ' * 140}" for _ in range(40)), "computed as a + b")
    found = msgspec.structs.replace(facts(), columns=(heavy, ColumnFacts("id")), describe_node=False)
    first, second = build_prompts(found, open_templates(), Window(4096))
    assert (first.columns, second.columns) == (("total",), ("id",))
    assert "- total" in first.user
    assert first.input_tokens + first.max_output_tokens <= 4096


def test_details_are_cut_before_they_are_left_out() -> None:
    text = f"- a\n    {'word ' * 200}\n    short"
    assert shrink_details(text, 90).endswith("    short")
    assert shrink_details(text, 4) == "- a"
    assert shrink_details(text, 1) == ""


@pytest.mark.parametrize(("columns", "requests"), [(79, 1), (120, 1), (300, 3)])
def test_a_node_is_asked_for_at_once_as_long_as_its_answer_fits(columns: int, requests: int) -> None:
    wide = tuple(ColumnFacts(f"column_{index}", "varchar") for index in range(columns))
    prompts = build_prompts(msgspec.structs.replace(facts(), columns=wide), open_templates(), Window(131_072))
    assert len(prompts) <= requests + 1
    assert (len(prompts) == 1) is (requests == 1)
    for prompt in prompts:
        asked = len(prompt.columns) + prompt.describe_node
        assert 120 * asked <= prompt.max_output_tokens <= Window().output_tokens


def test_the_facts_to_check_against_are_those_that_are_shown() -> None:
    sql = (
        "select a_rather_long_name,\n" * 3000 + "lost_in_the_middle,\n" + "select another_name,\n" * 3000 + "1 </data>"
    )
    (prompt,) = build_prompts(msgspec.structs.replace(facts(), sql=sql), open_templates(), Window(8192))
    assert "another_name" in prompt.facts
    assert "lost_in_the_middle" not in prompt.facts
    assert "orders" in prompt.facts
    assert all(line in prompt.user for line in prompt.facts.splitlines())


def test_very_wide_schemas_stay_within_strict_modes_limits() -> None:
    schema = answer_schema(tuple(f"c{index}" for index in range(251)), describe_node=False)
    assert "enum" not in str(schema["properties"]["columns"]["items"]["properties"]["name"])  # type: ignore[index]
    assert schema["required"] == ["columns"]
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("hello", 1),
        ("warehouses", 2),
        ("select a, b", 4),
        ("12345678", 3),
        ("字字", 2),
        ("🙂", 3),
        ("١٢٣", 3),
        ("a\n\n  b", 3),
    ],
)
def test_tokens_are_estimated_without_a_tokenizer(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


def test_the_settings_style_is_told_to_models() -> None:
    style = Conventions(
        "German",
        tone="dry",
        tense="past tense",
        column_words=7,
        forbidden=("robust", "N/A"),
        rules="- {{ money }}: net.",
    )
    (prompt,) = build_prompts(msgspec.structs.replace(facts(), conventions=style), open_templates(), Window())
    for words in (
        "At most 7 words for each column, 60 for the node:",
        "in German,\n  past tense, each",
        "- Tone: dry.\n",
        '- Never use "robust", "N/A".\n',
        "where they differ\n- {{ money }}: net.\n",
    ):
        assert words in prompt.system
    assert "at most 7 words" in render_repair(open_templates(), prompt, "", [("id", "x", "too long")])
    assert prompt.template.output.column_words == 7


def test_small_models_are_told_the_style_as_well() -> None:
    style = Conventions(tone="dry", tense="past tense", forbidden=("robust",), rules="- Money is net.")
    told = msgspec.structs.replace(facts(), conventions=style)
    prompt, *_ = build_prompts(told, open_templates(), Window(wanted="small"))
    for words in ("past tense, ending", "- Tone: dry.\n", '- Never use "robust".\n', "- Money is net.\n"):
        assert words in prompt.system


def test_without_a_style_nothing_is_said_of_it() -> None:
    (prompt,) = build_prompts(facts(), open_templates(), Window())
    assert "present tense, each with a full stop" in prompt.system
    assert not re.search("Tone|Never use|House rules", prompt.system)
