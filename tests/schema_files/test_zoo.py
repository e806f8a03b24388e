"""Real schema files: whatever they look like, only gaps change."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files import SECTIONS, DescriptionEdit, edit_text
from tests.schema_files.readings import is_subsequence

_DATA = os.environ.get("DBT_DESCRIBE_TEST_DATA")
ZOO = sorted((Path(_DATA) / "yaml_zoo").glob("*.yml")) if _DATA else []
UNREADABLE = "01_"
PLACEHOLDERS = frozenset({"tbd"})

pytestmark = pytest.mark.skipif(not ZOO, reason="DBT_DESCRIBE_TEST_DATA names no folder with real schema files")


def gaps_of(data: Any) -> list[DescriptionEdit]:
    """An edit for every entry and column that has no description."""
    edits: list[DescriptionEdit] = []
    for resource_type, section in SECTIONS.items():
        for entry in data.get(section.key) or []:
            tables = entry["tables"] if resource_type == "source" else [entry]
            source = entry["name"] if resource_type == "source" else ""
            for node in tables:
                if not (node.get("description") or "").strip():
                    text = f"What {node['name']}: holds, in words enough to be wrapped where the file wraps its lines."
                    edits.append(DescriptionEdit(resource_type, node["name"], text, source_name=source))
                edits += [
                    DescriptionEdit(
                        resource_type, node["name"], f"Is {column['name']}.", column=column["name"], source_name=source
                    )
                    for column in (node.get(section.children[0]) if section.children else None) or []
                    if not (column.get("description") or "").strip()
                ]
    return edits


def filled(data: Any, edits: list[DescriptionEdit]) -> Any:
    """The loaded data as it should load after the edits. Aliases are undone: each entry stands for itself."""
    data = copy.deepcopy(yaml.load(yaml.dump(data, Dumper=_NoAliases), yaml.CSafeLoader))
    for edit in edits:
        for place in places(data, edit):
            place["description"] = edit.description
    return data


def places(data: Any, edit: DescriptionEdit) -> Iterator[Any]:
    """The mappings that the edit describes."""
    section = SECTIONS[edit.resource_type]
    for entry in data[section.key]:
        for node in entry["tables"] if edit.source_name else [entry]:
            if node["name"] == edit.name and edit.source_name in {"", entry["name"]}:
                children = node.get(section.children[0]) or [] if edit.column else [node]
                yield from (child for child in children if child["name"] == (edit.column or edit.name))


def unbroken(data: Any, edits: list[DescriptionEdit]) -> Any:
    """The loaded data without the one line break that a block without `-` leaves behind a description."""
    data = copy.deepcopy(data)
    for edit in edits:
        for place in places(data, edit):
            place["description"] = place["description"].removesuffix("\n")
    return data


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def accepted(text: str, edits: list[DescriptionEdit]) -> list[DescriptionEdit]:
    """The edits that the file takes; the others must be refused for one of these reasons."""
    refused = {edit: refusal(text, [edit]) for edit in edits}
    assert all(re.search(r"^$|shared by|more than once|more than one entry", reason) for reason in refused.values())
    return [edit for edit in edits if not refused[edit]]


def refusal(text: str, edits: list[DescriptionEdit]) -> str:
    """Why the edits aren't made, empty where they are."""
    try:
        edit_text(text, edits, placeholders=PLACEHOLDERS)
    except SchemaFileError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "path", [path for path in ZOO if not path.name.startswith(UNREADABLE)], ids=lambda path: path.stem
)
def test_all_gaps_of_a_real_file_are_filled_and_nothing_else_changes(path: Path) -> None:
    text = path.read_bytes().decode()
    data: Any = yaml.load(text, yaml.CSafeLoader)
    edits = gaps_of(data)
    few = accepted(text, edits[:3])
    edits = few + edits[3:] if len(few) == len(edits[:3]) else accepted(text, edits)
    for some in (few[:1], edits):
        after = edit_text(text, some, placeholders=PLACEHOLDERS)
        loaded = unbroken(yaml.load(after, yaml.CSafeLoader), some)
        assert yaml.dump(loaded, Dumper=_NoAliases) == yaml.dump(filled(data, some), Dumper=_NoAliases)
        lines = re.split(r"\r\n|\r|\n", text)
        kept = [line for line in lines if not re.fullmatch(r"\s*description:\s*(''|\"\"|[|>]-?)?\s*(#.*)?|\s*", line)]
        assert is_subsequence([line for line in kept if "{name:" not in line], after)
        assert edit_text(after, some, placeholders=PLACEHOLDERS) == after


@pytest.mark.parametrize("path", ZOO, ids=lambda path: path.stem)
def test_a_new_model_in_a_real_file_changes_no_line(path: Path) -> None:
    text = path.read_bytes().decode()
    edits = [
        DescriptionEdit("model", "zz_new_model", "New."),
        DescriptionEdit("model", "zz_new_model", "Its key.", column="id"),
    ]
    if path.name.startswith(UNREADABLE):
        with pytest.raises(SchemaFileError, match=r"^zoo.yml:7: not valid YAML"):
            edit_text(text, edits, placeholders=PLACEHOLDERS, source="zoo.yml")
        return
    after = edit_text(text, edits, placeholders=PLACEHOLDERS)
    lines = re.split(r"\r\n|\r|\n", text)
    assert is_subsequence([line for line in lines if line.strip()], after)
    assert after != text
