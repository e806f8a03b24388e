"""A process of its own that traces nodes: what it is asked comes by its standard input, answers go to its output.

    worker → a line                       once, after whatever else Python prints when it starts
    parent → size, [NamedNode, …]         once
    parent → size, [Subject, …]           as often as needed
    worker → size, [Traced, …]            one per Subject, in its order

Sizes are 8 bytes, little-endian; all else is msgpack. The worker ends with its input.

multiprocessing would import the user's main module anew in each process, which fails in a script without a
`__main__` guard and where Python reads its program from standard input.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import IO

import msgspec

from dbt_describe.lineage.relations import NamedNode, Relations
from dbt_describe.lineage.subjects import Subject, Traced

_SIZE_BYTES = 8
_READY = b"dbt-describe is ready to trace\n"
_PROGRAM = "import sys; sys.path[:] = {path!r}; from dbt_describe.lineage.worker import serve; serve()"


class WorkerError(Exception):
    """The process can't be started, or has ended."""


class Worker:
    """A process that traces nodes.

    Raises:
        WorkerError: it can't be started.
    """

    def __init__(self, nodes: bytes) -> None:
        if not sys.executable or getattr(sys, "frozen", False):
            raise WorkerError("there is no Python to start")
        # -I: nothing of the directory that the command is called in is imported.
        words = [sys.executable, "-I", "-c", _PROGRAM.format(path=[os.fspath(path) for path in sys.path])]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this Python, and no shell
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        except OSError as error:
            raise WorkerError(str(error)) from error
        if self._process.stdin is None or self._process.stdout is None:
            raise WorkerError("it has no pipes")
        self._input, self._output = self._process.stdin, self._process.stdout
        self._decoder = msgspec.msgpack.Decoder(list[Traced])
        self._nodes = nodes

    def trace(self, subjects: Sequence[Subject]) -> list[Traced]:
        """What it finds, one per subject.

        Raises:
            WorkerError: the process has ended.
        """
        try:
            if self._nodes:
                _write(self._input, self._nodes)
                self._nodes = b""
                if _READY not in iter(self._output.readline, b""):
                    raise EOFError("it didn't say that it is ready")
            _write(self._input, msgspec.msgpack.encode(subjects))
            return self._decoder.decode(_read(self._output))
        except (OSError, EOFError, ValueError) as error:
            raise WorkerError(f"the process has ended: {error}") from error

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._input, self._output):
            with contextlib.suppress(OSError):
                pipe.close()


def serve() -> None:
    """Answer until the input ends."""
    # Ctrl-C reaches all processes of a terminal; the parent decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, target = sys.stdin.buffer, sys.stdout.buffer
    # What anything prints must not get between the answers.
    sys.stdout = sys.stderr
    target.write(_READY)
    target.flush()
    from dbt_describe.lineage.tracing import trace_node  # noqa: PLC0415 - sqlglot isn't needed to start workers

    relations = Relations(msgspec.msgpack.decode(_read(source), type=list[NamedNode]))
    decoder = msgspec.msgpack.Decoder(list[Subject])
    with contextlib.suppress(EOFError):
        while True:
            subjects = decoder.decode(_read(source))
            _write(target, msgspec.msgpack.encode([trace_node(subject, relations) for subject in subjects]))


def _write(stream: IO[bytes], content: bytes) -> None:
    stream.write(len(content).to_bytes(_SIZE_BYTES, "little"))
    stream.write(content)
    stream.flush()


def _read(stream: IO[bytes]) -> bytes:
    """The next message.

    Raises:
        EOFError: there is none.
    """
    size = stream.read(_SIZE_BYTES)
    if len(size) < _SIZE_BYTES:
        raise EOFError("no more input")
    return stream.read(int.from_bytes(size, "little"))
