"""The same question asked by several machines at once is sent by one of them; the others wait for its answer.

Who asks claims the question for some seconds, again and again while the answer is under way: of one that was killed, it
is free for others soon. An answer stands beside its claim for a minute, until it is known to be good and kept: to those
who ask at the same time it is given as it is, as it would be within one process. One that failed leaves nothing: the
next one asks anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from dbt_describe.errors import StoppedError, StoreError
from dbt_describe.llm.cache import request_key
from dbt_describe.llm.messages import Completer, Reply, Request
from dbt_describe.llm.retry import Sleep
from dbt_describe.storage.database import Store, Tables, tables_in

CLAIMED_FOR_S = 15.0
"""After that, the question of a machine that was killed is free."""
RENEWED_EVERY_S = CLAIMED_FOR_S / 3
SHARED_FOR_S = 60.0
"""How long an answer stands that may not be kept: longer than it takes to find out whether it is good."""
FORGOTTEN_AFTER_S = 3600.0
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.1, 1.0
"""Between two looks at whether the answer of another is there."""

TABLES = Tables(
    "claims",
    (
        """
    CREATE TABLE claims (
        key TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        until_s REAL NOT NULL,
        reply BLOB
    ) WITHOUT ROWID
    """,
    ),
    (
        """
    CREATE TABLE claims (
        key TEXT PRIMARY KEY,
        owner TEXT NOT NULL,
        until_s DOUBLE PRECISION NOT NULL,
        reply BYTEA
    )
    """,
    ),
)


class Claims:
    """Which questions are under way, in a directory of this machine or a store. `clock` is Unix time.

    Raises:
        StoreError: it can't be used.
    """

    def __init__(self, where: Path | Store, clock: Callable[[], float] = time.time) -> None:
        self._database = tables_in(where, TABLES)
        self._own_clock = clock
        self._database.execute("DELETE FROM claims WHERE until_s < ?", (self._now_s() - FORGOTTEN_AFTER_S,))

    def claim(self, key: str, owner: str) -> Reply | bool:
        """Whether the question is the owner's to ask now, or the answer that another one has just had.

        Raises:
            StoreError: nobody knows.
        """
        now_s = self._now_s()
        self._database.execute(
            "INSERT INTO claims (key, owner, until_s) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE "
            "SET owner = excluded.owner, until_s = excluded.until_s, reply = NULL WHERE claims.until_s < ?",
            (key, owner, now_s + CLAIMED_FOR_S, now_s),
        )
        rows = self._database.execute("SELECT owner, reply FROM claims WHERE key = ?", (key,))
        if not rows or rows[0][0] == owner:
            # Without a row, it was given up between the two statements: the next look claims it.
            return bool(rows)
        with contextlib.suppress(msgspec.DecodeError):
            return msgspec.json.decode(rows[0][1], type=Reply) if rows[0][1] else False
        return False

    def is_open(self, key: str) -> bool:
        """Whether nobody has claimed the question, or its answer is there.

        Raises:
            StoreError: nobody knows.
        """
        rows = self._database.execute("SELECT until_s, reply IS NOT NULL FROM claims WHERE key = ?", (key,))
        return not rows or bool(rows[0][1]) or float(rows[0][0]) < self._now_s()

    def renew(self, key: str, owner: str) -> None:
        """Go on claiming it.

        Raises:
            StoreError: it can't be written.
        """
        until_s = self._now_s() + CLAIMED_FOR_S
        self._database.execute("UPDATE claims SET until_s = ? WHERE key = ? AND owner = ?", (until_s, key, owner))

    def share(self, key: str, owner: str, reply: Reply) -> None:
        """Let those who wait have the answer.

        Raises:
            StoreError: it can't be written.
        """
        until_s = self._now_s() + SHARED_FOR_S
        self._database.execute(
            "UPDATE claims SET until_s = ?, reply = ? WHERE key = ? AND owner = ?",
            (until_s, msgspec.json.encode(reply), key, owner),
        )

    def give_up(self, key: str, owner: str) -> None:
        """Let another one ask.

        Raises:
            StoreError: it can't be written.
        """
        self._database.execute("DELETE FROM claims WHERE key = ? AND owner = ?", (key, owner))

    def close(self) -> None:
        """Nothing more is claimed."""
        self._database.close()

    def _now_s(self) -> float:
        """By the clock that all machines have in common."""
        return self._own_clock() + self._database.ahead_s


class Claimed:
    """The layer that sends a question only where no other machine has it under way.

    Args:
        stopping: set when nothing more may be sent: who waits then gives up.
    """

    def __init__(self, inner: Completer, claims: Claims, stopping: asyncio.Event, sleep: Sleep = asyncio.sleep) -> None:
        self._inner = inner
        self._claims = claims
        self._stopping = stopping
        self._sleep = sleep

    async def complete(self, request: Request) -> Reply:
        """The inner answer, or another machine's.

        Raises:
            StoppedError: the run was stopped while another machine had it under way.
        """
        if request.on_text is not None:
            # Somebody watches it come: another one's can't be shown so.
            return await self._inner.complete(request)
        # One with more room is asked, too, because the other's may be cut off.
        key, owner = f"{request_key(request, '')} {request.max_output_tokens}", secrets.token_hex(16)
        try:
            found = await self._claim(key, owner)
        except StoreError:
            # Asked twice is better than not at all.
            return await self._inner.complete(request)
        if found is not None:
            return msgspec.structs.replace(found, from_cache=True)
        return await self._asked(request, key, owner)

    async def _claim(self, key: str, owner: str) -> Reply | None:
        """Wait until the question may be asked, None, or has another one's answer."""
        wait_s = SHORTEST_WAIT_S
        while True:
            claimed = await asyncio.to_thread(self._claims.claim, key, owner)
            if isinstance(claimed, Reply):
                return claimed
            if claimed:
                return None
            while not await asyncio.to_thread(self._claims.is_open, key):
                if self._stopping.is_set():
                    raise StoppedError("The run was stopped while another machine had this under way.")
                await self._sleep(wait_s)
                wait_s = min(1.5 * wait_s, LONGEST_WAIT_S)

    async def _asked(self, request: Request, key: str, owner: str) -> Reply:
        asking = asyncio.ensure_future(self._inner.complete(request))
        try:
            while not (await asyncio.wait({asking}, timeout=RENEWED_EVERY_S))[0]:
                await self._noted(lambda: self._claims.renew(key, owner))
            reply = asking.result()
        except BaseException:
            asking.cancel()
            # It leaves its row before the store is closed.
            await asyncio.gather(asking, return_exceptions=True)
            with contextlib.suppress(StoreError):
                self._claims.give_up(key, owner)
            raise
        await self._noted(lambda: self._claims.share(key, owner, reply))
        return reply

    async def _noted(self, note: Callable[[], None]) -> None:
        """Write something that others may do without."""
        with contextlib.suppress(StoreError):
            await asyncio.to_thread(note)
