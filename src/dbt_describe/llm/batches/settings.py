"""What can be set of batches."""

from __future__ import annotations

import msgspec

from dbt_describe.llm.config import NotNegative, Positive, Seconds


class BatchSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How batches are sent and waited for."""

    retries: NotNegative = 3
    """In how many further batches a request that failed is sent, before it is asked alone."""
    first_wait: Seconds = 10.0
    """Seconds until a batch is asked about first; every time it isn't done, the wait grows by half."""
    longest_wait: Seconds = 300.0
    """Seconds between two questions about a batch at most."""
    settle: Seconds = 10.0
    """Seconds until a batch that perhaps arrived is looked for: a list may not have it at once."""
    send_tries: Positive = 5
    """How often a batch is sent that can't be, before its requests are asked alone."""
    collect_requests: Positive = 100
    """With so many requests waiting, a batch of them is sent."""
    collect_wait: Seconds = 30.0
    """Seconds after which it is sent with fewer."""
