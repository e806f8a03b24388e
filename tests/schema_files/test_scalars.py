"""What the writer writes reads back as the same string, in YAML 1.1 and in YAML 1.2."""

from __future__ import annotations

import io

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files.scalars import Written, write_block, write_line, write_name
from tests.schema_files.examples import EXAMPLES, TEXTS
from tests.schema_files.readings import NotStrictError, read_strictly

ODD = [
    "2024", "1e3", "0x1F", "0o17", "017", "1_000", "1:30", "-1", "+.5", ".inf", ".NaN", "1.0", "0b1",
    "yes", "No", "ON", "off", "y", "N", "true", "False", "null", "Null", "NULL", "~", "none", "nan", "inf", "",
    "2024-01-01", "2024-01-01 10:00:00", "2024-01-01T10:00:00Z", "<<", "=", "a: b", "a :b", "a:", "a #b", "#a", "a#b",
    "- a", "-", "--- a", "...", "? a", "! a", "!!str a", "&a", "*a", "@a", "`a", "%a", "|", ">", "[a]", "{a}", "a, b",
    '"a"', "'a'", "it's", 'say "x"', "it's \"x\"", "\\", "a\\n", "'\\'", "a\tb", "\ta", "a\n", "a\nb", "a\n\nb",
    "\na", "a\n b", " a", "a ", "a  b", "a\rb", "a\r\nb", "a\x85b", "a\u2028b", "a\u2029b", "\ufeffa", "a\ufeff",
    "a\u00a0b", "\u00a0a", "é", "Élan vital", "漢字", "🎉", "👨\u200d👩\u200d👧",
    "\u200b", "\x00", "\x07", "\x1b[0m", "\x7f", "\x80", "\ufffe",
    "{ {", "}}", "%}", "$x", "http://x.y/z#a", "a - b", "a ? b", "ends: ", "x" * 300, ("word " * 60).strip(),
]  # fmt: skip


HEADS = ["|", "|-", ">", ">-"]


def read_everywhere(yaml_text: str) -> list[object]:
    """The value of `d` to PyYAML in C and in Python, to ruamel.yaml in YAML 1.2 and 1.1, and to a strict reader."""
    values = [yaml.load(yaml_text, yaml.CSafeLoader)["d"], yaml.load(yaml_text, yaml.SafeLoader)["d"]]
    for version in ((1, 2), (1, 1)):
        reader = YAML(typ="safe", pure=True)
        reader.version = version
        values.append(reader.load(io.StringIO(yaml_text))["d"])
    data = read_strictly(yaml_text)
    assert isinstance(data, dict)
    return [*values, data["d"]]


def as_block(block: Written) -> str:
    """A file with the block in it, and a key behind it."""
    body = "".join(f"{' ' * block.indent}{line}\n" if line else "\n" for line in block.body)
    return f"d: {block.head}\n{body}e: '1'\n"


def block_value(text: str, head: str) -> str:
    """What a block under this head reads as: without `-` it ends with a line break."""
    return text if head.endswith("-") or text.endswith("\n") else text + "\n"


@pytest.mark.parametrize("quote", ["", "'", '"'])
@pytest.mark.parametrize("text", ODD)
def test_an_odd_text_on_one_line_reads_back(text: str, quote: str) -> None:
    line = write_line(text, quote)
    assert len(line.splitlines()) == 1
    assert read_everywhere(f"d: {line} # comment\ne: '1'\n") == [text] * 5
    assert quote == "" or read_everywhere(f"{{d: {line}, e: '1'}}") == [text] * 5


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("text", ODD)
def test_an_odd_text_as_a_block_reads_back_or_is_refused_the_block(text: str, head: str) -> None:
    block = write_block(text, head, 40, 2)
    if block is not None:
        assert read_everywhere(as_block(block)) == [block_value(text, head)] * 5


@settings(max_examples=EXAMPLES)
@given(
    text=TEXTS,
    quote=st.sampled_from(["", "'", '"']),
    head=st.sampled_from(HEADS),
    width=st.one_of(st.none(), st.integers(20, 120)),
    indent=st.integers(1, 8),
)
def test_any_text_reads_back(text: str, quote: str, head: str, width: int | None, indent: int) -> None:
    assert read_everywhere(f"d: {write_line(text, quote)}\ne: '1'\n") == [text] * 5
    block = write_block(text, head, width, indent)
    if block is not None:
        assert read_everywhere(as_block(block)) == [block_value(text, head)] * 5


@pytest.mark.parametrize(
    ("text", "head", "body"),
    [
        ("one two three four", ">-", ("one two", "three four")),
        ("one two three four", "|", ("one two three four",)),
        ("one two\n", ">", ("one two",)),
        ("a\n\n  b", "|-", ("a", "", "  b")),
    ],
)
def test_a_block_holds_the_lines_that_its_head_asks_for(text: str, head: str, body: tuple[str, ...]) -> None:
    assert write_block(text, head, 10, 4) == Written(head, body, 4)


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("a\nb", ">"),
        (" a", "|-"),
        ("\na", "|"),
        ("a ", ">"),
        ("a\n", "|-"),
        ("a\n\n", "|"),
        ("a\tb", "|"),
        ("a\x85b", "|"),
        ("", "|"),
        ("{{ doc('a') }}", "|-"),
    ],
)
def test_what_a_block_would_change_is_refused_the_block(text: str, head: str) -> None:
    assert write_block(text, head, 40, 2) is None


@pytest.mark.parametrize(
    "yaml_text",
    [
        "a: 1", "a: 0o17", "a: .nan", "a: 1e3", "a: yes", "a: True", "a:", "a: ~", "a: null", "a: 2024-01-01",
        "a: 1_000", "a: b\na: c", "[{a: b, 'a': c}]", "a: ''\nb: [x, 1:30]", "? [a]\n: b",
    ],
)  # fmt: skip
def test_the_strict_reader_takes_nothing_but_strings(yaml_text: str) -> None:
    with pytest.raises(NotStrictError):
        read_strictly(yaml_text)


@pytest.mark.parametrize(
    "name", ["id", "no", "y", "1st", "my col", "a.b.c", "NULL", "a:b", 'a"b', "é", "$x", "_x", "-"]
)
def test_a_name_reads_back(name: str) -> None:
    for quote in ("", "'", '"'):
        assert read_everywhere(f"d: {write_name(name, quote)}\n") == [name] * 5


@pytest.mark.parametrize("text", ["{{ x }}", "a {% if %}", "{# c #}", "\ud800"])
def test_what_dbt_would_run_or_no_file_can_hold_is_never_written(text: str) -> None:
    for write in (lambda: write_line(text, ""), lambda: write_block(text, "|", 80, 2), lambda: write_name(text, "")):
        with pytest.raises(SchemaFileError, match=r"can't be written"):
            write()


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_a_reference_to_a_doc_block_is_written_in_quotes(quote: str) -> None:
    assert write_line("{{ doc('order_id2') }}", quote) == "\"{{ doc('order_id2') }}\""


@pytest.mark.parametrize(
    "text",
    [
        "{{ doc('a') }} and more", "See {{ doc('a') }}", "{{ doc('a') }}\n", "{{ doc('a b') }}", "{{ doc('') }}",
        "{{ doc('a') }}{{ doc('b') }}", "{{ doc('a', 'b') }}", "{{doc('a')}}", '{{ doc("a") }}', "{{ doc('a\n') }}",
        "{{ doc('é') }}", "{{ doc('a') }}{% x %}", "{{ doc('1a') }}", "{{ docs('a') }}", "{{ env_var('a') }}",
    ],
)  # fmt: skip
def test_nothing_but_one_plain_reference_passes(text: str) -> None:
    for write in (lambda: write_line(text, '"'), lambda: write_block(text, "|-", 80, 2)):
        with pytest.raises(SchemaFileError, match=r"text with Jinja can't be written"):
            write()
    with pytest.raises(SchemaFileError, match=r"can't be written"):
        write_name("{{ doc('a') }}", '"')


@pytest.mark.parametrize(
    ("text", "quote", "written"),
    [
        ("Plain words.", "", "Plain words."),
        ("Plain words.", "'", "'Plain words.'"),
        ("Plain words.", '"', '"Plain words."'),
        ("It's", "'", '"It\'s"'),
        ('Say "x"', '"', "'Say \"x\"'"),
        ('It\'s "x"', "'", "'It''s \"x\"'"),
        ('It\'s "x"', '"', '"It\'s \\"x\\""'),
        ("a: b", "", '"a: b"'),
    ],
)
def test_the_quotes_that_need_no_escapes_are_taken(text: str, quote: str, written: str) -> None:
    assert write_line(text, quote) == written
