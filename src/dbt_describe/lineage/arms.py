"""The arms of a UNION, EXCEPT or INTERSECT."""

from __future__ import annotations

import msgspec
from sqlglot import exp
from sqlglot.optimizer.scope import Scope


class Arms(msgspec.Struct, frozen=True, gc=False):
    """The arms of a set operation, those of the UNIONs among them in their place: sqlglot nests `a UNION b UNION c`."""

    scopes: tuple[Scope, ...]
    by_name: bool
    """Columns are matched by name in one of the UNIONs."""


def sides_of(scope: Scope) -> list[Scope]:
    """The scopes of both sides of a set operation."""
    # sqlglot renamed the attribute within the versions we support (28 to 30).
    sides: list[Scope] = getattr(scope, "set_operation_scopes", None) or getattr(scope, "union_scopes", [])
    return sides


def is_distinct(operation: exp.SetOperation) -> bool:
    """Whether a set operation, or a UNION among its arms, leaves out rows that are there twice."""
    pending: list[exp.Expr] = [operation]
    while pending:
        found = pending.pop()
        if isinstance(found, exp.SetOperation):
            if found.args.get("distinct"):
                return True
            pending += [found.left, found.right]
    return False


def arms_of(scope: Scope) -> list[Scope]:
    """The scopes whose rows a set operation returns: both of a UNION, the left one of EXCEPT and INTERSECT."""
    arms = sides_of(scope)
    return arms if isinstance(scope.expression, exp.Union) else arms[:1]


def all_arms_of(scope: Scope) -> Arms:
    """The arms of a set operation, UNIONs taken apart: without recursion, as there may be hundreds."""
    found: list[Scope] = []
    by_name = bool(scope.expression.args.get("by_name"))
    pending = arms_of(scope)[::-1]
    while pending:
        arm = pending.pop()
        if isinstance(arm.expression, exp.Union) and isinstance(scope.expression, exp.Union):
            by_name = by_name or bool(arm.expression.args.get("by_name"))
            pending += arms_of(arm)[::-1]
        else:
            found.append(arm)
    return Arms(tuple(found), by_name)
