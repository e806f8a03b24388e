"""What may be written: a description, addressed by the names that stand in the schema file."""

from __future__ import annotations

import msgspec

from dbt_describe.errors import SchemaFileError

JINJA_OPENERS = ("{{", "{%", "{#")


class Section(msgspec.Struct, frozen=True):
    """Where a resource type lives in a schema file.

    *Source:* https://docs.getdbt.com/reference/configs-and-properties (2026-11).
    """

    key: str
    children: str = ""
    """The key of the list whose entries are described too (`columns`, `arguments`), or empty."""
    creatable: bool = False
    """An entry may be added: the resource exists without it. What is defined in YAML alone is never added."""


SECTIONS = {
    "model": Section("models", "columns", creatable=True),
    "seed": Section("seeds", "columns", creatable=True),
    "snapshot": Section("snapshots", "columns", creatable=True),
    "analysis": Section("analyses", "columns", creatable=True),
    "source": Section("sources", "columns"),
    "macro": Section("macros", "arguments", creatable=True),
    "function": Section("functions", "arguments", creatable=True),
    "exposure": Section("exposures"),
    "metric": Section("metrics"),
    "semantic_model": Section("semantic_models"),
    "saved_query": Section("saved_queries"),
    "group": Section("groups"),
    "unit_test": Section("unit_tests"),
}
SECTION_KEYS = frozenset(section.key for section in SECTIONS.values())
CHILD_KEYS = frozenset(section.children for section in SECTIONS.values() if section.children)


class DescriptionEdit(msgspec.Struct, frozen=True):
    """One description to write, at a place that has none (or a placeholder, or the text in `replaces`)."""

    resource_type: str
    """A key of `SECTIONS`."""
    name: str
    """As the schema file spells it, compared without case; a source's table. Empty: the source itself."""
    description: str
    column: str = ""
    """A column or a macro's argument; empty: the node itself."""
    source_name: str = ""
    column_order: tuple[str, ...] = ()
    """The node's columns in their natural order: says where a new column entry goes."""
    replaces: str | None = None
    """The present text that may be overwritten; without it a text that says something is never touched."""
    version: str = ""
    """Of a versioned model: the version's own gap is filled where it has one, else the base entry's."""

    @property
    def label(self) -> str:
        """How messages call the place, e.g. `model orders, column id`."""
        names = ".".join(name for name in (self.source_name, self.name) if name)
        return f"{self.resource_type} {names}" + (f", column {self.column}" if self.column else "")

    @property
    def section(self) -> Section:
        """Where the resource type lives. Raises: SchemaFileError for a type that no schema file describes."""
        section = SECTIONS.get(self.resource_type)
        if section is None:
            raise SchemaFileError(f"{self.label}: a schema file has no section for a {self.resource_type}")
        return section


class NewEntry(msgspec.Struct, frozen=True):
    """An entry that the file lacks: a column, or a node with its columns."""

    name: str
    description: str
    children_key: str = ""
    children: tuple[NewEntry, ...] = ()


def check_edit(edit: DescriptionEdit) -> None:
    """Refuse an edit that could never be right, whatever the file says.

    Raises:
        SchemaFileError: unknown resource type, a blank text, Jinja in a text or a name, a column where none can be.
    """
    section = edit.section
    if not edit.description.strip():
        raise SchemaFileError(f"{edit.label}: the description is blank; a gap stays a gap until there is a text")
    for text in (edit.description, edit.name, edit.column):
        if any(opener in text for opener in JINJA_OPENERS):
            raise SchemaFileError(
                f"{edit.label}: the text holds Jinja, which dbt would run; take out {{{{, {{% and {{#"
            )
    if edit.column and (not section.children or not edit.name):
        raise SchemaFileError(f"{edit.label}: a {edit.resource_type} has no columns to describe")
    if not edit.name and not edit.source_name:
        raise SchemaFileError(f"{edit.label}: the edit names nothing")
