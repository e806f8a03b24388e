"""What the writer writes reads back as the same string, in YAML 1.1 and in YAML 1.2."""

from __future__ import annotations

import io

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files.scalars import write_block, write_line, write_name
from tests.schema_files.examples import EXAMPLES, TEXTS

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


def read_everywhere(yaml_text: str) -> list[object]:
    """The value of `d` to PyYAML in C and in Python, and to ruamel.yaml in YAML 1.2 and 1.1."""
    values = [yaml.load(yaml_text, yaml.CSafeLoader)["d"], yaml.load(yaml_text, yaml.SafeLoader)["d"]]
    for version in ((1, 2), (1, 1)):
        reader = YAML(typ="safe", pure=True)
        reader.version = version
        values.append(reader.load(io.StringIO(yaml_text))["d"])
    return values


@pytest.mark.parametrize("quote", ["", "'", '"'])
@pytest.mark.parametrize("text", ODD)
def test_an_odd_text_on_one_line_reads_back(text: str, quote: str) -> None:
    line = write_line(text, quote)
    assert len(line.splitlines()) == 1
    assert read_everywhere(f"d: {line} # comment\ne: 1\n") == [text] * 4
    assert quote == "" or read_everywhere(f"{{d: {line}, e: 1}}") == [text] * 4


@pytest.mark.parametrize("text", ODD)
def test_an_odd_text_as_a_block_reads_back_or_is_refused_the_block(text: str) -> None:
    block = write_block(text, 40)
    if block is not None:
        body = "".join(f"  {line}\n" if line else "\n" for line in block.body)
        assert read_everywhere(f"d: {block.head}\n{body}e: 1\n") == [text] * 4


@settings(max_examples=EXAMPLES)
@given(text=TEXTS, quote=st.sampled_from(["", "'", '"']), width=st.integers(20, 120))
def test_any_text_reads_back(text: str, quote: str, width: int) -> None:
    assert read_everywhere(f"d: {write_line(text, quote)}\ne: 1\n") == [text] * 4
    block = write_block(text, width)
    if block is not None:
        body = "".join(f"  {line}\n" if line else "\n" for line in block.body)
        assert read_everywhere(f"d: {block.head}\n{body}e: 1\n") == [text] * 4


@pytest.mark.parametrize(
    "name", ["id", "no", "y", "1st", "my col", "a.b.c", "NULL", "a:b", 'a"b', "é", "$x", "_x", "-"]
)
def test_a_name_reads_back(name: str) -> None:
    for quote in ("", "'", '"'):
        assert read_everywhere(f"d: {write_name(name, quote)}\n") == [name] * 4


@pytest.mark.parametrize("text", ["{{ x }}", "a {% if %}", "{# c #}", "\ud800"])
def test_what_dbt_would_run_or_no_file_can_hold_is_never_written(text: str) -> None:
    for write in (lambda: write_line(text, ""), lambda: write_block(text, 80), lambda: write_name(text, "")):
        with pytest.raises(SchemaFileError, match=r"can't be written"):
            write()


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
