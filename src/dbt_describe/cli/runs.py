"""`dbt-describe runs`.

list --json: [{"run": "20261122T051200Z-ab12", "project": "/home/me/shop", "state": "killed",
               "started": "2026-11-22T05:12:00Z", "ended": null, "nodes": 40, "done": 12, "model": "openai/gpt-6-luna",
               "call": {"select": ["marts"]}, "withheld": [], "message": "", "replaced_by": "", "process": 4711,
               "goes": ["20261122T051200Z-ab12"]}]
"""

from __future__ import annotations

import datetime
import json
import shlex
from typing import TYPE_CHECKING, Any

import click

from dbt_describe.cli.output import show
from dbt_describe.cli.tables import aligned

if TYPE_CHECKING:
    from dbt_describe.runs.states import RunRecord

_UNSAID = frozenset({"project_dir", "profiles_dir"})
"""Options that say where, not what."""
_LONGEST_CALL = 160
_LONGEST_PATH = 32
"""Characters, as of the whole call."""


@click.group()
def runs() -> None:
    """Show how far runs of document came. With document --resume, one that didn't end is gone on with."""


@runs.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Runs at most.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(limit: int, as_json: bool) -> None:
    """Show the last runs of all projects, the newest first."""
    from dbt_describe.runs.records import newest_runs  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.settings import store_dir  # noqa: PLC0415

    found = newest_runs(store_dir(), limit)
    if as_json:
        show(json.dumps([_plain(run) for run in found], indent=2, ensure_ascii=False))
    elif found:
        show("\n".join(_table(found)))
    else:
        show("No run is known yet.")


def _table(found: list[RunRecord]) -> list[str]:
    heads = ["run", "state", "nodes done", "project", "model", "called with"]
    rows = [
        [
            run.id,
            f"replaced by {run.replaced_by}" if run.replaced_by else run.state.replace("_", " "),
            f"{run.done:,} of {run.nodes:,}",
            run.project.replace("\\", "/").rpartition("/")[2],
            run.model,
            _shown(run),
        ]
        for run in found
    ]
    return aligned(heads, rows, words=frozenset({0, 1, 3, 4, 5}), names=3)


def _shown(run: RunRecord) -> str:
    """The call as it would be typed, shortened; paths last, those inside of the project from there."""
    from dbt_describe.runs.calls import FROM_HERE  # noqa: PLC0415 - --help must not wait for it

    told = [name for name in run.call if name not in _UNSAID]
    plain = [word for name in told if name not in FROM_HERE for word in _words(name, run.call[name])]
    withheld = [f"--{name.replace('_', '-')} …" for name in run.withheld]
    paths = [word for name in told if name in FROM_HERE for word in _words(name, _short(run.call[name], run.project))]
    text = " ".join([*plain, *withheld, *paths])
    return text if len(text) <= _LONGEST_CALL else f"{text[: _LONGEST_CALL - 2]} …"


def _short(paths: Any, project: str) -> Any:
    """One or several paths; what is left out of a long one is in its middle."""
    if isinstance(paths, list):
        return [_short(path, project) for path in paths]
    path = str(paths).removeprefix(f"{project}/").removeprefix(f"{project}\\")
    if len(path) <= _LONGEST_PATH:
        return path
    beginning = _LONGEST_PATH // 4
    return f"{path[:beginning]}…{path[beginning + 1 - _LONGEST_PATH :]}"


def _words(name: str, value: Any) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if name == "use_cache":
        return ["--no-cache"]
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    values = value if isinstance(value, list) else [value]
    texts = [one if isinstance(one, str) else json.dumps(one) for one in values]
    return [shlex.quote(text) for text in texts] if name == "files" else [f"{flag} {shlex.quote(one)}" for one in texts]


def _plain(run: RunRecord) -> dict[str, object]:
    return {
        "run": run.id,
        "project": run.project,
        "state": run.state,
        "started": _time(run.started),
        "ended": None if run.ended is None else _time(run.ended),
        "nodes": run.nodes,
        "done": run.done,
        "model": run.model,
        "call": run.call,
        "withheld": list(run.withheld),
        "message": run.message,
        "replaced_by": run.replaced_by,
        "process": run.process,
        "goes": list(run.goes),
    }


def _time(unix_s: float) -> str:
    return datetime.datetime.fromtimestamp(unix_s, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
