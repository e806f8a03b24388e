"""DBT_DESCRIBE_OSMOSIS_WRITER: dbt-osmosis's command, and our own writer of schema files."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from integration_tests.openai_server import OpenAIServer
from integration_tests.osmosis import NODES, SCHEMA_FILES, SYNTHESIZE, DbtOsmosis, answer, changed, keys, schema_files

OURS = {"DBT_DESCRIBE_OSMOSIS_WRITER": "1"}
STAGING = "models/staging/jaffle_shop/main"
PAYMENTS = """\
# Owned by the payments team
version: 2   # dbt's

x-tests: &key
    tests: ["not_null", 'unique']

models:
    # One row each
    - name: "stg_payments"
      columns:
        - name: payment_id # PK
          <<: *key
        # TODO: which orders?
        - name: ORDER_ID


        - {name: 'payment_method', tags: [ a ]}
        - name: amount
          description: "{{ doc('amount') }}"   # kept
# the end
"""


def test_descriptions_alone_are_written_and_the_formatter_gets_the_files(
    osmosis: DbtOsmosis, built_jaffle: Path, jaffle: Path, tmp_path: Path
) -> None:
    payments = jaffle / STAGING / "stg_payments.yml"
    payments.write_bytes(PAYMENTS.replace("\n", "\r\n").encode())
    (jaffle / "models/more.md").write_text("{% docs amount %}In dollars.{% enddocs %}\n", encoding="utf-8")
    before = {path: path.read_bytes().decode() for path in schema_files(jaffle)}
    formatter = tmp_path / "formatter"
    formatter.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {tmp_path}/formatted\n', encoding="utf-8")
    formatter.chmod(0o755)
    with OpenAIServer(answer=answer) as server:
        words = (*SYNTHESIZE, "--check", "--formatter", str(formatter))
        done = osmosis.run(jaffle, *words, **keys(server), **OURS, DBT_DESCRIBE_OSMOSIS_ASK="1")
    assert (done.returncode, len(server.requests)) == (1, NODES), done.stdout + done.stderr
    for path, text in before.items():
        lines = difflib.ndiff(text.splitlines(keepends=True), path.read_bytes().decode().splitlines(keepends=True))
        altered = [line for line in lines if line[0] in "+-"]
        assert altered
        assert all(re.match(r"\+ +description: ", line) for line in altered if "payment_method" not in line), altered
    text = payments.read_bytes().decode()
    assert text.count("\r\n") == text.count("\n") == PAYMENTS.count("\n") + 3
    assert re.search(r"- \{name: 'payment_method', description: .+, tags: \[ a \]\}", text), text
    assert re.search(r"- name: ORDER_ID\s+description: .+\s+- \{", text), text
    assert "\"{{ doc('amount') }}\"   # kept" in text
    formatted = (tmp_path / "formatted").read_text(encoding="utf-8").splitlines()
    assert sorted(formatted) == [str(path) for path in sorted(before)]
    assert f"in {SCHEMA_FILES} files." in done.stdout
    assert "only descriptions are written" in done.stdout
    assert osmosis.run(jaffle, "dbt", "parse").returncode == 0


def test_refactor_moves_files_and_what_it_inherits_is_written(
    osmosis: DbtOsmosis, built_jaffle: Path, jaffle: Path
) -> None:
    misplaced, place = jaffle / "models/orders.yml", jaffle / "models/jaffle_shop/main/orders.yml"
    place.rename(misplaced)
    raw = jaffle / "seeds/jaffle_shop/main/raw_orders.yml"
    text = raw.read_text(encoding="utf-8")
    raw.write_text(re.sub(r"(- name: status\n)", r'\1        description: "How far it is."\n', text), encoding="utf-8")
    words = ("dbt-osmosis", "yaml", "refactor", "--auto-apply", "--synthesize")
    done = osmosis.run(jaffle, *words, **OURS, DBT_DESCRIBE_MODEL="rules")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"taken over +\d", done.stdout), done.stdout
    assert not misplaced.exists()
    assert "How far it is." in place.read_text(encoding="utf-8")
    assert "models/orders.yml" not in changed(jaffle, built_jaffle)
