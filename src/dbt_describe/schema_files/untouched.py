"""The list items that an edit can't have changed: their lines are left out of the text that its proof reads.

An item of a block list is read alike whatever stands around it, as long as it has whole lines to itself, from its dash
to the next one below: at a dash libyaml knows nothing but the columns of the lists and mappings around it. The lines
are the same characters before and after, so only the others need to be read again.
"""

from __future__ import annotations

import re
from bisect import bisect_left

import msgspec

from dbt_describe.schema_files.replacements import Splice
from dbt_describe.schema_files.tree import Document, Mapping, Sequence, YamlNode

_DASH = re.compile(r" *- +")


class Untouched(msgspec.Struct):
    """Items without any change: the ids of their nodes, and replacements that take their lines out."""

    ids: set[int] = msgspec.field(default_factory=set)
    cuts: list[Splice] = msgspec.field(default_factory=list)


def find_untouched(document: Document, splices: list[Splice]) -> Untouched:
    """The items that no replacement touches, outermost ones only. The last item of a list is never among them."""
    ordered = sorted(splices)
    search = _Search(document, [splice.start for splice in ordered], [splice.end for splice in ordered])
    if document.root is not None:
        search.walk(document.root)
    return search.found


class _Search(msgspec.Struct):
    document: Document
    starts: list[int]
    ends: list[int]
    found: Untouched = msgspec.field(default_factory=Untouched)

    def walk(self, node: YamlNode) -> None:
        if isinstance(node, Mapping) and not node.flow:
            for _, value in node.pairs:
                self.walk(value)
        elif isinstance(node, Sequence) and not node.flow:
            places = [self.dash_line(item) for item in node.items]
            for item, place, below in zip(node.items, places, [*places[1:], None], strict=True):
                if (
                    place is None
                    or below is None
                    or place[1].index("-") != below[1].index("-")
                    or self.is_touched(place[0], below[0])
                ):
                    self.walk(item)
                else:
                    self.found.ids.add(id(item))
                    self.found.cuts.append(Splice(place[0], below[0], ""))

    def dash_line(self, item: YamlNode) -> tuple[int, str] | None:
        """Where the line of an item's dash starts, and all up to the item; None where more stands there."""
        start = item.start - item.column
        before = self.document.text[start : item.start]
        return (start, before) if _DASH.fullmatch(before) else None

    def is_touched(self, start: int, end: int) -> bool:
        """Whether a replacement is in or at the range."""
        index = bisect_left(self.starts, start)
        return (index < len(self.starts) and self.starts[index] <= end) or (index > 0 and self.ends[index - 1] >= start)
