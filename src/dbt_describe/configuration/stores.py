"""Where answers, usage and limits are kept, as the settings say."""

from __future__ import annotations

from collections.abc import Mapping

import platformdirs

from dbt_describe.configuration.files import Configuration
from dbt_describe.storage.locations import StoreLocation, locate_store


def store_of(file: Configuration, environ: Mapping[str, str], *, is_required: bool = False) -> StoreLocation:
    """Where answers, usage and limits are kept: DBT_DESCRIBE_STORE, the file's `store`, or the user's data directory.

    Raises:
        SettingsError: one of them is a URL that can't be used.
    """
    given = environ.get("DBT_DESCRIBE_STORE", "")
    source = "DBT_DESCRIBE_STORE" if given else "`store` in dbt-describe.yml"
    own = platformdirs.user_data_path("dbt-describe")
    return locate_store(given or file.store, own, source, is_required=is_required or file.require_store)
