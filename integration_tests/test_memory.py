"""House style, examples and knowledge in a real project: what the server is told, and what it may not answer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from integration_tests.conftest import Run
from integration_tests.openai_server import OpenAIServer, answer_from_schema

SETTINGS = """
style: {column_words: 9, forbidden: [robust], rules: "- Say revenue, never sales."}
knowledge: [docs/*.md]
"""
LEAK = "A link that leads out of the project."


def answer(body: dict[str, Any]) -> str:
    """Against the style at first, and as it should be when it is asked again."""
    content = answer_from_schema(body)
    is_first = len(body["messages"]) == 2
    return content.replace("Synthetic description of", "Robust description of") if is_first else content


def fragment(text: str, name: str) -> str:
    found = re.search(rf'<data name="{name}">\n(.*?)\n</data>', text, re.DOTALL)
    return found[1] if found else ""


def test_style_examples_and_knowledge_are_told_and_kept_to(demo: Path, dbt_describe: Run, tmp_path: Path) -> None:
    (demo / "dbt-describe.yml").write_text(SETTINGS, encoding="utf-8")
    (demo / "docs").mkdir()
    (demo / "docs/money.md").write_text("# Open amount\nWhat is still owed for an order.\n", encoding="utf-8")
    (tmp_path / "secret.md").write_text(f"# Open amount\n{LEAK}\n", encoding="utf-8")
    (demo / "docs/link.md").symlink_to(tmp_path / "secret.md")
    found = json.loads(dbt_describe("memory", "search", "open_amount", "--json").stdout)
    assert found[0]["place"] == "docs/money.md, Open amount"
    with OpenAIServer(answer=answer) as server:
        keys = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.base_url}
        done = dbt_describe("document", "--select", "fct_orders dim_customers", "--model", "openai/loopback", **keys)
    assert done.returncode == 0, done.stderr
    assert "docs/link.md is a link that leads out of the project" in done.stderr

    orders = next(request for request in server.requests if "model fct_orders" in request.text).text
    assert "At most 9 words for each column" in orders
    assert "- Say revenue, never sales." in orders
    assert fragment(orders, "knowledge") == "- docs/money.md, Open amount: What is still owed for an order."
    assert {fragment(request.text, "examples") != "" for request in server.requests} == {True}
    assert LEAK not in orders

    repairs = [request.text for request in server.requests if len(request.body["messages"]) == 4]
    assert 'it says "robust", which the house style forbids' in repairs[0]
    written = (demo / "models/marts/marts.yml").read_text(encoding="utf-8")
    assert "Synthetic description of open_amount" in written
    assert "Robust" not in written


def test_embeddings_find_what_shares_no_word(demo: Path, dbt_describe: Run, tmp_path: Path) -> None:
    settings = "knowledge: [terms.yml]\nembeddings: openai/text-embedding-3-small\n"
    (demo / "dbt-describe.yml").write_text(settings, encoding="utf-8")
    # The server takes it for near whatever ends in the same letter, as `open_amount` does.
    (demo / "terms.yml").write_text("Receivable: Money that somebody hasn't yet sent\n", encoding="utf-8")
    with OpenAIServer() as server:
        keys = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.base_url, "DBT_DESCRIBE_STORE": str(tmp_path / "s")}
        command = ("document", "--select", "fct_orders", "--model", "openai/loopback", "--no-cache")
        done = dbt_describe(*command, **keys)
        assert done.returncode == 0, done.stderr
        embedded = [request for request in server.requests if request.path.endswith("/embeddings")]
        asked = [text for request in embedded for text in request.body["input"]]
        assert "Receivable: Money that somebody hasn't yet sent" in asked
        assert {request.body["dimensions"] for request in embedded} == {256}
        knowledge = [fragment(request.text, "knowledge") for request in server.requests]
        assert any("terms.yml, Receivable: Money that somebody" in text for text in knowledge)
