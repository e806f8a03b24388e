"""The command's entry point, also as `python -m dbt_describe`."""

from __future__ import annotations

import signal
import sys


def main() -> None:
    """Run the command; Ctrl-C while its modules are still being imported ends it quietly too."""
    try:
        from dbt_describe.cli.main import main as run  # noqa: PLC0415 - what is imported here is what takes time

        run()
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        # The exit code stands: a late Ctrl-C, while Python shuts down, must not replace it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    main()
