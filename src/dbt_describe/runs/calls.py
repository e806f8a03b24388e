"""How a run was called, kept without secrets so that it can be called like that again."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from dbt_describe.redaction.credentials import without_credentials

FROM_HERE = frozenset({"project_dir", "profiles_dir", "config", "prompts", "files", "manifest", "catalog"})
"""Options whose relative paths are taken from the working directory, which is another one next time."""
NOT_KEPT = frozenset({"hook", "environ"})
LIMITS = frozenset({"max_cost", "max_tokens"})
"""Options that say what a run may spend."""
NOT_DECISIVE = LIMITS | {
    *("project_dir", "concurrency", "verify", "refresh", "no_prompt_cache"),
    *("batch", "wait", "waves", "require_store"),
}
"""Options that say how, and how far, a run goes, not what it is about."""


class Call(NamedTuple):
    """The options of a call."""

    options: Mapping[str, Any]
    """By name; JSON values."""
    withheld: tuple[str, ...]
    """Names of those that aren't kept, as they seem to hold secrets."""

    @property
    def key(self) -> str:
        """The same for all calls that are about the same."""
        decisive = {name: value for name, value in self.options.items() if name not in NOT_DECISIVE}
        encoded = msgspec.json.encode((decisive, self.withheld), order="sorted")
        return hashlib.blake2b(encoded, digest_size=16).hexdigest()


def call_of(given: Mapping[str, object], secrets: Collection[str] = ()) -> Call:
    """The options that were given. `secrets` are values that must not be kept wherever they stand."""
    options = {name: _plain(name, value) for name, value in given.items()}
    withheld = [name for name, value in options.items() if _is_secret(value, secrets)]
    return Call({name: value for name, value in options.items() if name not in withheld}, tuple(sorted(withheld)))


def said(given: Mapping[str, object], usual: Mapping[str, object]) -> dict[str, object]:
    """Of all options those that say something of the call: what is neither empty nor what it is by itself."""
    empty: tuple[object, ...] = ("", (), [], {}, None)
    return {
        name: value
        for name, value in given.items()
        if name not in NOT_KEPT and value != usual.get(name) and value not in empty
    }


def _plain(name: str, value: object) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(name, one) for one in value]
    if isinstance(value, Decimal):
        return str(value)
    is_path = isinstance(value, Path) or (name in FROM_HERE and isinstance(value, str) and "://" not in value)
    if is_path:
        return str(Path(str(value)).expanduser().absolute()) if name in FROM_HERE else str(value)
    return value


def _is_secret(value: object, secrets: Collection[str]) -> bool:
    texts = list(_texts(value))
    # In a URL, a query may be a signature that opens what it names.
    return any("://" in text and "?" in text for text in texts) or any(
        without_credentials(text, secrets) != text for text in texts
    )


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        # As one text, in which the name stands in front of its value.
        yield msgspec.json.encode(value).decode()
        yield from (text for one in value.values() for text in _texts(one))
    elif isinstance(value, (list, tuple)):
        yield from (text for one in value for text in _texts(one))
