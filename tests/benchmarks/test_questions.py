"""What the benchmark reads off each tool's prompts."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.side_by_side.questions import Question, UnknownQuestionError, question_of, tokens_of

# As the tools sent them, shortened.
OSMOSIS_COLUMN = (
    "You are a helpful SQL Developer and an Expert in dbt.\n    Your job is to produce a concise documentation string\n"
    '    for a single column in the table \'"shop"."main"."stg_orders"\'.',
    "The column name is: order_id\n\n    Existing context:\n    DataType=INTEGER>",
)
OSMOSIS_TABLE = (
    'Your job is to produce a concise documentation string\n    for a table named "shop"."main"."customers".\n\n    1.',
    "The SQL for the model is:\n\n    >>> SQL CODE START\n    SELECT a, b FROM main.customers\n    >>> SQL CODE END",
)
OSMOSIS_BULK = (
    "You must produce a JSON object that documents a single model and its columns.",
    "The SQL for the model is:\n\n>>> SQL CODE START\nSELECT a, b, c FROM main.wide\n>>> SQL CODE END\n\nThe context …",
)
SCRIBE = (
    "You generate dbt documentation. Return JSON only",
    "Generate dbt documentation for the staging model `stg_orders`.\n\nColumns:\n- order_id (INTEGER, primary_key)\n"
    "  existing description: \n  needs_doc: True\n  sql_expression: id\n- status (VARCHAR, text)\n"
    "  existing description: As placed.\n  needs_doc: False\n  sql_expression: status\n\nCompiled SQL:\n- c (x)",
)


def body(system: str, user: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    asked: dict[str, Any] = {"messages": [{"role": "system", "content": system}, {"role": "user", "content": user}]}
    return asked | ({"response_format": {"json_schema": {"schema": schema}}} if schema else {})


def our_schema(*columns: str, node: bool) -> dict[str, Any]:
    items = {"type": "object", "properties": {"name": {"enum": list(columns)}}}
    properties: dict[str, Any] = {"columns": {"type": "array", "items": items}} if columns else {}
    return {"type": "object", "properties": properties | ({"node": {"type": "object"}} if node else {})}


@pytest.mark.parametrize(
    ("messages", "question"),
    [
        (OSMOSIS_COLUMN, Question("text", "stg_orders", ("order_id",))),
        (OSMOSIS_TABLE, Question("text", "customers", describes_node=True)),
        (OSMOSIS_BULK, Question("osmosis", "wide", ("a", "b", "c"), describes_node=True)),
        (SCRIBE, Question("scribe", "stg_orders", ("order_id", "status"), describes_node=True)),
    ],
)
def test_each_prompt_of_the_others_is_understood(messages: tuple[str, str], question: Question) -> None:
    assert question_of(body(*messages)) == question


def test_dbt_scribes_prompt_for_a_mart_wants_only_columns_without_a_description() -> None:
    listed = "- order_id (type: primary_key)\n  needs_doc: True\n- status (type: text)\n  needs_doc: False\n"
    user = f"Generate dbt documentation for the mart model `stg_orders`.\n\nColumns:\n{listed}\nCompiled SQL:\n"
    asked = question_of(body("You generate dbt documentation.", user))
    assert asked == Question("mart", "stg_orders", ("order_id",), describes_node=True)


@pytest.mark.parametrize(
    ("line", "node"),
    [
        ("model stg_orders", "stg_orders"),
        ("model stg_customers v2", "stg_customers.v2"),
        ("source till.customers", "till.customers"),
    ],
)
def test_our_prompt_tells_the_node_and_its_schema_the_columns(line: str, node: str) -> None:
    user = f'The node:\n<data name="node">\n{line}\nfolder models/staging\n</data>'
    assert question_of(body("…", user, our_schema("a", "b", node=True))) == Question("schema", node, ("a", "b"), True)
    assert question_of(body("…", user, our_schema(node=True))) == Question("schema", node, (), True)
    assert question_of(body("…", user, our_schema("a", node=False))) == Question("schema", node, ("a",))


def test_any_other_prompt_is_an_error_and_no_guess() -> None:
    with pytest.raises(UnknownQuestionError, match="Tell me a joke"):
        question_of(body("You are helpful.", "Tell me a joke."))


def test_four_characters_are_a_token_for_all() -> None:
    assert tokens_of("four" * 10) == 10
