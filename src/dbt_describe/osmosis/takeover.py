"""The synthesize step of dbt-osmosis gets other code: whoever holds the function, holds ours.

When dbt-osmosis loads its plugins, its pipeline has been put together; but the step hasn't begun. The step is one plain
function, of which the pipeline, the command and the package hold the same object. So the object stays, and its code is
replaced. What it was before is kept, and runs where DBT_DESCRIBE_OSMOSIS is 0.

Source: `core/transforms.py` and `core/plugins.py` of dbt-osmosis 1.3.0, 1.4.0 and 1.5.0 (2026-11).
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.metadata
import inspect
import os
import re
import sys
import threading
from collections.abc import Callable
from types import FunctionType
from typing import Any

TRANSFORMS = "dbt_osmosis.core.transforms"
STEP = "synthesize_missing_documentation_with_openai"
OPT_OUT = "DBT_DESCRIBE_OSMOSIS"
ASKED_FOR = "--synthesize"
OLDEST, NEXT_UNKNOWN = (1, 3), (1, 6)
_OFF = frozenset({"0", "false", "no", "off"})
_ORIGINAL = "__dbt_describe_original__"
"""The attribute of what was taken over that holds what it was before."""
_LOCK = threading.Lock()


def install() -> None:
    """Take the step over, unless the user doesn't want it or this dbt-osmosis isn't known."""
    if is_opted_out():
        return
    with _LOCK:
        version = importlib.metadata.version("dbt-osmosis")
        is_taken = is_known(version) and take_over(importlib.import_module(TRANSFORMS))
    if not is_taken and ASKED_FOR in sys.argv:
        complain(
            f"dbt-describe knows dbt-osmosis 1.3 to 1.5, and this is {version}: dbt-osmosis asks its model itself. "
            f"{OPT_OUT}=0 silences this."
        )


def is_opted_out() -> bool:
    """Whether the user has dbt-osmosis do its own work."""
    return os.environ.get(OPT_OUT, "").strip().lower() in _OFF


def is_known(version: str) -> bool:
    """Whether this is a dbt-osmosis whose inside is known."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return found is not None and OLDEST <= (int(found[1]), int(found[2])) < NEXT_UNKNOWN


def take_over(transforms: Any) -> bool:
    """Put our code into the step of the module; whether it could be. A second time changes nothing."""
    step = getattr(transforms, STEP, None)
    function = getattr(step, "func", step)
    if getattr(function, _ORIGINAL, None):
        return True
    if not isinstance(function, FunctionType) or not _takes_context_and_node(function):
        return False
    setattr(function, _ORIGINAL, _copy_of(function))
    if not function.__closure__:
        function.__code__ = _shim.__code__
        return True
    operation = getattr(transforms, "TransformOperation", None)
    if operation is None:
        return False
    _wrap_call(operation, function)
    return True


def synthesize(step: Any, context: Any, node: Any = None) -> Any:
    """What the step does instead; what it did before where the user says so."""
    if is_opted_out():
        return getattr(step, _ORIGINAL)(context, node)
    try:
        from dbt_describe.osmosis.synthesis import synthesize as ours  # noqa: PLC0415 - heavy, and needed from here on
    except Exception as error:
        raise _as_shown(
            f"dbt-describe can't be loaded ({type(error).__name__}: {error}). Install it anew, or set {OPT_OUT}=0 "
            "to have dbt-osmosis ask its model itself."
        ) from error
    return ours(context, node)


def _as_shown(message: str) -> Exception:
    """An error of which dbt-osmosis's command shows the message alone."""
    import click  # noqa: PLC0415 - dbt-osmosis has it

    return click.ClickException(message)


def complain(text: str) -> None:
    """One line to stderr, if anybody is there to read it."""
    with contextlib.suppress(OSError, AttributeError):
        sys.stderr.write(f"{text}\n")


def _shim(context: Any, node: Any = None) -> Any:
    # Runs with the globals of dbt-osmosis: all that it needs, it must import.
    import importlib  # noqa: PLC0415

    transforms = importlib.import_module("dbt_osmosis.core.transforms")
    step = transforms.synthesize_missing_documentation_with_openai
    ours = importlib.import_module("dbt_describe.osmosis.takeover")
    return ours.synthesize(getattr(step, "func", step), context, node)


def _takes_context_and_node(function: FunctionType) -> bool:
    return list(inspect.signature(function).parameters) == ["context", "node"]


def _copy_of(function: FunctionType) -> FunctionType:
    copy = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    functools.update_wrapper(copy, function)
    return copy


def _wrap_call(operation: Any, function: FunctionType) -> None:
    """Where the function can't be given other code, let operations that hold it call ours."""
    call: Callable[..., Any] = operation.__call__

    @functools.wraps(call)
    def called(self: Any, context: Any, node: Any = None) -> Any:
        if self.func is function:
            synthesize(function, context, node)
            return self
        return call(self, context, node)

    operation.__call__ = called
