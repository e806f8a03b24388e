"""One tool on one project: the runs, and what they left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from benchmarks.side_by_side.answers import answer
from benchmarks.side_by_side.measuring import Finished, run_measured
from benchmarks.side_by_side.questions import question_of, text_of, tokens_of
from benchmarks.side_by_side.results import Fault, Result, Torture, cost_usd
from benchmarks.side_by_side.schema_texts import (
    Place,
    changed_bytes,
    changed_lines,
    contradictory,
    descriptions,
    schema_files,
)
from benchmarks.side_by_side.tools import Tool
from benchmarks.side_by_side.torture import SCHEMA_FILE
from benchmarks.side_by_side.works import Work, longest_chain, run_dbt, squeezed_lines
from integration_tests.openai_server import Fault as ServerFault
from integration_tests.openai_server import OpenAIServer, RecordedRequest

FAULTY_LATENCY_S = 0.05
_SQL_SHARE = 0.5
"""Of a model's lines of SQL, that must stand in a prompt which has its SQL: prompts may leave out what isn't needed."""


class Ran(msgspec.Struct, frozen=True):
    """A run: the process, the requests, and the texts in the project before and after."""

    finished: Finished
    requests: tuple[RecordedRequest, ...]
    most_in_flight: int
    files_before: Mapping[str, bytes]
    files_after: Mapping[str, bytes]
    texts_before: Mapping[Place, str]
    texts_after: Mapping[Place, str]

    @property
    def files_written(self) -> int:
        """Schema files, and files with docs blocks, that are new or other than before."""
        return sum(self.files_before.get(path) != content for path, content in self.files_after.items())

    @property
    def descriptions_written(self) -> int:
        """Things that have a description now and had none."""
        return len(self.texts_after.keys() - self.texts_before.keys())


def run_tool(tool: Tool, project: Path, store: Path, latency_s: float, faults: Sequence[ServerFault] = ()) -> Ran:
    """Run a tool on a project as it is."""
    files_before, texts_before = schema_files(project), descriptions(project)
    with OpenAIServer(latency_s=latency_s, faults=faults, answer=answer) as server:
        finished = run_measured(tool.command(), project, tool.environment(server.base_url, store))
        requests, most_in_flight = tuple(server.requests), server.peak_in_flight
    return Ran(
        finished=finished,
        requests=requests,
        most_in_flight=most_in_flight,
        files_before=files_before,
        files_after=schema_files(project),
        texts_before=texts_before,
        texts_after=descriptions(project),
    )


def prepared(tool: Tool, work: Work, store: Path) -> Path:
    """The project as it was built, ready for a tool that has never seen it."""
    work.restore()
    tool.prepare(work.directory)
    store.mkdir(parents=True)
    return work.directory


def compare(tool: Tool, work: Work, store: Path) -> Result:
    """Have a tool describe a project, and then once more, and once more with a fresh manifest."""
    project = prepared(tool, work, store)
    first = run_tool(tool, project, store, work.latency_s)
    second = run_tool(tool, project, store, work.latency_s)
    accepted = run_dbt(project, "compile").returncode == 0
    fresh = run_tool(tool, project, store, work.latency_s) if accepted and not second.requests else None
    nodes = work.nodes()
    about_models, with_sql = sql_in_prompts(first.requests, nodes)
    input_tokens = sum(tokens_of(text_of(request.body)) for request in first.requests)
    output_tokens = sum(tokens_of(answer(request.body)) for request in first.requests)
    return Result(
        work=work.name,
        tool=tool.name,
        returncode=first.finished.returncode,
        calls=len(first.requests),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=cost_usd(input_tokens, output_tokens),
        most_in_flight=first.most_in_flight,
        llm_phase_s=phase_s(first.requests),
        bound_s=work.latency_s * longest_chain(nodes),
        wall_s=first.finished.wall_s,
        cpu_s=first.finished.cpu_s,
        peak_mb=first.finished.peak_mb,
        files_written=first.files_written,
        descriptions_written=first.descriptions_written,
        contradictory=contradictory(first.texts_after, work.families),
        families=len(work.families),
        copied_wrongly=sum(
            first.texts_after.get(computed, "") == first.texts_after.get(source) for source, computed in work.computed
        ),
        computed=len(work.computed),
        prompts_of_models=about_models,
        prompts_with_sql=with_sql,
        dbt_accepts=accepted,
        second_calls=len(second.requests),
        second_wall_s=second.finished.wall_s,
        second_cpu_s=second.finished.cpu_s,
        fresh_calls=None if fresh is None else len(fresh.requests),
        fresh_wall_s=None if fresh is None else fresh.finished.wall_s,
        fresh_cpu_s=None if fresh is None else fresh.finished.cpu_s,
    )


def with_one_fault(tool: Tool, work: Work, store: Path, good: Result) -> Fault:
    """Have a tool describe a project while one request, in the middle of a good run's, is answered with 400."""
    at = (good.calls + 1) // 2
    project = prepared(tool, work, store)
    ran = run_tool(tool, project, store, FAULTY_LATENCY_S, (ServerFault("400", frozenset({at})),))
    return Fault(tool.name, ran.finished.returncode, at, ran.files_written, good.files_written)


def on_torture(tool: Tool, work: Work, store: Path) -> Torture:
    """Have a tool fill the gaps of a schema file that people wrote."""
    project = prepared(tool, work, store)
    ran = run_tool(tool, project, store, work.latency_s)
    before, after = ran.files_before[SCHEMA_FILE], ran.files_after.get(SCHEMA_FILE, b"")
    return Torture(
        tool=tool.name,
        returncode=ran.finished.returncode,
        calls=len(ran.requests),
        descriptions_written=ran.descriptions_written,
        changed_lines=changed_lines(before, after),
        changed_bytes=changed_bytes(before, after),
        dbt_accepts=run_dbt(project, "parse").returncode == 0,
    )


def phase_s(requests: Sequence[RecordedRequest]) -> float:
    """From the first request to the last answer."""
    if not requests:
        return 0.0
    return max(request.finished_s for request in requests) - min(request.started_s for request in requests)


def sql_in_prompts(requests: Sequence[RecordedRequest], nodes: Mapping[str, Mapping[str, object]]) -> tuple[int, int]:
    """How many prompts are about models, and how many of these have the model's SQL, raw or compiled."""
    codes: dict[str, list[frozenset[str]]] = {}
    for node in nodes.values():
        if node["resource_type"] == "model":
            found = [squeezed_lines(str(node.get(key) or "")) for key in ("raw_code", "compiled_code")]
            # dbt-osmosis calls a version by its relation, we call it by its number.
            for name in {node["name"], node.get("alias"), f"{node['name']}.v{node.get('version')}"}:
                codes.setdefault(str(name), []).extend(found)
    about = [(codes.get(question_of(request.body).node), squeezed_lines(request.text)) for request in requests]
    return (
        sum(known is not None for known, _ in about),
        sum(any(_has(lines, code) for code in known) for known, lines in about if known is not None),
    )


def _has(lines: frozenset[str], code: frozenset[str]) -> bool:
    return bool(code) and len(code & lines) >= _SQL_SHARE * len(code)
