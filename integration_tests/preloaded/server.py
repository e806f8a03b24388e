"""A dbt that has been imported once, and from which calls of `dbt`, `dbt-osmosis` and `dbt-describe` are forked.

Imports take more than half of a call's time, and the tests make hundreds of them. What runs is the real command, in a
process of its own with the caller's arguments, environment, directory and files; only its imports have been done
before. `python server.py SOCKET [MODULE...]` serves until its standard input ends; `sitecustomize.py` is the other
side. The modules are what is imported besides dbt's own.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

MODULES = (
    "dbt.cli.main",
    "dbt.adapters.duckdb",
    "dbt.parser.manifest",
    "dbt.task.build",
    "dbt.task.compile",
    "dbt.task.docs.generate",
    "dbt.task.list",
    "duckdb",
)
"""What calls of dbt import; a dbt that hasn't one of them imports what it has instead when it is called."""
ENTRIES = {
    "dbt": ("dbt.cli.main", "cli"),
    "dbt-describe": ("dbt_describe.__main__", "main"),
    "dbt-osmosis": ("dbt_osmosis.cli.main", "cli"),
}
"""What each script calls."""


def main(path: str, *more: str) -> None:
    """Serve calls. The socket is there once they can be served."""
    for name in (*MODULES, *more):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if max(threading.active_count(), native_threads()) > 1:
        sys.exit("A process of several threads can't be forked: dbt is called as ever.")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # What is there now is never looked at again, nor copied for each call.
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listener, selectors.DefaultSelector() as selector:
        listener.bind(f"{path}.new")
        listener.listen(64)
        Path(f"{path}.new").rename(path)
        selector.register(listener, selectors.EVENT_READ)
        selector.register(sys.stdin, selectors.EVENT_READ)
        while all(key.fileobj is listener for key, _ in selector.select()):
            caller, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                serve(caller)
            caller.close()


def native_threads() -> int:
    """How many threads this process has, those of libraries included; 0 where the system doesn't tell.

    One that has opened a database with DuckDB has some, and what is forked from it waits for them for ever.
    """
    try:
        return len(list(Path("/proc/self/task").iterdir()))
    except OSError:
        return 0


def serve(caller: socket.socket) -> None:
    """Run one call in a further process, tell its exit code, and end it where the caller ends before."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, files, _, _ = socket.recv_fds(caller, 1 << 16, 3)
    while not message.endswith(b"\n"):
        message += caller.recv(1 << 16)
    child = os.fork()
    if child == 0:
        caller.close()
        run(json.loads(message), files)
    for file in files:
        os.close(file)
    threading.Thread(target=end_with, args=(caller, child), daemon=True).start()
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(OSError):
        caller.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def end_with(caller: socket.socket, child: int) -> None:
    """Wait until the caller has gone, who says nothing more."""
    with contextlib.suppress(OSError):
        caller.recv(1)
    with contextlib.suppress(OSError):
        os.kill(child, signal.SIGKILL)


def run(call: dict[str, Any], files: list[int]) -> None:
    """Do what the script does, where the caller is."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(call["directory"])
    os.environ.clear()
    os.environ.update(call["environ"])
    sys.argv[:] = call["arguments"]
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode) for number, mode in enumerate("rww"))
    module, function = ENTRIES[Path(sys.argv[0]).name]
    entry = getattr(importlib.import_module(module), function)
    try:
        code = entry()
    except SystemExit as ended:
        code = ended.code
    leave(code)


def leave(code: object) -> NoReturn:
    """End as Python does, but for giving back one by one what all processes share."""
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    if code is not None and not isinstance(code, int):
        sys.stderr.write(f"{code}\n")
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    main(*sys.argv[1:])
