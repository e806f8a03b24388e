"""What stands in place of what was taken out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

KINDS = (
    "private key",
    "key",
    "token",
    "password",
    "email",
    "phone number",
    "card number",
    "bank account",
    "social security number",
    "IP address",
    "value",
    "binary data",
)
"""All that is taken out, by what it is called."""
_CREDENTIALS = frozenset({"private key", "key", "token", "password"})
_NAMED = 3

_MARK = re.compile(rf"\[redacted ({'|'.join(KINDS)})\]")


def mark(kind: str) -> str:
    """What stands where something of a kind was: `[redacted email]`."""
    return f"[redacted {kind}]"


def count_marks(text: str) -> Mapping[str, int]:
    """How many marks of each kind a text has, in the order of KINDS."""
    found = Counter(_MARK.findall(text)) if "[redacted " in text else Counter[str]()
    return {kind: found[kind] for kind in KINDS if found[kind]}


def most_marks(counts: Iterable[Mapping[str, int]]) -> Mapping[str, int]:
    """Of several texts that show the same things, how often each kind is in the one that has most of it."""
    together: dict[str, int] = {}
    for one in counts:
        together |= {kind: max(times, together.get(kind, 0)) for kind, times in one.items()}
    return {kind: together[kind] for kind in KINDS if kind in together}


def told_of_marks(by_node: Mapping[str, Mapping[str, int]]) -> tuple[str, ...]:
    """A sentence on what was taken out of the facts of nodes, by unique_id, and one on what to do; none without."""
    nodes = [unique_id for unique_id, counts in by_node.items() if counts]
    if not nodes:
        return ()
    total = sum((Counter(by_node[unique_id]) for unique_id in nodes), Counter[str]())
    kinds = ", ".join(counted(kind, total[kind]) for kind in KINDS if total[kind])
    more = f" and {len(nodes) - _NAMED} more" if len(nodes) > _NAMED else ""
    told = f"Left out of what models are shown: {kinds}, of {', '.join(nodes[:_NAMED])}{more}."
    if _CREDENTIALS & total.keys():
        told += (
            " Credentials don't belong in SQL or descriptions: let dbt read them by env_var(), and replace those that "
            "others may have seen."
        )
    return (told,)


def counted(kind: str, times: int) -> str:
    """So many marks of a kind, in words."""
    if kind == "binary data":
        return f"binary data ({times} times)" if times > 1 else kind
    if times == 1:
        return f"1 {kind}"
    return f"{times} {kind}es" if kind.endswith("s") else f"{times} {kind}s"
