"""Whether a description says anything that its name doesn't say already."""

from __future__ import annotations

import re
from functools import lru_cache


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WORD = re.compile(r"[^\W_]+")
_FILLER = _words(
    "a an the of for to in on by is are was be this that its it each per and with which from as at column field table "
    "model node value values data record records row rows contains contain containing holds hold holding stores store "
    "stored represents represent representing indicates indicate indicating describes describe shows show denotes "
    "refers gives specifies attribute property associated given corresponding related relating respective information "
    "about staging intermediate mart marts seed source snapshot dimension fact stg int fct dim src raw base when"
    " whether"
)
_ABBREVIATIONS = {
    "id": "identifier",
    "ids": "identifier",
    "num": "number",
    "no": "number",
    "nbr": "number",
    "amt": "amount",
    "qty": "quantity",
    "cnt": "count",
    "ct": "count",
    "dt": "date",
    "ts": "timestamp",
    "at": "timestamp",
    "desc": "description",
    "pct": "percent",
    "percentage": "percent",
    "addr": "address",
    "cust": "customer",
    "acct": "account",
    "avg": "average",
    "min": "minimum",
    "max": "maximum",
    "yr": "year",
    "mo": "month",
    "nm": "name",
    "cd": "code",
    "flg": "flag",
    "is": "flag",
    "has": "flag",
}


def restates(text: str, name: str) -> bool:
    """Whether the text says nothing that the name doesn't say already."""
    said = {_stem(word) for word in _WORD.findall(text.lower()) if word not in _FILLER}
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    in_name = {_stem(word) for word in _WORD.findall(split.lower().replace("_", " "))}
    return said <= in_name


@lru_cache(maxsize=10_000)
def _stem(word: str) -> str:
    word = _ABBREVIATIONS.get(word, word)
    for ending in ("ies", "ing", "ed", "es", "s", "e"):
        if len(word) > len(ending) + 2 and word.endswith(ending):
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word
