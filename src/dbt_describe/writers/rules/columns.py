"""A description for one column."""

from __future__ import annotations

import re

from dbt_describe.inheritance import is_tested_unique
from dbt_describe.lineage.origins import ColumnRef, Derived, Lineage, Same, Unknown
from dbt_describe.planning import Abstention, Descriptions, Draft
from dbt_describe.project.nodes import Column, DataTest, Node, Project
from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.computed import computed_sentence
from dbt_describe.writers.rules.grain import Grain
from dbt_describe.writers.rules.names import Names
from dbt_describe.writers.rules.phrases import UnsayableError, sentence
from dbt_describe.writers.rules.snapshots import snapshot_column

WRITER = "rules"
MAX_ACCEPTED = 8
MAX_EVIDENCE_CHARACTERS = 160

_REFERENCE = re.compile(r"[\"`\[](?:[^\"`\].]+\.)*([^\"`\].]+)[\"`\]]\.[\"`\[]([^\"`\]]+)[\"`\]]")


def describe_column(
    node: Node, column: Column, project: Project, lineage: Lineage, known: Descriptions, grain: Grain | None = None
) -> Draft | Abstention:
    """What is certain about the column from the SQL and the tests, or why nothing is."""
    grain = grain or Grain(project, lineage)
    snapshot = snapshot_column(node, column.name)
    if snapshot:
        return _draft(node, column, snapshot, "dbt's own snapshot column")
    ref = ColumnRef(node.unique_id, column.name.lower())
    origin = lineage.origin(ref)
    names = Names(project, known, grain, ref)
    tested = _tested_sentence(node, column, grain, names)
    reason = _reason(origin, lineage, node)
    if isinstance(origin, Derived):
        try:
            text = computed_sentence(node, origin, names, lineage)
            if _restates(text, column.name):
                raise UnsayableError("the SQL says no more than the column's name")
            confidence = "medium" if names.reused else "high"
            return _draft(node, column, _with_tests(text, column), _sql_evidence(origin), confidence)
        except UnsayableError as error:
            reason = str(error)
    if tested:
        return _draft(node, column, tested, _test_evidence(column))
    return Abstention(node.unique_id, column.name, reason)


def _draft(node: Node, column: Column, text: str, evidence: str, confidence: str = "high") -> Draft:
    return Draft(node.unique_id, column.name, text, WRITER, confidence, evidence)


def _reason(origin: object, lineage: Lineage, node: Node) -> str:
    if isinstance(origin, Same) and not node.same_table_as:
        return "no test, no description upstream and the SQL only passes the source's column through"
    if isinstance(origin, Unknown):
        return origin.reason
    traced = lineage.nodes.get(node.unique_id)
    if traced is not None and traced.failure:
        return traced.failure
    bare = traced is None or node.same_table_as
    return "no test says more than its name" if bare else "the SQL doesn't return it"


def _test_evidence(column: Column) -> str:
    tests = list(dict.fromkeys(test.name for test in column.tests if not test.conditional))
    if any(test in ("unique", "relationships", "accepted_values") for test in tests):
        return f"tests: {', '.join(tests)}"
    return "unique by the GROUP BY, or by the test of the column it passes through"


def _sql_evidence(derived: Derived) -> str:
    text = re.sub(r"\s+", " ", _REFERENCE.sub(r"\1.\2", derived.expression))
    return f"SQL: {text if len(text) <= MAX_EVIDENCE_CHARACTERS else text[:MAX_EVIDENCE_CHARACTERS] + '…'}"


def _restates(text: str, name: str) -> bool:
    said = re.findall(r"[a-z]+", text.lower())
    return set(said) <= {*name.lower().split("_"), "the", "a", "an", "of"}


def _with_tests(text: str, column: Column) -> str:
    return f"{text} Unique to each row." if is_tested_unique(column) else text


def _tested_sentence(node: Node, column: Column, grain: Grain, names: Names) -> str | None:
    """What the tests and the GROUP BY say, None where that isn't more than the name."""
    head = _head(node, column)
    try:
        related = next((_related(test, head, names) for test in _certain(column, "relationships")), None)
        accepted = next((_accepted(test, head, column) for test in _certain(column, "accepted_values")), None)
        unique = _unique(node, column, grain, head)
        if unique and related:
            return f"{sentence(unique)} {sentence('refers to' + related.rpartition('refers to')[2])}"
        said = unique or related or accepted
        return sentence(said) if said else None
    except UnsayableError:
        return None


def _certain(column: Column, name: str) -> list[DataTest]:
    return [test for test in column.tests if test.name == name and not test.conditional]


def _head(node: Node, column: Column) -> str | None:
    """The column in words where its name is made of words."""
    said = words.words_of(column.name.lower())
    entity = words.entity(node)
    if said and " " not in said and entity and said not in entity.split():
        return f"{entity} {said}"
    return said


def _unique(node: Node, column: Column, grain: Grain, head: str | None) -> str | None:
    if not grain.is_unique(node.unique_id, column.name):
        return None
    name = column.name.lower()
    identified = words.identified(name) or (words.entity(node) if name in ("id", "uuid") else None)
    if identified:
        return f"unique identifier of the {identified}"
    if head and re.search(r"\bunique (?:key|id)$", head):
        key = head.replace("unique ", "")
        return f"{key} that is unique to each row" if " " not in key else f"{key}, unique to each row"
    return f"{head}, unique to each row" if head else "unique to each row"


def _related(test: DataTest, head: str | None, names: Names) -> str | None:
    if not test.to:
        return None
    to = names.node_name(test.to)
    where = f"{words.code(test.field)} in {to}" if test.field else to
    if head is None:
        return f"refers to {where}"
    identified = head.removesuffix(" id") if head.endswith(" id") else None
    return f"identifier of the {identified}; refers to {where}" if identified else f"{head}; refers to {where}"


def _accepted(test: DataTest, head: str | None, column: Column) -> str | None:
    values = list(dict.fromkeys(test.accepted_values))
    always = any(test.name == "not_null" for test in column.tests if not test.conditional)
    if len(values) == 1 and not always:
        return None
    if not values or len(values) > MAX_ACCEPTED or {value.lower() for value in values} <= {"true", "false"}:
        return None
    numeric = re.search(r"int|num|dec|float|double|real", column.data_type, re.IGNORECASE)
    bare = numeric and all(re.fullmatch(r"-?\d+(?:\.\d+)?", value) for value in values)
    said = [value if bare else words.quoted(value) for value in values]
    choice = f"one of {words.listed(said, 'or')}" if len(said) > 1 else f"always {said[0]}"
    return f"{head}: {choice}" if head else choice
