from dbt_describe.planning import *  # noqa
