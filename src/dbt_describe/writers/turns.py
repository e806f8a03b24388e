"""Further turns of a conversation, which must fit the model's window as the first one did."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from dbt_describe.llm.messages import Message, Reply, Request
from dbt_describe.prompting.prompts import Prompt
from dbt_describe.prompting.tokens import estimate_tokens
from dbt_describe.prompting.window import Window

SHOWN_BACK_CHARACTERS = 8_000
"""Of an answer that can't be used, so much is shown back to the model."""


def continued(
    request: Request, reply: Reply, wish: str, prompt: Prompt, schema: Mapping[str, object], descriptions: int
) -> Request | None:
    """The conversation with the model's answer and a wish about it; where that is too much, without the answer.

    None where there is no room for an answer with so many descriptions in either way.
    """
    said = reply.text[:SHOWN_BACK_CHARACTERS].strip() or "(an empty answer)"
    with_answer = (*request.messages, Message("assistant", said), Message("user", wish))
    for messages in (with_answer, (*request.messages[:-1], _added(request.messages[-1], wish))):
        left = _left(prompt, messages, schema)
        if left >= prompt.profile.answer_tokens(descriptions):
            return msgspec.structs.replace(
                request,
                messages=messages,
                schema=schema,
                purpose="repair",
                input_tokens=request.input_tokens + estimate_tokens(_text(messages[len(request.messages) :]) or wish),
                max_output_tokens=min(request.max_output_tokens, left),
            )
    return None


def with_wish(request: Request, wish: str) -> Request:
    """A question of its own with the wish at its end."""
    return msgspec.structs.replace(
        request,
        messages=(*request.messages[:-1], _added(request.messages[-1], wish)),
        purpose="repair",
        input_tokens=request.input_tokens + estimate_tokens(wish),
    )


def grown_output(prompt: Prompt, times: int) -> int:
    """Room for an answer that was cut off: so many times as much, as far as the model allows."""
    messages = (Message("system", prompt.system), Message("user", prompt.user))
    left = _left(prompt, messages, prompt.schema)
    wanted = min(prompt.max_output_tokens * times, prompt.window.output_tokens, left)
    return max(prompt.max_output_tokens, wanted)


def smaller_window(window: Window, limit_tokens: int, *, sent: int) -> Window:
    """The window that a server named when it refused a request of `sent` tokens, or half of what was sent."""
    named = 0 < limit_tokens < window.tokens
    return msgspec.structs.replace(window, tokens=limit_tokens if named else min(sent, window.tokens) // 2)


def _left(prompt: Prompt, messages: tuple[Message, ...], schema: Mapping[str, object]) -> int:
    """Tokens of the window that are left for an answer."""
    used = sum(prompt.profile.count(message.content) for message in messages)
    return prompt.window.usable_tokens - used - prompt.profile.count(str(schema))


def _added(question: Message, wish: str) -> Message:
    return Message(question.role, f"{question.content}\n{wish}")


def _text(messages: tuple[Message, ...]) -> str:
    return "\n".join(message.content for message in messages)
