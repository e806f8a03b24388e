"""The ledger's rows on disk."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from dbt_describe.storage.database import Store, Tables, tables_in

Status = Literal["answered", "failed", "cached"]
_MAPPINGS = ("fragments", "parameters")
_Record = TypeVar("_Record", "Attempt", "Avoided")

_SQLITE = (
    """
    CREATE TABLE attempts (
        run TEXT NOT NULL,
        at REAL NOT NULL,
        node TEXT NOT NULL,
        purpose TEXT NOT NULL,
        prompt TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        model TEXT NOT NULL,
        model_answered TEXT NOT NULL,
        request_key TEXT NOT NULL,
        attempt INTEGER NOT NULL,
        status TEXT NOT NULL,
        error TEXT NOT NULL,
        input_tokens INTEGER NOT NULL,
        output_tokens INTEGER NOT NULL,
        cached_input_tokens INTEGER NOT NULL,
        reasoning_tokens INTEGER NOT NULL,
        cost_usd TEXT,
        latency_s REAL NOT NULL
    );
    CREATE INDEX attempts_by_time ON attempts (at)
    """,
    # Rows of before know their provider, host and model: these were parts of other columns.
    """
    ALTER TABLE attempts ADD COLUMN provider TEXT NOT NULL DEFAULT '';
    ALTER TABLE attempts ADD COLUMN host TEXT NOT NULL DEFAULT '';
    ALTER TABLE attempts ADD COLUMN answered_by TEXT NOT NULL DEFAULT '';
    ALTER TABLE attempts ADD COLUMN parameters TEXT NOT NULL DEFAULT '{}';
    ALTER TABLE attempts ADD COLUMN fragments TEXT NOT NULL DEFAULT '{}';
    ALTER TABLE attempts ADD COLUMN input_tokens_estimated INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE attempts ADD COLUMN cache_write_tokens INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE attempts ADD COLUMN cache_write_1h_tokens INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE attempts ADD COLUMN price_source TEXT NOT NULL DEFAULT '';
    ALTER TABLE attempts ADD COLUMN input_cost_usd TEXT;
    ALTER TABLE attempts ADD COLUMN prompt_cache_saved_usd TEXT;
    ALTER TABLE attempts ADD COLUMN first_token_s REAL;
    ALTER TABLE attempts ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
    ALTER TABLE attempts ADD COLUMN batch_id TEXT NOT NULL DEFAULT '';
    UPDATE attempts SET
        provider = substr(model, 1, instr(model, '/') - 1),
        host = substr(endpoint, 1, instr(endpoint || '/', '/') - 1),
        answered_by = CASE status WHEN 'failed' THEN '' ELSE model END;
    CREATE TABLE avoided (
        run TEXT NOT NULL,
        at REAL NOT NULL,
        reason TEXT NOT NULL,
        descriptions INTEGER NOT NULL,
        tokens_estimated INTEGER NOT NULL,
        cost_usd TEXT
    )
    """,
)
_POSTGRES = (
    """
    CREATE TABLE attempts (
        rowid BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run TEXT NOT NULL,
        at DOUBLE PRECISION NOT NULL,
        node TEXT NOT NULL,
        purpose TEXT NOT NULL,
        prompt TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        model TEXT NOT NULL,
        model_answered TEXT NOT NULL,
        request_key TEXT NOT NULL,
        attempt BIGINT NOT NULL,
        status TEXT NOT NULL,
        error TEXT NOT NULL,
        input_tokens BIGINT NOT NULL,
        output_tokens BIGINT NOT NULL,
        cached_input_tokens BIGINT NOT NULL,
        reasoning_tokens BIGINT NOT NULL,
        cost_usd TEXT,
        latency_s DOUBLE PRECISION NOT NULL,
        provider TEXT NOT NULL,
        host TEXT NOT NULL,
        answered_by TEXT NOT NULL,
        parameters TEXT NOT NULL,
        fragments TEXT NOT NULL,
        input_tokens_estimated BIGINT NOT NULL,
        cache_write_tokens BIGINT NOT NULL,
        cache_write_1h_tokens BIGINT NOT NULL,
        price_source TEXT NOT NULL,
        input_cost_usd TEXT,
        prompt_cache_saved_usd TEXT,
        first_token_s DOUBLE PRECISION,
        request_id TEXT NOT NULL,
        batch_id TEXT NOT NULL
    );
    CREATE INDEX attempts_by_time ON attempts (at);
    CREATE TABLE avoided (
        rowid BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run TEXT NOT NULL,
        at DOUBLE PRECISION NOT NULL,
        reason TEXT NOT NULL,
        descriptions BIGINT NOT NULL,
        tokens_estimated BIGINT NOT NULL,
        cost_usd TEXT
    )
    """,
)
TABLES = Tables("usage", _SQLITE, _POSTGRES)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One request that was sent, or answered from the cache."""

    run: str
    at: float
    """Unix time, in seconds, at which it ended."""
    node: str
    purpose: str
    prompt: str
    endpoint: str
    """Host, port and path, without credentials."""
    model: str
    model_answered: str
    """The provider's own word for what answered, often with a date in it."""
    request_key: str
    attempt: int
    status: Status
    error: str
    """The class of the error, `cancelled` where nobody waited for the answer any more, or empty."""
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int
    cost_usd: Decimal | None
    """None where the price isn't known, or what was used. Of a cached answer: what it cost when it was asked."""
    latency_s: float
    provider: str = ""
    """What stands before the slash of the model."""
    host: str = ""
    """Host and port of the endpoint."""
    answered_by: str = ""
    """The model that answered, as it is configured; empty where none did."""
    parameters: Mapping[str, str | int | float] = {}
    """What was asked for beside the messages: `temperature`, `max_output_tokens`, `reasoning_effort`."""
    fragments: Mapping[str, int] = {}
    """The parts of the prompt → about how many tokens each is."""
    input_tokens_estimated: int = 0
    """What the messages were taken for before they were sent; 0 where nobody has estimated it."""
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    price_source: str = ""
    """`settings`, `local`, `genai-prices 0.2.3`, or empty where the price isn't known."""
    input_cost_usd: Decimal | None = None
    """The part of the cost that the prompt has."""
    prompt_cache_saved_usd: Decimal | None = None
    """What the provider's prompt cache made it cheaper by, less than 0 where it made it dearer."""
    first_token_s: float | None = None
    request_id: str = ""
    """The provider's name for the exchange."""
    batch_id: str = ""
    """Ours of the batch that it was asked in."""


class Avoided(msgspec.Struct, frozen=True, kw_only=True):
    """What needn't be asked in a run, for a reason that the caller words."""

    run: str
    at: float
    """Unix time, in seconds."""
    reason: str
    descriptions: int
    tokens_estimated: int = 0
    """What asking for them would have taken, in and out together."""
    cost_usd: Decimal | None = None
    """What that would have cost; None where the price isn't known."""


class Spent(msgspec.Struct, frozen=True):
    """What some requests cost together. `cost_usd` covers known prices only; `unpriced` counts the other requests."""

    cost_usd: Decimal = Decimal(0)
    tokens: int = 0
    """In and out."""
    unpriced: int = 0


def name_run() -> str:
    """A new name for what one process uses: when it began, and what tells it from others."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(2)}"


class UsageLog:
    """Attempts in a directory of this machine or a store.

    Raises:
        StoreError: it can't be used.
    """

    def __init__(self, where: Path | Store) -> None:
        self._database = tables_in(where, TABLES)

    def record(self, attempt: Attempt) -> None:
        """Write one row; on disk when the call returns.

        Raises:
            StoreError: it can't be written, e.g. on a full disk.
        """
        self._insert("attempts", attempt)

    def record_avoided(self, avoided: Avoided) -> None:
        """Write down what a run needn't ask; on disk when the call returns.

        Raises:
            StoreError: it can't be written.
        """
        self._insert("avoided", avoided)

    def attempts(self, since: float = 0.0, run: str = "") -> Iterator[Attempt]:
        """Rows from a Unix time on, oldest first; of one run, where it is given."""
        return (_read(row, Attempt) for row in self._select("attempts", Attempt, since, run))

    def avoided(self, since: float = 0.0, run: str = "") -> Iterator[Avoided]:
        """What needn't be asked from a Unix time on, oldest first; in one run, where it is given."""
        return (_read(row, Avoided) for row in self._select("avoided", Avoided, since, run))

    def spent_since(self, since: float, but_not_of: str) -> Spent:
        """What was sent from a Unix time on by other runs than this one.

        Raises:
            StoreError: the file can't be read.
        """
        return self._spent("at >= ? AND status <> 'cached' AND run <> ?", (since, but_not_of))

    def spent_by(self, runs: Sequence[str]) -> Spent:
        """What was sent by some runs.

        Raises:
            StoreError: the file can't be read.
        """
        places = ", ".join("?" for _ in runs)
        return self._spent(f"status <> 'cached' AND run IN ({places})", tuple(runs))

    def _spent(self, condition: str, values: tuple[str | float, ...]) -> Spent:
        rows = self._database.execute(
            f"SELECT cost_usd, input_tokens + output_tokens, status FROM attempts WHERE {condition}",  # noqa: S608
            values,
        )
        return Spent(
            cost_usd=sum((Decimal(cost) for cost, _, _ in rows if cost is not None), Decimal(0)),
            tokens=sum(tokens for _, tokens, _ in rows),
            unpriced=sum(cost is None and (tokens > 0 or status == "answered") for cost, tokens, status in rows),
        )

    def keys_of_batch(self, batch_id: str) -> frozenset[str]:
        """The keys of the requests that have a row for their answer in a batch, by our id of it.

        Raises:
            StoreError: the file can't be read.
        """
        rows = self._database.execute(
            "SELECT request_key FROM attempts WHERE batch_id = ? AND status = 'answered'", (batch_id,)
        )
        return frozenset(key for (key,) in rows)

    def last_run(self) -> str:
        """The run of the newest row, or empty."""
        rows = self._database.execute(
            "SELECT run FROM (SELECT run, at FROM attempts UNION ALL SELECT run, at FROM avoided) AS both_kinds "
            "ORDER BY at DESC LIMIT 1"
        )
        return str(rows[0][0]) if rows else ""

    def close(self) -> None:
        """No more rows come."""
        self._database.close()

    def _insert(self, table: str, record: Attempt | Avoided) -> None:
        row = {name: _stored(value) for name, value in msgspec.structs.asdict(record).items()}
        places = ", ".join("?" for _ in row)
        self._database.execute(
            f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})",  # noqa: S608 - names of ours
            tuple(row.values()),
        )

    def _select(self, table: str, record: type[Attempt | Avoided], since: float, run: str) -> Iterator[dict[str, Any]]:
        names = record.__struct_fields__
        rows = self._database.execute(
            f"SELECT {', '.join(names)} FROM {table} WHERE at >= ? AND (? = '' OR run = ?) ORDER BY at, rowid",  # noqa: S608
            (since, run, run),
        )
        return (dict(zip(names, row, strict=True)) for row in rows)


def _stored(value: Any) -> str | int | float | None:
    """A field as it is kept: money as text, mappings as JSON."""
    if isinstance(value, Mapping):
        return msgspec.json.encode(value, order="sorted").decode()
    return str(value) if isinstance(value, Decimal) else value


def _read(row: dict[str, Any], record: type[_Record]) -> _Record:
    decoded = {name: msgspec.json.decode(row[name]) for name in _MAPPINGS if name in row}
    return msgspec.convert(row | decoded, record, strict=False)
