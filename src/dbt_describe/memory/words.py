"""Names and texts as terms that can be compared: `custAcctIDs` and "the customers' account id" have `acct`, `id`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import combinations

import msgspec

from dbt_describe.memory.abbreviations import COMMON

Terms = tuple[str, ...]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W_]+")
# Thai, Lao, Burmese, Khmer, Japanese and Chinese set no spaces between words: pairs of characters stand for words.
_SPACELESS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]+")
LAYERS = _words(
    "agg base bridge dim dimension fact fct int intermediate lkp mart marts ods raw report rep rpt seed snap snapshot "
    "src staging stage stg tmp xf"
)
"""What stands before the name of a table and says nothing of what is in it."""
_LITTLE = _words("a an and as at by for from has in is of on or per the to vs was with")
_GENERIC = (
    LAYERS
    | _LITTLE
    | _words(
        "amount appendix background category cd code column count created current data date day desc description "
        "detail email end example faq field first fk flag id identifier index introduction key last model month "
        "name new no note num number old other overview percent pk quantity rate reason record row sk source "
        "start state status sum summary table text time timestamp title total ts type updated url usage utc uuid "
        "value year"
    )
)
"""Words of so many names that one alone doesn't say what is meant."""


class Name(msgspec.Struct, frozen=True):
    """A name taken apart. `groups` are what each term may be written as, itself first; one is enough of each."""

    terms: Terms
    groups: tuple[tuple[Terms, ...], ...]

    @property
    def vocabulary(self) -> frozenset[str]:
        """All terms that stand for a part of it."""
        return frozenset(term for group in self.groups for written in group for term in written)

    @property
    def telling(self) -> tuple[tuple[Terms, ...], ...]:
        """The groups of those terms that say what is meant."""
        return tuple(group for group in self.groups if group[0][0] not in _GENERIC)


def terms_of(text: str) -> Terms:
    """The words of the text in lower case and singular, camelCase and snake_case taken apart."""
    spread = _HUMP.sub(" ", unicodedata.normalize("NFKC", text))
    return tuple(term for word in _WORD.findall(spread) for term in _terms_in(word.casefold()))


def without_little(terms: Sequence[str]) -> Terms:
    """The terms without `the`, `of` and the like."""
    return tuple(term for term in terms if term not in _LITTLE)


def is_telling(term: str) -> bool:
    """Whether the term alone says what is meant."""
    return term not in _GENERIC


class Abbreviations(msgspec.Struct, frozen=True):
    """What short forms stand for, and the short forms of what is spelled out in several words."""

    long_forms: Mapping[str, Sequence[Terms]] = {}
    short_forms: Mapping[Terms, str] = {}


def named(name: str, abbreviations: Abbreviations) -> Name:
    """The name with what its short forms stand for; what has a short form may be written so as well."""
    terms = without_little(terms_of(name))
    groups = [((term,), *abbreviations.long_forms.get(term, ())) for term in terms]
    for start, end in combinations(range(len(terms) + 1), 2):
        short = abbreviations.short_forms.get(terms[start:end])
        if short:
            groups[start:end] = [((term,), (short,), *group[1:]) for (term,), *group in groups[start:end]]
    return Name(terms, tuple(groups))


def abbreviations_of(own: Mapping[str, str]) -> Abbreviations:
    """The common ones, and the project's own in their place."""
    forms = {short: tuple(without_little(terms_of(long)) for long in longs) for short, longs in COMMON.items()}
    forms |= {"".join(terms_of(short)): (without_little(terms_of(long)),) for short, long in own.items()}
    spelled = {long: short for short, longs in forms.items() for long in longs if len(long) > 1}
    return Abbreviations(forms, spelled)


def _terms_in(word: str) -> tuple[str, ...]:
    """The word itself, its parts where it is in a script without spaces."""
    if word.isascii() or not _SPACELESS.search(word):
        return (_singular(word),)
    parts: list[str] = []
    end = 0
    for match in _SPACELESS.finditer(word):
        parts += [word[end : match.start()]] if match.start() > end else []
        run = match[0]
        parts += [run[index : index + 2] for index in range(max(len(run) - 1, 1))]
        end = match.end()
    return (*parts, word[end:]) if end < len(word) else tuple(parts)


@lru_cache(maxsize=50_000)
def _singular(word: str) -> str:
    """An English plural's singular, as nearly as comparing needs."""
    if len(word) < len("ids") or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "uses")):
        return word[:-2]
    return word[:-1]
