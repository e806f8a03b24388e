"""A text as a YAML scalar that PyYAML (YAML 1.1), ruamel.yaml and Fusion (YAML 1.2) all read back unchanged."""

from __future__ import annotations

import re
from functools import cache

import msgspec
import yaml

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files.edits import DOC_BLOCK_NAME, JINJA_OPENERS, SURROGATE

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.$]*")
_REFERENCE = re.compile(r"\{\{ doc\('" + DOC_BLOCK_NAME.pattern + r"'\) \}\}")
"""The one piece of Jinja that may be written, and only as the whole of a description."""

_WORDS_WITH_A_MEANING = frozenset(
    ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nil", "nan", "inf", "infinity"]
)
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}


@cache
def _unprintable() -> re.Pattern[str]:
    """What must be escaped: control characters, tab, line breaks of YAML 1.1, byte order mark, surrogates.

    Made where it is used: that takes longer than all the rest of this module.
    """
    return re.compile("[^\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


class Written(msgspec.Struct, frozen=True):
    """`head` goes behind the key; `body` holds the lines below it, without their indentation, of a block scalar."""

    head: str
    body: tuple[str, ...] = ()
    indent: int = 0
    """Columns from the key to the lines of the body."""


def write_name(name: str, quote: str) -> str:
    """A name, in the neighbours' quotes (`'`, `"`, or empty for none) where it can be.

    Raises:
        SchemaFileError: the name can't be written.
    """
    _refuse_jinja(name)
    plain = bool(_NAME.fullmatch(name)) and reads_as_text(name)
    return name if plain and not quote else write_line(name, quote or '"')


def write_line(text: str, quote: str) -> str:
    """The text on one line. `quote` is a wish (empty: plain): what the text needs to be read back goes first.

    Raises:
        SchemaFileError: Jinja, which dbt would run, or half a surrogate pair, which no UTF-8 file can hold.
    """
    refuse_unwritable(text)
    if not quote and is_plain_safe(text):
        return text
    if _unprintable().search(text):
        return _write_double(text)
    if quote == "'" and ("'" not in text or '"' in text or "\\" in text):
        return "'" + text.replace("'", "''") + "'"
    if '"' in text and "'" not in text:
        return "'" + text + "'"
    return _write_double(text)


def write_block(text: str, head: str, width: int | None, indent: int) -> Written | None:
    """The text as a block scalar under `head` (`|`, `|-`, `>` or `>-`), or None where that isn't safe.

    A text of several lines goes under `|` only. `>` is wrapped at `width` columns, counted from the body's own
    indentation; None: not at all. Under `|` and `>` the value read is the text with one line break behind it, as
    every value in that style has; a text that has it already is read as it is.

    Raises:
        SchemaFileError: as `write_line`.
    """
    refuse_unwritable(text)
    if not head.endswith("-"):
        text = text.removesuffix("\n")
    lines = text.split("\n")
    if any(_unprintable().search(line) or line != line.rstrip() for line in lines) or not lines[-1]:
        return None
    if not lines[0] or lines[0][0].isspace():  # the indentation would have to be given by number
        return None
    if _REFERENCE.fullmatch(text) or (head[0] == ">" and len(lines) > 1):
        return None
    if head[0] == ">" and width is not None:
        lines = _wrap(text, width)
    return Written(head, tuple(lines), indent)


def same_text(present: str, wanted: str) -> bool:
    """Whether the texts are the same but for one last line break, which `|` and `>` add to what they hold."""
    return present.removesuffix("\n") == wanted.removesuffix("\n")


def refuse_unwritable(text: str) -> None:
    """Last defence before the file; a reference to a doc block passes. Raises: SchemaFileError."""
    if not _REFERENCE.fullmatch(text):
        _refuse_jinja(text)
    if SURROGATE.search(text):
        raise SchemaFileError(f"text with half a surrogate pair can't be written as UTF-8: {text[:60]!r}")


def _refuse_jinja(text: str) -> None:
    if any(opener in text for opener in JINJA_OPENERS):
        raise SchemaFileError(f"text with Jinja can't be written, dbt would run it: {text[:60]!r}; take it out")


def reads_as_text(text: str) -> bool:
    """Whether the unquoted text is a string to readers of YAML 1.1 and 1.2, not a bool, null, number or date."""
    if not text or text.lower() in _WORDS_WITH_A_MEANING:
        return False
    resolvers = yaml.SafeLoader.yaml_implicit_resolvers.get(text[0], [])
    return not any(pattern.match(text) for _, pattern in resolvers)


def is_plain_safe(text: str) -> bool:
    """Whether the text can stand without quotes. Strict on purpose: in doubt it is quoted."""
    return (
        text[:1].isalpha()
        and text == text.strip()
        and not _unprintable().search(text)
        and ": " not in text
        and not text.endswith(":")
        and " #" not in text
        and reads_as_text(text)
    )


def _write_double(text: str) -> str:
    escaped = (_ESCAPES.get(char) or (_escape(char) if _unprintable().match(char) else char) for char in text)
    return '"' + "".join(escaped) + '"'


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _wrap(text: str, width: int) -> list[str]:
    """Lines that folding joins with one space each: broken only where one space stands between two words."""
    lines: list[str] = []
    line = ""
    for word in re.split(r"(?<=[^ ]) (?=[^ ])", text):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]
