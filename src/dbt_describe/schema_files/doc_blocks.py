"""Docs blocks: found in Markdown as dbt finds them, and added at a file's end.

dbt reads a `.md` file as Jinja and keeps each `{% docs name %}` … `{% enddocs %}` at its top level, stripped.
*Source:* https://docs.getdbt.com/docs/build/documentation; dbt_common/clients/_jinja_blocks.py of dbt 1.11 (2026-11).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files.edits import DOC_BLOCK_NAME, JINJA_OPENERS
from dbt_describe.schema_files.files import FileChange, prepare_text

_STRING = r"""'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*\""""
_NAME = DOC_BLOCK_NAME.pattern
_TOKEN = re.compile(
    rf"""
    \{{\#.*?\#\}}                                                        # a comment
  | \{{\{{(?:{_STRING}|[^'"])*?\}}\}}                                     # an expression
  | \{{%-?\s*raw\s*-?%\}}.*?\{{%-?\s*endraw\s*-?%\}}
  | \{{%-?\s*(?P<kind>{_NAME})(?:\s+(?P<name>{_NAME}))?(?:{_STRING}|[^'"])*?%\}}
  | (?P<unclosed>\{{\#|\{{\{{|\{{%-?\s*{_NAME})
    """,
    re.VERBOSE | re.DOTALL,
)
_LINE_BREAK = re.compile("\r\n|\r|\n")
_UNWRITABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""Control characters (a carriage return would become a line break) and halves of surrogate pairs."""


def normal_text(text: str) -> str:
    """The text as a block gives it back, whatever the file's line endings are."""
    return _LINE_BREAK.sub("\n", text).strip()


def is_block_text(text: str) -> bool:
    """Whether a docs block can hold the text: it says something, and nothing in it is Jinja or can't be written."""
    return bool(text.strip()) and not _UNWRITABLE.search(text) and not any(jinja in text for jinja in JINJA_OPENERS)


def read_blocks(text: str, source: str) -> dict[str, str]:
    """The file's docs blocks: their text by their name.

    Raises:
        SchemaFileError: a block that is never closed, has no name or is there twice, or a tag besides docs blocks (and
            `raw`): what it does to a block added behind it isn't known. With file and line.
    """
    blocks: dict[str, str] = {}
    open_name, start = "", 0
    for token in _TOKEN.finditer(text):
        kind, name = token["kind"], token["name"]
        if token["unclosed"]:
            raise _fault(text, token.start(), source, f"`{token['unclosed']}` is never closed")
        if kind == "docs" and not open_name and name:
            if name in blocks:
                raise _fault(text, token.start(), source, f"the docs block {name} is there twice; keep one")
            open_name, start = name, token.end()
        elif kind == "enddocs" and open_name:
            blocks[open_name] = normal_text(text[start : token.start()])
            open_name = ""
        elif kind is not None:
            raise _fault(text, token.start(), source, f"`{{% {kind} %}}` can't stand here")
    if open_name:
        raise _fault(text, start, source, f"the docs block {open_name} is never closed")
    return blocks


def add_blocks(text: str, blocks: Mapping[str, str], source: str) -> str:
    """The text with blocks (text by name) at its end, each after a blank line; all that was there stays as it was.

    Blocks that are there already change nothing, so that twice is the same as once.

    Raises:
        SchemaFileError: as `read_blocks`; or a block has the name of another that says something else, or can't be
            written.
    """
    present = read_blocks(text, source)
    wanted = {name: normal_text(block) for name, block in blocks.items()}
    missing = {name: block for name, block in wanted.items() if present.get(name) != block}
    for name, block in missing.items():
        if name in present:
            raise SchemaFileError(f"{source}: the docs block {name} says something else already; it was left as it is")
        if not DOC_BLOCK_NAME.fullmatch(name) or not is_block_text(block):
            raise SchemaFileError(f"{source}: no docs block {name!r} can be written: {block[:60]!r}")
    if not missing:
        return text
    newline = _newline(text)
    written = [f"{{% docs {name} %}}\n{block}\n{{% enddocs %}}\n" for name, block in missing.items()]
    edited = text + _gap(text, newline) + "\n".join(written).replace("\n", newline)
    if read_blocks(edited, source) != present | missing:
        raise SchemaFileError(f"{source}: docs blocks added here would read otherwise; nothing was written, report it")
    return edited


def prepare_blocks(path: Path, blocks: Mapping[str, str], root: Path) -> FileChange:
    """Read a docs file, or start a new one, and work out its content with the blocks. Writes nothing.

    Raises:
        SchemaFileError: the file is outside of `root`, can't be read or written, or can't take the blocks.
    """
    return prepare_text(path, root, lambda text, shown: add_blocks(text, blocks, shown))


def _newline(text: str) -> str:
    """The most frequent line break; a line feed where there is none."""
    breaks = _LINE_BREAK.findall(text)
    return max(("\n", "\r\n", "\r"), key=breaks.count)


def _gap(text: str, newline: str) -> str:
    """What is needed for a blank line between the text and what follows."""
    lines = _LINE_BREAK.split(text.removeprefix("\ufeff"))
    if not any(line.strip() for line in lines):
        return "" if not lines[-1] else newline
    if lines[-1].strip():
        return newline * 2
    return newline if lines[-1] or lines[-2].strip() else ""


def _fault(text: str, index: int, source: str, message: str) -> SchemaFileError:
    line = len(_LINE_BREAK.findall(text, 0, index)) + 1
    return SchemaFileError(f"{source}:{line}: {message}; no docs block can be added to the file")
