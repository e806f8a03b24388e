"""Docs files get blocks at their end and nothing else, or are refused with a reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files import is_block_text, normal_text, prepare_blocks, write_change
from dbt_describe.schema_files.doc_blocks import add_blocks, read_blocks
from tests.schema_files.examples import EXAMPLES, TEXTS

BLOCKS = {"order_id": "Number of the order.", "note": "Two\n\n  * paragraphs"}
ADDED = "{% docs order_id %}\nNumber of the order.\n{% enddocs %}\n"
ADDED += "\n{% docs note %}\nTwo\n\n  * paragraphs\n{% enddocs %}\n"


@pytest.mark.parametrize(
    ("before", "gap"),
    [
        ("", ""),
        ("\n", ""),
        ("\ufeff", ""),
        ("# Columns\n", "\n"),
        ("# Columns", "\n\n"),
        ("# Columns\n\n", ""),
        ("# Columns\n  \n", ""),
        ("# Columns\n  ", "\n"),
        ("\ufeff{%- docs x -%} it's {%- enddocs -%}\n", "\n"),
        ("{% docs x %}{% raw %}{% enddocs %}{% endraw %}{% enddocs %}\n", "\n"),
        ('{# {% docs x %} #}\n{{ "}} {% docs" }}\n{% docs y %}y{% enddocs %}\n', "\n"),
        ("{% docs x %}```{% enddocs %}\n\n```\nan open fence, an { and a %}\n", "\n"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_blocks_are_added_behind_a_blank_line_in_the_files_own_line_endings(
    before: str, gap: str, newline: str
) -> None:
    newline = newline if "\n" in before else "\n"
    before, added = before.replace("\n", newline), (gap + ADDED).replace("\n", newline)
    assert add_blocks(before, BLOCKS, "docs.md") == before + added
    assert add_blocks(before + added, BLOCKS, "docs.md") == before + added


def test_blocks_read_as_dbt_reads_them() -> None:
    text = (
        "{%- docs a -%}\r\n one\r\n\r\ntwo {# {% enddocs %} #}\r\n{%-enddocs-%}"
        "{% docs b x='%}' %}{{ '{% enddocs %}' }}{% enddocs %}"
    )
    assert read_blocks(text, "docs.md") == {"a": "one\n\ntwo {# {% enddocs %} #}", "b": "{{ '{% enddocs %}' }}"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\n{% docs x %}\nb", "docs.md:2: the docs block x is never closed"),
        ("{% docs x %}{% docs y %}{% enddocs %}", "docs.md:1: `{% docs %}` can't stand here"),
        ("{% docs %}{% enddocs %}", "`{% docs %}` can't stand here"),
        ("\r\n\r\n{% enddocs %}", "docs.md:3: `{% enddocs %}` can't stand here"),
        ("{% raw %}\n", "`{% raw %}` can't stand here"),
        ("\n{% if x %}{% docs y %}{% enddocs %}{% endif %}", "docs.md:2: `{% if %}` can't stand here"),
        ("{# a", "`{#` is never closed"),
        ("{{ 'a }}", "`{{` is never closed"),
        ("{% docs x", "`{% docs` is never closed"),
        ("{% docs x %}{% enddocs %}\n{% docs x %}{% enddocs %}", "docs.md:2: the docs block x is there twice"),
        ("{% docs note %}Other words.{% enddocs %}", "docs.md: the docs block note says something else already"),
    ],
)
def test_a_file_in_which_a_block_might_read_otherwise_is_refused(text: str, said: str) -> None:
    with pytest.raises(SchemaFileError, match=re.escape(said)):
        add_blocks(text, BLOCKS, "docs.md")


@pytest.mark.parametrize("text", ["", " \n", "{{ ref('x') }}", "{% raw %}", "a {# b", "a\0b", "\ud800"])
def test_a_text_that_no_block_can_hold_is_refused(text: str) -> None:
    assert not is_block_text(text)
    with pytest.raises(SchemaFileError, match="can be written"):
        add_blocks("", {"x": text, "y": "fine"}, "docs.md")


def test_a_carriage_return_would_come_back_as_a_line_break() -> None:
    assert not is_block_text("a\rb")


@pytest.mark.parametrize("name", ["", "1a", "a b", "größe", "a'", "a.b"])
def test_a_name_that_no_block_can_have_is_refused(name: str) -> None:
    with pytest.raises(SchemaFileError, match="can be written"):
        add_blocks("", {name: "Text."}, "docs.md")


_WORDS = st.sampled_from(["\n", "\r\n", "\r", "  ", "it's", "# Title", "```", "{", "%}", "{% 1 %}", "ä漢🎉"])
_JINJA = st.sampled_from(["{# {% docs x %} #}", "{{ '}} {% docs x %}' }}", "{% raw %}{% docs %}{{{% endraw %}"])
_PLAIN = st.lists(st.one_of(_WORDS, _WORDS, _JINJA), max_size=5).map("".join)
_TAGS = st.sampled_from([("{% docs old_? %}", "{% enddocs %}"), ("{%- docs  old_? -%}", "{%-enddocs -%}")])
_BROKEN = st.sampled_from([*[""] * 9, "{% docs x %}", "{#", "{{ '", "{% if x %}", "{% raw %}"])


@st.composite
def markdown(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(["", "\ufeff"])) + draw(_PLAIN)
    for number in range(draw(st.integers(0, 3))):
        opening, closing = draw(_TAGS)
        text += opening.replace("?", str(number)) + draw(_PLAIN) + closing + draw(_PLAIN)
    return text + draw(_BROKEN)


@settings(max_examples=EXAMPLES)
@given(before=markdown(), texts=st.lists(TEXTS.filter(is_block_text), min_size=1, max_size=4))
def test_any_file_keeps_its_bytes_and_any_text_reads_back(before: str, texts: list[str]) -> None:
    blocks = {f"new_{index}": text for index, text in enumerate(texts)}
    try:
        present = read_blocks(before, "docs.md")
    except SchemaFileError:
        with pytest.raises(SchemaFileError):
            add_blocks(before, blocks, "docs.md")
        return
    after = add_blocks(before, blocks, "docs.md")
    assert after.startswith(before)
    wanted = present | {name: normal_text(text) for name, text in blocks.items()}
    assert read_blocks(after, "docs.md") == wanted
    assert add_blocks(after, blocks, "docs.md") == after


def test_a_docs_file_on_disk_keeps_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "models" / "docs.md"
    path.parent.mkdir()
    before = b"\xef\xbb\xbf{% docs x %}\r\n\xc3\xa4\r\n{% enddocs %}"
    path.write_bytes(before)
    path.chmod(0o640)
    write_change(prepare_blocks(path, {"y": "Text."}, tmp_path), tmp_path)
    assert path.read_bytes() == before + b"\r\n\r\n{% docs y %}\r\nText.\r\n{% enddocs %}\r\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert not prepare_blocks(path, {"y": "Text."}, tmp_path).is_needed


def test_a_docs_file_that_cant_be_read_or_lies_outside_is_refused(tmp_path: Path) -> None:
    project = tmp_path / "shop"
    (project / "models").mkdir(parents=True)
    (project / "models/latin.md").write_bytes(b"caf\xe9")
    for path, said in (("models/latin.md", "not UTF-8"), ("models", "is a directory"), ("../docs.md", "leads out")):
        with pytest.raises(SchemaFileError, match=said):
            prepare_blocks(project / path, {"y": "Text."}, project)
