"""A model of 300 columns and more than 2,000 lines, as finance departments have them, and a model that reads it all."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dbt_describe.lineage import Lineage, trace_project, with_sql_columns
from dbt_describe.planning import Task
from dbt_describe.project.nodes import Project
from tests.manifests import make_project, model

WIDE = "model.shop.wide_ledger"
GROUPS, MEASURES = 30, 10
WINDOW_TOKENS = 4096


def wide_columns() -> tuple[str, ...]:
    """The names of all 300 columns."""
    return tuple(f"measure_{number}_of_area_{group}" for group in range(GROUPS) for number in range(MEASURES))


def wide_sql() -> str:
    """More than 2,000 lines: 30 CTEs with ten measures each, joined."""
    ctes = [_cte(group) for group in range(GROUPS)]
    joins = [f"left join area_{group}\n    on area_{group}.account_id = accounts.account_id" for group in range(GROUPS)]
    columns = [f"    area_{name.rpartition('_')[2]}.{name}" for name in wide_columns()]
    final = "final as (\n  select\n" + ",\n".join(columns) + "\n  from accounts\n  " + "\n  ".join(joins) + "\n)"
    accounts = "accounts as (\n  select *\n  from db.main.accounts\n)"
    return "with " + ",\n".join([accounts, *ctes, final]) + "\nselect *\nfrom final"


def _cte(group: int) -> str:
    measures = ",\n".join(
        f"    -- what area {group} counts as its measure {number}\n"
        f"    sum(\n      case\n        when bookings.kind = 'k{number}' then bookings.amount_in_cents / 100.0\n"
        f"        else 0\n      end\n    ) as measure_{number}_of_area_{group}"
        for number in range(MEASURES)
    )
    return (
        f"area_{group} as (\n  select\n    bookings.account_id,\n{measures}\n  from db.main.bookings as bookings\n"
        f"  where bookings.area = 'a{group}'\n  group by bookings.account_id\n)"
    )


def wide_project(directory: Path) -> tuple[Project, Lineage, Task]:
    """The project, and the task to describe all of the wide model."""
    accounts = model("accounts", "select 1 as account_id", columns={"account_id": "Account in the ledger."})
    bookings = model(
        "bookings",
        "select 1 as account_id, 'a' as area, 'k' as kind, 5 as amount_in_cents",
        columns={"account_id": "Account booked on.", "amount_in_cents": "Booked amount, in cents.", "kind": "Kind."},
    )
    wide = model("wide_ledger", wide_sql(), reads=["accounts", "bookings"], columns=dict.fromkeys(wide_columns(), ""))
    readers = [model(f"report_{number}", "select 1 as x", reads=["wide_ledger"]) for number in range(40)]
    project = make_project(directory, accounts, bookings, wide, *readers)
    lineage = trace_project(project)
    return with_sql_columns(project, lineage), lineage, Task(WIDE, wide_columns(), describe_node=True)


def counted_tokens(body: Mapping[str, Any]) -> int:
    """A request of the chat-completions protocol as a strict server counts it: a token for each three characters."""
    texts = [message["content"] for message in body["messages"]]
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    texts += [json.dumps(schema)] if schema else []
    output = body.get("max_completion_tokens") or body.get("max_tokens") or 0
    return sum(math.ceil(len(text) / 3) + 4 for text in texts) + int(output)


def asked_in(question: str) -> list[str]:
    """The columns that a question lists last."""
    return re.findall(r"^- (\w+)$", question.rpartition('<data name="asked">')[2].partition("</data>")[0], re.MULTILINE)


def clumsy_answer() -> Callable[[list[dict[str, str]]], str]:
    """Answers as small models give them: each fifth is prose, each third holds what can't be accepted."""
    count = 0

    def answer(messages: list[dict[str, str]]) -> str:
        nonlocal count
        count += 1
        question = next(message["content"] for message in messages if message["role"] == "user")
        is_again = len(messages) > 2 or "can't be" in question
        if count % 5 == 0 and not is_again:
            return "These are measures of the ledger. " * 40
        columns = [
            {"name": name, "description": f"Booked amounts of one kind, in the area of `{name}`.", "confidence": "high"}
            for name in asked_in(question)
        ]
        if count % 3 == 0 and not is_again:
            columns[0]["description"] = "Amount of {{ kind }}. " * 12
        node = {"description": "Accounts of the ledger with what was booked on each.", "confidence": "high"}
        return json.dumps({"node": node, "columns": columns})

    return answer
