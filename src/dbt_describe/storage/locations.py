"""Where a run keeps what outlives it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import msgspec

from dbt_describe.errors import SettingsError
from dbt_describe.storage.database import LocalStore, Store
from dbt_describe.storage.urls import shown_url

_SCHEMES = ("postgresql", "postgres")
_HOST = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(:\d{0,5})?")
"""One host of a URL, perhaps with a port."""


class StoreLocation(msgspec.Struct, frozen=True):
    """Where a run keeps what outlives it. `url` holds a password: it is shown without."""

    directory: Path
    """Of this machine's own files; all that is kept, where there is no URL."""
    url: str = ""
    is_required: bool = False
    """Whether nothing may be done without what the URL names."""

    def __str__(self) -> str:
        return shown_url(self.url) if self.url else str(self.directory)

    __repr__ = __str__


def open_store(location: StoreLocation, say: Callable[[str], None] = lambda _: None) -> Store:
    """The store at a location: where its URL can't be reached and needn't be, this machine's own, which is said.

    Raises:
        StoreError: it can't be reached, and must be.
        SettingsError: there is none that could be required; or what it needs isn't installed.
    """
    local = LocalStore(location.directory)
    if not location.url and location.is_required:
        raise SettingsError(
            "--require-store (or `require_store`) needs a store that several machines share: set DBT_DESCRIBE_STORE or "
            "`store` in dbt-describe.yml to its URL, postgresql://…"
        )
    if not location.url:
        return local
    from dbt_describe.storage.team import open_team_store  # noqa: PLC0415 - psycopg only where it is used

    return open_team_store(location.url, local, say, is_required=location.is_required)


def locate_store(given: str, directory: Path, source: str, *, is_required: bool = False) -> StoreLocation:
    """The location that a path or URL names; `directory` is where this machine's own files are if it is a URL.

    Raises:
        SettingsError: the URL of `source`, a variable or setting, can't be used; it isn't shown.
    """
    if "://" not in given:
        return StoreLocation(Path(given).expanduser() if given else directory, is_required=is_required)
    scheme = given.partition("://")[0]
    if scheme not in _SCHEMES:
        raise SettingsError(
            f"{source} is a URL that no store has: one on a server begins with postgresql://, and one on this machine "
            "is a directory's path."
        )
    try:
        parts = urlsplit(given)
    except ValueError:
        parts = urlsplit("")
    if not _is_readable(parts):
        raise SettingsError(
            f"{source} is a URL that can't be read. Write it as postgresql://user:password@host:5432/database, with "
            "special characters in it percent-encoded: @ as %40, / as %2F, # as %23."
        )
    return StoreLocation(directory, given, is_required)


def _is_readable(parts: SplitResult) -> bool:
    """Whether all of a URL is where it belongs: a part of a password elsewhere would be shown."""
    hosts = parts.netloc.rpartition("@")[2].split(",")
    is_misplaced = "@" in parts.path + parts.query or parts.fragment or parts.netloc.count("@") > 1
    return bool(parts.path.strip("/")) and not is_misplaced and all(map(_HOST.fullmatch, hosts))
