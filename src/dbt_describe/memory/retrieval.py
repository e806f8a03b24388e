"""Which passages bear on what is asked of a node: those that are about its names, as few as say it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import msgspec

from dbt_describe.answers.house_style import count_words
from dbt_describe.answers.validation import fault_of_claim
from dbt_describe.memory.index import Found, Index, all_of, any_of, entity_of, table_of
from dbt_describe.memory.passages import Remembered, same_text
from dbt_describe.memory.words import LAYERS, Abbreviations, Name, Terms, is_telling, named
from dbt_describe.prompting.facts import NodeFacts, Passage
from dbt_describe.prompting.tokens import estimate_tokens

MOST_PASSAGES = 12
MOST_TOKENS = 700
"""Of all passages together."""
MOST_OF_BODY = 3
"""Passages whose text has the words, but whose title is about something else."""
MOST_OF_SECTION = 2
"""Passages from below one heading."""
MOST_OF_NAME = 2
"""Descriptions of one name, by how much they say."""
_ENOUGH_WORDS = 25
"""Longer ones say no more of the name."""
_COMPARED_CHARACTERS = 400
"""Of what facts have shortened, so much is whole."""
_SHORTENED_CHARACTERS = 80
"""The same of descriptions that stand inside of other lines."""

MOST_BY_MEANING = 3
"""Passages that share no words with a name, but are near it in what they mean."""
_BY_TITLE, _BY_NAME, _WITH_NODE, _BY_PART, _BY_BODY, BY_MEANING = range(6)
"""How a passage was found, the surest first: its title is the name; it describes what has the same name; its title is
the name and the node's; title and name have a word in common that says what is meant; its text has all the words;
its embedding is near the name's."""

_MOST_OF_RANK = {_BY_BODY: MOST_OF_BODY, BY_MEANING: MOST_BY_MEANING}


class Candidate(msgspec.Struct, frozen=True):
    """A passage that bears on a name, if the node's has the words that are `missing` in that."""

    rank: int
    passage: Remembered
    score: float
    missing: frozenset[str] = frozenset()


class Recall:
    """What is remembered, asked by names. Names must be learned while the index is open."""

    def __init__(self, index: Index, abbreviations: Abbreviations) -> None:
        self._index = index
        self._abbreviations = abbreviations
        self._names: dict[str, Name] = {}
        self._found: dict[tuple[str, str], tuple[Candidate, ...]] = {}

    def learn(self, node: str, columns: Iterable[str]) -> None:
        """Look for what bears on a node, by its readable name, and on some columns of it.

        Raises:
            StoreError: the index can't be read.
        """
        table = _table(node)
        for column in ("", *columns):
            key = self._key(table, column)
            if key not in self._found:
                self._found[key] = tuple(self._look_for(table, column))

    def spoken(self) -> dict[tuple[str, str], str]:
        """The names learned that say what is meant, in words, with what their short forms stand for."""
        names = {key: self._name(key[0] or key[1]) for key in self._found}
        return {
            key: " ".join(
                dict.fromkeys(
                    term for group in name.groups if group[0][0] not in LAYERS for written in group for term in written
                )
            )
            for key, name in names.items()
            if name.telling
        }

    def add(self, key: tuple[str, str], found: Iterable[Candidate]) -> None:
        """More that bears on a name learned."""
        self._found[key] = (*self._found[key], *found)

    def passages(self, facts: NodeFacts) -> tuple[Passage, ...]:
        """The passages for a question, the surest first; nothing that its facts say anyway."""
        table = _table(facts.name)
        said = {_compared(text) for text in _texts_in(facts)}
        lines = same_text("\n".join(_lines_in(facts)))
        best: dict[str, Candidate] = {}
        served: Counter[str] = Counter()
        for column in ("", *(column.name for column in facts.columns)):
            for candidate in self._bearing(table, column, describes_node=facts.describe_node):
                key = _compared(candidate.passage.text)
                is_said = key in said or key[:_SHORTENED_CHARACTERS] in lines
                if is_said or candidate.passage.unique_id == facts.unique_id:
                    continue
                served[key] += 1
                kept = best.get(key)
                if kept is None or (candidate.rank, -candidate.score) < (kept.rank, -kept.score):
                    best[key] = candidate
        order = sorted(
            best, key=lambda key: (best[key].rank, -served[key], -best[key].score, best[key].passage.place, key)
        )
        return _within_budget(best[key] for key in order)

    def _bearing(self, table: str, column: str, *, describes_node: bool) -> Iterator[Candidate]:
        around = self._name(table).vocabulary
        for candidate in self._found.get(self._key(table, column), ()):
            # What another table of the same things is helps to say what this one is, and nothing of its columns.
            is_of_node = candidate.rank == _BY_NAME and not column
            if candidate.missing <= around and (describes_node or not is_of_node):
                yield candidate

    def _key(self, table: str, column: str) -> tuple[str, str]:
        """What the candidates depend on: of a column with a telling name, that alone."""
        return (column, "") if column and self._name(column).telling else (column, table)

    def _look_for(self, table: str, column: str) -> Iterator[Candidate]:
        """What may bear on a column of the table, or on the table itself."""
        yield from self._descriptions(table, column)
        if not self._index.has_knowledge:
            return
        name = self._name(column or table)
        for found in self._index.find(query) if (query := self._query(table, column)) else ():
            rank = _rank(found, name, is_column=bool(column))
            if rank is not None:
                missing = found.title_terms - name.vocabulary if rank == _WITH_NODE else frozenset()
                yield Candidate(rank, found.passage, found.score, missing)

    def _descriptions(self, table: str, column: str) -> Iterator[Candidate]:
        """What people wrote of the same name: `customer_id` of whatever table, `status` of orders in another layer."""
        entity = _entity(table)
        if not column:
            same = self._index.described(entity, of_columns=False) if entity else ()
            yield from (Candidate(_BY_NAME, passage, 0.0) for passage in same)
            return
        name = self._name(column)
        is_clear = len(name.terms) > 1 and bool(name.telling)
        found: list[tuple[bool, int, Remembered]] = []
        for passage in self._index.described(name.terms, of_columns=True):
            is_same = bool(entity) and _entity(table_of(passage.unique_id)) == entity
            # Unique there isn't unique here.
            if (is_clear or is_same) and not fault_of_claim(passage.text, is_unique=False, is_present=False):
                found.append((is_same, min(count_words(passage.text), _ENOUGH_WORDS), passage))
        found.sort(key=lambda one: (not one[0], -one[1]))
        yield from (Candidate(_BY_NAME, passage, float(words)) for _, words, passage in found[:MOST_OF_NAME])

    def _query(self, table: str, column: str) -> str:
        """For what has a telling word of the name in its title, or one of each in its text."""
        name = self._name(column or table)
        if name.telling:
            return f"{any_of(_telling_words(name), 'title')} OR ({all_of(name.telling)})"
        here, around = sorted(name.vocabulary), _telling_words(self._name(table))
        return f"{any_of(here, 'title')} AND {any_of(around, 'title')}" if here and around and column else ""

    def _name(self, name: str) -> Name:
        known = self._names.get(name)
        if known is None:
            known = self._names[name] = named(name, self._abbreviations)
        return known


def _rank(found: Found, name: Name, *, is_column: bool) -> int | None:
    """How surely the passage is about the name, None where it isn't."""
    title = found.title_terms
    if any(map(is_telling, title)) and not title.isdisjoint(name.vocabulary):
        missing = title - name.vocabulary
        if not missing:
            is_whole = _has_all(title, name.telling) or found.passage.kind == "abbreviation"
            return _BY_TITLE if is_whole else _BY_PART
        # `revenue` and *Net revenue*, but not `order_total` and *Order status*.
        if is_column and len(missing) == 1 and _has_all(title, name.groups):
            return _BY_PART
        if is_column:
            return _WITH_NODE
    # One word of a name is in many a text that is about something else.
    is_in_text = len(name.telling) > 1 and _has_all(title | found.body_terms, name.telling)
    return _BY_BODY if is_in_text else None


def _has_all(terms: frozenset[str], groups: Sequence[Sequence[Terms]]) -> bool:
    """Whether each part of a name is among the terms, in one way of writing it."""
    return bool(groups) and all(any(terms.issuperset(written) for written in group) for group in groups)


def _telling_words(name: Name) -> list[str]:
    return sorted({term for group in name.telling for written in group for term in written})


def _within_budget(ranked: Iterable[Candidate]) -> tuple[Passage, ...]:
    chosen: list[Passage] = []
    left = MOST_TOKENS
    of_rank: Counter[int] = Counter()
    of_section: Counter[str] = Counter()
    for candidate in ranked:
        place, text = candidate.passage.place, candidate.passage.text
        of_rank[candidate.rank] += 1
        of_section[place] += 1
        if len(chosen) == MOST_PASSAGES:
            break
        if of_rank[candidate.rank] > _MOST_OF_RANK.get(candidate.rank, MOST_PASSAGES):
            continue
        tokens = estimate_tokens(text) + estimate_tokens(place)
        if tokens <= left and of_section[place] <= MOST_OF_SECTION:
            chosen.append(Passage(place, text))
            left -= tokens
    return tuple(chosen)


def _texts_in(facts: NodeFacts) -> Iterator[str]:
    """Every description that the facts have."""
    yield facts.description
    for pairs in (facts.upstream, facts.siblings, *(column.inputs for column in facts.columns)):
        yield from (text for _, text in pairs)


def _lines_in(facts: NodeFacts) -> Iterator[str]:
    """What else the facts say in sentences: of readers and of how columns are used, with descriptions among it."""
    yield from facts.downstream
    for column in facts.columns:
        yield from column.uses


def _compared(text: str) -> str:
    return same_text(text.rstrip("…"))[:_COMPARED_CHARACTERS]


def _table(name: str) -> str:
    """The readable name of a node without its source, and without its version."""
    return name.rpartition(".")[2].partition(" ")[0]


_entity = lru_cache(maxsize=50_000)(entity_of)
