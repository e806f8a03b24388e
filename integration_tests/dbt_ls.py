"""What dbt itself selects, for many selectors in one process: `python dbt_ls.py PROJECT_DIR < options.json`.

Standard input is a JSON list of `dbt ls` options each; standard output a JSON list of sorted unique_ids each, or a text
where dbt refuses them. The project is parsed once. Run apart from the tests, as dbt changes a process for good.
"""

from __future__ import annotations

import json
import os
import sys

from dbt.cli.main import dbtRunner


def main() -> None:
    project_dir = sys.argv[1]
    shared = ["--project-dir", project_dir, "--profiles-dir", project_dir]
    parsed = dbtRunner().invoke(["--quiet", "parse", *shared])
    if parsed.exception is not None:
        raise parsed.exception
    runner = dbtRunner(manifest=parsed.result)  # type: ignore[arg-type]
    listing = ["--quiet", "--no-partial-parse", "ls", "--output", "json", "--output-keys", "unique_id", *shared]
    found: list[list[str] | str] = []
    for options in json.load(sys.stdin):
        listed = runner.invoke([*listing, "--resource-type", "all", *options])
        if listed.exception is not None:
            found.append(str(listed.exception))
        else:
            found.append(sorted(json.loads(line)["unique_id"] for line in listed.result or ()))  # type: ignore[union-attr]
    json.dump(found, _STDOUT)


if __name__ == "__main__":
    # What dbt prints must not stand between.
    _STDOUT = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    main()
    _STDOUT.close()
