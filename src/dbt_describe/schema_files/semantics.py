"""Metrics, entities and dimensions that stand at their model and its columns, as dbt reads them since 1.12.

*Source:* https://docs.getdbt.com/docs/build/latest-metrics-spec (2026-11). Such a semantic model has no description of
its own: it takes its model's.
"""

from __future__ import annotations

from collections.abc import Iterator

from dbt_describe.errors import BorrowedDescriptionError
from dbt_describe.schema_files.edits import DescriptionEdit
from dbt_describe.schema_files.lookup import child_list, find_section, find_value, named_entries, refuse_alias
from dbt_describe.schema_files.tree import Document, Mapping, Scalar, YamlNode

_AT_COLUMNS = {"entities": "entity", "dimensions": "dimension"}


def entries_at_models(document: Document, edit: DescriptionEdit) -> Iterator[Mapping]:
    """The entries of a metric of that name; the models that declare a semantic model of that name."""
    if edit.resource_type not in {"metric", "semantic_model"}:
        return
    for name, item in named_entries(document, find_section(document, "models")):
        if not isinstance(item, Mapping):
            continue
        if edit.resource_type == "metric":
            yield from _named(document, child_list(document, item, "metrics", edit), edit.name, edit)
        elif _is_semantic_model(document, item, name, edit.name):
            yield item


def is_declared_at_model(document: Document, entry: Mapping, edit: DescriptionEdit) -> bool:
    """Whether a semantic model's entry is a model that declares it."""
    return edit.resource_type == "semantic_model" and find_value(document, entry, "semantic_model") is not None


def entries_at_columns(document: Document, model: Mapping, edit: DescriptionEdit) -> Iterator[Mapping]:
    """The entries of an entity or dimension at the model's columns, or under `derived_semantics`.

    Raises:
        BorrowedDescriptionError: it has no description but its column's.
    """
    key = _AT_COLUMNS.get(edit.children_key, "")
    for column_name, column in named_entries(document, child_list(document, model, "columns", edit)):
        part = find_value(document, column, key) if isinstance(column, Mapping) else None
        own = find_value(document, part, "name") if isinstance(part, Mapping) else None
        name = own.text if isinstance(own, Scalar) else column_name
        if part is not None and name.lower() == edit.column.lower():
            if isinstance(part, Scalar):
                taken = document.fault(part.line, f"{edit} takes its column's description; describe that")
                raise BorrowedDescriptionError(str(taken))
            yield refuse_alias(document, part, edit)
    derived = find_value(document, model, "derived_semantics")
    if isinstance(derived, Mapping) and not derived.aliased:
        entries = child_list(document, derived, edit.children_key, edit)
        yield from _named(document, entries, edit.column, edit)


def _is_semantic_model(document: Document, model: Mapping, model_name: str, wanted: str) -> bool:
    """Whether a model declares this semantic model, which has the model's name unless it says another."""
    declared = find_value(document, model, "semantic_model")
    name = find_value(document, declared, "name") if isinstance(declared, Mapping) else None
    own = name.text if isinstance(name, Scalar) else model_name
    return declared is not None and own.lower() == wanted.lower()


def _named(document: Document, entries: YamlNode | None, wanted: str, label: object) -> Iterator[Mapping]:
    for name, item in named_entries(document, entries):
        if name.lower() == wanted.lower():
            yield refuse_alias(document, item, label)
