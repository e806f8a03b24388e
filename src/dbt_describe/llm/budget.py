"""What may be spent: checked before a request with an estimate, and after it with the truth."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import time
from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec

from dbt_describe.errors import BudgetError, LlmSettingsError, StoreError
from dbt_describe.llm.bounds import Amount, Limit, bounds_of
from dbt_describe.llm.calibration import roughly_counted
from dbt_describe.llm.config import Budget as Limits
from dbt_describe.llm.lengths import AnswerLengths
from dbt_describe.llm.messages import Completer, Reply, Request, Usage
from dbt_describe.llm.prices import Priced
from dbt_describe.llm.usage import Spent

_OTHERS_EVERY_S = 1.0
"""How long what other runs have spent is taken for known."""
_ANNOUNCED_SHARE = Decimal("0.75")


def today_here() -> datetime.date:
    """The date where this machine is."""
    return datetime.datetime.now(datetime.UTC).astimezone().date()


class Estimate(msgspec.Struct, frozen=True):
    """What a request is expected to take, and the most that it may well take."""

    expected: Amount
    most: Amount


class Spending:
    """What a run has spent, shared by all that spend in it, and held against the limits.

    `limits_cost` says whether one of them is in dollars.

    Args:
        others: what other runs have spent from a Unix time on; asked again while this one lasts, as they may run at the
            same time.
        say: told once for each limit when three quarters of it are spent.
        today: the day here. When it changes, the day's limits begin anew.
        clock: seconds.
    """

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return bool(self._limits)

    def __init__(
        self,
        limits: Limits,
        others: Callable[[float], Spent] = lambda _: Spent(),
        say: Callable[[str], None] = lambda _: None,
        today: Callable[[], datetime.date] = today_here,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits_cost = limits.max_cost is not None or limits.max_cost_per_day is not None
        self._limits = bounds_of(limits)
        self._say = say
        self._today = today
        self._clock = clock
        self._day = today()
        self._of_run = Amount()
        self._of_day = Amount()
        self._read_others = others
        self._of_others = Amount()
        self._others_read_at: float | None = None
        self._reserved = Amount()
        self._held = Amount()
        self._announced: set[str] = set()
        self._refusals: dict[str, str] = {}
        self._settled = asyncio.Event()

    @property
    def spent(self) -> Amount:
        """What this run has spent so far, as far as prices are known."""
        return self._of_run

    async def reserve(self, estimate: Callable[[], Estimate]) -> Amount:
        """Keep free for one request the most that it may well take, and return that: `settle` or `release` follows.

        Where that doesn't fit beside others, it waits for them to end: in what is then left, it may go as soon as what
        is expected of it fits. So no more than one request at a time can take more than there is. Whenever another has
        ended, `estimate` is asked anew.

        Raises:
            BudgetError: what is expected doesn't fit into what is left, or a limit that concerns it was reached before.
        """
        self._look_at_others()
        while self._is_over((now := estimate()).most, self._reserved):
            limit = self._is_over(now.expected, Amount())
            if limit is not None:
                raise BudgetError(self._refusals.setdefault(limit.flag, self._refusal(limit, now.expected)))
            if not self._others_share(now.expected):
                break
            await self._settled.wait()
            self._look_at_others()
        self._reserved += now.most
        return now.most

    def reserve_now(self, expected: Amount) -> None:
        """Keep that much free beside what is reserved already; `release` follows, sooner or later.

        Raises:
            BudgetError: it doesn't fit.
        """
        self._look_at_others()
        limit = self._is_over(expected, self._reserved)
        if limit is not None:
            raise BudgetError(self._refusal(limit, expected))
        self._reserved += expected

    def settle(self, reserved: Amount, used: Amount) -> None:
        """Replace what was reserved by what was used."""
        self.add(used)
        self.release(reserved)

    def release(self, reserved: Amount) -> None:
        """Give back what was reserved: nothing was used of it."""
        self._reserved -= reserved
        waiting, self._settled = self._settled, asyncio.Event()
        waiting.set()

    def hold(self, reserved: Amount) -> None:
        """What was reserved is asked for, and this run won't learn what it took: it is as good as spent."""
        self._held += reserved
        self.release(reserved)

    def add(self, used: Amount) -> None:
        """Count what was used without a reservation."""
        self._turn_day()
        self._of_run += used
        self._of_day += used
        for limit in self._limits:
            self._announce(limit)

    def charge(self, used: Amount) -> None:
        """Count towards this run what it has used under another name: the day's sum finds that among the others'."""
        self._of_run += used

    def _is_over(self, expected: Amount, reserved: Amount) -> Limit | None:
        """The first limit that the request would break, None where it fits. What costs nothing always does."""
        self._turn_day()
        for limit in self._limits:
            more = limit.of(expected)
            if more and (limit.flag in self._refusals or self._taken(limit) + limit.of(reserved) + more > limit.most):
                return limit
        return None

    def _others_share(self, expected: Amount) -> bool:
        """Whether something is reserved of what the request takes, too."""
        return any(limit.of(self._reserved) > 0 for limit in self._limits if limit.of(expected))

    def _taken(self, limit: Limit) -> Decimal:
        """What is spent, or held."""
        return self._spent(limit) + limit.of(self._held)

    def _spent(self, limit: Limit) -> Decimal:
        return limit.of(self._of_day + self._of_others if limit.is_daily else self._of_run)

    def _look_at_others(self) -> None:
        """Read what other runs have spent today, where that counts and it wasn't read a moment ago."""
        now = self._clock()
        is_known = self._others_read_at is not None and now - self._others_read_at < _OTHERS_EVERY_S
        if is_known or not any(limit.is_daily for limit in self._limits):
            return
        self._others_read_at = now
        # A file that can't be read now may be read a second later; until then, the last sum counts.
        with contextlib.suppress(StoreError):
            spent = self._read_others(began(self._today()))
            # A store that got lost in the middle knows less than it did.
            known = self._of_others
            self._of_others = Amount(max(spent.cost_usd, known.cost_usd), max(spent.tokens, known.tokens))

    def _turn_day(self) -> None:
        today = self._today()
        if today == self._day:
            return
        self._day, self._of_day, self._of_others, self._others_read_at = today, Amount(), Amount(), None
        daily = {limit.flag for limit in self._limits if limit.is_daily}
        self._announced -= daily
        self._refusals = {flag: words for flag, words in self._refusals.items() if flag not in daily}

    def _announce(self, limit: Limit) -> None:
        spent = self._spent(limit)
        if limit.flag not in self._announced and spent >= _ANNOUNCED_SHARE * limit.most:
            self._announced.add(limit.flag)
            self._say(f"Three quarters of {limit.whose} are spent: {limit.shown(spent)} of {limit.shown(limit.most)}.")

    def _refusal(self, limit: Limit, expected: Amount) -> str:
        spent, more = limit.shown(self._spent(limit)), limit.shown(limit.of(expected))
        kept = limit.of(self._held + self._reserved)
        in_batches = f", {limit.shown(kept)} are kept free for what is asked" if kept else ""
        advice = f"go on tomorrow, or raise {limit.flag}" if limit.is_daily else f"raise {limit.flag}, or run again"
        return (
            f"{limit.whose.capitalize()} is reached, so nothing more is asked: {spent} of {limit.shown(limit.most)} "
            f"are spent{in_batches}, and the next request takes about {more}. To go on, {advice}."
        )


class Budget:
    """The layer that lets a request of one model through only as long as it can be paid.

    Args:
        spending: what all of the run's models spend together.
        price: what this one's tokens cost. An unknown price counts as nothing: `check_prices` refuses it before.
        input_tokens: about how many tokens a request's messages are; `Calibration.input_tokens`.
    """

    def __init__(
        self,
        inner: Completer,
        spending: Spending,
        price: Priced,
        input_tokens: Callable[[Request], int] = roughly_counted,
    ) -> None:
        self._inner = inner
        self._spending = spending
        self._price = price
        self._input_tokens = input_tokens
        self._lengths = AnswerLengths()

    async def complete(self, request: Request) -> Reply:
        """The inner answer.

        Raises:
            BudgetError: it would cost more than is left.
        """
        reserved = await self._spending.reserve(lambda: self._estimate(request))
        try:
            reply = await self._inner.complete(request)
        except BaseException:
            # What failed attempts were billed for, the ledger has counted.
            self._spending.release(reserved)
            raise
        if reply.from_cache:
            self._spending.release(reserved)
        elif not reply.has_usage:
            # Nobody knows what it took: the limit is kept if it was no more than was kept free for it.
            self._spending.settle(reserved, reserved)
        else:
            self._lengths.add(reply.usage.output_tokens)
            cost_usd = self._price.cost(reply.usage) if reply.cost_usd is None else reply.cost_usd
            self._spending.settle(reserved, amount_of(reply.usage, cost_usd))
        return reply

    def _estimate(self, request: Request) -> Estimate:
        """What the request will take, as far as the answers so far tell."""

        def amount(output_tokens: int) -> Amount:
            usage = Usage(self._input_tokens(request), output_tokens)
            return amount_of(usage, self._price.cost(usage) if self._spending.limits_cost else None)

        longest = request.max_output_tokens
        return Estimate(amount(self._lengths.expected(longest)), amount(self._lengths.most(longest)))


def amount_of(usage: Usage, cost_usd: Decimal | None) -> Amount:
    """What a request has taken; an unknown price counts as nothing."""
    return Amount(cost_usd or Decimal(0), usage.input_tokens + usage.output_tokens)


def check_prices(limits: Limits, prices: Iterable[tuple[str, Priced]]) -> None:
    """See to it that a limit in dollars can be held: the price of each model, by its full name, must be known.

    Raises:
        LlmSettingsError: one isn't.
    """
    if limits.max_cost is None and limits.max_cost_per_day is None:
        return
    unknown = [model for model, price in prices if price.cost(Usage(1, 1)) is None]
    if unknown:
        flag = "--max-cost" if limits.max_cost is not None else "max_cost_per_day"
        raise LlmSettingsError(
            f"The price of {unknown[0]} isn't known, so that {flag} can't be kept: set models.{unknown[0]}.prices "
            "(input and output, US dollars for a million tokens), or limit tokens instead with --max-tokens."
        )


def began(day: datetime.date) -> float:
    """Unix time of a day's midnight where this machine is."""
    return datetime.datetime.combine(day, datetime.time.min).astimezone().timestamp()
