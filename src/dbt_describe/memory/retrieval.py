"""Which passages bear on what is asked of a node: those that are about its names, as few as say it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from dbt_describe.memory.index import Found, Index, all_of, any_of
from dbt_describe.memory.passages import Remembered, same_text
from dbt_describe.memory.words import LAYERS, Name, Terms, is_telling, named, terms_of
from dbt_describe.prompting.facts import NodeFacts, Passage
from dbt_describe.prompting.tokens import estimate_tokens

MOST_PASSAGES = 12
MOST_TOKENS = 700
"""Of all passages together."""
MOST_OF_BODY = 3
"""Passages whose text has the words, but whose title is about something else."""
MOST_OF_SECTION = 2
"""Passages from below one heading."""
_COMPARED_CHARACTERS = 400
"""Of what facts have shortened, so much is whole."""

_BY_TITLE, _BY_NAME, _WITH_NODE, _BY_PART, _BY_BODY = range(5)
"""How a passage was found, the surest first."""


class Candidate(msgspec.Struct, frozen=True):
    """A passage that may bear on a name. `missing` are the words of its title that the name doesn't have."""

    passage: Remembered
    missing: frozenset[str]
    is_telling: bool
    """Whether the title says what is meant."""
    is_whole: bool
    """Whether the title has all of the name that says what is meant."""
    in_body: bool
    score: float


class Recall:
    """What is remembered, asked by names. Names must be learned while the index is open."""

    def __init__(self, index: Index, abbreviations: Mapping[str, Sequence[Terms]]) -> None:
        self._index = index
        self._abbreviations = abbreviations
        self._names: dict[str, Name] = {}
        self._found: dict[tuple[str, str], tuple[Candidate, ...]] = {}

    def learn(self, node: str, columns: Iterable[str]) -> None:
        """Look for what bears on a node and some columns of it.

        Raises:
            StoreError: the index can't be read.
        """
        self._learn(self._key(node, ""), self._node_query(node))
        for column in columns:
            key = self._key(node, column)
            if key not in self._found:
                self._learn(key, self._column_query(node, column))

    def passages(self, facts: NodeFacts) -> tuple[Passage, ...]:
        """The passages for a question, the surest first; nothing that its facts say anyway."""
        node = _table(facts.name)
        said = {_compared(text) for text in _texts_in(facts)}
        best: dict[str, tuple[int, float, Remembered]] = {}
        served: dict[str, int] = {}
        for column in ("", *(column.name for column in facts.columns)):
            for rank, candidate in self._bearing(node, column, describes_node=facts.describe_node):
                key = _compared(candidate.passage.text)
                if key in said or candidate.passage.unique_id == facts.unique_id:
                    continue
                served[key] = served.get(key, 0) + 1
                kept = best.get(key)
                if kept is None or (rank, -candidate.score) < (kept[0], -kept[1]):
                    best[key] = rank, candidate.score, candidate.passage
        order = sorted(best, key=lambda key: (best[key][0], -served[key], -best[key][1], best[key][2].place))
        return _within_budget((best[key][0], best[key][2]) for key in order)

    def _bearing(self, node: str, column: str, *, describes_node: bool) -> Iterator[tuple[int, Candidate]]:
        """What bears on a column, or on the node itself, and how it was found."""
        name = self._name(column or node)
        of_node = self._name(node).vocabulary
        found = self._found.get(self._key(node, column), ())
        # One word of a name is in many a text that is about something else.
        is_clear = len(name.telling) > 1
        for one in found:
            if one.passage.kind == "description" and not one.passage.unique_id.startswith("metric."):
                if (column or describes_node) and self._is_same(one, node, column):
                    yield _BY_NAME, one
            elif one.is_telling and not one.missing:
                yield _BY_TITLE if one.is_whole or one.passage.kind == "abbreviation" else _BY_PART, one
            elif one.is_telling and column and one.missing <= of_node:
                yield _WITH_NODE, one
            elif column and one.is_whole and len(one.missing) == 1:
                yield _BY_PART, one
            elif one.in_body and is_clear:
                yield _BY_BODY, one

    def _is_same(self, one: Candidate, node: str, column: str) -> bool:
        """Whether a description is of what has the same name: `customer_id` of whatever, `status` of orders again."""
        passage = one.passage
        if bool(passage.column) != bool(column):
            return False
        entity = _entity(node)
        is_of_same = bool(entity) and _entity(_table_of(passage.unique_id)) == entity
        if not column:
            return is_of_same
        name = self._name(column)
        is_clear = len(name.terms) > 1 and bool(name.telling)
        return terms_of(passage.column) == terms_of(column) and (is_clear or is_of_same)

    def _learn(self, key: tuple[str, str], query: str) -> None:
        if key in self._found:
            return
        name = self._name(key[0] or key[1])
        found = self._index.find(query) if query else []
        self._found[key] = tuple(_candidate(one, name) for one in found)

    def _key(self, node: str, column: str) -> tuple[str, str]:
        """What the candidates depend on: of a column with a telling name, that alone."""
        is_enough = bool(column) and bool(self._name(column).telling)
        return (column, "") if is_enough else (column, _table(node))

    def _node_query(self, node: str) -> str:
        telling = self._name(_table(node)).telling
        return _query(self._name(_table(node))) if telling else ""

    def _column_query(self, node: str, column: str) -> str:
        name, around = self._name(column), self._name(_table(node))
        if name.telling:
            return _query(name)
        words = sorted({term for group in around.telling for written in group for term in written})
        return f"{any_of(sorted(name.vocabulary), 'title')} AND {any_of(words)}" if words and name.terms else ""

    def _name(self, name: str) -> Name:
        known = self._names.get(name)
        if known is None:
            known = self._names[name] = named(name, self._abbreviations)
        return known


def _query(name: Name) -> str:
    """What has a telling word of the name in its title, or one of each in its text."""
    words = sorted({term for group in name.telling for written in group for term in written})
    return f"{any_of(words, 'title')} OR ({all_of(name.telling)})"


def _candidate(found: Found, name: Name) -> Candidate:
    return Candidate(
        found.passage,
        found.title_terms - name.vocabulary,
        any(map(is_telling, found.title_terms)) and not found.title_terms.isdisjoint(name.vocabulary),
        _has_all(found.title_terms, name),
        _has_all(found.title_terms | found.body_terms, name),
        found.score,
    )


def _has_all(terms: frozenset[str], name: Name) -> bool:
    """Whether each telling part of the name is among the terms, in one way of writing it."""
    telling = name.telling
    return bool(telling) and all(any(terms.issuperset(written) for written in group) for group in telling)


def _within_budget(ranked: Iterable[tuple[int, Remembered]]) -> tuple[Passage, ...]:
    chosen: list[Passage] = []
    left = MOST_TOKENS
    of_body = 0
    of_section: Counter[str] = Counter()
    for rank, passage in ranked:
        tokens = estimate_tokens(passage.text) + estimate_tokens(passage.place)
        of_body += rank == _BY_BODY
        of_section[passage.place] += 1
        if len(chosen) == MOST_PASSAGES or of_body > MOST_OF_BODY:
            break
        if tokens <= left and of_section[passage.place] <= MOST_OF_SECTION:
            chosen.append(Passage(passage.place, passage.text))
            left -= tokens
    return tuple(chosen)


def _texts_in(facts: NodeFacts) -> Iterator[str]:
    """Every description that the facts have."""
    yield facts.description
    for pairs in (facts.upstream, facts.siblings, *(column.inputs for column in facts.columns)):
        yield from (text for _, text in pairs)


def _compared(text: str) -> str:
    return same_text(text.rstrip("…"))[:_COMPARED_CHARACTERS]


def _table(name: str) -> str:
    """The readable name of a node without its source, and without its version."""
    return name.rpartition(".")[2].partition(" ")[0]


def _table_of(unique_id: str) -> str:
    parts = unique_id.split(".")
    return parts[3] if parts[0] == "source" else parts[2]


def _entity(table: str) -> frozenset[str]:
    """What a table is of, whatever its layer: that of `stg_till__orders` is the same as that of `fct_orders`."""
    return frozenset(terms_of(table.rpartition("__")[2])) - LAYERS
