"""A streamed chat completion, put together again."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable

from openai import BaseModel

from dbt_describe.llm.failures import TransientError
from dbt_describe.llm.messages import Usage
from dbt_describe.llm.providers.chat_replies import text_of, usage_of


class Listener:
    """Hands the pieces of one answer on, and remembers when the first one came."""

    def __init__(self, on_text: Callable[[str], None] | None, clock: Callable[[], float]) -> None:
        self._on_text = on_text
        self._clock = clock
        self.first_at_s: float | None = None
        """By the clock; None as long as nothing has come."""
        self.usage = Usage()
        """As far as a stream has told it."""

    def hear(self, text: str) -> None:
        """Hand a piece on."""
        if text and self._on_text is not None:
            if self.first_at_s is None:
                self.first_at_s = self._clock()
            self._on_text(text)


async def completion_of(chunks: AsyncIterable[object], listener: Listener, where: str) -> dict[str, object]:
    """The completion that the chunks amount to; an error in one of them ends it.

    Raises:
        TransientError: the stream of the endpoint `where` ended before the answer did.
    """
    texts: list[str] = []
    refusals: list[str] = []
    choice: dict[str, object] = {}
    completion: dict[str, object] = {}
    has_ended = False
    async for chunk in chunks:
        fields = chunk.to_dict(warnings=False) if isinstance(chunk, BaseModel) else {}
        _merge(completion, fields)
        listener.usage = usage_of(completion.get("usage"))
        choices = fields.get("choices")
        # The last chunk has usage and no choices; Gemini's have usage all along.
        has_ended = has_ended or (choices == [] and bool(fields.get("usage")))
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            continue
        choice |= {name: choices[0][name] for name in ("finish_reason", "error") if choices[0].get(name)}
        delta = choices[0].get("delta")
        if isinstance(delta, dict):
            texts.append(text_of(delta.get("content")))
            refusals.append(str(delta.get("refusal") or ""))
            listener.hear(texts[-1])
    if texts and not (has_ended or choice or completion.get("error")):
        # The SDK doesn't tell whether [DONE] has come.
        raise TransientError(f"{where} broke off its answer.")
    if texts or choice:
        choice["message"] = {"content": "".join(texts), "refusal": "".join(refusals)}
        completion["choices"] = [choice]
    return completion


def _merge(completion: dict[str, object], fields: dict[str, object]) -> None:
    """Keep what a chunk says of the whole. Groq's usage is under `x_groq`. Source: groq 1.7, 2026-11."""
    groq = fields.get("x_groq")
    usage = fields.get("usage") or (groq.get("usage") if isinstance(groq, dict) else None)
    told = {"model": fields.get("model"), "usage": usage, "error": fields.get("error")}
    told["service_tier"] = fields.get("service_tier")
    completion.update({name: value for name, value in told.items() if value})
