"""`dbt-describe.yml`: read, checked, and merged with flags and environment variables.

    load_configuration(path, environ) → Configuration      the file alone
    merge(configuration, flags, environ) → Merged          flags over environment over file over defaults

The file is YAML 1.1, as dbt's own are. `${NAME}` and `${NAME:-default}` inside of a text are replaced after parsing, so
that a value never becomes structure; `$${` stands for `${`. An empty variable counts as one that isn't set.
"""

from __future__ import annotations

from dbt_describe.configuration.commits import Hook, merge_for_hook
from dbt_describe.configuration.files import FILE_NAME, Configuration, find_configuration, load_configuration
from dbt_describe.configuration.merging import RULES, Flags, Merged, merge

__all__ = [
    "FILE_NAME",
    "RULES",
    "Configuration",
    "Flags",
    "Hook",
    "Merged",
    "find_configuration",
    "load_configuration",
    "merge",
    "merge_for_hook",
]
