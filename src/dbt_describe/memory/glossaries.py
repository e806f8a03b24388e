"""Terms and what they mean, from YAML or CSV.

    ARR: Annual recurring revenue, without one-off fees.       # a mapping from terms to texts

    - term: Churn                                              # or a list of entries
      definition: Customers who cancelled within the month.
      synonyms: [attrition]

In CSV, the first row names the columns; else the first one holds the terms and the second one the texts.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

import yaml

TERMS = ("term", "name", "word", "title", "key", "abbreviation", "acronym", "metric")
TEXTS = ("definition", "description", "meaning", "text", "value", "explanation", "desc", "stands for", "long form")
SYNONYMS = ("synonyms", "aliases", "synonym", "alias", "abbreviations", "also known as", "acronym", "abbreviation")
MOST_ENTRIES = 20_000
_MOST_PARTS = 4 * MOST_ENTRIES
_DEEPEST = 8
_DEEPEST_YAML = 100
_LINES_COMPARED = 20
"""A delimiter is in each of them."""
_Loader: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def yaml_terms(text: str) -> Iterator[tuple[str, str]]:
    """(term, meaning) of everything in the file that looks like one, each synonym a term of its own.

    Raises:
        ValueError: it is no YAML, or more than a glossary.
    """
    try:
        _refuse_depth(text)
        loader = _Loader(text)
        try:
            root = loader.get_single_node()
            _refuse_bombs(root)
            content = loader.construct_document(root) if root is not None else None
        finally:
            loader.dispose()
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ValueError(f"it can't be read as YAML: {_told(error)}") from None
    yield from _terms_in(content, 0)


def csv_terms(text: str) -> Iterator[tuple[str, str]]:
    """(term, meaning) of each row.

    Raises:
        ValueError: it is no CSV.
    """
    head = [line for line in text.splitlines() if line.strip()][:_LINES_COMPARED]
    delimiter = next((sign for sign in "\t;" if head and all(sign in line for line in head)), ",")
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise ValueError(f"it is no CSV: {error}") from None
    if not rows:
        return
    names = [name.strip().lower() for name in rows[0]]
    has_names = bool({*names} & {*TERMS}) and bool({*names} & {*TEXTS})
    for row in rows[has_names : MOST_ENTRIES + 1]:
        if has_names:
            yield from _entry(dict(zip(names, row, strict=False)))
        elif len(row) > 1:
            yield from _pair(row[0], row[1])


def _terms_in(content: object, depth: int) -> Iterator[tuple[str, str]]:
    if depth > _DEEPEST:
        return
    if isinstance(content, Mapping):
        fields = {str(key).strip().lower(): value for key, value in content.items()}
        found = list(_entry(fields))
        if found:
            yield from found
            return
        for key, value in content.items():
            if isinstance(value, str):
                yield from _pair(str(key), value)
            elif isinstance(value, Mapping):
                inner = {"term": str(key), **{str(name).strip().lower(): item for name, item in value.items()}}
                entry = list(_entry(inner))
                yield from entry or _terms_in(value, depth + 1)
            else:
                yield from _terms_in(value, depth + 1)
    elif isinstance(content, Sequence) and not isinstance(content, (str, bytes)):
        for item in content:
            yield from _terms_in(item, depth + 1)


def _entry(fields: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The term and its synonyms, where the fields have both a term and a text."""
    term = next((name for name in TERMS if isinstance(fields.get(name), str)), None)
    text = next((value for name in TEXTS if isinstance(value := fields.get(name), str) and name != term), None)
    if term is None or text is None:
        return
    yield from _pair(str(fields[term]), text)
    for name in SYNONYMS:
        value = fields.get(name) if name != term else None
        others = value.replace(";", ",").split(",") if isinstance(value, str) else value
        for other in others if isinstance(others, list) else ():
            if isinstance(other, str):
                yield from _pair(other, text)


def _pair(term: str, text: str) -> Iterator[tuple[str, str]]:
    if term.strip() and text.strip():
        yield " ".join(term.split()), text.strip()


def _told(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + 1}: " if mark else ""
    return line + " ".join(str(getattr(error, "problem", None) or error).split())[:200]


def _refuse_depth(text: str) -> None:
    """libyaml's composer calls itself for each level, and ends the process where there are too many for its stack.

    Raises:
        ValueError: there are more than a glossary can have.
    """
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            depth -= 1
        if depth > _DEEPEST_YAML or count > _MOST_PARTS:
            raise ValueError("it holds more than a glossary can")


def _refuse_bombs(root: yaml.Node | None) -> None:
    """A few lines with aliases can stand for billions of values.

    Raises:
        ValueError: there are too many, or one holds itself.
    """
    waiting = [(root, 0)] if root is not None else []
    count = 0
    while waiting:
        node, depth = waiting.pop()
        count += 1
        if count > _MOST_PARTS or depth > _DEEPEST_YAML:
            raise ValueError("it holds more than a glossary can")
        if isinstance(node, yaml.SequenceNode):
            waiting += [(item, depth + 1) for item in node.value]
        elif isinstance(node, yaml.MappingNode):
            waiting += [(part, depth + 1) for pair in node.value for part in pair]
