"""A Markdown file as passages: one for each heading, or several where much stands below it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dbt_describe.memory.passages import LONGEST_TEXT
from dbt_describe.redaction.credentials import without_credentials

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n.*?\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*")
_DOCS = re.compile(r"\s*\{%-?\s*docs\s+(\w+)\s*-?%\}\s*")
_END_DOCS = re.compile(r"\s*\{%-?\s*enddocs\s*-?%\}\s*")
_FENCE = re.compile(r" {0,3}(```+|~~~+)")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-{2,})[ \t]*")
_SENTENCE_END = re.compile(r"(?<=[.!?。])\s+")
_BLANK_LINES = re.compile(r"\n[ \t]*\n")


def sections(text: str) -> Iterator[tuple[str, str]]:
    """(heading, text) of each section that says something, in pieces of at most LONGEST_TEXT characters.

    A docs block of dbt is a section under its name.
    """
    body = _COMMENT.sub("", _FRONT_MATTER.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    for heading, lines in _under_headings(body.split("\n")):
        for piece in pieces("\n".join(lines)):
            yield heading, piece


def pieces(text: str) -> Iterator[str]:
    """The text in pieces that end with a paragraph, else a sentence, else a word."""
    kept = ""
    for part in _small_parts(without_credentials(text)):  # half a key isn't known as one
        if kept and len(kept) + len(part) + 1 > LONGEST_TEXT:
            yield kept
            kept = ""
        kept = f"{kept}\n{part}" if kept else part
    if any(map(str.isalnum, kept)):
        yield kept


def _small_parts(text: str) -> Iterator[str]:
    for paragraph in filter(None, map(str.strip, _BLANK_LINES.split(text))):
        if len(paragraph) <= LONGEST_TEXT:
            yield paragraph
            continue
        for sentence in _SENTENCE_END.split(paragraph):
            rest = sentence
            while len(rest) > LONGEST_TEXT:
                end = rest.rfind(" ", 0, LONGEST_TEXT)
                end = end if end > 0 else LONGEST_TEXT
                yield rest[:end]
                rest = rest[end:].strip()
            if rest:
                yield rest


def _under_headings(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    heading, kept, fence = "", list[str](), ""
    for line in lines:
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        found = "" if fence or mark else _heading_of(line)
        is_underline = not fence and bool(kept) and bool(kept[-1].strip()) and bool(_UNDERLINE.fullmatch(line))
        if found or _END_DOCS.fullmatch(line):
            yield heading, kept
            heading, kept = found, []
        elif is_underline:
            title = kept.pop().strip()
            yield heading, kept
            heading, kept = title, []
        else:
            kept.append(line)
    yield heading, kept


def _heading_of(line: str) -> str:
    if docs := _DOCS.fullmatch(line):
        return docs[1]
    found = _HEADING.fullmatch(line)
    return found[2].strip("*_` ") if found else ""
