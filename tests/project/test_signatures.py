"""The arguments of macros, read from their code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_describe.project.signatures import Argument, read_signature, takes_any_arguments


def names(code: str, name: str = "m") -> tuple[str, ...] | None:
    found = read_signature(code, name)
    return None if found is None else tuple(argument.name for argument in found)


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("{% macro m() %}{% endmacro %}", ()),
        ("{%- macro m(a, b=1) -%}", ("a", "b")),
        ("{%+ macro\n  m (\n    a,\n    b = none,\n  )\n%}", ("a", "b")),
        ("{% macro m(a=')', b=\"x, 'y'\", c='it\\'s,') %}", ("a", "b", "c")),
        ("{% macro m(a=[1, 2], b={'x': (1, 2), 'y': ']'}, c=f(1, g(2))) %}", ("a", "b", "c")),
        ("{# {% macro m(old) %} #}{% macro m(new) %}", ("new",)),
        ("{% macro other(x) %}{% endmacro %}{% macro m(a) %}", ("a",)),
        ("{% macro m(a, {# the second, as text #} b) %}", ("a", "b")),
    ],
)
def test_a_signature_is_read_as_jinja_reads_it(code: str, wanted: tuple[str, ...]) -> None:
    assert names(code) == wanted


@pytest.mark.parametrize("kind", ["test", "data_test"])
def test_a_generic_test_is_the_macro_of_its_name_with_a_prefix(kind: str) -> None:
    code = f"{{% {kind} is_even(model, column_name) %}}select 1{{% end{kind} %}}"
    assert names(code, "test_is_even") == ("model", "column_name")
    assert names(code, "is_even") is None


def test_defaults_are_told_as_they_are_written() -> None:
    found = read_signature("{% macro m(a, b=none, c=[1,\n   2], d='x') %}", "m")
    assert found == (Argument("a"), Argument("b", "none"), Argument("c", "[1, 2]"), Argument("d", "'x'"))


@pytest.mark.parametrize(
    "code",
    [
        "",
        "select 1",
        "{% macro m(a, b",
        "{% macro m(a, 'x') %}",
        "{% macro m(*a) %}",
        "{% materialization m, default %}",
    ],
)
def test_what_is_no_signature_is_not_guessed_at(code: str) -> None:
    assert names(code) is None


def test_a_macro_that_uses_kwargs_takes_any_arguments() -> None:
    assert takes_any_arguments("{{ kwargs.get('x') }}")
    assert takes_any_arguments("{% for x in varargs %}")
    assert not takes_any_arguments("{{ my_kwargs_list }}")


@given(st.text(alphabet="(){}[]'\"\\,=a \n#%", max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    read_signature("{% macro m(" + text, "m")


def test_a_long_signature_is_read_to_its_end() -> None:
    assert len(names("{% macro m(" + ", ".join(f"a{i}=[{i}]" for i in range(20_000)) + ") %}") or ()) == 20_000
    assert names("{% macro m(" + "'(" * 50_000) is None
