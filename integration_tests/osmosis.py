"""The real dbt-osmosis, in environments of its own beside .venv, and its own demo project without descriptions.

`make test` makes the environments `.venv-osmosis-*` and fetches the demo project from the package index.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dbt_describe.provenance.entries import FILE_NAME as LOCK_FILE
from integration_tests.conftest import PRELOADED, clean_environment
from integration_tests.openai_server import OpenAIServer, RecordedRequest, answer_from_schema

ROOT = Path(__file__).parent.parent
DEMO = ROOT / ".osmosis/demo_duckdb"
NODES = 10
"""Nodes of the demo project: three seeds, seven models, two of which are versions of one."""
SCHEMA_FILES = 9
"""Its schema files: one for each node, and one for both versions."""
PUBLISHED_CALLS, PUBLISHED_TOKENS, PUBLISHED_PHASE_S = 38, 11_273, 20.3
"""What dbt-osmosis 1.5.0 needed for them with an answer in 0.5 s (2026-11)."""

SYNTHESIZE = ("dbt-osmosis", "yaml", "document", "--synthesize")

_PRELOADED_MODULES = ("dbt_osmosis.cli.main", "openai", "sqlglot", "dbt_describe.run")
_HASH_SEED = "0"
"""dbt-osmosis takes the nodes below a node out of a set, so that the order of what it does, and prints, isn't fixed."""
_NODE = re.compile(r'<data name="node">\n(\w+) (\S+)')
_SILENCED = ("OPENAI_", "AZURE_OPENAI_", "LLM_", "OSMOSIS_", "DBT_", "PRELOADED_")


@dataclass(frozen=True)
class DbtOsmosis:
    """dbt-osmosis in one environment; its calls are forked from one that has been imported, where there is a socket."""

    environment: Path
    home: Path
    """Where it keeps its logs."""
    socket: Path | None = None

    def words(self, *words: str) -> list[str]:
        """A command line that needs no activated environment."""
        return [str(self.environment / "bin/python"), str(self.environment / "bin" / words[0]), *words[1:]]

    def environ(self, project: Path, **more: str) -> dict[str, str]:
        """A user's environment in which the environment is active, with nothing of the caller's keys."""
        kept = {name: value for name, value in clean_environment().items() if not name.startswith(_SILENCED)}
        ours = {
            "PATH": f"{self.environment / 'bin'}{os.pathsep}{kept['PATH']}",
            "PYTHONPATH": str(PRELOADED) if self.socket else "",
            "PRELOADED_DBT": str(self.socket or ""),
            "PYTHONHASHSEED": _HASH_SEED,
            "HOME": str(self.home),
            "DBT_PROFILES_DIR": str(project),
            "DBT_DESCRIBE_STORE": str(project / "target/store"),
        }
        return {**kept, **ours, **more}

    def run(self, project: Path, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run `dbt-osmosis` or `dbt` in a project."""
        return subprocess.run(
            self.words(*words),
            cwd=project,
            env=self.environ(project, **environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def find_environment(name: str) -> Path:
    """The directory of an environment; the test is skipped where it, or the demo project, isn't there."""
    environment = ROOT / f".venv-osmosis-{name}"
    for path in (environment / ".installed", DEMO):
        if not path.exists():
            pytest.skip(f"{path.relative_to(ROOT)} isn't there: `make test` makes it")
    return environment


@contextlib.contextmanager
def preloaded(environment: Path, directory: Path) -> Iterator[DbtOsmosis]:
    """dbt-osmosis of an environment, from which each call is forked as soon as it has been imported."""
    if not hasattr(os, "fork"):
        yield DbtOsmosis(environment, directory)
        return
    path = directory / "socket"
    words = [str(environment / "bin/python"), str(PRELOADED / "server.py"), str(path), *_PRELOADED_MODULES]
    environ = {**clean_environment(), "HOME": str(directory), "PYTHONPATH": "", "PYTHONHASHSEED": _HASH_SEED}
    # What it writes to must not be a terminal, since rich looks at that as it is imported.
    with (
        (directory / "server.log").open("wb") as log,
        subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environ, start_new_session=True
        ) as server,
    ):
        yield DbtOsmosis(environment, directory, path)
        server.communicate()


def without_dbt_describe(environment: Path, copy: Path) -> Path:
    """An environment that holds what another one holds, by symbolic links, but nothing that dbt-describe installed.

    What dbt-describe installed is in its RECORD; with that gone it is as uninstalled, and its entry point isn't there.
    """
    (record,) = environment.glob("lib/python*/site-packages/dbt_describe-*.dist-info/RECORD")
    source = record.parent.parent
    ours = {line.partition(",")[0].partition("/")[0] for line in record.read_text(encoding="utf-8").splitlines()}
    target = copy / source.relative_to(environment)
    target.mkdir(parents=True)
    for path in source.iterdir():
        if path.name not in ours:
            (target / path.name).symlink_to(path)
    (copy / "bin").mkdir()
    (copy / "bin/python").symlink_to((environment / "bin/python").resolve())
    shutil.copy(environment / "bin/dbt-osmosis", copy / "bin")
    shutil.copy(environment / "pyvenv.cfg", copy)
    return copy


def build(osmosis: DbtOsmosis, directory: Path) -> None:
    """Copy the demo project without its descriptions, and build it."""
    shutil.copytree(DEMO, directory)
    for path in schema_files(directory):
        path.write_text(without_descriptions(path.read_text(encoding="utf-8")), encoding="utf-8")
    done = osmosis.run(directory, "dbt", "--quiet", "build", "--resource-type", "seed", "--resource-type", "model")
    assert done.returncode == 0, done.stdout + done.stderr


def without_descriptions(text: str) -> str:
    """The text of a schema file without descriptions and the lines that they go on over."""
    lines: list[str] = []
    depth: int | None = None
    for line in text.splitlines(keepends=True):
        own_depth = len(line) - len(line.lstrip())
        if depth is not None and (own_depth > depth or not line.strip()):
            continue
        depth = own_depth if line.lstrip().startswith("description:") else None
        lines += [] if depth is not None else [line]
    return "".join(lines)


def schema_files(project: Path) -> list[Path]:
    """The schema files of a project, sorted."""
    return sorted(path for top in ("models", "seeds") for path in (project / top).rglob("*.yml"))


def contents(project: Path) -> dict[str, bytes]:
    """Every file of a project that isn't made by dbt, by its path in the project."""
    made = ("target", "logs")
    return {
        str(path.relative_to(project)): path.read_bytes()
        for path in sorted(project.rglob("*"))
        if path.is_file() and path.relative_to(project).parts[0] not in made and ".duckdb" not in path.name
    }


def changed(project: Path, before: Path) -> set[str]:
    """The files of a project that aren't as they were, dbt-describe's lock aside."""
    old, new = contents(before), contents(project)
    return {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)} - {LOCK_FILE}


def outcome(osmosis: DbtOsmosis, built: Path, project: Path, *words: str, **environ: str) -> dict[str, object]:
    """All that a user sees of a call on a fresh copy of a project: exit code, output, and files."""
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(built, project)
    done = osmosis.run(project, *words, **environ)
    printed = {"stdout": without_times(done.stdout), "stderr": without_times(done.stderr)}
    return {"exit code": done.returncode, **printed, "files": contents(project)}


def without_times(text: str) -> str:
    """What was printed, without how long it took and the number that the system gave a thread."""
    return re.sub(r"\b\d+\.\d\ds|(?<=thread => )\d+", "#", text)


def answer(body: dict[str, Any]) -> str:
    """A text for what is asked, by dbt-describe with a schema, and by dbt-osmosis without one."""
    if body.get("response_format"):
        return answer_from_schema(body)
    asked = "\n".join(message["content"] for message in body["messages"])
    found = re.search(r"column name is: (\S+)", asked) or re.search(r"table named .*\"(\w+)\"\.", asked)
    return f"Synthetic description of {found[1] if found else 'the node'}."


def node_of(request: RecordedRequest) -> str:
    """The node that a request of dbt-describe asks about, as `model.name`."""
    found = _NODE.search(request.text)
    assert found, request.text
    return f"{found[1]}.{found[2]}"


def name_of(body: dict[str, Any]) -> str:
    """The name of the node that the body of a request asks about."""
    found = _NODE.search("\n".join(message["content"] for message in body["messages"]))
    return found[2] if found else ""


class Striking:
    """What faults nodes are struck with: always, or the first time alone."""

    def __init__(self, kinds: dict[str, str], *, once: bool) -> None:
        self._kinds, self._once = kinds, once
        self._struck: Counter[str] = Counter()

    def __call__(self, body: dict[str, Any]) -> str:
        name = name_of(body)
        self._struck[name] += 1
        return "" if self._once and self._struck[name] > 1 else self._kinds.get(name, "")


def keys(server: OpenAIServer) -> dict[str, str]:
    """What a user of dbt-osmosis sets."""
    return {"OPENAI_API_KEY": "sk-test-secret", "OPENAI_BASE_URL": server.base_url}


def input_tokens(server: OpenAIServer) -> int:
    """All messages of all requests, in characters / 4."""
    return sum(len(request.text) for request in server.requests) // 4


def phase_s(server: OpenAIServer) -> float:
    """From the first request to the last answer."""
    return max(one.finished_s for one in server.requests) - min(one.started_s for one in server.requests)
