"""The tree has every node where libyaml's own composer has it, and keeps what that one loses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files.tree import MAX_DEPTH, Alias, Mapping, Scalar, Sequence, YamlNode, read_document
from tests.schema_files.golden import read_cases

TEXTS = {case.title: case.after for case in read_cases()}
Place = tuple[str, int, int, int, str | None]
"""Kind, start, line, column, and the text of a scalar."""


def places(node: YamlNode) -> Iterator[Place]:
    """Of a node and all in it, an alias's own left out."""
    if isinstance(node, Alias):
        return
    text = node.text if isinstance(node, Scalar) else None
    yield type(node).__name__, node.start, node.line, node.column, text
    for child in children(node):
        yield from places(child)


def children(node: YamlNode) -> list[YamlNode]:
    if isinstance(node, Mapping):
        return [child for pair in node.pairs for child in pair]
    return node.items if isinstance(node, Sequence) else []


def composed_places(node: yaml.Node, seen: set[int]) -> Iterator[Place]:
    """The same from PyYAML, where an alias is its target once more."""
    if id(node) in seen:
        return
    seen.add(id(node))
    start, text = node.start_mark, node.value if isinstance(node, yaml.ScalarNode) else None
    yield type(node).__name__.removesuffix("Node"), start.index, start.line + 1, start.column, text
    parts = node.value if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.MappingNode):
        parts = [part for pair in node.value for part in pair]
    for part in parts:
        yield from composed_places(part, seen)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("title", TEXTS, ids=lambda title: title.replace(" ", "_"))
def test_every_node_stands_where_pyyaml_composes_it(title: str, newline: str) -> None:
    text = TEXTS[title].replace("\n", newline)
    root = read_document(text, "f.yml").root
    composed = yaml.compose(text, yaml.CSafeLoader)
    assert (root is None) == (composed is None)
    if root is not None and composed is not None:
        assert list(places(root)) == list(composed_places(composed, set()))


def test_duplicate_keys_aliases_tags_quotes_and_brackets_are_kept() -> None:
    root = read_document("a: &x !t 1\na: '2'\nb: [*x, {c: \"\"}]\n", "f.yml").root
    assert isinstance(root, Mapping)
    first, second, items = (value for _, value in root.pairs)
    assert isinstance(first, Scalar)
    assert (first.text, first.style, first.tag, first.anchor, first.aliased) == ("1", None, "!t", "x", True)
    assert isinstance(second, Scalar)
    assert (second.style, second.aliased) == ("'", False)
    assert isinstance(items, Sequence)
    alias, mapping = items.items
    assert isinstance(alias, Alias)
    assert (alias.name, alias.target) == ("x", first)
    assert isinstance(mapping, Mapping)
    assert (root.flow, items.flow, mapping.flow) == (False, True, True)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a: one # why\nb: 2\n", "one"),
        ("a: |\n  one\n\n\nb: 2\n", "|\n  one"),
        ("a: |+\n  one\n\nb: 2\n", "|+\n  one\n"),
        ("a: >- # why\n  one\n  two", ">- # why\n  one\n  two"),
        ("a:\n  - one # why\n\n# below\nb: 2\n", "- one"),
        ("a: [one, # why\n  ]\nb: 2\n", "[one, # why\n  ]"),
        ("a: {}\n", "{}"),
        ("a:\nb: 2\n", ""),
    ],
)
def test_a_node_ends_before_blank_lines_and_comments(text: str, written: str) -> None:
    root = read_document(text, "f.yml").root
    assert isinstance(root, Mapping)
    value = root.pairs[0][1]
    assert text[value.start : value.end] == written


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "---\n...\n"])
def test_a_file_that_holds_nothing_has_no_root(text: str) -> None:
    assert read_document(text, "f.yml").root is None


def test_the_end_marker_is_found() -> None:
    assert read_document("a: 1\n...\n", "f.yml").end_marker == 5
    assert read_document("a: 1\n", "f.yml").end_marker is None


@pytest.mark.parametrize("opener", ["[", "{a: ", "- ", "? "])
def test_nesting_is_bounded_before_it_can_do_harm(opener: str) -> None:
    with pytest.raises(SchemaFileError, match=f"nested deeper than {MAX_DEPTH} levels"):
        read_document(opener * 50_000, "f.yml")


def test_the_deepest_nesting_allowed_is_read() -> None:
    assert read_document("[" * MAX_DEPTH + "]" * MAX_DEPTH, "f.yml").root is not None
