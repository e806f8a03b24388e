"""What a template can't do: get out, take all of the time, take all of the memory."""

from __future__ import annotations

import itertools
from pathlib import Path

import jinja2
import pytest

from dbt_describe.errors import PromptError
from dbt_describe.prompting.rendering import Renderer
from dbt_describe.prompting.sandbox import LimitError, Limits, Sandbox
from dbt_describe.prompting.template_files import Body

DOUBLED = "{% set box = namespace(it='xxxxxxxx') %}{% for one in range(99) %}{% set box.it = GROWN %}{% endfor %}"

SHARED = "{% set a = [1, 1] %}{% set b = [1, 1] %}" + "{% set a = [a, a] %}{% set b = [b, b] %}" * 40


def render(text: str, **values: object) -> str:
    return Renderer().render(Body(text, Path("t.yml"), 1), values)


@pytest.mark.parametrize(
    "text",
    [
        "{% for one in range(1000000000) %}x{% endfor %}",
        "{% for one in range(9999) %}{% for two in range(9999) %}{% endfor %}{% endfor %}",
        "{% for one in [1, 1] recursive %}{% if loop.depth < 20 %}{{ loop([1, 1]) }}{% endif %}{% endfor %}",
        "{% macro twice(n) %}{% if n %}{{ twice(n - 1) }}{{ twice(n - 1) }}{% endif %}{% endmacro %}{{ twice(40) }}",
        "{% macro two() %}{{ caller() }}{% endmacro %}{% for one in range(9999) %}{% call two() %}{% endcall %}"
        "{% endfor %}",
        "{{ 'x' * 1000000000 }}",
        "{{ 1000000000 * [1] }}",
        "{{ 10 ** 10 ** 9 }}",
        "{{ (10 ** 70) * (10 ** 70) }}",
        DOUBLED.replace("GROWN", "box.it ~ box.it"),
        DOUBLED.replace("GROWN", "box.it + box.it"),
        DOUBLED.replace("GROWN", "[box.it, box.it]") + "{{ box.it }}",
        DOUBLED.replace("GROWN", "box.it|replace('x', 'xx')"),
        DOUBLED.replace("GROWN", "[box.it, box.it]|join"),
        "{{ ('x' * 1000000)|replace('x', 'y' * 1000000) }}",
        "{{ ('x' * 90000)|list|join('y' * 1000000) }}",
        "{{ [{'it': 'x' * 3000000}, {'it': 'x' * 3000000}]|join(attribute='it') }}",
        "{{ 'x'|indent(1000000000) }}",
        "{{ ((((((1,) * 1000,) * 1000,) * 1000,) * 1000,) * 1000)|string }}",
        "{{ '%1000000000d' % 1 }}",
        "{% set a %}xxxxxxxx{% endset %}"
        + "".join(f"{{% set a %}}{{{{ a }}}}{{{{ a }}}}{'{% endset %}'}" for _ in range(40)),
        "{% for one in range(15000) %}" + "x" * 5000 + "{% endfor %}",
        "{% for one in range(15000) %}{{ 'x' * 5000 }}{% endfor %}",
        f"{SHARED}{{{{ a == b }}}}",
        SHARED.replace("[", "(").replace("]", ")") + "{% set d = {a: 1} %}",
        "{% set a = {'x': 1} %}" + "{% set a = {'x': a, 'y': a} %}" * 40 + "{{ a == 1 }}",
        "{% set a = {'x': 1} %}" + "{% set a = dict(x=a, y=a) %}" * 40 + "{{ a == 1 }}",
        "{% set a = [1] %}" + "{% set a = [a] * 2 %}" * 40 + "{{ a == 1 }}",
        "{% set box = namespace(it=1) %}{% macro m() %}{% set box.it = varargs %}{% endmacro %}"
        + "{{ m(box.it, box.it) }}" * 40
        + "{{ box.it == 1 }}",
        "{% set box = namespace(it=[]) %}{% for one in range(9999) %}{% set box.it = [box.it] %}{% endfor %}",
        "{{ ['x' * 3000000] * 9000 == ['x' * 3000000] * 9000 }}",
        "{{ ([range(9999)] * 90000)|map('list')|list|length }}",
        "{{ (('f' * 4000000)|int(0, 16)) // (('f' * 2000000)|int(0, 16)) }}",
        "{{ 1e308|int }}",
        f"{{{{ 0x{'f' * 3000} // 0x{'f' * 2000} }}}}",
        f"{{{{ 0x{'f' * 3000} - 1 }}}}",
        "{% set s = 'x' * 4000000 %}" + "{% set a = s[1:] %}" * 15,
        "{% set s = 'x' * 4000000 %}" + "{% set a = 'abc'|truncate(1, true, end=s) %}" * 15,
    ],
)
def test_work_and_memory_have_an_end(text: str) -> None:
    with pytest.raises(PromptError, match=r"^t\.yml:1: it takes too much: "):
        render(text)


@pytest.mark.parametrize(
    "text",
    [
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        "{% for one in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{{ " + "[" * 3000 + "]" * 3000 + " }}",
    ],
)
def test_depth_has_an_end(text: str) -> None:
    with pytest.raises(PromptError, match="too deep"):
        render(text)


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__ }}",
        "{{ asked.format(asked) }}",
        "{{ ''.join([asked]) }}",
        "{{ asked.center(9) }}",
        "{{ asked|center(9) }}",
        "{{ asked|attr('__class__') }}",
        "{{ (1).to_bytes(9) }}",
        "{{ [].append(1) }}",
        "{{ asked.encode() }}",
        "{{ self.__init__ }}",
        "{{ range.__globals__ }}",
        "{% include 'other' %}",
        "{% import 'other' as other %}",
    ],
)
def test_what_has_no_place_in_a_prompt_is_not_there(text: str) -> None:
    with pytest.raises(PromptError, match=r"^t\.yml:1: "):
        render(text, asked="x")


def test_what_prompts_are_made_of_works() -> None:
    text = (
        "{% macro shown(one) %}<{{ one }}>{% endmacro %}"
        "{% set all = asked.splitlines() %}"
        "{% for one in all if one.strip() %}{{ loop.index }}{{ shown(one|trim|upper) }}{{ loop.cycle(';', ',') }}"
        "{% endfor %} {{ all|join(' + ') }} {{ 'n: ' ~ all|length ~ '/' ~ 2 ** 3 % 5 }} {{ words.items()|list }} "
        "{{ [{'it': 'q'}, {'it': 'r'}]|map(attribute='it')|join('-') }} {{ asked|replace('a', 'o', 1)|indent(2) }} "
        "{{ 'ab' + 'c' * 2 }} {{ missing|default('none') }}{{ ' yes' if missing is defined else ' no' }}"
    )
    shown = render(text, asked="a\n\nba", words={"k": "v"})
    assert shown == "1<A>;2<BA>, a +  + ba n: 3/3 [('k', 'v')] q-r o\n\n  ba abcc none no\n"


def test_a_text_of_a_megabyte_is_rendered() -> None:
    assert len(render("{{ sql }}{{ sql }}", sql="x" * 1_000_000)) == 2_000_001


def test_a_namespace_in_itself_is_shown_without_what_is_in_it() -> None:
    boxes = "{% set a = namespace() %}" + "{% set a = namespace(x=a, y=a) %}" * 40
    assert render(boxes + "{{ a }} {{ [a]|join }} {{ a ~ '' }}") == "<namespace> <namespace> <namespace>\n"


def test_each_test_of_a_list_looks_at_the_time() -> None:
    sandbox = Sandbox(Limits(time_s=900), clock=itertools.count().__next__)
    with pytest.raises(LimitError, match="more than 900 s of work"):
        sandbox.from_string("{{ range(999)|reject('in', [1])|list|length }}").render()


def test_lists_in_lists_are_compared_and_looked_up() -> None:
    text = (
        "{% for a, b in [(1, [2]), (3, [4])] %}{{ {(a, 1): b}[(a, 1)][0:1] == b }}{% endfor %} {{ '12'|int - 7 // 2 }}"
    )
    assert render(text) == "TrueTrue 9\n"


def test_time_has_an_end() -> None:
    sandbox = Sandbox(Limits(time_s=3), clock=itertools.count().__next__)
    with pytest.raises(LimitError, match="more than 3 s of work"):
        sandbox.from_string("{% for one in range(9) %}{% endfor %}").render()
    sandbox.begin()
    assert sandbox.from_string("{{ 'x' }}").render() == "x"


def test_what_an_earlier_rendering_took_does_not_count() -> None:
    renderer = Renderer()
    body = Body("{% for one in range(15000) %}{% endfor %}", Path("t.yml"), 1)
    assert [renderer.render(body, {}) for _ in range(3)] == ["\n"] * 3


def test_no_filter_is_offered_that_is_not_guarded() -> None:
    growing = {
        "center",
        "format",
        "xmlattr",
        "urlize",
        "wordwrap",
        "pprint",
        "tojson",
        "batch",
        "slice",
        "round",
        "sum",
    }
    assert growing <= jinja2.filters.FILTERS.keys()
    assert not growing & Sandbox().filters.keys()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{% for a in [1] %}\n" * 21 + "x" + "{% endfor %}" * 21, 21),
        ("{% if 1 %}\n" * 110 + "x" + "{% endif %}" * 110, r"1\d\d"),
        ("{% if 1 %}\n" * 3000 + "x" + "{% endif %}" * 3000, 1),
        ("{{ " + "(" * 150 + "1 - one" + " - one)" * 150 + " }}", 1),
        ("{{ " + "not " * 5000 + "1 }}", 1),
    ],
)
def test_what_python_cannot_nest_names_the_line(text: str, line: int | str) -> None:
    with pytest.raises(PromptError, match=rf"^t\.yml:{line}: .*too deep\.$"):
        render(text, one=1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{% include 'other' %}", "{% include %} isn't allowed here: a body stands alone."),
        ("{% import 'other' as other %}", "{% import %} isn't allowed here: a body stands alone."),
        ("{% from 'other' import one %}", "{% import %} isn't allowed here: a body stands alone."),
        ("{% extends 'other' %}", "{% extends %} isn't allowed here: a body stands alone."),
        ("{{ 'x'|uppper }}", "No filter named 'uppper'."),
    ],
)
def test_what_is_not_there_is_said_with_one_full_stop(text: str, said: str) -> None:
    with pytest.raises(PromptError) as raised:
        render(f"\n{text}")
    assert str(raised.value) == f"t.yml:2: {said}"
