"""Proof that an edit did what it meant and nothing else: the old tree, changed on paper, must equal the new text.

Compared are not loaded values but all events that libyaml finds in the new text, as they come, with the old tree: so
duplicate keys, aliases, anchors, tags, quotes, brackets and document markers count too. Where the edit was meant to
change something, the events must say that and nothing besides. Of the new text, items that can't have changed may be
left out (`untouched.py` says why that proves as much).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import TypeVar

import yaml

from dbt_describe.schema_files.edits import NewEntry
from dbt_describe.schema_files.scalars import reads_as_text, same_text
from dbt_describe.schema_files.targets import Growth, Intents, Wrap
from dbt_describe.schema_files.tree import (
    Alias,
    Document,
    DocumentHead,
    Mapping,
    Scalar,
    Sequence,
    YamlNode,
    head_of,
    read_events,
)

_E = TypeVar("_E", bound=yaml.Event)

_Change = Callable[[yaml.Event], None]
"""Reads what was meant, from its first event to its last. Raises: _DifferenceError."""


def verify_edit(old: Document, new_text: str, intents: Intents, untouched: Collection[int] = ()) -> None:
    """Compare the old tree with the new text, in which the items of the ids in `untouched` are left out.

    Raises:
        SchemaFileError: they differ in anything but the intents, or the new text isn't YAML.
    """
    comparison = _Comparison(old, intents, untouched)
    try:
        comparison.read(new_text)
    except (_DifferenceError, yaml.YAMLError, UnicodeEncodeError) as error:
        raise old.fault(
            comparison.line,
            "the edit would have changed more than the descriptions; nothing was written, please report it",
        ) from error


class _DifferenceError(Exception):
    """The new text isn't the old one with the intents."""


class _Comparison:
    """Reads the new text along the old tree."""

    def __init__(self, old: Document, intents: Intents, untouched: Collection[int]) -> None:
        self.line = 1
        """Of the old node that was compared last."""
        self._old = old
        self._untouched = untouched
        self._replaced: dict[int, _Change] = {}
        """By the id of an old node: what stands in its place."""
        self._added: dict[int, dict[str, _Change]] = {}
        """By the id of an old mapping, or of None for a new file's: what stands under keys that it didn't have."""
        for fill in intents.fills:
            self._expect(fill.owner, "description", fill.value, partial(_read_text, fill.text))
        for growth in intents.growths:
            self._expect(growth.owner, growth.key, growth.value, partial(self._read_grown, growth))
        for wrap in intents.wraps:
            self._replaced[id(wrap.test.null or wrap.test.name)] = partial(self._read_wrapped, wrap)

    def _expect(self, owner: Mapping | None, key: str, value: YamlNode | None, change: _Change) -> None:
        if value is None:
            self._added.setdefault(id(owner), {})[key] = change
        else:
            self._replaced[id(value)] = change

    def read(self, new_text: str) -> None:
        """Compare all events. Raises: _DifferenceError, or what libyaml raises."""
        self._next = read_events(new_text).__next__
        old = self._old
        self._take(yaml.StreamStartEvent)
        _must(head_of(self._take(yaml.DocumentStartEvent)) == (old.head or DocumentHead(explicit=False)))
        if old.root is not None:
            self._compare(old.root, self._next())
        else:
            _must(_is_bare(self._take(yaml.MappingStartEvent)))
            _read_text("version", self._next())
            version = self._take(yaml.ScalarEvent)
            _must(version.value == "2" and not version.style and _is_bare(version))
            self._compare_pairs([], self._added.get(id(None), {}))
        _must(bool(self._take(yaml.DocumentEndEvent).explicit) == (old.end_marker is not None))
        self._take(yaml.StreamEndEvent)

    def _take(self, kind: type[_E]) -> _E:
        """The next event, of this kind."""
        event = self._next()
        if not isinstance(event, kind):
            raise _DifferenceError
        return event

    def _compare(self, old: YamlNode, event: yaml.Event) -> None:
        """A node of the old tree, or what was meant in its place, with the events from `event` on."""
        change = self._replaced.get(id(old))
        if change is not None:
            change(event)
            return
        self.line = old.line
        if isinstance(old, Scalar):
            self._compare_scalar(old, event)
        elif isinstance(old, Mapping):
            _must(isinstance(event, yaml.MappingStartEvent) and _is_same_start(old, event))
            self._compare_pairs(old.pairs, self._added.get(id(old), {}))
        elif isinstance(old, Sequence):
            _must(isinstance(event, yaml.SequenceStartEvent) and _is_same_start(old, event))
            self._compare_items(old.items, {})
        else:
            _must(isinstance(old, Alias) and isinstance(event, yaml.AliasEvent) and old.name == event.anchor)

    def _compare_scalar(self, old: Scalar, event: yaml.Event) -> None:
        if not (
            isinstance(event, yaml.ScalarEvent)
            and (old.text == event.value or self._is_ended(old, event.value))
            and old.style == (event.style or None)
            and old.tag == event.tag
            and old.anchor == event.anchor
        ):
            raise _DifferenceError

    def _is_ended(self, old: Scalar, text: str) -> bool:
        """A last line without a line break gets one when something follows; `|` and `>` count it into their text."""
        return old.style in {"|", ">"} and old.end == len(self._old.text) and old.text + "\n" == text

    def _compare_pairs(self, pairs: list[tuple[YamlNode, YamlNode]], added: dict[str, _Change]) -> None:
        """The old pairs in their order, the added ones anywhere among them, and the end of the mapping."""
        missing = dict(added)
        for key, value in pairs:
            self._compare(key, self._after_added(missing) if missing else self._next())
            self._compare(value, self._next())
        _must(isinstance(self._after_added(missing), yaml.MappingEndEvent) and not missing)

    def _after_added(self, missing: dict[str, _Change]) -> yaml.Event:
        """The first event that doesn't belong to an added pair; those that came are missing no more."""
        event = self._next()
        while isinstance(event, yaml.ScalarEvent) and event.value in missing:
            change = missing.pop(event.value)
            _read_text(event.value, event)
            change(self._next())
            event = self._next()
        return event

    def _read_wrapped(self, wrap: Wrap, event: yaml.Event) -> None:
        """A data test's name as the key of a mapping, or only that mapping; with its description."""
        if wrap.test.null is None:
            _must(isinstance(event, yaml.MappingStartEvent) and _is_bare(event))
            self._compare_scalar(wrap.test.name, self._next())
            event = self._next()
        _must(isinstance(event, yaml.MappingStartEvent) and _is_bare(event))
        _read_text("description", self._next())
        _read_text(wrap.text, self._next())
        for _ in range(1 if wrap.test.null else 2):
            self._take(yaml.MappingEndEvent)

    def _read_grown(self, growth: Growth, event: yaml.Event) -> None:
        """The items that a list had, in their order, and behind each the new entries that belong there."""
        old = growth.value if isinstance(growth.value, Sequence) and growth.value.items else None
        _must(isinstance(event, yaml.SequenceStartEvent) and (_is_same_start(old, event) if old else _is_bare(event)))
        entries: dict[int, list[NewEntry]] = {}
        for index, entry in growth.entries:
            entries.setdefault(index, []).append(entry)
        self._compare_items(old.items if old else [], entries)

    def _compare_items(self, items: list[YamlNode], added: dict[int, list[NewEntry]]) -> None:
        """The old items in their order, behind each the entries added there, and the end of the list."""
        self._read_entries(added.get(-1, ()))
        for index, item in enumerate(items):
            if id(item) not in self._untouched:
                self._compare(item, self._next())
            self._read_entries(added.get(index, ()))
        self._take(yaml.SequenceEndEvent)

    def _read_entries(self, entries: Iterable[NewEntry]) -> None:
        for entry in entries:
            _must(_is_bare(self._take(yaml.MappingStartEvent)))
            texts = ["name", entry.name] + (["description", entry.description] if entry.description else [])
            for text in texts + [entry.children_key] * bool(entry.children):
                _read_text(text, self._next())
            if entry.children:
                _must(_is_bare(self._take(yaml.SequenceStartEvent)))
                self._read_entries(entry.children)
                self._take(yaml.SequenceEndEvent)
            self._take(yaml.MappingEndEvent)


def _read_text(text: str, event: yaml.Event) -> None:
    """Exactly this string, to every reader; the line break at the end of a `|` or `>` is the block's."""
    _must(
        isinstance(event, yaml.ScalarEvent)
        and (event.value == text or (event.style in {"|", ">"} and same_text(event.value, text)))
        and _is_bare(event)
        and (bool(event.style) or reads_as_text(text))
    )


def _is_same_start(old: Mapping | Sequence, event: yaml.CollectionStartEvent) -> bool:
    return old.tag == event.tag and old.anchor == event.anchor and old.flow == bool(event.flow_style)


def _is_bare(event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> bool:
    return event.tag is None and event.anchor is None


def _must(is_so: bool) -> None:
    if not is_so:
        raise _DifferenceError
