"""What is taken out of facts before anything else is done with them: secrets of this machine, and with `redact: true`
personal data."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from dbt_describe.lineage.origins import ColumnRef
from dbt_describe.preparing import Prepared
from dbt_describe.privacy import PrivateColumns
from dbt_describe.progress import Progress
from dbt_describe.prompting.facts import ColumnFacts, Enrich, NodeFacts
from dbt_describe.redaction.columns import is_personal, is_secret
from dbt_describe.redaction.credentials import is_telling, without_credentials
from dbt_describe.redaction.literals import without_personal_literals
from dbt_describe.redaction.marks import mark
from dbt_describe.redaction.personal import without_personal
from dbt_describe.redaction.rows import without_personal_rows
from dbt_describe.settings import Settings, secret_values

if TYPE_CHECKING:
    from dbt_describe.project.nodes import Project

_Change = Callable[[str], str]
_Facts = TypeVar("_Facts", bound=msgspec.Struct)
_KEPT_OF_NODES = frozenset(
    {
        "unique_id",
        "name",
        "resource_type",
        "sql",
        "language",
        "dialect",
        "path",
        "columns",
        "undescribed",
        "conventions",
    }
)
"""Names, what is changed apart, and what the settings say."""
_KEPT_OF_COLUMNS = frozenset({"name", "data_type"})
_VALUES = re.compile(r"'(?:[^'\\]|''|\\.)*'(?:, '(?:[^'\\]|''|\\.)*')*")


def hide(prepared: Prepared, settings: Settings, _progress: Progress, _asks: bool) -> Enrich | None:
    """What takes it out; None where there is nothing to look for."""
    secrets = tuple(filter(is_telling, secret_values(settings.llm.environ)))
    if settings.llm.prompting.redact:
        columns = PrivateColumns(prepared.written, prepared.lineage)
        return lambda facts: _without_personal(_without(facts, secrets), prepared.written, columns)
    return (lambda facts: _without(facts, secrets)) if secrets else None


def _without(facts: NodeFacts, secrets: tuple[str, ...]) -> NodeFacts:
    """Without the values of the environment that are secrets, which env_var() may have put into SQL."""

    def safe(text: str) -> str:
        return without_credentials(text, secrets) if any(secret in text for secret in secrets) else text

    return _changed(facts, safe, safe)


def _without_personal(facts: NodeFacts, project: Project, columns: PrivateColumns) -> NodeFacts:
    node = project.nodes[facts.unique_id]
    known = columns.names((node.unique_id, *node.depends_on))

    def is_private(name: str) -> bool:
        found = known.get(name.lower())
        return (is_personal(name, node.name) or is_secret(name)) if found is None else found

    def of_sql(text: str) -> str:
        # Credentials first: the end of a URL with a password in it looks like an address.
        return without_personal_literals(without_credentials(text), is_private)

    def of_prose(text: str) -> str:
        return without_personal(of_sql(text))

    def of_code(text: str) -> str:
        return without_personal_rows(of_sql(text), is_private) if facts.language == "yaml" else of_sql(text)

    facts = _changed(facts, of_code, of_prose)
    hidden = tuple(
        _without_accepted(column) if columns.holds(ColumnRef(facts.unique_id, column.name.lower())) else column
        for column in facts.columns
    )
    return msgspec.structs.replace(facts, columns=hidden)


def _without_accepted(column: ColumnFacts) -> ColumnFacts:
    """Of a private column, the values that tests accept say who it is about."""
    tests = tuple(_VALUES.sub(mark("value"), test) for test in column.tests)
    return msgspec.structs.replace(column, tests=tests)


def _changed(facts: NodeFacts, of_code: _Change, of_text: _Change) -> NodeFacts:
    """The facts with each of their texts changed, whatever field they are in; what things are called stays."""
    columns = tuple(_with_texts(column, of_text, _KEPT_OF_COLUMNS) for column in facts.columns)
    changed = _with_texts(facts, of_text, _KEPT_OF_NODES)
    return msgspec.structs.replace(changed, sql=of_code(facts.sql), columns=columns)


def _with_texts(facts: _Facts, change: _Change, kept: frozenset[str]) -> _Facts:
    fields = [name for name in facts.__struct_fields__ if name not in kept]
    return msgspec.structs.replace(facts, **{name: _deeply(getattr(facts, name), change) for name in fields})


def _deeply(value: object, change: _Change) -> object:
    """The value with every text in it changed."""
    match value:
        case str():
            return change(value)
        case tuple():
            return tuple(_deeply(one, change) for one in value)
        case msgspec.Struct():
            return _with_texts(value, change, frozenset())
        case _:
            return value
