"""Files of JSON lines, as providers take and give them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Protocol

_BOM = b"\xef\xbb\xbf"


def line_of(fields: Mapping[str, object]) -> bytes:
    """One line, ASCII alone, with its end."""
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


async def lines_of(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines that are not empty, without their ends.

    Bytes, and `\\n` alone: what HTTP libraries call lines end at U+2028, too, which answers may hold.
    """
    rest = bytearray()
    is_first = True
    async for chunk in chunks:
        start = len(rest)
        rest += chunk
        if b"\n" not in memoryview(rest)[start:].tobytes():
            continue
        *lines, last = bytes(rest).split(b"\n")
        rest = bytearray(last)
        for line in lines:
            clean = (line.removeprefix(_BOM) if is_first else line).strip()
            is_first = False
            if clean:
                yield clean
    clean = (bytes(rest).removeprefix(_BOM) if is_first else bytes(rest)).strip()
    if clean:
        yield clean


class Body(Protocol):
    """The response of an HTTP library while its body comes."""

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """The body in pieces."""

    async def aclose(self) -> None:
        """Nothing more is read."""


async def lines_in(body: Body) -> AsyncGenerator[bytes]:
    """The lines of a response, which is closed at the end, or before where nobody wants more."""
    try:
        async for line in lines_of(body.aiter_bytes()):
            yield line
    finally:
        await body.aclose()


def fields_of(line: bytes) -> dict[str, object]:
    """The object that a line is; empty where it is none, or can't be read."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
