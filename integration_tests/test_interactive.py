"""`dbt-describe document --interactive` on a real terminal, with a person who types."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from integration_tests.conftest import DBT, Run, clean_environment
from integration_tests.openai_server import OpenAIServer

QUESTION = "accept, edit, skip or quit? [a/e/s/q] "
NODES = ("int_payments_by_order", "int_orders_numbered")
PATIENCE_S = 30.0


class Terminal:
    """A process on a terminal of its own; only its stdout goes elsewhere."""

    def __init__(self, demo: Path, *words: str, **environ: str) -> None:
        self._master, slave = pty.openpty()
        self.seen = ""
        self._questions = 0
        self.process = subprocess.Popen(
            [str(DBT.parent / "dbt-describe"), "document", "--interactive", "--profiles-dir", ".", *words],
            cwd=demo,
            env=clean_environment(DBT_DESCRIBE_STORE=str(demo / "target/store"), TERM="xterm", **environ),
            stdin=slave,
            stderr=slave,
            stdout=subprocess.PIPE,
            text=True,
        )
        os.close(slave)

    def question(self) -> str:
        """What is shown from the last question to the next one."""
        before = len(self.seen)
        until = time.monotonic() + PATIENCE_S
        while self.seen.count(QUESTION) <= self._questions:
            assert time.monotonic() < until, self.seen
            self.seen += os.read(self._master, 4096).decode()
        self._questions += 1
        return self.seen[before:]

    def type(self, line: str) -> None:
        os.write(self._master, f"{line}\n".encode())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


def test_a_person_edits_skips_accepts_and_stops_while_requests_go_on(demo: Path, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text(f'#!{sys.executable}\nimport sys\nopen(sys.argv[1], "w").write("In my own words.\\n")\n')
    editor.chmod(0o755)
    with OpenAIServer() as server:
        keys = {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": server.base_url, "VISUAL": str(editor)}
        terminal = Terminal(demo, "--model", "openai/loopback", "--select", *NODES, **keys)
        try:
            first = terminal.question()
            until = time.monotonic() + PATIENCE_S
            while len(server.requests) < 2:  # the other node's is answered while the first question is open
                assert time.monotonic() < until
                time.sleep(0.02)
            terminal.type("what?")
            told = terminal.question()
            terminal.type("e")
            second = terminal.question()
            terminal.type("s")
            terminal.question()
            terminal.type("a")
            terminal.question()
            terminal.process.send_signal(signal.SIGINT)
            stdout, _ = terminal.process.communicate(timeout=PATIENCE_S)
        finally:
            terminal.close()
    assert "(the node itself)" in first
    assert "draft: Synthetic description of the node." in first
    assert "(the SQL; high confidence, openai/loopback)" in first
    assert "take it as it is" in told
    assert "draft: Synthetic description of " in second
    assert terminal.process.returncode == 130
    assert "Interrupted." in stdout
    assert "by human (1), openai/loopback (1)" in stdout
    assert "a person skipped it" in stdout
    written = "".join(path.read_text(encoding="utf-8") for path in (demo / "models/intermediate").glob("*.yml"))
    assert written.count("In my own words.") == 1
    assert written.count("Synthetic description of ") == 1
    assert '"writer":"human"' in (demo / "dbt-describe.lock").read_text(encoding="utf-8")


@pytest.mark.parametrize("words", [("--interactive",), ("--interactive", "--hook")])
def test_without_anybody_to_ask_nothing_is_done(words: tuple[str, ...], dbt_describe: Run) -> None:
    done = dbt_describe("document", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--interactive" in done.stderr
