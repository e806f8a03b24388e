"""Every command and every piece of Python in the documentation, run on the demo project."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from integration_tests.conftest import Run
from integration_tests.openai_server import OpenAIServer

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = sorted(
    {
        re.sub(r" +#.*", "", line).removeprefix("$ dbt-describe ")
        for page in PAGES
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith("$ dbt-describe ")
    }
)
SNIPPETS = [
    code for page in PAGES for code in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_docs_works(command: str, demo: Path, dbt_describe: Run) -> None:
    (demo / "prompts").mkdir()
    with OpenAIServer() as server:
        done = dbt_describe(*shlex.split(command), OPENAI_API_KEY="k", OPENAI_BASE_URL=server.base_url)
    expected = {0, 1} if command.startswith("check") else {0}
    assert (done.returncode in expected, done.stdout != "") == (True, True), done.stderr


@pytest.mark.parametrize("code", SNIPPETS)
def test_a_snippet_of_the_docs_works(
    code: str, demo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DBT_PROFILES_DIR", str(demo))
    exec(code.replace("path/to/project", str(demo)), {})
    assert capsys.readouterr().out
