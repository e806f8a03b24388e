"""What is taken out of facts before anything else is done with them: secrets of this machine, and with `redact: true`
personal data."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

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
from dbt_describe.settings import Settings, secret_values

if TYPE_CHECKING:
    from dbt_describe.project.nodes import Project

_Change = Callable[[str], str]
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

    facts = _changed(facts, of_sql, of_prose)
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
    """The facts with each of their texts changed; names stay."""

    def pairs(given: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        return tuple((name, of_text(text)) for name, text in given)

    def lines(given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(of_text, given))

    columns = tuple(
        msgspec.structs.replace(
            column,
            tests=lines(column.tests),
            definition=of_text(column.definition),
            origin=of_text(column.origin),
            inputs=pairs(column.inputs),
            previous=of_text(column.previous),
            comments=lines(column.comments),
            uses=lines(column.uses),
            values=lines(column.values),
        )
        for column in facts.columns
    )
    return msgspec.structs.replace(
        facts,
        columns=columns,
        about=lines(facts.about),
        description=of_text(facts.description),
        sql=of_code(facts.sql),
        upstream=pairs(facts.upstream),
        siblings=pairs(facts.siblings),
        previous=of_text(facts.previous),
        examples=tuple(msgspec.structs.replace(one, text=of_text(one.text)) for one in facts.examples),
        passages=tuple(msgspec.structs.replace(one, text=of_text(one.text)) for one in facts.passages),
    )
