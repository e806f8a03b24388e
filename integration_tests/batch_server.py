"""A real HTTP server on loopback that speaks the batch protocols of OpenAI (Azure, Groq), Anthropic and Gemini.

    with BatchServer() as server:
        ...  # talk to server.url("/v1"); look at server.batches

Each protocol is at its usual path, single requests included: OpenAI's below `/v1` and `/openai/v1`, Anthropic's at
`/v1/messages`, Gemini's below `/v1beta`. Results come in the reverse order of the requests, but for Gemini's, which are
documented to keep it. Source: the types of openai 3.52, anthropic 2.11 and google-genai 3.4, and the providers' pages
on batches, 2026-11.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from integration_tests.batch_protocols import ANTHROPIC, GEMINI, OPENAI, Protocol
from integration_tests.openai_server import answer_from_schema
from integration_tests.serving import Handling, QuietServer, Served

Fate = Literal["", "busy", "bad", "expired", "cancelled", "missing", "twice"]
"""What becomes of one request; empty: it is answered."""
Step = Literal["upload", "file", "create", "list", "poll", "results", "cancel", "delete"]


@dataclass
class Batch:
    """A batch as it was sent. `asked` are custom ids and bodies, in order."""

    id: str
    name: str
    file_id: str
    protocol: Protocol
    asked: list[tuple[str, dict[str, Any]]]
    polls: int = 0
    cancelled: bool = False
    deleted: bool = False


@dataclass(frozen=True)
class Call:
    """One request as it came in; header names in lower case."""

    step: str
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Fault:
    """What a step answers in place of what it should: an HTTP status, or a connection that breaks."""

    status: int = 0
    """0: the connection breaks."""
    after: bool = False
    """Whether the step is done all the same."""
    half: bool = False
    """Whether half of the answer comes before the connection breaks."""
    headers: dict[str, str] = field(default_factory=dict)


class _Server(QuietServer):
    owner: BatchServer


class BatchServer(Served):
    """The server; a context manager that starts and stops it.

    Args:
        polls: how often a batch is asked about before it has ended.
        final: the state in which it ends, in OpenAI's words.
        fate: what becomes of a request: its text, and the number of its batch, from 1.
        answer: what a model says to a request's body, put as OpenAI's; an instance of its schema by default.
    """

    def __init__(
        self,
        polls: int = 1,
        final: str = "completed",
        fate: Callable[[str, int], Fate] = lambda *_: "",
        answer: Callable[[dict[str, Any]], str] = answer_from_schema,
    ) -> None:
        server = _Server(("127.0.0.1", 0), _Handler)
        server.owner = self
        super().__init__(server)
        self.polls = polls
        self.final = final
        self.fate = fate
        self.answer = answer
        self.extra_lines: list[str] = []
        self.faults: dict[str, list[Fault]] = {}
        self.hold_at = ""
        """The step that isn't answered before `release` is set: it has been done, its results are half sent."""
        self.held, self.release = threading.Event(), threading.Event()
        self.calls: list[Call] = []
        self.batches: list[Batch] = []
        self.files: dict[str, bytes] = {}
        self.slow_files = 0
        """How often a file is asked about before it may be used, as Azure's."""
        self.lock = threading.Lock()

    def url(self, path: str = "") -> str:
        """A URL of it."""
        return f"http://{self.host}{path}"

    @property
    def asked(self) -> list[str]:
        """The texts of all requests that came in batches: what would be paid for."""
        return [batch.protocol.text_of(body) for batch in self.batches for _, body in batch.asked]

    @property
    def live(self) -> list[Call]:
        """The single requests."""
        return [call for call in self.calls if call.step == "live"]

    def steps(self, *names: str) -> list[str]:
        """The steps that were asked for, in order; only these, where some are named."""
        return [call.step for call in self.calls if not names or call.step in names]

    def state_of(self, batch: Batch) -> str:
        """How far it is, in OpenAI's words."""
        if batch.cancelled:
            return "cancelled"
        return self.final if batch.polls > self.polls else "in_progress"

    def results_of(self, batch: Batch) -> list[tuple[str, str, dict[str, Any]]]:
        """Custom id, fate and body of each result."""
        number = self.batches.index(batch) + 1
        results: list[tuple[str, str, dict[str, Any]]] = []
        for custom_id, body in batch.asked:
            fate = self.fate(batch.protocol.text_of(body), number)
            if fate == "missing":
                continue
            results += [(custom_id, "" if fate == "twice" else fate, body)] * (2 if fate == "twice" else 1)
        return results

    def __exit__(self, *ended: Any) -> None:
        self.release.set()
        super().__exit__(*ended)


class _Handler(Handling):
    server: _Server

    def exchange(self) -> None:
        owner = self.server.owner
        content = self.received()
        protocol, step, argument = _routed(self.command, self.path)
        body: Any = content if step == "upload" else json.loads(content or b"null")
        headers = {name.lower(): value for name, value in self.headers.items()}
        with owner.lock:
            owner.calls.append(Call(step, self.command, self.path, headers, body))
            faults = owner.faults.get(step)
            fault = faults.pop(0) if faults else None
            status, answer = 404, json.dumps({"error": {"message": f"Invalid URL ({self.command} {self.path})"}})
            if step and not (fault and not fault.after):
                status, answer = self._done(protocol, step, argument, body)
        if fault is not None:
            self._fail(fault, answer)
        elif step == owner.hold_at:
            self._hold(answer)
        else:
            self.send_whole(status, answer.encode())

    def _done(self, protocol: Protocol, step: str, argument: str, body: Any) -> tuple[int, str]:
        owner = self.server.owner
        if step == "live":
            return 200, json.dumps(protocol.reply(body, owner.answer(protocol.as_chat(body))))
        if step in {"upload", "file"}:
            return 200, json.dumps(self._shown_file(argument or self._taken(body)))
        if step == "create":
            if owner.slow_files > 0:
                return 400, json.dumps(
                    {"error": {"message": "The file isn't processed yet.", "code": "invalidPayload"}}
                )
            name, file_id, asked = protocol.created(body, owner.files)
            if not asked:
                return 400, json.dumps({"error": {"message": f"No such File object: {file_id}"}})
            made = Batch(f"{protocol.prefix}{len(owner.batches) + 1}", name, file_id, protocol, asked)
            owner.batches.append(made)
            return 200, json.dumps(protocol.shown(made, "validating", []))
        if step == "list":
            newest_first = [one for one in reversed(owner.batches) if one.protocol is protocol and not one.deleted]
            return 200, json.dumps(
                protocol.listed([protocol.shown(one, owner.state_of(one), []) for one in newest_first])
            )
        if step in {"results", "delete"} and argument.startswith("file-"):
            return self._file(step, argument)
        batch = next((one for one in owner.batches if one.id == argument and not one.deleted), None)
        return self._of_batch(protocol, step, batch) if batch else (404, json.dumps(protocol.missing))

    def _taken(self, body: bytes) -> str:
        """Keep an uploaded file; returns its id."""
        files = self.server.owner.files
        file_id = f"file-{len(files) + 1}"
        content = re.split(rb"\r\n\r\n", body.rpartition(b'name="file"')[2], maxsplit=1)[1]
        files[file_id] = content.partition(b"\r\n--")[0]
        return file_id

    def _shown_file(self, file_id: str) -> dict[str, Any]:
        owner = self.server.owner
        status = "pending" if owner.slow_files > 0 else "processed"
        owner.slow_files -= 1
        return {"id": file_id, "object": "file", "purpose": "batch", "status": status}

    def _of_batch(self, protocol: Protocol, step: str, batch: Batch) -> tuple[int, str]:
        owner = self.server.owner
        if step == "poll":
            batch.polls += 1
        elif step == "cancel":
            batch.cancelled = True
        elif step == "delete":
            batch.deleted = True
            return 200, json.dumps({"id": batch.id})
        results = owner.results_of(batch)
        if step == "results":
            lines = [json.dumps(protocol.line(*result, owner.answer)) for result in reversed(results)]
            return 200, "\n".join([*lines, *owner.extra_lines])
        return 200, json.dumps(protocol.shown(batch, owner.state_of(batch), results, owner.answer))

    def _file(self, step: str, file_id: str) -> tuple[int, str]:
        """The output or the error file of a batch: `file-out-7` and `file-err-7`."""
        owner = self.server.owner
        if step == "delete":
            owner.files.pop(file_id, None)
            return 200, json.dumps({"id": file_id, "deleted": True})
        kind, _, batch_id = file_id.removeprefix("file-").partition("-")
        batch = next((one for one in owner.batches if one.id == batch_id), None)
        if batch is None:
            return 404, json.dumps(OPENAI.missing)
        wanted = [result for result in owner.results_of(batch) if bool(result[1]) == (kind == "err")]
        lines = [json.dumps(OPENAI.line(*result, owner.answer)) for result in reversed(wanted)]
        return 200, "\n".join([*lines, *(owner.extra_lines if kind == "out" else ())])

    def _hold(self, answer: str) -> None:
        """Send half of the answer, and the rest when that is wished."""
        rest = self.send_half(answer.encode())
        self.server.owner.held.set()
        self.server.owner.release.wait()
        self.wfile.write(rest)

    def _fail(self, fault: Fault, answer: str) -> None:
        if fault.status:
            error = {"message": "Something is off", "type": "rate_limit_error", "code": "rate_limit_exceeded"}
            self.send_whole(fault.status, json.dumps({"type": "error", "error": error}).encode(), fault.headers)
            return
        if fault.half:
            self.send_half(answer.encode())
        self.hang_up()


_ROUTES: Sequence[tuple[Protocol, str, str, str]] = (
    (ANTHROPIC, "create", "POST", r"/v1/messages/batches"),
    (ANTHROPIC, "list", "GET", r"/v1/messages/batches"),
    (ANTHROPIC, "results", "GET", r"/v1/messages/batches/([^/]+)/results"),
    (ANTHROPIC, "poll", "GET", r"/v1/messages/batches/([^/]+)"),
    (ANTHROPIC, "cancel", "POST", r"/v1/messages/batches/([^/]+)/cancel"),
    (ANTHROPIC, "delete", "DELETE", r"/v1/messages/batches/([^/]+)"),
    (ANTHROPIC, "live", "POST", r"/v1/messages"),
    (GEMINI, "live", "POST", r"/v1beta/openai/chat/completions"),
    (GEMINI, "create", "POST", r"/v1beta/models/([^/]+):batchGenerateContent"),
    (GEMINI, "list", "GET", r"/v1beta/batches"),
    (GEMINI, "poll", "GET", r"/v1beta/(batches/[^/:]+)"),
    (GEMINI, "cancel", "POST", r"/v1beta/(batches/[^/:]+):cancel"),
    (GEMINI, "delete", "DELETE", r"/v1beta/(batches/[^/:]+)"),
    (OPENAI, "upload", "POST", r"(?:/openai)?/v1/files"),
    (OPENAI, "results", "GET", r"(?:/openai)?/v1/files/([^/]+)/content"),
    (OPENAI, "file", "GET", r"(?:/openai)?/v1/files/([^/]+)"),
    (OPENAI, "delete", "DELETE", r"(?:/openai)?/v1/files/([^/]+)"),
    (OPENAI, "create", "POST", r"(?:/openai)?/v1/batches"),
    (OPENAI, "list", "GET", r"(?:/openai)?/v1/batches"),
    (OPENAI, "poll", "GET", r"(?:/openai)?/v1/batches/([^/]+)"),
    (OPENAI, "cancel", "POST", r"(?:/openai)?/v1/batches/([^/]+)/cancel"),
    (OPENAI, "live", "POST", r"(?:/openai)?/v1/chat/completions"),
)


def _routed(method: str, path: str) -> tuple[Protocol, str, str]:
    """Protocol, step and id of a request; no step where there is no such path."""
    plain = path.partition("?")[0]
    for protocol, step, its_method, pattern in _ROUTES:
        found = re.fullmatch(pattern, plain)
        if found and method == its_method:
            return protocol, step, found[1] if found.groups() else ""
    return OPENAI, "", ""
