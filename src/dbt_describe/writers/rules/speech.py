"""A Teller with all rules."""

from __future__ import annotations

from dbt_describe.lineage.origins import Aggregation
from dbt_describe.writers.rules import aggregates, cases, conditions, dates, texts, values, windows
from dbt_describe.writers.rules.names import Names
from dbt_describe.writers.rules.telling import Teller, Vocabulary

VOCABULARY = Vocabulary(
    values={
        **values.VALUES,
        **texts.VALUES,
        **dates.VALUES,
        **cases.VALUES,
        **aggregates.AGGREGATES,
        **windows.VALUES,
    },
    clauses=conditions.CLAUSES,
    clauses_of_values=conditions.CLAUSES_OF_VALUES,
    functions=dates.FUNCTIONS,
)


def teller_of(
    names: Names,
    dialect: str,
    aggregations: tuple[Aggregation, ...] = (),
    windows_: tuple[Aggregation, ...] = (),
) -> Teller:
    """A Teller of one column's expressions."""
    return Teller(names, VOCABULARY, aggregations, windows_, dialect)
