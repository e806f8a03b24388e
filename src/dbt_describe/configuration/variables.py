"""`${NAME}` and `${NAME:-default}` inside of a text."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_]\w*)(?P<or>:-(?P<default>[^}]*))?\})?")
ADVICE = "write ${NAME} or ${NAME:-default}, and $${ for a plain ${"


class Expansion(msgspec.Struct, frozen=True):
    """A text with its variables filled in; what isn't set is left out of it."""

    text: str
    missing: tuple[str, ...] = ()
    """Variables without a default that aren't set, or empty."""
    is_malformed: bool = False
    """Whether a `${` opens no variable."""


def expand(text: str, environ: Mapping[str, str]) -> Expansion:
    """The text with the variables' values. What a value holds isn't expanded again."""
    missing: list[str] = []
    malformed: list[int] = []

    def value(found: re.Match[str]) -> str:
        if found[0] == "$${":
            return "${"
        name = found["name"]
        if name is None:
            malformed.append(found.start())
            return found[0]
        if environ.get(name):
            return environ[name]
        if found["or"] is None:
            missing.append(name)
        return found["default"] or ""

    expanded = _REFERENCE.sub(value, text)
    return Expansion(expanded, tuple(dict.fromkeys(missing)), bool(malformed))


def has_variable(text: str) -> bool:
    """Whether a variable occurs in the text."""
    return any(found["name"] for found in _REFERENCE.finditer(text))


def written_out(text: str) -> str:
    """What of the text stands in the file itself: variables are left out, their defaults aren't."""
    return _REFERENCE.sub(lambda found: found["default"] or "" if found["name"] else found[0], text)
