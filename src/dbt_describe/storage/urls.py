"""URLs of stores, which hold passwords."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit


def password_in(text: str) -> str:
    """The password of a URL, or empty where it has none, or the text isn't one."""
    try:
        return unquote(urlsplit(text).password or "") if "://" in text else ""
    except ValueError:
        return ""


def shown_url(url: str) -> str:
    """A URL without user, password and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
