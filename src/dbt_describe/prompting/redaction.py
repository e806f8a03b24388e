"""What of a fragment may be sent: no credentials, no binary data, nothing that is there without being seen."""

from __future__ import annotations

import functools

import msgspec

from dbt_describe.prompting.fragments import Fragment, cleaned
from dbt_describe.redaction.credentials import without_credentials
from dbt_describe.redaction.unreadable import without_unreadable


def sendable(fragment: Fragment) -> Fragment:
    """The fragment with a mark in place of each credential and of what is no text."""
    safe = _safe(fragment.text)
    return fragment if safe == fragment.text else msgspec.structs.replace(fragment, text=safe)


@functools.lru_cache(maxsize=64)
def _safe(text: str) -> str:
    """A node's code is in each of the prompts that its columns are split over.

    Invisible characters go first: a key with one in its middle isn't known as one, and is one without it.
    """
    return without_credentials(cleaned(without_unreadable(text)))
