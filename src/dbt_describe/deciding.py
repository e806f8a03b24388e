"""Drafts that somebody decides about, one by one, before they count as known and are written."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from dbt_describe.errors import SchemaFileError
from dbt_describe.planning import Draft
from dbt_describe.provenance.entries import HUMAN
from dbt_describe.schema_files import fault_of_text


class Choice(msgspec.Struct, frozen=True):
    """What is to become of a draft: it is taken, or another one in its place; without one, it is left out."""

    draft: Draft | None = None
    ends: bool = False
    """Whether nothing more is to be asked; of this draft, nothing is decided."""


Decide = Callable[[Draft, str], Awaitable[Choice]]
"""Asks about a draft, given the text that stands in its place now, which may be empty."""


def rewritten(draft: Draft, text: str) -> Draft:
    """The draft that has a person's text instead, and is theirs; the same one where the text is.

    Raises:
        SchemaFileError: no schema file can be given the text.
    """
    text = text.strip()
    if fault := fault_of_text(text):
        raise SchemaFileError(fault)
    return draft if text == draft.text else Draft(draft.unique_id, draft.column, text, HUMAN)


class Decided(msgspec.Struct, frozen=True):
    """What came of some drafts. Where it has ended, the others are undecided."""

    taken: tuple[Draft, ...] = ()
    left_out: tuple[Draft, ...] = ()
    has_ended: bool = False
    failure: str = ""
    """Why it has ended, where nobody wished that."""


class Decisions:
    """Asks about the drafts of one node after those of another, however many requests are under way meanwhile."""

    def __init__(self, decide: Decide) -> None:
        self._decide = decide
        self._turn = asyncio.Lock()
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Ask nothing more; a question that is open is taken back."""
        self._ended.set()

    async def about(self, drafts: Iterable[Draft], text_now: Callable[[Draft], str]) -> Decided:
        """What becomes of the drafts of a node."""
        taken: list[Draft] = []
        left_out: list[Draft] = []
        async with self._turn:
            for draft in drafts:
                try:
                    choice = await self._about(draft, text_now(draft))
                except Exception as error:  # noqa: BLE001 - whatever it is, it must not cost what was accepted
                    self.end()
                    return Decided(tuple(taken), tuple(left_out), has_ended=True, failure=_shown(error))
                if choice.ends:
                    self.end()
                    return Decided(tuple(taken), tuple(left_out), has_ended=True)
                if choice.draft is None:
                    left_out.append(draft)
                else:
                    taken.append(choice.draft)
        return Decided(tuple(taken), tuple(left_out))

    async def _about(self, draft: Draft, text: str) -> Choice:
        if self._ended.is_set():
            return Choice(ends=True)
        asking = asyncio.ensure_future(self._decide(draft, text))
        ending = asyncio.ensure_future(self._ended.wait())
        try:
            await asyncio.wait((asking, ending), return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() else Choice(ends=True)
        finally:
            asking.cancel()
            ending.cancel()
            await asyncio.gather(asking, ending, return_exceptions=True)


def _shown(error: Exception) -> str:
    shown = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return f"asking about its drafts failed ({shown}); run again for the rest, and open an issue if that fails, too"
