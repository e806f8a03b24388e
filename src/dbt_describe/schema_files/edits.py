"""What may be written: a description, addressed by the names that stand in the schema file."""

from __future__ import annotations

import re

import msgspec

from dbt_describe.errors import SchemaFileError

JINJA_OPENERS = ("{{", "{%", "{#")
SURROGATE = re.compile("[\ud800-\udfff]")
_JINJA = "the text holds Jinja, which dbt would run; take out {{, {% and {#"
DOC_BLOCK_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""What may stand in `{{ doc('…') }}`: nothing else of a reference comes from outside."""


class Section(msgspec.Struct, frozen=True):
    """Where a resource type lives in a schema file.

    *Source:* https://docs.getdbt.com/reference/configs-and-properties (2026-11).
    """

    key: str
    children: tuple[str, ...] = ()
    """The keys of the lists whose entries are described too (`columns`, `arguments`); the first is the usual one."""
    creatable: bool = False
    """An entry may be added: the resource exists without it. What is defined in YAML alone is never added.

    Nor is a function's entry, which dbt refuses without the types of arguments and result (tried with dbt 1.11).
    """


SECTIONS = {
    "model": Section("models", ("columns",), creatable=True),
    "seed": Section("seeds", ("columns",), creatable=True),
    "snapshot": Section("snapshots", ("columns",), creatable=True),
    "analysis": Section("analyses", ("columns",), creatable=True),
    "source": Section("sources", ("columns",)),
    "macro": Section("macros", ("arguments",), creatable=True),
    "function": Section("functions", ("arguments",)),
    "test": Section("data_tests", creatable=True),
    "exposure": Section("exposures"),
    "metric": Section("metrics"),
    "semantic_model": Section("semantic_models", ("entities", "dimensions", "measures")),
    "saved_query": Section("saved_queries"),
    "group": Section("groups"),
    "unit_test": Section("unit_tests"),
}
"""By resource type. A `test` is a singular one; a generic one stands at its node (`DescriptionEdit.data_test`)."""
SECTION_KEYS = frozenset(section.key for section in SECTIONS.values())
GROWING_KEYS = frozenset({"columns", "arguments"})
"""Lists that describe what exists without them: an entry may be added. A semantic model's define it."""
CHILD_KEYS = frozenset(key for section in SECTIONS.values() for key in section.children)


class DescriptionEdit(msgspec.Struct, frozen=True):
    """One description to write, at a place that has none (or a placeholder, or the text in `replaces`)."""

    resource_type: str
    """A key of `SECTIONS`."""
    name: str
    """As the schema file spells it, compared without case; a source's table. Empty: the source itself."""
    description: str
    column: str = ""
    """A column, a macro's argument, a semantic model's dimension; empty: the node itself."""
    source_name: str = ""
    column_order: tuple[str, ...] = ()
    """The node's columns in their natural order: says where a new column entry goes."""
    replaces: str | None = None
    """The present text that may be overwritten; without it a text that says something is never touched."""
    version: str = ""
    """Of a versioned model. A text goes where dbt reads it for this version: to the version's own entry, or to the base
    where all versions that read it there get the same text.
    """
    also_in: tuple[str, ...] = ()
    """Of a versioned model, the other versions that return the column, or may do; without a column, all others."""
    children: str = ""
    """The list that `column` is an entry of, for resource types with several (`entities`, `dimensions`, `measures`);
    a function's `returns`, without a column.
    """
    data_test: str = ""
    """A generic data test of the column or node, by its name or the test's: its description is meant."""
    doc_block: str = ""
    """Written as `{{ doc('…') }}`, in the place of the description that the block renders to."""

    def __str__(self) -> str:
        """How messages call the place, e.g. `model orders, column id`."""
        names = ".".join(name for name in (self.source_name, self.name) if name)
        child = f", {self.children_key.removesuffix('s')} {self.column}" if self.column else ""
        part = f", {self.children}" if self.children and not self.column else ""
        return f"{self.resource_type} {names}{child}{part}" + (f", test {self.data_test}" if self.data_test else "")

    @property
    def section(self) -> Section:
        """Where the resource type lives. Raises: SchemaFileError for a type that no schema file describes."""
        section = SECTIONS.get(self.resource_type)
        if section is None:
            raise SchemaFileError(
                f"{self.resource_type} {self.name}: a schema file has no section for a {self.resource_type}"
            )
        return section

    @property
    def children_key(self) -> str:
        """The key of the list that `column` is an entry of; empty where there is none."""
        return self.children or next(iter(self.section.children), "")

    @property
    def text(self) -> str:
        """What is to stand in the file."""
        return f"{{{{ doc('{self.doc_block}') }}}}" if self.doc_block else self.description


class WholeNode(msgspec.Struct, frozen=True):
    """How messages call the node of an edit where its column doesn't matter."""

    edit: DescriptionEdit

    def __str__(self) -> str:
        return str(msgspec.structs.replace(self.edit, column="", children="", data_test=""))


class NewEntry(msgspec.Struct, frozen=True):
    """An entry that the file lacks: a column, or a node with its columns."""

    name: str
    description: str
    children_key: str = ""
    children: tuple[NewEntry, ...] = ()


def fault_of_text(text: str) -> str:
    """Why no schema file can be given the text as a description, or an empty string."""
    if not text.strip():
        return "the description is blank; a gap stays a gap until there is a text"
    if _holds_jinja(text):
        return _JINJA
    return "half a surrogate pair in it can't be written as UTF-8" if SURROGATE.search(text) else ""


def check_edit(edit: DescriptionEdit) -> None:
    """Refuse an edit that could never be right, whatever the file says.

    Raises:
        SchemaFileError: unknown resource type, a text that can't be written, Jinja in a name, a column where none can
            be.
    """
    section = edit.section
    fault = fault_of_text(edit.description)
    if fault or _holds_jinja(edit.name) or _holds_jinja(edit.column):
        raise SchemaFileError(f"{edit}: {fault or _JINJA}")
    if edit.doc_block and not DOC_BLOCK_NAME.fullmatch(edit.doc_block):
        raise SchemaFileError(f"{edit}: {edit.doc_block!r} can't name a doc block; use letters, digits and _")
    if edit.column and (not edit.name or edit.children_key not in section.children):
        raise SchemaFileError(f"{edit}: a {edit.resource_type} has no {edit.children or 'columns'} to describe")
    if not edit.name and not edit.source_name:
        raise SchemaFileError(f"{edit}: the edit names nothing")


def _holds_jinja(text: str) -> bool:
    return any(opener in text for opener in JINJA_OPENERS)
