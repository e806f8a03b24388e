from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import click
import pytest

from dbt_describe.osmosis import synthesis, takeover
from tests.osmosis.transforms_source import CLOSURE, OPERATION, PLAIN, UNKNOWN


class Context:
    """What the step is called with."""

    def __init__(self) -> None:
        self.nodes = ["a", "b"]
        self.asked: list[Any] = []
        self.taken: list[Any] = []


@pytest.fixture
def transforms_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """A module of the given source in the place of dbt-osmosis's."""

    def ours(context: Any, node: Any = None) -> None:
        context.taken.append(node)

    monkeypatch.setattr(synthesis, "synthesize", ours)

    def make(source: str) -> Any:
        module = ModuleType(takeover.TRANSFORMS)
        exec(source, module.__dict__)
        monkeypatch.setitem(sys.modules, takeover.TRANSFORMS, module)
        return module

    return make


def test_whoever_held_the_step_before_calls_ours_then(transforms_of: Callable[[str], Any]) -> None:
    module, context = transforms_of(PLAIN), Context()
    assert takeover.take_over(module)
    module.HELD_BY_PIPELINE(context)
    module.HELD_BY_COMMAND(context, "a")
    module.synthesize_missing_documentation_with_openai(context, node="b")
    assert (context.taken, context.asked) == ([None, "a", "b"], [])


def test_what_cant_be_loaded_is_one_line_that_names_the_way_out(
    transforms_of: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = transforms_of(PLAIN)
    assert takeover.take_over(module)
    monkeypatch.setitem(sys.modules, "dbt_describe.osmosis.synthesis", None)
    with pytest.raises(click.ClickException, match=r"can't be loaded .* DBT_DESCRIBE_OSMOSIS=0"):
        module.HELD_BY_COMMAND(Context(), "a")


def test_the_step_is_taken_over_once(transforms_of: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    module, context = transforms_of(PLAIN), Context()
    assert takeover.take_over(module)
    assert takeover.take_over(module)
    monkeypatch.setenv("DBT_DESCRIBE_OSMOSIS", "0")
    module.HELD_BY_PIPELINE(context)
    assert (context.taken, context.asked) == ([], ["a", "b"])


@pytest.mark.parametrize("word", ["0", "false", " No ", "off"])
def test_opted_out_of_the_step_is_what_it_was(
    word: str, transforms_of: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    module, context = transforms_of(PLAIN), Context()
    before = module.HELD_BY_COMMAND.__code__
    monkeypatch.setenv("DBT_DESCRIBE_OSMOSIS", word)
    takeover.install()
    assert module.HELD_BY_COMMAND.__code__ is before
    module.HELD_BY_PIPELINE(context)
    assert context.asked == ["a", "b"]


def test_the_step_may_become_an_operation(transforms_of: Callable[[str], Any]) -> None:
    module, context = transforms_of(OPERATION), Context()
    assert takeover.take_over(module)
    module.synthesize_missing_documentation_with_openai(context)
    assert (context.taken, context.asked) == ([None], [])


def test_a_step_with_closures_is_met_where_operations_call_it(
    transforms_of: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    module, context = transforms_of(CLOSURE), Context()
    assert takeover.take_over(module)
    assert module.HELD_BY_PIPELINE(context) is module.HELD_BY_PIPELINE
    module.ANOTHER(context, "a")
    assert (context.taken, context.asked) == ([None], [("another", "a")])
    monkeypatch.setenv("DBT_DESCRIBE_OSMOSIS", "0")
    module.HELD_BY_PIPELINE(context, "b")
    assert context.asked[1:] == [("dbt-osmosis's own", "b")]


def test_what_doesnt_look_as_known_is_left_alone(transforms_of: Callable[[str], Any]) -> None:
    module = transforms_of(UNKNOWN)
    before = module.synthesize_missing_documentation_with_openai.__code__
    assert not takeover.take_over(module)
    assert module.synthesize_missing_documentation_with_openai.__code__ is before
    assert not takeover.take_over(ModuleType("empty"))


@pytest.mark.parametrize(("version", "known"), [("1.3.0", True), ("1.5.9rc1", True), ("1.1.17", False), ("1.6", False)])
def test_only_versions_whose_inside_is_known_are_taken_over(version: str, *, known: bool) -> None:
    assert takeover.is_known(version) is known


def test_an_unknown_version_is_told_of_where_something_is_synthesized_and_else_not(
    transforms_of: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module, context = transforms_of(PLAIN), Context()
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.6.0")
    monkeypatch.setattr(sys, "argv", ["dbt-osmosis", "yaml", "document"])
    takeover.install()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys, "argv", ["dbt-osmosis", "yaml", "document", "--synthesize"])
    takeover.install()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "1.6.0" in said
    module.HELD_BY_PIPELINE(context)
    assert (context.taken, context.asked) == ([], ["a", "b"])


def test_the_plugin_takes_the_step_of_a_known_version(
    transforms_of: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    module, context = transforms_of(PLAIN), Context()
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1.5.0")
    takeover.install()
    module.HELD_BY_PIPELINE(context)
    assert context.taken == [None]


def test_the_plugin_never_raises_and_needs_the_standard_library_alone() -> None:
    """dbt-osmosis imports it with every command; here there is no dbt-osmosis at all, which it survives."""
    code = (
        "import sys, importlib.metadata as metadata\n"
        "def missing(name): raise metadata.PackageNotFoundError(name)\n"
        "metadata.version = missing\n"
        "before = set(sys.modules)\n"
        "import dbt_describe.osmosis\n"
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(loaded - set(sys.stdlib_module_names)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "['dbt_describe']\n"
    assert done.stderr.count("\n") == 1
    assert "it goes on without" in done.stderr
