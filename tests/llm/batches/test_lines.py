"""Files of JSON lines come in pieces, and hold anything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from dbt_describe.llm.batches.lines import fields_of, line_of, lines_of


def lines(*chunks: bytes) -> list[bytes]:
    async def given() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def read() -> list[bytes]:
        return [line async for line in lines_of(given())]

    return asyncio.run(read())


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([], []),
        ([b"\n\n"], []),
        ([b'{"a":1}\n{"b":2}\n'], [b'{"a":1}', b'{"b":2}']),
        ([b'{"a"', b":1}", b'\n{"b":2}'], [b'{"a":1}', b'{"b":2}']),
        ([b'\xef\xbb\xbf{"a":1}\r\n', b'{"b":2}\r\n'], [b'{"a":1}', b'{"b":2}']),
        ([b"\xef\xbb\xbf{}"], [b"{}"]),
    ],
)
def test_lines_end_where_files_say_so(chunks: list[bytes], expected: list[bytes]) -> None:
    assert lines(*chunks) == expected


def test_other_ends_of_lines_are_part_of_a_text() -> None:
    line = json.dumps({"text": "one\u2028two\x85three"}, ensure_ascii=False).encode()
    assert lines(line + b"\n", line) == [line, line]


@pytest.mark.parametrize("line", [b"", b"[1]", b'{"a":', b"\xff\xfe", b"7", b"[" * 100_000])
def test_a_line_that_is_no_object_is_empty(line: bytes) -> None:
    assert fields_of(line) == {}


def test_what_is_written_is_ascii_on_one_line() -> None:
    line = line_of({"text": "größer\n\u2028"})
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert fields_of(line) == {"text": "größer\n\u2028"}
