"""A `dbt` that stands for v2: its options and no others, a manifest in v2's shape, which it writes even if it fails.

Source: crates/dbt-clap-core of dbt-core 2.0.0-beta.2 (2026-08): the options that all commands share, before the command
or after it, and those of `ls`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.project.engine_manifests import SHAPES, Manifest, manifest_of

V2 = next(shape for shape in SHAPES if shape.engine == "dbt 2.0")
REJECTED = '[error] [UnusedConfigKey (dbt1060)]: Ignored unexpected key `"meta"`. YAML path: `columns[0].meta`.'
_SCRIPT = """#!{python} -SE
import datetime, json, os, pathlib, sys

FLAGS = {{"--quiet", "-q", "--no-use-colors", "--write-catalog", "--defer", "--no-introspect", "--no-populate-cache",
         "--no-send-anonymous-usage-stats"}}
VALUES = {{"--project-dir", "--profiles-dir", "--profile", "--target", "--target-path", "--vars",
          "--selector", "--state", "--defer-state", "--indirect-selection"}}
LISTS = {{"--select", "--exclude"}}
OF_LS = {{"--output"}}
LISTS_OF_LS = {{"--output-keys", "--resource-type", "--exclude-resource-type"}}
here = pathlib.Path(__file__).parent
words, given, commands = sys.argv[1:], {{}}, []
if words == ["--version"]:
    sys.exit(print("dbt 2.0.0-beta.2"))
while words:
    word = words.pop(0)
    if word in FLAGS:
        given[word] = True
    elif word in VALUES or word in OF_LS and commands == ["ls"]:
        given[word] = words.pop(0)
    elif word in LISTS or word in LISTS_OF_LS and commands == ["ls"]:
        given[word] = " ".join(iter(lambda: words.pop(0) if words and words[0][:1] != "-" else None, None))
    elif word.startswith("-") or commands or word not in ("parse", "compile", "ls"):
        sys.exit(f"error: unexpected argument '{{word}}' found")
    else:
        commands.append(word)
with (here / "calls").open("a") as calls:
    calls.write(json.dumps([*commands, given]) + "\\n")
if commands == ["ls"]:
    for unique_id in json.loads((here / "selected.json").read_text()):
        print(json.dumps({{"unique_id": unique_id}}))
    sys.exit()
fails = (here / "fails").exists()
manifest = json.loads((here / "manifest.json").read_text())
manifest["metadata"]["generated_at"] = datetime.datetime.now(datetime.timezone.utc).isoformat()
if fails:
    for node in manifest["nodes"].values():
        node["columns"] = {{}}
target = pathlib.Path(given["--project-dir"], given.get("--target-path", "target"))
target.mkdir(parents=True, exist_ok=True)
(target / "manifest.json").write_text(json.dumps(manifest))
if "--write-catalog" in given and not fails:
    (target / "catalog.json").write_text(json.dumps({{"nodes": {{}}, "sources": {{}}, "errors": None}}))
if fails:
    print("   Loading profiles.yml")
    print({rejected!r}, "  --> models/schema.yml:4:5", sep="\\n", file=sys.stderr)
    print(*["[warning] [Generic (dbt1000)]: something old"] * 20, sep="\\n", file=sys.stderr)
    sys.exit("Finished 'parse' with 20 warnings and 1 error")
"""


class V2Executable:
    """The executable in a directory, and what it was called with."""

    def __init__(self, directory: Path, manifest: Manifest | None = None) -> None:
        self._directory = directory
        directory.mkdir()
        self.path = directory / "dbt"
        self.path.write_text(_SCRIPT.format(python=sys.executable, rejected=REJECTED), encoding="utf-8")
        self.path.chmod(0o755)
        (directory / "manifest.json").write_text(json.dumps(manifest or manifest_of(V2)), encoding="utf-8")

    @property
    def calls(self) -> list[tuple[str, dict[str, str | bool]]]:
        """The commands and their options, in order."""
        path = self._directory / "calls"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [(command, options) for command, options in map(json.loads, lines)]

    def select(self, *unique_ids: str) -> None:
        """What `dbt ls` is to list."""
        (self._directory / "selected.json").write_text(json.dumps(unique_ids), encoding="utf-8")

    def fail(self, *, always: bool = True) -> None:
        """Report an error from now on, or no longer."""
        if always:
            (self._directory / "fails").touch()
        else:
            (self._directory / "fails").unlink()
