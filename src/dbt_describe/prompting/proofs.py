"""What tests and constraints say of a column or node, in words.

A test that can pass although some rows fail it says nothing; neither does one that is about the table's shape, which
the type and the SQL show. What a constraint declares is told as declared: whether the warehouse holds it depends.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from dbt_describe.project.data_tests import is_generic
from dbt_describe.project.nodes import Constraint, DataTest, Project
from dbt_describe.prompting.fragments import middle_out
from dbt_describe.prompting.names import LONGEST_FACT, Names
from dbt_describe.prompting.properties import lines_of, mapping, said

MOST_VALUES = 30
"""Accepted values that are shown."""
MOST_TESTS = 6
"""Lines on one column or node."""
_ARGUMENT_CHARACTERS = 200
_OF_SHAPE = frozenset(
    ("expect_column_to_exist", "expect_column_values_to_be_of_type", "expect_column_values_to_be_in_type_list",
     "expect_table_column_count_to_equal", "expect_table_columns_to_match_set", "has_column", "columns_exist",
     "expect_table_columns_to_match_ordered_list", "expect_table_columns_to_contain_set",
     "expect_table_column_count_to_be_between")
)  # fmt: skip
_NOT_ARGUMENTS = frozenset(
    ("model", "column_name", "arguments", "description", "name", "config", "row_condition", "strictly", "severity",
     "combination_of_columns", "quote_columns", "to", "field", "values", "compare_model", "group_by_columns")
)  # fmt: skip
_ONLY_SOME_ROWS = ("row_condition", "where", "group_by_columns", "to_condition", "from_condition")
"""Arguments that make a test look at some of the rows, or of the cases."""


class Arguments(msgspec.Struct, frozen=True):
    """What generic tests are told, by the unique_id of the tested node, lower-case column and name of the test."""

    by_test: Mapping[tuple[str, str, str], Sequence[Mapping[str, object]]] = {}

    def of(self, unique_id: str, test: DataTest) -> Sequence[Mapping[str, object]]:
        """Those of the tests of that kind at that place."""
        return self.by_test.get((unique_id, test.column.lower(), test.name), ())


NO_ARGUMENTS = Arguments()


def arguments_in(project: Project) -> Arguments:
    """The arguments of all generic tests that prove something."""
    found: defaultdict[tuple[str, str, str], list[Mapping[str, object]]] = defaultdict(list)
    for node in project.nodes.values():
        if is_generic(node) and node.test and not node.test.conditional:
            given = mapping(node.properties.get("arguments"))
            place = (node.attached_node, node.test.column.lower(), node.test.name)
            found[place].append({**mapping(given.get("arguments")), **given})
    return Arguments(found)


def tests_in_words(tests: Sequence[DataTest], unique_id: str, arguments: Arguments, names: Names) -> tuple[str, ...]:
    """A line for each test that proves something of all rows."""
    lines = (line for test in tests if not test.conditional for line in _test(test, unique_id, arguments, names))
    return tuple(dict.fromkeys(middle_out(line, LONGEST_FACT) for line in lines if line))[:MOST_TESTS]


def values_in_words(tests: Sequence[DataTest]) -> str:
    """`tested to be one of: 'open', 'shut'`, or empty."""
    test = next((test for test in tests if test.name == "accepted_values" and not test.conditional), None)
    if test is None or not test.accepted_values:
        return ""
    left = len(test.accepted_values) - MOST_VALUES
    more = f" and {left} more" if left > 0 else ""
    return "tested to be one of: " + ", ".join(map(repr, test.accepted_values[:MOST_VALUES])) + more


def constraints_in_words(constraints: Sequence[Constraint], names: Names) -> tuple[str, ...]:
    """A line for each constraint."""
    return tuple(middle_out(line, LONGEST_FACT) for one in constraints if (line := _constraint(one, names)))


def _test(test: DataTest, unique_id: str, arguments: Arguments, names: Names) -> Iterator[str]:
    match test.name:
        case "unique":
            yield "tested unique"
        case "not_null":
            yield "tested never null"
        case "accepted_values":
            yield values_in_words((test,))
        case "relationships":
            yield f"tested to refer to {names.of(test.to)}.{test.field}" if test.to else ""
        case name if name.rpartition(".")[2] in _OF_SHAPE:
            return
        case _:
            yield from _other(test, arguments.of(unique_id, test))


def _other(test: DataTest, told: Sequence[Mapping[str, object]]) -> Iterator[str]:
    if not told:
        yield f"test {test.name}"
    for given in told:
        if not any(given.get(key) for key in _ONLY_SOME_ROWS):
            yield _with_arguments(test, given)


def _with_arguments(test: DataTest, given: Mapping[str, object]) -> str:
    if test.name.rpartition(".")[2] == "expression_is_true" and given.get("expression"):
        expression = middle_out(said(given["expression"]), _ARGUMENT_CHARACTERS)
        # dbt_utils puts a column in front of the expression.
        return f"tested: {test.column} {expression}" if test.column else f"tested: {expression}"
    shown = lines_of({key: value for key, value in given.items() if key not in _NOT_ARGUMENTS})
    lists = [f"values: {said(given['values'])}"] if given.get("values") else []
    words = middle_out("; ".join([*lists, *shown]), _ARGUMENT_CHARACTERS)
    return f"test {test.name} ({words})" if words else f"test {test.name}"


def _constraint(constraint: Constraint, names: Names) -> str:
    of = f" on {', '.join(constraint.columns)}" if constraint.columns else ""
    kind = constraint.kind.replace("_", " ")
    match constraint.kind:
        case "foreign_key":
            columns = f" ({', '.join(constraint.to_columns)})" if constraint.to_columns else ""
            to = f"{names.of_relation(constraint.to)}{columns}" if constraint.to else constraint.expression
            return f"declared foreign key{of} to {to}" if to else f"declared foreign key{of}"
        case "check" | "custom":
            return f"declared {kind}{of}: {constraint.expression}" if constraint.expression else ""
        case "not_null":
            return f"declared never null{of}"
        case _:
            return f"declared {kind}{of}"
