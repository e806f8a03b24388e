"""What people have written that bears on a question: examples of the house style, and passages that explain its names.

    gather(prepared, settings, progress, asks) → Enrich    for background.py: examples and passages into a node's facts
    search, sources, clear                                 for `dbt-describe memory`

Nothing that a model wrote is remembered or shown as an example. Passages come from people's descriptions, docs blocks,
the files of `knowledge` and the `abbreviations` of the settings; they are kept in SQLite, one file for each project,
and indexed anew where their content has changed.
"""
