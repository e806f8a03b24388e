"""Imported by every Python of the tests as it starts: `server.py` runs `dbt` and `dbt-osmosis`, if there is one.

`dbt-describe` is run there only where the test says so: some send signals to its process, or look at its start.
"""

from __future__ import annotations

import os
import sys


def hand_over(path: str) -> None:
    """Let the server run this call, and end as it does; return where there is no server."""
    import json
    import signal
    import socket

    call = {"arguments": sys.orig_argv[1:], "directory": os.getcwd(), "environ": dict(os.environ)}  # noqa: PTH109
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(path)
            socket.send_fds(server, [json.dumps(call).encode() + b"\n"], [0, 1, 2])
        except OSError:
            return
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        code = int(server.recv(64) or 1)
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)


SERVED = {"dbt": "PRELOADED_DBT", "dbt-osmosis": "PRELOADED_DBT", "dbt-describe": "PRELOADED_DESCRIBE"}
"""A script beside this Python → the variable that tells where it is served."""

for name, variable in SERVED.items():
    if sys.orig_argv[1:2] == [os.path.join(os.path.dirname(sys.executable), name)]:  # noqa: PTH118, PTH120
        socket_path = os.environ.pop(variable, "")
        if socket_path:
            hand_over(socket_path)
