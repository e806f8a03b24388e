"""Who wrote each description, on what it rests, and whether that still is so.

    basis.py      what a description rests on, as hashes that layout and names inside the SQL don't change
    entries.py    dbt-describe.lock: one line of JSON per description that was written, inherited or adopted
    standings.py  description + entry + basis → its state

Importing this package imports neither sqlglot nor jinja2 nor a client.
"""
