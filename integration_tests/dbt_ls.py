"""What dbt itself selects, for many selectors in one process: `python dbt_ls.py PROJECT_DIR < options.json`.

Standard input is a JSON list of `dbt ls` options each; standard output a JSON list of sorted unique_ids each, or a text
where dbt refuses them. The project is parsed once, and its manifest is in target/ then. Run in a process of its own, as
dbt changes a process for good.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import pkgutil
import sys
from typing import TextIO

from dbt.cli.main import dbtRunner


def main(output: TextIO) -> None:
    """Answer on `output`, as dbt itself prints."""
    _look_around_once()
    shared = ["--project-dir", sys.argv[1], "--profiles-dir", sys.argv[1]]
    parsed = dbtRunner().invoke(["--quiet", "parse", *shared])
    if parsed.exception is not None:
        raise parsed.exception
    runner = dbtRunner(manifest=parsed.result)  # type: ignore[arg-type]
    quick = ["--quiet", "--no-write-json", "--log-level", "none", "--log-level-file", "none"]
    listing = [*quick, "ls", "--output", "json", "--output-keys", "unique_id", *shared]
    found: list[list[str] | str] = []
    for options in json.load(sys.stdin):
        listed = runner.invoke([*listing, "--resource-type", "all", *options])
        if listed.exception is not None:
            found.append(str(listed.exception))
        else:
            found.append(sorted(json.loads(line)["unique_id"] for line in listed.result or ()))  # type: ignore[union-attr]
    json.dump(found, output)


def _look_around_once() -> None:
    """A quarter of what each call takes is a look for plugins among all modules, and at the source of its callers."""
    modules = list(pkgutil.iter_modules())
    iter_modules = pkgutil.iter_modules
    pkgutil.iter_modules = lambda *where: iter_modules(*where) if where else iter(modules)
    inspect.stack = functools.partial(inspect.stack, 0)


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as stdout:
        os.dup2(2, 1)
        main(stdout)
