"""Whether a run asks in batches, and how."""

from __future__ import annotations

from typing import Literal, cast, get_args

import msgspec

from dbt_describe.configuration.files import Configuration
from dbt_describe.errors import SettingsError
from dbt_describe.llm.batches.settings import BatchSettings

Waves = Literal["one", "by-level"]
Use = Literal["off", "auto", "on"]


class BatchUse(msgspec.Struct, frozen=True):
    """What a run does with batches."""

    use: Use = "off"
    """`auto`: where there are at least `threshold` requests, and the provider has batches."""
    threshold: int = 100
    waits: bool = True
    """Whether the run waits for its batches, or leaves them with the provider and ends."""
    waves: Waves = "one"
    """`one`: all that is to be asked at once. `by-level`: what a node is made of first."""
    leaves_out: bool = True
    """Whether what an earlier run asked in a batch is left until that has come back."""
    asks: bool = True
    """Whether providers may be asked how far batches are."""
    sending: BatchSettings = BatchSettings()

    def sends(self, requests: int) -> bool:
        """Whether so many requests are asked in batches, where the provider has these."""
        return self.use == "on" or (self.use == "auto" and requests >= self.threshold)


def refuse_in_hook(*, batch: bool | None, wait: bool | None, waves: str) -> None:
    """See to it that a commit isn't asked to wait for a batch. What the file says of batches isn't about hooks.

    Raises:
        SettingsError: a flag wishes batches.
    """
    flag = "--batch" if batch else "--waves" if waves else {True: "--wait", False: "--no-wait", None: ""}[wait]
    if flag:
        raise SettingsError(f"{flag} can't be combined with --hook: a commit doesn't wait for a batch.")


def batch_use(
    file: Configuration, *, batch: bool | None, wait: bool | None, waves: str, cached_only: bool = False
) -> BatchUse:
    """What flags say over what the file says; `batch` and `wait` are None where no flag says anything.

    With `cached_only`, nothing is sent.

    Raises:
        SettingsError: flags contradict each other, or there are no such waves.
    """
    wished: Use = file.batch if isinstance(file.batch, str) else "on" if file.batch else "off"
    if cached_only and batch:
        raise SettingsError("--cached-only asks nothing: leave --batch out.")
    if cached_only:
        return BatchUse(asks=False)
    use: Use = wished if batch is None else "on" if batch else "off"
    if waves and waves not in get_args(Waves):
        raise SettingsError(f"--waves is {waves}; choose from {', '.join(get_args(Waves))}.")
    chosen = cast("Waves", waves or file.batches.waves)
    if use == "off" and (wait is not None or waves):
        flag = "--waves" if waves else "--wait" if wait else "--no-wait"
        raise SettingsError(f"{flag} is about batches: give --batch, too.")
    if chosen == "by-level" and wait is False:
        raise SettingsError("--waves by-level waits for the answers of each level: --no-wait goes with --waves one.")
    return BatchUse(
        use,
        file.batches.threshold,
        waits=wait is not False,
        waves=chosen,
        leaves_out=batch is not False,
        sending=file.batches,
    )
