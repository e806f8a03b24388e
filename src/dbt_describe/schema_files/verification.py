"""Proof that an edit did what it meant and nothing else: the old tree, changed on paper, must equal the new one.

Compared are not the loaded values but the trees, so that duplicate keys, aliases, anchors, tags and quotes count too.
"""

from __future__ import annotations

from dbt_describe.schema_files.edits import NewEntry
from dbt_describe.schema_files.scalars import reads_as_text, same_text
from dbt_describe.schema_files.targets import Intents
from dbt_describe.schema_files.tree import Alias, Document, Mapping, Scalar, Sequence, YamlNode, key_text

_Pairs = list[tuple[YamlNode, YamlNode]]


def verify_edit(old: Document, new: Document, intents: Intents) -> None:
    """Compare the trees.

    Raises:
        SchemaFileError: they differ in anything but the intents.
    """
    comparison = _Comparison(intents, len(old.text))
    if not comparison.same_root(old.root, new.root):
        line = comparison.line or 1
        raise old.fault(
            line, "the edit would have changed more than the descriptions; nothing was written, please report it"
        )


class _Comparison:
    def __init__(self, intents: Intents, length: int) -> None:
        self.length = length
        self.texts = {id(fill.owner): fill.text for fill in intents.fills}
        self.growths = {
            (id(growth.owner) if growth.owner else 0, growth.key): growth.entries for growth in intents.growths
        }
        self.grown_keys: dict[int, set[str]] = {}
        for owner, key in self.growths:
            self.grown_keys.setdefault(owner, set()).add(key)
        self.line = 0
        """Of the old node where the first difference was found."""

    def same_root(self, old: YamlNode | None, new: YamlNode | None) -> bool:
        if old is not None and new is not None:
            return self.same(old, new)
        if not isinstance(new, Mapping):  # something was to be written, so nothing can't be right
            return False
        version, *pairs = new.pairs
        return key_text(version[0]) == "version" and key_text(version[1]) == "2" and self.same_pairs(0, [], pairs)

    def same(self, old: YamlNode, new: YamlNode) -> bool:
        if type(old) is not type(new) or old.tag != new.tag or old.anchor != new.anchor:
            equal = False
        elif isinstance(old, Scalar):
            equal = isinstance(new, Scalar) and self.same_text(old, new) and old.style == new.style
        elif isinstance(old, Alias):
            equal = isinstance(new, Alias) and old.name == new.name
        elif isinstance(old, Sequence):
            equal = isinstance(new, Sequence) and self.same_items(old.items, new.items, ())
        else:
            assert isinstance(old, Mapping)  # noqa: S101 - the fourth of four kinds
            equal = isinstance(new, Mapping) and self.same_pairs(id(old), old.pairs, new.pairs)
        self.line = self.line if equal or self.line else old.line
        return equal

    def same_text(self, old: Scalar, new: Scalar) -> bool:
        if old.text == new.text:
            return True
        # A last line without a line break gets one when something follows; `|` and `>` count it into their text.
        return old.style in {"|", ">"} and old.end == self.length and old.text + "\n" == new.text

    def same_pairs(self, owner: int, old: _Pairs, new: _Pairs) -> bool:
        text, grown = self.texts.get(owner), self.grown_keys.get(owner, set())
        if text is None and not grown:
            return len(old) == len(new) and all(
                self.same(before[0], after[0]) and self.same(before[1], after[1])
                for before, after in zip(old, new, strict=True)
            )
        touched = grown if text is None else grown | {"description"}
        left = [pair for pair in old if key_text(pair[0]) not in touched]
        right = [pair for pair in new if key_text(pair[0]) not in touched]
        changed = [pair for pair in new if key_text(pair[0]) in touched]
        before = {key_text(key): value for key, value in old}
        return (
            len(changed) == len(touched)
            and len(left) == len(right)
            and all(self.same(a[0], b[0]) and self.same(a[1], b[1]) for a, b in zip(left, right, strict=True))
            and all(self.is_meant(owner, key_text(key) or "", before, value) for key, value in changed)
        )

    def is_meant(self, owner: int, key: str, before: dict[str | None, YamlNode], value: YamlNode) -> bool:
        if (owner, key) not in self.growths:
            return reads_as(value, self.texts[owner])
        present = before.get(key)
        items = present.items if isinstance(present, Sequence) else []
        return isinstance(value, Sequence) and self.same_items(items, value.items, self.growths[owner, key])

    def same_items(self, old: list[YamlNode], new: list[YamlNode], additions: tuple[tuple[int, NewEntry], ...]) -> bool:
        if not additions:
            return len(old) == len(new) and all(self.same(a, b) for a, b in zip(old, new, strict=True))
        after: dict[int, list[NewEntry]] = {}
        for index, entry in additions:
            after.setdefault(index, []).append(entry)
        expected: list[YamlNode | NewEntry] = [*after.get(-1, [])]
        for index, item in enumerate(old):
            expected += [item, *after.get(index, [])]
        return len(expected) == len(new) and all(
            is_entry(found, wanted) if isinstance(wanted, NewEntry) else self.same(wanted, found)
            for wanted, found in zip(expected, new, strict=True)
        )


def reads_as(value: YamlNode, text: str) -> bool:
    """Whether the node is exactly this string to every reader; the line break at the end of a block is no matter."""
    return (
        isinstance(value, Scalar)
        and (value.text == text or (value.style in {"|", ">"} and same_text(value.text, text)))
        and value.tag is None
        and value.anchor is None
        and (value.style is not None or reads_as_text(text))
    )


def is_entry(node: YamlNode, entry: NewEntry) -> bool:
    """Whether the node is the new entry, with nothing besides."""
    if not isinstance(node, Mapping):
        return False
    values = {key_text(key): value for key, value in node.pairs}
    wanted = ["name"] + ["description"] * bool(entry.description) + [entry.children_key] * bool(entry.children)
    if [key_text(key) for key, _ in node.pairs] != wanted or not reads_as(values["name"], entry.name):
        return False
    if entry.description and not reads_as(values["description"], entry.description):
        return False
    children = values.get(entry.children_key)
    items = children.items if isinstance(children, Sequence) else []
    return len(items) == len(entry.children) and all(map(is_entry, items, entry.children))
