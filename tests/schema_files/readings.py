"""Loaded schema files, taken apart without any code of the package."""

from __future__ import annotations

import copy
import re
from typing import Any

_FILLED = re.compile(r"description:|^\s*(TBD\s*)?$")


def described(data: Any, model: str) -> dict[str, str | None]:
    """Lower-case column → description; the empty name is the model itself."""
    entry = next(entry for entry in data["models"] if entry["name"].lower() == model)
    columns = {column["name"].lower(): column.get("description") for column in entry.get("columns") or []}
    return {"": entry.get("description")} | columns


def without(data: Any, model: str, names: list[str]) -> Any:
    """The data without those descriptions, and without columns that are nothing but a name."""
    data = copy.deepcopy(data)
    for entry in data["models"]:
        if entry["name"].lower() == model:
            if "" in names:
                entry.pop("description", None)
            for column in entry.get("columns") or []:
                if column["name"].lower() in names:
                    column.pop("description", None)
            entry["columns"] = [
                column
                for column in entry.get("columns") or []
                if set(column) != {"name"} or column["name"] not in names
            ]
            if not entry["columns"]:
                entry.pop("columns")
    return data


def kept_lines(text: str) -> list[str]:
    """The lines that no edit may change: all but descriptions' own, braces, and a placeholder's text."""
    lines = re.split(r"\r\n|\r|\n", text)
    return [line for line in lines if not _FILLED.search(line) and "{name:" not in line]


def is_subsequence(lines: list[str], text: str) -> bool:
    """Whether all lines stand in the text, unchanged and in order."""
    found = iter(re.split(r"\r\n|\r|\n", text))
    return all(line in found for line in lines)
