"""Puts SQL expressions into words: finds the rule for each kind of expression and keeps what the rules need to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from sqlglot import exp

from dbt_describe.lineage.origins import Aggregation
from dbt_describe.writers.rules.names import Names
from dbt_describe.writers.rules.options import unaccounted
from dbt_describe.writers.rules.phrases import TOO_DEEP, Phrase, UnsayableError, whether

MAX_DEPTH = 14
"""Nested rules; deeper expressions never make a readable sentence."""


class Vocabulary(msgspec.Struct, frozen=True):
    """The rules: for values, for conditions, for values that stand where a condition is wanted, and for functions that
    sqlglot knows by name only (lower-case)."""

    values: Mapping[type[exp.Expr], Callable[[exp.Expr, Teller], Phrase]]
    clauses: Mapping[type[exp.Expr], Callable[[exp.Expr, Teller], str]]
    clauses_of_values: Mapping[type[exp.Expr], Callable[[exp.Expr, Teller], str]]
    functions: Mapping[str, Callable[[exp.Expr, Teller], Phrase]]


class Teller:
    """Says expressions of one column.

    Args:
        names: says columns and rows.
        vocabulary: the rules.
        aggregations: the rows that its aggregate functions run over.
        windows: the rows that its window functions run over.
        dialect: sqlglot's name of the SQL dialect.
    """

    def __init__(
        self,
        names: Names,
        vocabulary: Vocabulary,
        aggregations: tuple[Aggregation, ...] = (),
        windows: tuple[Aggregation, ...] = (),
        dialect: str = "",
    ) -> None:
        self.names = names
        self.aggregations = aggregations
        self.windows = windows
        self.dialect = dialect
        self.per_inline = False
        """Aggregates stand beside columns of single rows, so each must say what it is per."""
        self.drops_null = True
        """A condition that null makes unknown isn't met; only a column of conditions is null there."""
        self._vocabulary = vocabulary
        self._depth = 0

    def value(self, expression: exp.Expr) -> Phrase:
        """The expression as a noun phrase.

        Raises:
            UnsayableError: there are no certain words for it.
        """
        _check_options(expression)
        rule = self._vocabulary.values.get(type(expression))
        if isinstance(expression, exp.Anonymous):
            rule = self._vocabulary.functions.get(expression.name.lower())
        if rule is None and self.is_condition(expression):
            return whether(self.whether(expression))
        if rule is None:
            raise UnsayableError(f"uses {_construct(expression)}, which the rules writer has no words for")
        self._depth += 1
        drops_null, self.drops_null = self.drops_null, True
        try:
            if self._depth > MAX_DEPTH:
                raise UnsayableError(TOO_DEEP)
            return rule(expression, self)
        finally:
            self._depth -= 1
            self.drops_null = drops_null

    def operand(self, expression: exp.Expr) -> Phrase:
        """A value that words follow.

        Raises:
            UnsayableError: there are no certain words for it, or the words after it would seem to belong to it.
        """
        phrase = self.value(expression)
        if phrase.loose:
            raise UnsayableError(TOO_DEEP)
        return phrase

    def clause(self, expression: exp.Expr) -> str:
        """The expression as a condition: `the payment method is 'card'`.

        Raises:
            UnsayableError: there are no certain words for it.
        """
        _check_options(expression)
        kind = type(expression)
        rule = self._vocabulary.clauses.get(kind) or self._vocabulary.clauses_of_values.get(kind)
        if rule is not None:
            return rule(expression, self)
        phrase = self.flag(expression)
        return f"{phrase.inside} {phrase.verb} true"

    def whether(self, expression: exp.Expr) -> str:
        """The expression as a condition whose result is null where null leaves it unknown.

        Raises:
            UnsayableError: there are no certain words for it.
        """
        return self._clause(expression, drops_null=False)

    def met(self, expression: exp.Expr) -> str:
        """The expression as a condition that null makes false, whatever it is part of.

        Raises:
            UnsayableError: there are no certain words for it.
        """
        return self._clause(expression, drops_null=True)

    def _clause(self, expression: exp.Expr, *, drops_null: bool) -> str:
        before, self.drops_null = self.drops_null, drops_null
        try:
            return self.clause(expression)
        finally:
            self.drops_null = before

    def flag(self, expression: exp.Expr) -> Phrase:
        """A value that is compared with true, false, 1 or 0, or is one of these.

        Raises:
            UnsayableError: there are no certain words for it.
        """
        bare = expression.unnest()
        return self.names.flag(bare) if isinstance(bare, exp.Column) else self.operand(expression)

    def is_condition(self, expression: exp.Expr) -> bool:
        """Whether the expression is one that only a condition can be."""
        while isinstance(expression, exp.Paren):
            expression = expression.this
        return type(expression) in self._vocabulary.clauses


def _check_options(expression: exp.Expr) -> None:
    options = unaccounted(expression)
    if options:
        raise UnsayableError(f"uses an option of {_construct(expression)} that the rules writer has no words for")


def _construct(expression: exp.Expr) -> str:
    if isinstance(expression, exp.Anonymous):
        return f"`{expression.name.lower()}`"
    if isinstance(expression, exp.Func):
        return f"`{expression.sql_name().lower()}`"
    return f"`{expression.key}`" if expression.key.isidentifier() else "an expression"
