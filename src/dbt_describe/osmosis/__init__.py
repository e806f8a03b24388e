"""dbt-describe inside of dbt-osmosis: `dbt-osmosis yaml document --synthesize` describes through our engine.

dbt-osmosis imports this module as its plugin, in whatever threads it has and with every `yaml` command. So it needs
the standard library alone, may be imported any number of times, and never raises.
"""

from __future__ import annotations

from dbt_describe.osmosis.takeover import complain, install

try:
    install()
except Exception as error:  # noqa: BLE001 - an error here would end commands that have nothing to do with us
    complain(f"dbt-describe couldn't take over from dbt-osmosis ({type(error).__name__}: {error}); it goes on without.")
