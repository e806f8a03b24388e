"""dbt-osmosis, dbt-scribe and dbt-describe on the same work, one after the other, against one server.

    make bench                 # about a quarter of an hour
    make bench BENCH=quick     # a minute or two: a shorter wait for each answer, and a smaller generated project

Each tool is in an environment of its own, as its users install it.
"""
