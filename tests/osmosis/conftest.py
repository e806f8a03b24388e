from __future__ import annotations

from tests.osmosis.dbt_osmosis import osmosis

__all__ = ["osmosis"]
