"""What is remembered: a short text under a title, and where it stands."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

Kind = Literal["description", "doc block", "document", "glossary", "abbreviation"]
KINDS: tuple[Kind, ...] = ("description", "doc block", "document", "glossary", "abbreviation")
LONGEST_TEXT = 1_000
"""Characters of one passage."""
_HALF = re.compile("[\ud800-\udfff]")
_SCHEME = "1"
"""Raised when the same content makes other passages: then all is indexed anew."""


class Remembered(msgspec.Struct, frozen=True):
    """One passage."""

    kind: Kind
    source: str
    """Where it stands: `docs/glossary.md`, or for a description its node's unique_id."""
    title: str
    """What it is about: a term, a heading, or the name of a column or node."""
    text: str
    unique_id: str = ""
    column: str = ""
    """Of a description: what it is of."""

    @property
    def place(self) -> str:
        """Where it stands, for a reader: `docs/glossary.md, Net revenue`; of a description, what it is of."""
        if self.kind == "description":
            return ".".join([*self.unique_id.split(".")[2:], *([self.column] if self.column else [])])
        return f"{self.source}, {self.title}" if self.title else self.source


class Source(msgspec.Struct, frozen=True):
    """A file, a node or the like with passages, which are made only where its content isn't known by its hash.

    None is made of what can't be read: it is tried again at the next time.
    """

    kind: Kind
    name: str
    hash: str
    passages: Callable[[], Sequence[Remembered] | None]


def content_hash(content: bytes | str) -> str:
    """What changes where the content does, or the way in which it is cut."""
    encoded = content.encode(errors="surrogatepass") if isinstance(content, str) else content
    return hashlib.sha256(_SCHEME.encode() + encoded).hexdigest()[:32]


def source_of(kind: Kind, name: str, passages: Sequence[Remembered]) -> Source:
    """A source whose passages are there already."""
    passages = [sound(one) for one in passages]
    return Source(kind, name, content_hash(msgspec.json.encode(passages)), lambda: passages)


def sound(passage: Remembered) -> Remembered:
    """The passage without halves of characters, which YAML and JSON can spell and no file can hold."""
    if _HALF.search(passage.title) or _HALF.search(passage.text):
        return msgspec.structs.replace(
            passage, title=_HALF.sub("\ufffd", passage.title), text=_HALF.sub("\ufffd", passage.text)
        )
    return passage


def same_text(text: str) -> str:
    """What is equal for texts that say the same in the same words."""
    return " ".join(text.casefold().split()).rstrip(".!…")
