"""The life of a project's descriptions, as one who keeps it would see it: real git, real dbt, no model."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration_tests.conftest import commit_all, run_in

SETTINGS = """\
check:
  missing: off        # what the rules can't know, a person writes some day
  placeholder: off
"""
KEYWORDS = re.compile(r"\b(select|from|where|group by|left join|on|as|with|sum|count|case|when|then|else|end|and)\b")
TOTALS = "models/intermediate/int_order_totals.sql"
NEW = "models/intermediate/_intermediate__models.yml"
MARTS = "models/marts/marts.yml"
LINES = "Number of order items whose quantity is greater than 0, per order."
DEAREST = "What the order's dearest line came to."


class Shop:
    """The demo project, and what its keeper does."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *words: str) -> tuple[int, str]:
        """Exit code and output of a dbt-describe command."""
        executable = str(Path(sys.executable).parent / "dbt-describe")
        done = run_in(self.root, executable, *words, "--profiles-dir", ".", check=False)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return done.returncode, done.stdout

    def stale(self) -> list[str]:
        """`node.column` of what `status` says is stale."""
        return self.places(["stale"])

    def places(self, states: Iterable[str]) -> list[str]:
        """`node.column` of what `status` says is in one of the states."""
        _, output = self.run("status", "--json")
        found: list[dict[str, Any]] = json.loads(output)["nodes"]
        return sorted(
            f"{node['unique_id'].rpartition('.')[2]}.{entry['column']}"
            for node in found
            for entry in node["descriptions"]
            if entry["state"] in states
        )

    def problems(self) -> dict[str, str]:
        """What `check` fails on: the file, and the entry that the line is in → rule."""
        code, output = self.run("check", "--format", "json")
        found: list[dict[str, Any]] = json.loads(output)["problems"]
        assert code == bool(found)
        return {f"{one['path']}: {self.entry(one['path'], one['line'])}": one["rule"] for one in found}

    def entry(self, path: str, number: int) -> str:
        """The name of the entry whose description begins at a line."""
        lines = (self.root / path).read_text(encoding="utf-8").splitlines()
        assert lines[number - 1].strip().startswith("description:"), (path, number, lines[number - 1])
        return next(line.strip() for line in reversed(lines[:number]) if line.strip().startswith("- name:"))

    def text(self, path: str, model: str, column: str) -> str:
        """The description in a schema file."""
        models = yaml.safe_load((self.root / path).read_text(encoding="utf-8"))["models"]
        columns = next(entry["columns"] for entry in models if entry["name"] == model)
        return str(next(entry["description"] for entry in columns if entry["name"] == column))

    def replace(self, path: str, old: str, new: str) -> None:
        """Edit a file: `old` must be there once."""
        text = (self.root / path).read_text(encoding="utf-8")
        assert text.count(old) == 1, (path, old, text.count(old))
        (self.root / path).write_text(text.replace(old, new), encoding="utf-8")

    def reformat(self) -> None:
        """All SQL as another formatter would have it."""
        for path in self.root.glob("models/**/*.sql"):
            text = KEYWORDS.sub(lambda found: found[0].upper(), path.read_text(encoding="utf-8"))
            path.write_text("-- reformatted\n" + text.replace("\n    ", "\n\t"), encoding="utf-8")

    def changed_lines(self) -> list[str]:
        """What git says has been added since the last commit, in the schema files."""
        diff = run_in(self.root, "git", "diff", "--unified=0", "--", "*.yml").stdout
        return [line[1:].strip() for line in diff.splitlines() if line.startswith("+") and not line.startswith("+++")]


@pytest.mark.slow
def test_descriptions_stay_true_as_sql_and_texts_change(demo: Path) -> None:
    (demo / "dbt-describe.yml").write_text(SETTINGS, encoding="utf-8")
    shop = Shop(demo)

    # document → commit
    assert shop.run("document")[0] == 0
    commit_all(demo, "described")
    assert shop.problems() == {}

    # All SQL reformatted, then a CTE renamed: nothing is stale.
    shop.reformat()
    assert shop.stale() == []
    text = (demo / TOTALS).read_text(encoding="utf-8")
    assert text.count("totals") == 2
    (demo / TOTALS).write_text(text.replace("totals", "sums_by_order"), encoding="utf-8")
    assert shop.stale() == []
    commit_all(demo, "reformatted")

    # One aggregate changed: its column and those that inherit from it, no others; check names their lines.
    shop.replace(TOTALS, "SUM(line_total)", "max(line_total)")
    assert shop.stale() == ["fct_orders.order_total", "int_order_totals.order_total"]
    assert shop.problems() == {f"{path}: - name: order_total": "stale" for path in (NEW, MARTS)}
    assert shop.run("document")[0] == 0
    assert shop.stale() == []
    renewed = shop.text(NEW, "int_order_totals", "order_total")
    assert renewed.startswith("Maximum of the line total"), renewed
    assert [line in renewed for line in shop.changed_lines()] == [True, True]
    commit_all(demo, "another total")

    # An upstream text edited: its copies are stale until they follow.
    shop.replace(NEW, renewed, DEAREST)
    assert shop.stale() == ["fct_orders.order_total"]
    assert set(shop.problems().values()) == {"stale"}
    shop.run("document")
    assert shop.text(MARTS, "fct_orders", "order_total") == DEAREST
    commit_all(demo, "said better")

    # A copy edited: left alone, as what a person wrote, whatever becomes of its origin.
    shop.replace(MARTS, DEAREST, "The dearest line; finance asked.")
    shop.replace(NEW, DEAREST, "Highest line total of an order.")
    shop.replace(TOTALS, "COUNT(*) AS line_count", "count(distinct unit_price) AS line_count")
    assert shop.places(["edited"]) == ["fct_orders.order_total", "int_order_totals.order_total"]
    assert set(shop.problems().items()) >= {
        (f"{NEW}: - name: line_count", "stale"),
        (f"{MARTS}: - name: order_total", "inconsistent"),
    }
    shop.run("document")
    assert shop.text(MARTS, "fct_orders", "order_total") == "The dearest line; finance asked."
    assert shop.text(NEW, "int_order_totals", "line_count") != LINES

    # What is left is for the person to say: then the check passes.
    assert list(shop.problems().values()) == ["inconsistent"]
    shop.replace(MARTS, "The dearest line; finance asked.", "Highest line total of an order.")
    assert shop.problems() == {}
