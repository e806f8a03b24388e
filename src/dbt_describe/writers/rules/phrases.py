"""The pieces that sentences are made of, and how a sentence is finished."""

from __future__ import annotations

import re

import msgspec

MAX_WORDS = 40
"""Past this a reader has lost the beginning of the sentence."""

_DOUBLED = re.compile(r"\b([a-z]+) \1\b", re.IGNORECASE)
_NESTED_PARENTHESES = re.compile(r"\([^()]*\(")
_FILLER = re.compile(r"(?<!, each),? with (\S+|'[^']*') in place of null$")
_EXISTENCE = re.compile(r"whether there are (any|no) ")
_ONE_THING = re.compile(r"(?!.*\band\b)[a-z]+(?: [a-z]+)?")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f{}]|  ")


class UnsayableError(Exception):
    """Something that can't be put into plain words truthfully; its message is the reason, in a few words."""


class Phrase(msgspec.Struct, frozen=True):
    """A noun phrase without its leading article."""

    text: str
    definite: bool = True
    """It takes `the` inside a sentence."""
    plural: bool = False
    loose: bool = False
    """It ends in something that would swallow words put after it (`… where the status is 'paid'`)."""
    compound: bool = False
    """An operator holds it together (`a plus b`): inside another one it needs parentheses."""
    counted: bool = False
    """It is a number of things, null only where there are none."""

    @property
    def inside(self) -> str:
        """As it stands within a sentence."""
        return f"the {self.text}" if self.definite else self.text

    @property
    def enclosed(self) -> str:
        """As it stands within a sentence where an operator's reach must be plain: `(the total minus the tax)`."""
        return f"({self.inside})" if self.compound else self.inside

    @property
    def verb(self) -> str:
        """`is` or `are`."""
        return "are" if self.plural else "is"


TOO_DEEP = "the expression is nested too deep to be read in one sentence"


def whether(clause: str) -> Phrase:
    """The condition as a value: `either a or b` → `whether a or b`."""
    return Phrase(f"whether {clause.removeprefix('either ')}", definite=False, loose=True)


def scoped(phrase: Phrase, per: str) -> str:
    """The phrase as a description's text, with what it is told for each of: `per order`, `over all orders`."""
    text = phrase.text
    filler = _FILLER.search(text) if phrase.compound else None
    if filler:
        text = _with_default(text[: filler.start()], filler[1], phrase) or text
    if per.startswith("over "):
        return text if phrase.loose else f"{text} {per}"
    existence = _EXISTENCE.match(text)
    group = per.removeprefix("per ")
    if existence and per and _ONE_THING.fullmatch(group):
        return f"whether the {group} has {existence[1]} {text[existence.end() :]}"
    if per and not phrase.definite and not text.startswith("whether"):
        return f"for each {group}, {text}"
    return f"{text}{', ' if per else ''}{per}"


def _with_default(text: str, default: str, phrase: Phrase) -> str | None:
    """`the order tax, or 0 where that is null`; None where it wouldn't be clear what is null."""
    if phrase.loose and text.endswith(" null") and not phrase.counted:
        return None
    # After a condition, `or` would seem to go on with it.
    joint = "," if phrase.loose else ", or"
    return f"{text}{joint} {default} where {'there are none' if phrase.counted else 'that is null'}"


def _opened(text: str) -> str:
    """A sentence begins with a word: `(a plus b) divided by 2` → `a plus b, divided by 2`."""
    inner, closing, rest = text[1:].partition(")")
    return f"{inner},{rest}" if text.startswith("(") and closing and rest and "(" not in inner else text


def sentence(text: str) -> str:
    """The text with a capital and a full stop.

    Raises:
        UnsayableError: it is too long to be read, or holds what no description may hold.
    """
    if len(text.split()) > MAX_WORDS:
        raise UnsayableError("the sentence would be too long to be read")
    if _FORBIDDEN.search(text) or _DOUBLED.search(text) or _NESTED_PARENTHESES.search(text):
        raise UnsayableError("its parts don't make a readable sentence")
    text = _opened(text)
    return f"{text[0].upper()}{text[1:]}."
