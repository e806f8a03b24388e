"""What `meta` says to us, at a node, a folder, a source or a column: `dbt-describe: ignore`.

dbt itself hands on the `+meta` of folders to their nodes, and a source's to its tables; what stands nearer wins.
Source: dbt-core's parser/sources.py and artifacts/resources/v1 in 1.8 to 1.11 (2026-11). Columns have a `config.meta`
since 1.9.6, sources since 1.10.5; before, and still, `meta` beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from dbt_describe.project.privacy import PrivacyMeta

IGNORE = "ignore"
DESCRIBE = "describe"
KEY = "dbt-describe"
_KEYS = (KEY, "dbt_describe")
_IGNORE_WORDS = frozenset({IGNORE, "ignored", "skip", "false", "off", "no", "none", "never", "hands off", "hands-off"})
_DESCRIBE_WORDS = frozenset({DESCRIBE, "document"})
_LONGEST = 40


class RawMeta(PrivacyMeta, frozen=True, gc=False):
    """Of a column's `meta`, what is meant for us: the rest isn't decoded."""

    dashed: Any = msgspec.field(name=_KEYS[0], default=None)
    underscored: Any = msgspec.field(name=_KEYS[1], default=None)


class RawColumnConfig(msgspec.Struct, frozen=True, gc=False):
    """Of a column's `config`, the same."""

    meta: RawMeta | None = None
    tags: Any = None


def column_wish(meta: RawMeta | None, config: RawColumnConfig | None) -> str:
    """What a column's `meta` says, wherever it stands; as `wish_in`."""
    for found in (meta, config.meta if config else None):
        if found is not None and (found.dashed is not None or found.underscored is not None):
            return _wish(found.underscored if found.dashed is None else found.dashed)
    return ""


def wish_in(metas: Iterable[object]) -> str:
    """What the first of some `meta` mappings says that says anything to us.

    `ignore`, `describe`, other words as they are, which can't be understood; empty where nothing is said.
    """
    for meta in metas:
        if isinstance(meta, Mapping):
            for key in _KEYS:
                if meta.get(key) is not None:
                    return _wish(meta[key])
    return ""


def _wish(value: object) -> str:
    if isinstance(value, Mapping):
        said = value.get(IGNORE) if len(value) == 1 else None
        if isinstance(said, bool):
            return IGNORE if said else DESCRIBE
    text = " ".join(str(value).split())
    word = text.lower()
    if word in _IGNORE_WORDS:
        return IGNORE
    if word in _DESCRIBE_WORDS:
        return DESCRIBE
    shown = word if isinstance(value, bool) else text
    return shown[:_LONGEST] or '""'
