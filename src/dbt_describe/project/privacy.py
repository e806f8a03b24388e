"""What `meta` and tags say of personal data: `pii: true`, `contains_pii`, `classification: confidential`, a tag `pii`.

There is no standard: these are the words that dbt's own examples, catalogs and masking packages use (2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

Privacy = Literal["", "private", "open"]
"""`open` where it is said that nothing is private; empty where nothing is said."""

_FLAGS = (
    *("pii", "PII", "contains_pii", "is_pii", "has_pii", "phi", "PHI", "contains_phi", "gdpr", "personal"),
    *("personal_data", "is_personal", "sensitive", "is_sensitive", "contains_sensitive_data", "confidential", "masked"),
)
_CLASSES = ("classification", "data_classification", "sensitivity", "privacy", "privacy_class", "pii_type", "pii_level")
_OPEN = frozenset({"", "false", "no", "none", "0", "off", "public", "open", "internal", "low", "null", "n", "non"})
_PRIVATE = frozenset(
    {"pii", "phi", "spi", "gdpr", "hipaa", "personal", "sensitive", "confidential", "restricted", "secret", "private"}
)
_WORD = re.compile(r"[a-z0-9]+")
_DENIALS = frozenset({"no", "non", "not", "without", "free"})


class PrivacyMeta(msgspec.Struct, frozen=True, gc=False):
    """Of a column's `meta`, what speaks of personal data."""

    pii: Any = None
    upper_pii: Any = msgspec.field(name="PII", default=None)
    contains_pii: Any = None
    is_pii: Any = None
    has_pii: Any = None
    phi: Any = None
    upper_phi: Any = msgspec.field(name="PHI", default=None)
    contains_phi: Any = None
    gdpr: Any = None
    personal: Any = None
    personal_data: Any = None
    is_personal: Any = None
    sensitive: Any = None
    is_sensitive: Any = None
    contains_sensitive_data: Any = None
    confidential: Any = None
    masked: Any = None
    classification: Any = None
    data_classification: Any = None
    sensitivity: Any = None
    privacy: Any = None
    privacy_class: Any = None
    pii_type: Any = None
    pii_level: Any = None


def column_privacy(metas: Iterable[PrivacyMeta | None], *tags: object) -> Privacy:
    """What a column's `meta` and tags say, wherever they stand; what says that it is private counts more."""
    said = (_privacy_of(value, key) for meta in metas if meta for key, value in msgspec.structs.asdict(meta).items())
    return _together((*said, *map(_of_tags, tags)))


def node_privacy(metas: Iterable[object], *tags: object) -> Privacy:
    """The same of a node's `meta` mappings and tags."""
    keys = (*_FLAGS, *_CLASSES)
    found = (meta for meta in metas if isinstance(meta, Mapping))
    return _together(
        (*(_privacy_of(meta[key], key) for meta in found for key in keys if key in meta), *map(_of_tags, tags))
    )


def _together(said: Iterable[Privacy]) -> Privacy:
    every = set(said)
    return "private" if "private" in every else "open" if "open" in every else ""


def _privacy_of(value: object, key: str) -> Privacy:
    if value is None or key in {"dashed", "underscored"}:
        return ""
    words = set(_WORD.findall(str(value).lower()))
    if key in _CLASSES and not key.startswith("pii"):
        return "private" if words & _PRIVATE and not words & _DENIALS else ""
    return "open" if words <= _OPEN else "private"


def _of_tags(tags: object) -> Privacy:
    every = [tags] if isinstance(tags, str) else tags if isinstance(tags, list | tuple) else []
    words = (set(_WORD.findall(str(tag).lower())) for tag in every)
    return "private" if any(found & _PRIVATE and not found & _DENIALS for found in words) else ""
