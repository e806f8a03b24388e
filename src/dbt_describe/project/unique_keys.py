"""The key by which dbt replaces rows."""

from __future__ import annotations

from collections.abc import Mapping

_KEYLESS_STRATEGIES = frozenset({"append", "insert_overwrite", "microbatch"})


def unique_key_of(resource_type: str, config: Mapping[str, object]) -> tuple[str, ...]:
    """The columns of `unique_key`; none where it is set and dbt doesn't heed it.

    Source: https://docs.getdbt.com/docs/build/incremental-strategy, read 2026-11: merge and delete+insert replace rows
    by it; a table is built anew, append only adds, insert_overwrite and microbatch replace by partition and time.
    """
    is_merged = (
        config.get("materialized") == "incremental" and config.get("incremental_strategy") not in _KEYLESS_STRATEGIES
    )
    if resource_type != "snapshot" and not is_merged:
        return ()
    given = config.get("unique_key")
    names = given if isinstance(given, list | tuple) else [given]
    return tuple(str(name) for name in names if name is not None)
