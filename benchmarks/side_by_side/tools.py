"""How each tool is called, in an environment of its own, on a copy of a project."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
OURS = ROOT / ".venv"
OSMOSIS = ROOT / ".venv-bench-osmosis"
SCRIBE = ROOT / ".venv-bench-scribe"
BOTH = ROOT / ".venv-osmosis-1.5.0-openai"
MODEL = "loopback"
SCRIBE_SETTINGS = "dbt-scribe.yml"


class Tool(msgspec.Struct, frozen=True):
    """A tool as it is measured."""

    name: str
    venv: Path
    words: tuple[str, ...]
    """Its command, run in the project's directory."""
    environ: Mapping[str, str] = {}
    is_taken_over: bool = False
    """Whether dbt-describe, beside it, does what `--synthesize` asks for."""

    @property
    def is_installed(self) -> bool:
        """Whether its command is there, and what takes over beside it."""
        if not (self.venv / "bin" / self.words[0]).exists():
            return False
        entry_points = self.venv.glob("lib/python*/site-packages/dbt_describe-*.dist-info/entry_points.txt")
        return not self.is_taken_over or any("[dbt-osmosis]" in path.read_text("utf-8") for path in entry_points)

    def prepare(self, project: Path) -> None:
        """Write the settings that the tool can't do without."""
        if self.words[0] == "dbt-scribe":
            # It has the SDK read OPENAI_BASE_URL; all else is as `dbt-scribe init` writes it.
            settings = f"version: 1\nllm:\n  provider: openai\n  model: {MODEL}\n  temperature: 0.2\n"
            (project / SCRIBE_SETTINGS).write_text(settings, encoding="utf-8")

    def command(self) -> list[str]:
        """The words to run."""
        return [str(self.venv / "bin" / self.words[0]), *self.words[1:]]

    def environment(self, base_url: str, store: Path) -> dict[str, str]:
        """The variables to run it with; nothing of the caller's keys and settings."""
        return clean_environment(self.venv) | {
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": base_url,
            "OPENAI_MODEL": MODEL,
            "DBT_DESCRIBE_STORE": str(store),
            **self.environ,
        }


def compile_bytecode(venv: Path) -> None:
    """See to it that Python compiles nothing while a tool is measured: uv leaves that to the first run."""
    words = [str(venv / "bin/python"), "-m", "compileall", "-q", str(venv / "lib"), str(ROOT / "src")]
    # Packages hold files for other versions of Python, too: what can't be compiled isn't run either.
    subprocess.run(words, check=False, capture_output=True, env=clean_environment(venv))


def clean_environment(venv: Path) -> dict[str, str]:
    """The caller's environment without keys, dbt's variables and Python's, the environment's commands first."""
    dropped = ("OPENAI_", "DBT_", "LLM_", "PYTHON", "VIRTUAL_ENV", "HTTP_PROXY", "http_proxy")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return kept | {
        "PATH": f"{venv / 'bin'}{os.pathsep}{kept['PATH']}",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


def _osmosis(*more: str) -> tuple[str, ...]:
    here = ("--project-dir", ".", "--profiles-dir", ".")
    return ("dbt-osmosis", "yaml", "document", "--synthesize", *here, *more)


DBT_OSMOSIS = Tool("dbt-osmosis 1.5.0", OSMOSIS, _osmosis())
DBT_OSMOSIS_16 = Tool("dbt-osmosis 1.5.0, 16 threads", OSMOSIS, _osmosis("--threads", "16"))
DBT_SCRIBE = Tool("dbt-scribe 0.2.1", SCRIBE, ("dbt-scribe", "docs", "--target", "models"))


DBT_DESCRIBE = Tool(
    "dbt-describe", OURS, ("dbt-describe", "document", "--profiles-dir", ".", "--model", f"openai/{MODEL}")
)
TAKEN_OVER = Tool("dbt-osmosis 1.5.0 with dbt-describe", BOTH, _osmosis(), is_taken_over=True)
TOOLS = (DBT_OSMOSIS, DBT_OSMOSIS_16, DBT_SCRIBE, TAKEN_OVER, DBT_DESCRIBE)
