"""Answers that are shown as they come can't be taken back: what breaks off isn't asked again."""

from __future__ import annotations

import msgspec

from dbt_describe.errors import LlmError
from dbt_describe.llm.failures import BrokenOffError, TransientError, billed
from dbt_describe.llm.messages import Completer, Reply, Request, Usage


class FirstPieceCounts:
    """The layer that makes every failure after the first piece of an answer a final one."""

    def __init__(self, inner: Completer) -> None:
        self._inner = inner

    async def complete(self, request: Request) -> Reply:
        """The inner answer.

        Raises:
            BrokenOffError: the connection broke off after a piece of the answer had come.
        """
        show = request.on_text
        if show is None:
            return await self._inner.complete(request)
        came = False

        def watch(piece: str) -> None:
            nonlocal came
            came = True
            show(piece)

        try:
            return await self._inner.complete(msgspec.structs.replace(request, on_text=watch))
        except LlmError as error:
            if not came:
                raise
            said = f"The answer broke off: {error}" if isinstance(error, TransientError) else str(error)
            used = Usage(error.billed_input_tokens, error.billed_output_tokens)
            raise billed(BrokenOffError(said), used) from error
