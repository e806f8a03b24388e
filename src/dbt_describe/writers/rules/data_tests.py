"""What a data test checks, in a sentence. It never says that the data is so: tests fail."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

from dbt_describe.lineage.alone import trace_alone
from dbt_describe.lineage.origins import ColumnRef, Lineage
from dbt_describe.planning import Descriptions
from dbt_describe.project.nodes import DataTest, Node, Project
from dbt_describe.uniqueness import changes_rows
from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.grain import Grain, drops_duplicates
from dbt_describe.writers.rules.names import Names
from dbt_describe.writers.rules.phrases import UnsayableError, sentence
from dbt_describe.writers.rules.provenance import origin_of

_DBT = "macro.dbt.test_"
_ASSUMED: Mapping[str, str] = {"error_if": "!=0", "warn_if": "!=0", "fail_calc": "count(*)"}


def singular_test_sentence(node: Node, project: Project, lineage: Lineage, known: Descriptions) -> str:
    """What a singular test looks for in the rows of one node.

    Raises:
        UnsayableError: its SQL does more than to choose rows of one node, or how can't be said.
    """
    unsaid = UnsayableError("what it checks is only in its SQL")
    if node.config.get("where") or not _fails_on_any_row(node):
        raise UnsayableError("it may pass although some rows fail it")
    shape = trace_alone(node, project, lineage.dialect).shape
    if shape is None or not shape.driving or not shape.filters or changes_rows(node) or drops_duplicates(node):
        raise unsaid
    if shape.joins or shape.group_by or shape.distinct or shape.union or shape.grouped_from:
        raise unsaid
    names = Names(project, known, Grain(project, lineage), ColumnRef(node.unique_id, ""))
    text = origin_of(node, shape, names, lineage.dialect).text
    if " where " not in text or text.startswith("some of"):
        raise unsaid
    return sentence(f"checks that there are no rows of {text}")


class _Check(msgspec.Struct, frozen=True):
    """A test, and which rows it looks at, as they are named in a sentence."""

    test: DataTest
    rows: str
    project: Project
    arguments: Mapping[str, object]


def data_test_sentence(node: Node, project: Project) -> str:
    """What the test checks.

    Raises:
        UnsayableError: it isn't one of the tests that are known, or what lets it pass isn't.
    """
    test, tested = node.test, project.nodes.get(node.attached_node)
    say = _TESTS.get(test.name) if test else None
    if test is None or tested is None or say is None:
        raise UnsayableError(f"what the test {test.name if test else node.name} checks is only in its code")
    if not _is_dbts_own(node, test):
        raise UnsayableError(f"the project has a test {test.name} of its own")
    if not _fails_on_any_row(node):
        raise UnsayableError("it may pass although some rows fail it")
    given = _mapping(node.properties.get("arguments"))
    check = _Check(test, _rows(node, tested), project, {**_mapping(given.get("arguments")), **given})
    return sentence(f"checks that {say(check)}")


def _is_dbts_own(node: Node, test: DataTest) -> bool:
    """Whether dbt's own macro is run, or the package's: any project may have another one of its name."""
    kind = test.name.rpartition(".")[2]
    called = [name for name in node.macros if name.endswith(f".test_{kind}")]
    return all(name == f"{_DBT}{kind}" or "." in test.name for name in called)


def _fails_on_any_row(node: Node) -> bool:
    """Whether it fails, or warns, as soon as one row is found."""
    limits = {key: re.sub(r"\s", "", str(node.config.get(key) or assumed)) for key, assumed in _ASSUMED.items()}
    return limits == dict(_ASSUMED) and not node.config.get("limit")


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _rows(node: Node, tested: Node) -> str:
    """`` `orders` ``, or `` `orders` where `is_deleted = false` ``: which rows it looks at."""
    name = words.code(f"{tested.source_name}.{tested.name}" if tested.source_name else tested.name)
    where = str(node.config.get("where") or "").strip()
    return f"{name} where {words.code(where)}" if where else name


def _unique(check: _Check) -> str:
    return f"no value of {words.code(check.test.column)} stands in more than one row of {check.rows}"


def _not_null(check: _Check) -> str:
    return f"{words.code(check.test.column)} is never null in {check.rows}"


def _accepted_values(check: _Check) -> str:
    values = [words.quoted(value) for value in dict.fromkeys(check.test.accepted_values)]
    if not values:
        raise UnsayableError("it names no values")
    choice = f"one of {words.listed(values, 'or')}" if len(values) > 1 else values[0]
    return f"every value of {words.code(check.test.column)} in {check.rows} is {choice}"


def _relationships(check: _Check) -> str:
    to = check.project.nodes.get(check.test.to)
    if to is None or not check.test.field:
        raise UnsayableError("what it refers to isn't known")
    name = words.code(f"{to.source_name}.{to.name}" if to.source_name else to.name)
    column, field = words.code(check.test.column), words.code(check.test.field)
    return f"every value of {column} in {check.rows} occurs as {field} in {name}"


def _combination(check: _Check) -> str:
    if len(check.test.combination) < 2:
        raise UnsayableError("it names no combination of columns")
    columns = words.listed([words.code(column) for column in check.test.combination])
    return f"no combination of {columns} stands in more than one row of {check.rows}"


def _expression(check: _Check) -> str:
    """dbt_utils looks for rows where `not(expression)` is true: those where it is null pass."""
    expression = " ".join(str(check.arguments.get("expression") or "").split())
    if not expression:
        raise UnsayableError("it names no expression")
    whole = f"{check.test.column} {expression}" if check.test.column else expression
    return f"{words.code(whole)} is false in no row of {check.rows}"


_TESTS: Mapping[str, Callable[[_Check], str]] = {
    "unique": _unique,
    "not_null": _not_null,
    "accepted_values": _accepted_values,
    "relationships": _relationships,
    "dbt_utils.unique_combination_of_columns": _combination,
    "dbt_utils.expression_is_true": _expression,
}
