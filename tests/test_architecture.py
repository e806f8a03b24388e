"""The table of packages in the design, held against the code: who may import whom, and who owns a library."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import dbt_describe

SOURCE = Path(dbt_describe.__file__).parent

FOUNDATION = {"errors"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "project": FOUNDATION,
    "lineage": FOUNDATION | {"project", "store"},
    "placeholders": set(),
    "inheritance": {"project", "lineage"},
    "uniqueness": {"inheritance", "lineage", "project"},
    "provenance": FOUNDATION | {"inheritance", "lineage", "placeholders", "project"},
    "checking": FOUNDATION
    | {"answers", "inheritance", "lineage", "placeholders", "planning", "project", "provenance", "schema_files"},
    "hands_off": {"project", "provenance"},
    "planning": FOUNDATION | {"project", "lineage", "inheritance", "placeholders", "provenance"},
    "prompting": FOUNDATION
    | {"project", "lineage", "planning", "inheritance", "placeholders", "redaction", "uniqueness"},
    "redaction": set(),
    "store": FOUNDATION,
    "storage": FOUNDATION | {"store"},
    "runs": {"planning", "project", "redaction", "store"},
    "llm": FOUNDATION | {"storage", "store"},
    "answers": FOUNDATION | {"inheritance", "placeholders", "planning"},
    "writers": FOUNDATION
    | {
        "project",
        "lineage",
        "inheritance",
        "planning",
        "prompting",
        "llm",
        "answers",
        "redaction",
        "storage",
        "uniqueness",
    },
    "schema_files": FOUNDATION | {"project"},
    "configuration": FOUNDATION | {"checking", "llm", "prompting", "schema_files", "storage"},
    "settings": FOUNDATION
    | {"checking", "configuration", "dbt_flags", "llm", "project", "prompting", "runs", "sharding", "storage"},
    "sharding": FOUNDATION | {"planning", "project", "provenance", "report", "schedule"},
    "resuming": FOUNDATION | {"runs", "settings"},
    "tracking": FOUNDATION | {"llm", "planning", "progress", "project", "report", "runs", "settings", "storage"},
    "dbt_flags": FOUNDATION | {"project"},
    "memory": FOUNDATION
    | {
        "answers",
        "inheritance",
        "llm",
        "placeholders",
        "preparing",
        "progress",
        "project",
        "prompting",
        "provenance",
        "redaction",
        "schedule",
        "settings",
        "store",
    },
    "background": FOUNDATION
    | {"hiding", "llm", "memory", "preparing", "profiling", "progress", "prompting", "settings"},
    "privacy": {"lineage", "project", "redaction"},
    "hiding": {"lineage", "preparing", "privacy", "progress", "project", "prompting", "redaction", "settings"},
    "profiling": FOUNDATION
    | {"lineage", "preparing", "privacy", "progress", "project", "prompting", "redaction", "settings", "store"},
    "progress": set(),
    "schedule": set(),
    "report": FOUNDATION | {"planning"},
    "sharing": FOUNDATION | {"project", "lineage", "inheritance", "planning", "provenance", "schema_files"},
    "placing": FOUNDATION | {"placeholders", "project", "report", "schema_files"},
    "filing": FOUNDATION | {"placing", "project", "planning", "provenance", "report", "schema_files", "sharing"},
    "hosting": {"filing", "placing", "planning"},
    "verifying": FOUNDATION | {"filing", "planning", "project", "report"},
    "deciding": FOUNDATION | {"planning", "provenance", "schema_files"},
    "conventions": {"answers", "placeholders", "planning", "project", "prompting"},
    "batch_tags": {"provenance"},
    "batched_plan": {"batch_tags", "llm", "planning", "preparing", "provenance", "writers"},
    "batching": FOUNDATION
    | {
        "batch_tags",
        "batched_plan",
        "configuration",
        "drafting",
        "llm",
        "preparing",
        "progress",
        "schedule",
        "settings",
        "writers",
    },
    "batch_desk": FOUNDATION | {"batch_tags", "llm", "progress", "runs", "schedule", "settings"},
    "drafting": FOUNDATION
    | {
        "conventions",
        "deciding",
        "project",
        "provenance",
        "lineage",
        "planning",
        "writers",
        "filing",
        "report",
        "schedule",
        "progress",
    },
    "recording": FOUNDATION | {"placeholders", "planning", "project", "provenance"},
    "preparing": FOUNDATION
    | {
        "conventions",
        "hands_off",
        "lineage",
        "own_texts",
        "planning",
        "progress",
        "project",
        "provenance",
        "settings",
        "sharding",
    },
    "own_texts": FOUNDATION | {"placeholders", "project", "provenance", "schema_files"},
    "counting": {"preparing", "progress", "project", "provenance", "settings"},
    "adopting": FOUNDATION | {"preparing", "progress", "project", "provenance", "recording", "settings"},
    "checkup": FOUNDATION
    | {
        "checking",
        "hands_off",
        "lineage",
        "preparing",
        "progress",
        "project",
        "provenance",
        "schema_files",
        "settings",
    },
    "reporting": FOUNDATION
    | {
        "drafting",
        "filing",
        "planning",
        "preparing",
        "redaction",
        "report",
        "settings",
        "sharing",
        "verifying",
    },
    "run": FOUNDATION
    | {
        "background",
        "batching",
        "conventions",
        "preparing",
        "provenance",
        "recording",
        "deciding",
        "drafting",
        "filing",
        "hosting",
        "placing",
        "lineage",
        "planning",
        "progress",
        "project",
        "redaction",
        "report",
        "reporting",
        "schedule",
        "settings",
        "sharding",
        "sharing",
        "tracking",
        "verifying",
        "writers",
        "llm",
        "prompting",
    },
    "committing": FOUNDATION | {"progress", "project", "provenance", "report", "run", "settings"},
    "accounts": FOUNDATION | {"llm", "runs", "storage"},
    "inspection": {"llm", "progress", "settings"},
    "comparing": FOUNDATION
    | {
        "accounts",
        "background",
        "llm",
        "placing",
        "preparing",
        "progress",
        "project",
        "report",
        "run",
        "schedule",
        "settings",
    },
    "showing": FOUNDATION
    | {
        "background",
        "planning",
        "preparing",
        "progress",
        "project",
        "prompting",
        "report",
        "run",
        "schedule",
        "settings",
        "writers",
    },
    "logs": FOUNDATION | {"llm", "settings"},
    "cli": FOUNDATION
    | {
        "accounts",
        "adopting",
        "batch_desk",
        "checking",
        "checkup",
        "committing",
        "comparing",
        "counting",
        "configuration",
        "deciding",
        "inspection",
        "logs",
        "memory",
        "resuming",
        "run",
        "runs",
        "settings",
        "showing",
        "report",
        "progress",
        "planning",
        "prompting",
        "redaction",
    },
    # What runs inside of dbt-osmosis; its own face, with the command's bar and summary.
    "osmosis": FOUNDATION
    | {
        "cli",
        "configuration",
        "filing",
        "llm",
        "placeholders",
        "placing",
        "planning",
        "preparing",
        "progress",
        "project",
        "provenance",
        "recording",
        "report",
        "run",
        "schema_files",
        "settings",
        "sharing",
    },
    "__main__": {"cli"},
    "__init__": {"adopting", "checking", "checkup", "counting", "resuming", "run", "settings", "report", "progress"},
}

OWNERS: dict[str, set[str]] = {
    "click": {"cli", "osmosis"},
    "filelock": {"llm", "project"},
    "genai_prices": {"llm"},
    "jinja2": {"prompting"},
    "json_repair": {"answers"},
    "anthropic": {"llm"},
    "azure": {"llm"},
    "httpx2": {"llm"},
    "openai": {"llm"},
    "pathspec": {"project"},
    "platformdirs": {"configuration"},
    "psycopg": {"storage"},
    "sqlite3": {"store", "storage", "lineage", "llm", "memory", "profiling", "runs"},
    "requests": {"project"},
    "rich": {"cli"},
    "sqlglot": {"lineage", "writers"},
    "tenacity": {"llm", "project"},
    "urllib3": {"project"},
    "yaml": {"configuration", "memory", "project", "schema_files", "prompting"},
}

INSIDE_OF_DBT = "osmosis/compiling.py"
"""It may ask for dbt by name when it is called: dbt-osmosis calls it, which has imported dbt long before."""
OPT_OUT = "osmosis/takeover.py"
"""It reads one variable: dbt-osmosis imports it with every command, which `settings` is too heavy for."""

MODULES = sorted(SOURCE.rglob("*.py"))


def package_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@functools.cache
def imports_of(path: Path) -> frozenset[str]:
    return frozenset(_imports_of(path))


def _imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            yield from (f"{module}.{alias.name}" for alias in node.names) if module == "dbt_describe" else (module,)


def test_every_module_is_in_the_table() -> None:
    assert {package_of(path) for path in MODULES} == set(MAY_IMPORT)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_downwards_only(path: Path) -> None:
    package = package_of(path)
    imported = {name.split(".")[1] for name in imports_of(path) if name.startswith("dbt_describe.")}
    assert imported - {package} <= MAY_IMPORT[package]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_each_library_has_its_owner(path: Path) -> None:
    package = package_of(path)
    libraries = {name.split(".")[0] for name in imports_of(path)}
    assert [library for library in libraries & OWNERS.keys() if package not in OWNERS[library]] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_module_imports_dbt(path: Path) -> None:
    """Neither dbt nor one of its parts, also not by name at run time: v2 has none of them."""
    roots = {name.split(".")[0] for name in imports_of(path)}
    assert not {name for name in roots if re.match(r"dbt($|_(?!describe$))", name)}
    if path.relative_to(SOURCE).as_posix() == INSIDE_OF_DBT:
        return
    assert not re.search(r"""(import_module|find_spec|__import__)\(\s*["']dbt\b""", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_only_settings_reads_the_environment(path: Path) -> None:
    reads = "os.environ" in path.read_text(encoding="utf-8") or "os.getenv" in path.read_text(encoding="utf-8")
    assert not reads or package_of(path) == "settings" or path.relative_to(SOURCE).as_posix() == OPT_OUT
