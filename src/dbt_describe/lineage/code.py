"""The SQL of a node, as far as it has any."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dbt_describe.lineage.relations import EPHEMERAL_CTE
from dbt_describe.project.nodes import Node

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_CONFIG = re.compile(r"\{\{\s*config\(.*?\)\s*\}\}|\{#.*?#\}", re.DOTALL)
_REF = re.compile(r"\{\{-?\s*ref\(\s*(?:'[^']*'\s*,\s*)?['\"](?P<name>[^'\"]+)['\"]\s*\)\s*-?\}\}")
_SOURCE = re.compile(
    r"\{\{-?\s*source\(\s*['\"](?P<source>[^'\"]+)['\"]\s*,\s*['\"](?P<table>[^'\"]+)['\"]\s*\)\s*-?\}\}"
)


class UnreadableQueryError(Exception):
    """A query that can't be followed; caught where its node is traced."""


def sql_of(node: Node, nodes: Mapping[str, Node]) -> str:
    """The compiled SQL, or the raw SQL where it holds no Jinja but config, ref and source calls.

    Raises:
        UnreadableQueryError: there is no SQL that could be parsed.
    """
    if node.language != "sql":
        raise UnreadableQueryError(f"it is a {node.language.title()} model")
    if node.compiled_code:
        return node.compiled_code
    relations = {
        (parent.source_name, parent.name): parent.relation_name or EPHEMERAL_CTE + parent.name
        for parent in (nodes[unique_id] for unique_id in node.depends_on if unique_id in nodes)
    }
    sql = _CONFIG.sub("", node.raw_code)
    sql = _REF.sub(lambda match: relations.get(("", match["name"]), match[0]), sql)
    sql = _SOURCE.sub(lambda match: relations.get((match["source"], match["table"]), match[0]), sql)
    if not sql.strip():
        raise UnreadableQueryError("the manifest holds no SQL for it")
    if _JINJA.search(sql):
        raise UnreadableQueryError("it isn't compiled (run `dbt compile`)")
    return sql
