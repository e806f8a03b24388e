"""Value profiles on a real warehouse: what dbt is asked, and what of it leaves the machine."""

from __future__ import annotations

import re
from pathlib import Path

from integration_tests.conftest import Run, run_in
from integration_tests.openai_server import OpenAIServer, RecordedRequest

NODES = ("--select", "source:till.customers", "source:till.orders", "stg_till__payments")
LOOKING = "Looking at what 3 tables hold, by `dbt show`."
PERSONAL = ("example.com", "Byron", "Murray")
"""Of the seed with the customers."""


def asked_of(request: RecordedRequest) -> str:
    """The columns that a request asks about, with their details."""
    found = re.search(r'<data name="asked">\n(.*?)</data>', request.text, re.DOTALL)
    return found[1] if found else ""


def test_models_are_shown_what_columns_hold_and_nobodys_data(demo: Path, dbt_describe: Run) -> None:
    (demo / "dbt-describe.yml").write_text("profile_values: true\n", encoding="utf-8")
    artifacts = [demo / "target" / name for name in ("manifest.json", "catalog.json", "run_results.json")]
    before_all = [path.read_bytes() for path in artifacts]
    with OpenAIServer() as server:
        keys = {"OPENAI_API_KEY": "sk-test-secret", "OPENAI_BASE_URL": server.base_url}

        def run(*words: str, **environ: str) -> tuple[list[str], str]:
            server.requests.clear()
            done = dbt_describe("document", *NODES, "--model", "openai/loopback", *words, **keys, **environ)
            assert done.returncode == 0, done.stdout + done.stderr
            return sorted(map(asked_of, server.requests)), done.stderr

        before, told = run("--dry-run", CI="")
        assert ("at present" in str(before), LOOKING in told) == (False, False)

        asked, told = run("--profile-values", CI="true")
        assert LOOKING in told
        assert "at present, not to be quoted: 17 % null, all values different, in 6 rows" in str(asked)
        assert "most frequent values: 'card'" in "".join(asked)
        assert "most frequent values: 'completed'" in "".join(asked)
        for request in server.requests:
            assert not [value for value in PERSONAL if value in request.text]
        kept = b"".join(path.read_bytes() for path in (demo / "target/store").glob("profiles.db*"))
        assert not [value for value in PERSONAL if value.encode() in kept]
        assert [path.read_bytes() for path in artifacts] == before_all

        run_in(demo, "git", "checkout", "--quiet", ".")
        again, told = run("--dry-run", "--no-cache", CI="")
        assert again == asked
        assert LOOKING not in told
