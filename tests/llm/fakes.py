"""Stand-ins for a model: a queue of answers, and a history of what was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from dbt_describe.llm.messages import Message, Probed, Reply, Request, Usage

Answer = Reply | BaseException | Callable[[Request], Reply]


class FakeCompleter:
    """Answers from a queue, the last entry again and again; `requests` are all it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []
        self.closed = False
        self.stopped = False
        self.kept: list[Reply] = []

    async def complete(self, request: Request) -> Reply:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, Reply) else answer(request)

    def keep(self, request: Request, reply: Reply) -> None:
        self.kept.append(reply)

    def stop(self) -> None:
        self.stopped = True

    async def probe(self, model: str) -> Probed | None:
        return None

    async def aclose(self) -> None:
        self.closed = True


class RecordedSleep:
    """Waits no time, and remembers how long it was asked to."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)


def question(**fields: Any) -> Request:
    return Request(**({"model": "openai/tiny", "messages": (Message("user", "Why?"),)} | fields))


def reply(text: str = "Because.", **fields: Any) -> Reply:
    return Reply(text, **({"usage": Usage(100, 20)} | fields))


def described(columns: dict[str, str], node: str = "", confidence: str = "high", **fields: Any) -> Reply:
    """A well-formed answer with these texts."""
    entries: Sequence[dict[str, str]] = [
        {"name": name, "evidence": "the SQL", "description": text, "confidence": confidence}
        for name, text in columns.items()
    ]
    answer: dict[str, Any] = {"columns": entries}
    if node:
        answer["node"] = {"evidence": "the SQL", "description": node, "confidence": confidence}
    return reply(json.dumps(answer), **fields)
