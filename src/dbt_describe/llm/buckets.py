"""Token buckets: what a provider still allows in this minute, as far as it can be known from here.

A bucket fills up all the time by a sixtieth of its limit a second, and starts full. A request takes what it will
probably use *before* it is sent, and when it has ended the difference to what it really used is made up. A bucket may
be in debt: the next one waits until that is paid off, so that whoever comes first goes first, however large it is.

Everything here is arithmetic on numbers; `now_s` is an argument, in seconds of any clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, Protocol

import msgspec

from dbt_describe.llm.config import Limits
from dbt_describe.llm.messages import RateLimit

Kind = Literal["requests", "tokens", "input_tokens", "output_tokens"]

MARGIN = 0.05
"""The share of a minute's limit that is never used up: requests under way may be larger than they were thought."""
SHORTEST_BURST = 3 / 60
"""The share of a limit that may always be used at once: three seconds' worth."""
LONGEST_DEBT_S = 60.0
"""A minute after a refusal every limit per minute has room again, whatever the server asked for."""
LONGEST_RESET_S = 65.0
"""A limit that takes longer to be whole again isn't one per minute: some headers tell of those per day."""


class Need(msgspec.Struct, frozen=True):
    """What a request takes from the limits, expected or real."""

    requests: int = 1
    input_tokens: int = 0
    output_tokens: int = 0

    def of(self, kind: Kind) -> int:
        """What it takes from a bucket of one kind."""
        if kind == "tokens":
            return self.input_tokens + self.output_tokens
        return int(getattr(self, kind))


NOTHING = Need(requests=0)


class Bucket(msgspec.Struct, frozen=True):
    """One limit. `level` is what is left at `at_s`; below zero it is what others have taken in advance."""

    limit: int
    """In a minute: the setting, or what the server says where that is less or nothing is set."""
    level: float
    at_s: float
    burst: float = 1 - MARGIN
    """The share of the limit that may be used at once."""
    setting: int | None = None
    taken: float = 0.0
    """All that was ever reserved."""
    under_way: float = 0.0
    """What is reserved and not settled."""

    @property
    def per_second(self) -> float:
        """How fast it fills up."""
        return self.limit / 60

    @property
    def capacity(self) -> float:
        """The highest level."""
        return self.limit * self.burst

    def at(self, now_s: float) -> Bucket:
        """The same later. A clock that was set back costs the time between, no more."""
        level = self.level + max(0.0, now_s - self.at_s) * self.per_second
        return msgspec.structs.replace(self, level=min(self.capacity, level), at_s=now_s)

    def plus(self, amount: float) -> Bucket:
        """The same with so much more in it (less, where negative), as far as there is room."""
        return msgspec.structs.replace(self, level=min(self.capacity, self.level + amount))

    def reserved(self, amount: int) -> Bucket:
        """The same after so much was taken in advance."""
        more = {"taken": self.taken + amount, "under_way": self.under_way + amount}
        return msgspec.structs.replace(self.plus(-amount), **more)

    def settled(self, amount: int, used: int) -> Bucket:
        """The same after a reservation turned out to be another amount."""
        return msgspec.structs.replace(self.plus(amount - used), under_way=max(0.0, self.under_way - amount))

    def at_most(self, level: float) -> Bucket:
        """The same, with no more in it than that."""
        return msgspec.structs.replace(self, level=min(self.level, level))

    def wait_s(self, amount: int) -> float:
        """Seconds until so much is there; for more than it ever holds, until it is full."""
        return max(0.0, (min(amount, self.capacity) - self.level) / self.per_second)


class Reservation(msgspec.Struct, frozen=True):
    """What was taken for a request that may be sent in `wait_s` seconds."""

    need: Need
    wait_s: float
    sent_at_s: float = 0.0
    taken: Mapping[Kind, float] = {}
    """All that was ever reserved from each bucket, this included."""
    tightest: Kind | None = None
    """The limit that it waits for."""


class Buckets(Protocol):
    """The limits of one model at one endpoint: those of this process, or shared with others."""

    async def reserved(self, need: Need) -> Reservation:
        """Take what a request will probably use. Send it after `wait_s`, or give everything back."""

    def settle(self, reservation: Reservation, used: Need) -> None:
        """Make up the difference to what it really used; `NOTHING` where it wasn't sent, or wasn't counted."""

    def observe(self, reservation: Reservation, told: Iterable[RateLimit]) -> None:
        """Follow what the headers of its answer say."""

    def refuse(self, reservation: Reservation, told: Iterable[RateLimit], wait_s: float, *, is_first: bool) -> None:
        """The server has refused a request, and takes it in `wait_s`. Settle it before, as not counted.

        `is_first`: no other request of those sent at the same time was refused before.
        """

    def limit(self, kind: Kind) -> int:
        """The limit of a kind as it is known now, 0 where it isn't."""


class BucketSet:
    """The arithmetic over all buckets of one model; whoever holds it brings the time."""

    def __init__(self, buckets: Mapping[Kind, Bucket]) -> None:
        self.buckets = dict(buckets)

    def reserve(self, need: Need, now_s: float) -> Reservation:
        """See `Buckets`."""
        self._advance(now_s)
        waits: list[tuple[float, Kind]] = [
            (bucket.wait_s(need.of(kind)), kind) for kind, bucket in self.buckets.items()
        ]
        wait_s, tightest = max(waits, default=(0.0, None))
        for kind, bucket in self.buckets.items():
            self.buckets[kind] = bucket.reserved(need.of(kind))
        taken = {kind: bucket.taken for kind, bucket in self.buckets.items()}
        return Reservation(need, wait_s, now_s + wait_s, taken, tightest if wait_s else None)

    def settle(self, reservation: Reservation, used: Need, now_s: float) -> None:
        """See `Buckets`. A limit that wasn't known at the reservation hasn't been taken from."""
        self._advance(now_s)
        for kind, bucket in self.buckets.items():
            amount = reservation.need.of(kind) if kind in reservation.taken else 0
            self.buckets[kind] = bucket.settled(amount, used.of(kind))

    def observe(self, reservation: Reservation, told: Iterable[RateLimit], now_s: float) -> None:
        """See `Buckets`."""
        self._advance(now_s)
        for limit in told:
            if limit.reset_s is not None and limit.reset_s > LONGEST_RESET_S:
                continue
            self._follow_limit(limit, now_s)
            if limit.remaining is not None and limit.kind in self.buckets:
                self._follow_remaining(limit.kind, limit.remaining, reservation)

    def refuse(
        self, reservation: Reservation, told: Iterable[RateLimit], wait_s: float, now_s: float, *, is_first: bool
    ) -> None:
        """See `Buckets`. Where headers don't name the limit that was hit it may have been any."""
        told = tuple(told)
        full = {limit.kind for limit in told if limit.remaining == 0}
        # What is left of the limit that was hit is told better by how long the server asks to wait.
        unknown = msgspec.structs.replace(reservation, taken={})
        self.observe(unknown, (_without_remaining(limit) if limit.kind in full else limit for limit in told), now_s)
        for kind in full & self.buckets.keys() or set(self.buckets):
            bucket = self.buckets[kind]
            if is_first and not told:
                # There was room by our account: the server doesn't allow that much at once.
                bucket = msgspec.structs.replace(bucket, burst=max(SHORTEST_BURST, bucket.burst / 2))
            room = min(reservation.need.of(kind), bucket.capacity)
            self.buckets[kind] = bucket.at_most(room - min(wait_s, LONGEST_DEBT_S) * bucket.per_second)

    def _advance(self, now_s: float) -> None:
        for kind, bucket in self.buckets.items():
            self.buckets[kind] = bucket.at(now_s)

    def _follow_limit(self, told: RateLimit, now_s: float) -> None:
        if not told.limit or told.limit < 0:
            return
        known = self.buckets.get(told.kind)
        if known is None:
            self.buckets[told.kind] = Bucket(told.limit, told.limit * (1 - MARGIN), now_s)
            return
        limit = min(told.limit, known.setting or told.limit)
        if limit != known.limit:
            self.buckets[told.kind] = msgspec.structs.replace(known, limit=limit).plus(0)

    def _follow_remaining(self, kind: Kind, remaining: int, reservation: Reservation) -> None:
        """Move the level to what the server says is left.

        Headers are made when a request arrives, or when its answer leaves: what came and went between counts in the
        one case and not in the other. So the truth is between the two, and the level is moved only as far as that.
        Upwards only where nobody has set a limit (a setting may leave something to others), and not by what is under
        way: the difference to its real use is still to come.
        """
        bucket = self.buckets[kind]
        leaving = remaining - MARGIN * bucket.limit
        if kind not in reservation.taken:
            # It was sent before the limit was known: nobody has counted what came after it.
            self.buckets[kind] = bucket.at_most(leaving)
            return
        refilled = (bucket.at_s - reservation.sent_at_s) * bucket.per_second
        arriving = leaving + refilled - (bucket.taken - reservation.taken[kind])
        if bucket.setting is None:
            sure = min(leaving, arriving) - bucket.under_way
            bucket = bucket.plus(max(0.0, sure - bucket.level))
        self.buckets[kind] = bucket.at_most(max(leaving, arriving))


class MemoryBuckets:
    """The limits as this process alone uses them."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._set = BucketSet(full_buckets(limits, clock()))

    @property
    def buckets(self) -> Mapping[Kind, Bucket]:
        """As they were when last used."""
        return self._set.buckets

    def reserve(self, need: Need) -> Reservation:
        """See `Buckets`."""
        return self._set.reserve(need, self._clock())

    async def reserved(self, need: Need) -> Reservation:
        """See `Buckets`."""
        return self.reserve(need)

    def settle(self, reservation: Reservation, used: Need) -> None:
        """See `Buckets`."""
        self._set.settle(reservation, used, self._clock())

    def observe(self, reservation: Reservation, told: Iterable[RateLimit]) -> None:
        """See `Buckets`."""
        self._set.observe(reservation, told, self._clock())

    def refuse(self, reservation: Reservation, told: Iterable[RateLimit], wait_s: float, *, is_first: bool) -> None:
        """See `Buckets`."""
        self._set.refuse(reservation, told, wait_s, self._clock(), is_first=is_first)

    def limit(self, kind: Kind) -> int:
        """See `Buckets`."""
        return self._set.buckets[kind].limit if kind in self._set.buckets else 0


def full_buckets(limits: Limits, now_s: float) -> dict[Kind, Bucket]:
    """A full bucket for each limit that is set."""
    settings: dict[Kind, int | None] = {
        "requests": limits.requests_per_minute,
        "tokens": limits.tokens_per_minute,
        "input_tokens": limits.input_tokens_per_minute,
        "output_tokens": limits.output_tokens_per_minute,
    }
    return {
        kind: Bucket(limit, limit * (1 - MARGIN), now_s, setting=limit) for kind, limit in settings.items() if limit
    }


def _without_remaining(limit: RateLimit) -> RateLimit:
    return msgspec.structs.replace(limit, remaining=None)
