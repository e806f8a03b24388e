"""Real schema files: whatever they look like, only gaps change."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
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


Place = tuple[DescriptionEdit, dict[str, Any]]


def places_in(data: Any) -> Iterator[Place]:
    """Everything that can be described: an edit that would describe it, and the mapping that would hold the text."""
    for resource_type, section in SECTIONS.items():
        for entry in data.get(section.key) or []:
            if resource_type != "source":
                yield from _places_of(entry, resource_type, entry["name"], "")
                continue
            yield _edit(resource_type, "", entry["name"]), entry
            for table in entry.get("tables") or []:
                yield from _places_of(table, resource_type, table["name"], entry["name"])


def _places_of(node: dict[str, Any], resource_type: str, name: str, source: str) -> Iterator[Place]:
    yield _edit(resource_type, name, source), node
    yield from _tests_of(node, _edit(resource_type, name, source))
    for key in SECTIONS[resource_type].children:
        for child in node.get(key) or []:
            edit = _edit(resource_type, name, source, column=child["name"], children=key)
            yield edit, child
            yield from _tests_of(child, edit)


def _tests_of(owner: dict[str, Any], edit: DescriptionEdit) -> Iterator[Place]:
    """The tests that are mappings; one that is only a name holds nothing yet."""
    for test in [*(owner.get("data_tests") or []), *(owner.get("tests") or [])]:
        if isinstance(test, dict) and "test_name" not in test and all(isinstance(args, dict) for args in test.values()):
            ((name, arguments),) = test.items()
            text = f"Checks {edit.column or edit.name}."
            yield msgspec.structs.replace(edit, data_test=arguments.get("name", name), description=text), arguments


def _edit(resource_type: str, name: str, source: str, column: str = "", children: str = "") -> DescriptionEdit:
    words = "said shortly" if column else "holds, in words enough to be wrapped where the file wraps its lines"
    text = f"What {column or name or source}: {words}."
    return DescriptionEdit(resource_type, name, text, column=column, source_name=source, children=children)


def gaps_of(data: Any) -> list[DescriptionEdit]:
    """An edit for everything that has no description."""
    gaps = (edit for edit, holder in places_in(data) if not (holder.get("description") or "").strip())
    return list(dict.fromkeys(gaps))


def filled(data: Any, edits: list[DescriptionEdit]) -> Any:
    """The loaded data as it should load after the edits. Aliases are undone: each entry stands for itself."""
    data = yaml.load(yaml.dump(data, Dumper=_NoAliases), yaml.CSafeLoader)
    for edit, holder in list(places_in(data)):
        if edit in edits:
            holder["description"] = edit.description
    return data


def as_given(data: Any, edits: list[DescriptionEdit]) -> Any:
    """The loaded data without the one line break that a block without `-` leaves behind a description."""
    for edit, holder in list(places_in(data)):
        if edit in edits:
            holder["description"] = holder["description"].removesuffix("\n")
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
        loaded = as_given(yaml.load(after, yaml.CSafeLoader), some)
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
