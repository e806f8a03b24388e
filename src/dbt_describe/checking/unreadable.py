"""Schema files that dbt can't read, and Jinja in them that renders as nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from dbt_describe.checking.naming import file_of, label_of
from dbt_describe.checking.problems import Problem
from dbt_describe.project.nodes import Node, Project
from dbt_describe.schema_files.written import key_of, written_in

_LINE = re.compile(r"\bline (\d+)")
_RULER = re.compile(r"^\s*-{8,}", re.MULTILINE)
_MOST_NAMED = 3
_EMPTY = re.compile(r"\{\{-?\s*([A-Za-z_]\w*)\s*-?\}\}")
"""A variable alone. What is called, or has a dot, fails if it isn't there (tried with dbt 1.11)."""
_CONTEXT = frozenset(
    {"dbt_version", "invocation_id", "project_name", "run_started_at", "target", "flags", "true", "false", "none"}
)
"""Source: https://docs.getdbt.com/reference/dbt-jinja-functions (2026-11)."""


def unreadable_files(project: Project) -> Iterator[Problem]:
    """A problem for each file that dbt names as it fails; where it names none, one for all that changed since."""
    said = _said(project.unread_reason)
    named = [path for path in project.unread if path in said or Path(path).name in said]
    line = _LINE.search(said) if len(named) == 1 else None
    for path in named:
        exists = (project.root / path).exists()
        yield Problem("jinja", f"dbt can't read {path}: {said}", path=path, line=int(line[1]) if line and exists else 0)
    if project.unread and not named:
        paths = list(project.unread)
        more = f" and {len(paths) - _MOST_NAMED:,} more" if len(paths) > _MOST_NAMED else ""
        shown = f"{', '.join(paths[:_MOST_NAMED])}{more}"
        message = f"dbt can't read the project, and what {shown} may say now isn't checked: {said}"
        yield Problem("jinja", message, path=paths[0] if len(paths) == 1 else "")


def _said(reason: str) -> str:
    """dbt's own words in one line, without the piece of the file that it shows."""
    words = reason.partition("dbt said:")[2] or reason
    return " ".join(_RULER.split(words)[0].split())


def vanishing_texts(project: Project, unique_ids: Iterable[str]) -> Iterator[Problem]:
    """A problem for each description with a variable that dbt doesn't know: it renders as nothing, and says nothing."""
    by_file: dict[str, list[Node]] = {}
    for unique_id in unique_ids:
        node = project.nodes[unique_id]
        if Path(file_of(node)).suffix in {".yml", ".yaml"}:
            by_file.setdefault(file_of(node), []).append(node)
    for path, nodes in by_file.items():
        text = _read(project.root / path)
        if any(name not in _CONTEXT for name in _EMPTY.findall(text)):
            written = written_in(text)
            for node in nodes:
                found = written.get(key_of(node))
                for column, description in (("", found.description), *found.columns.items()) if found else ():
                    yield from _vanishing(node, column, description)


def _vanishing(node: Node, column: str, text: str) -> Iterator[Problem]:
    for match in _EMPTY.finditer(text):
        if match[1] not in _CONTEXT:
            declared = node.column(column) if column else None
            name = declared.name if declared else column
            yield Problem(
                "jinja",
                f"{label_of(node, name)} holds `{match[0]}`, which renders as nothing: mend it, or take it out.",
                path=file_of(node),
                unique_id=node.unique_id,
                column=name,
            )
            return


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
