"""The SQL of a node, as far as it has any."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dbt_describe.lineage.relations import EPHEMERAL_CTE
from dbt_describe.project.nodes import Node

_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_CONFIG = re.compile(r"\{\{-?\s*config\(.*?\)\s*-?\}\}|\{#.*?#\}", re.DOTALL)
_LATER_RUNS = re.compile(
    r"\{%-?\s*if\s+is_incremental\(\)\s*-?%\}(?:(?!\{%).)*"
    r"(?:\{%-?\s*else\s*-?%\}(?P<first>(?:(?!\{%).)*))?\{%-?\s*endif\s*-?%\}",
    re.DOTALL,
)
_REF = re.compile(
    r"\{\{-?\s*ref\(\s*(?:['\"](?P<package>[^'\"]*)['\"]\s*,\s*)?['\"](?P<name>[^'\"]+)['\"]\s*"
    r"(?:,\s*(?:v|version)\s*=\s*['\"]?(?P<version>[\w.]+)['\"]?\s*)?\)\s*-?\}\}"
)
_SOURCE = re.compile(
    r"\{\{-?\s*source\(\s*['\"](?P<source>[^'\"]+)['\"]\s*,\s*['\"](?P<table>[^'\"]+)['\"]\s*\)\s*-?\}\}"
)
_THIS = re.compile(r"\{\{-?\s*this\s*-?\}\}")


_IN_LATER_RUNS = re.compile(
    r"\{%-?\s*(?:el)?if\b[^%]*\bis_incremental\(\)[^%]*%\}(?P<block>.*?)\{%-?\s*(?:endif|else|elif)\b", re.DOTALL
)
_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_TELLING_NO_NAMES = re.compile(r"\{\{-?\s*(?:this|ref|source|var)\b")
_NAME = re.compile(r"\w+")


class UnreadableQueryError(Exception):
    """A query that can't be followed; caught where its node is traced."""


def sql_of(node: Node, nodes: Mapping[str, Node]) -> str:
    """The compiled SQL, or the raw SQL where it holds no Jinja but config, ref, source, this and is_incremental.

    An incremental model is read as it runs first.

    Raises:
        UnreadableQueryError: there is no SQL that could be parsed.
    """
    if node.language != "sql":
        raise UnreadableQueryError(f"it is a {node.language.title()} model")
    if node.compiled_code:
        return node.compiled_code
    parents = [nodes[unique_id] for unique_id in node.depends_on if unique_id in nodes]

    def referred(match: re.Match[str]) -> str:
        found = [parent for parent in parents if not parent.source_name and _is_meant(parent, match)]
        # dbt has resolved the reference: of versions, depends_on has the one that is meant where only one is there.
        return _relation(found[0]) if len(found) == 1 else match[0]

    def source(match: re.Match[str]) -> str:
        named = (match["source"], match["table"])
        return next((_relation(parent) for parent in parents if (parent.source_name, parent.name) == named), match[0])

    sql = _CONFIG.sub("", node.raw_code)
    sql = _LATER_RUNS.sub(lambda match: match["first"] or "", sql)
    sql = _SOURCE.sub(source, _REF.sub(referred, sql))
    sql = _THIS.sub(lambda match: node.relation_name or match[0], sql)
    if not sql.strip():
        raise UnreadableQueryError("the manifest holds no SQL for it")
    if _JINJA.search(sql):
        raise UnreadableQueryError("it isn't compiled (run `dbt compile`)")
    return sql


def names_in_later_runs(raw_code: str) -> tuple[str, ...]:
    """What the conditions read that an incremental model has in later runs only; `*` where that can't be told.

    Whether compiled SQL has them depends on whether the table was there when it was compiled.
    """
    if "is_incremental" not in raw_code:
        return ()
    blocks = [found["block"] for found in _IN_LATER_RUNS.finditer(raw_code)]
    jinja = [found for block in blocks for found in _EXPRESSION.findall(block)]
    if not blocks or not all(map(_TELLING_NO_NAMES.match, jinja)):
        return ("*",)
    words = (word.lower() for block in blocks for word in _NAME.findall(_EXPRESSION.sub(" ", block)))
    return tuple(sorted(set(words)))


def _is_meant(parent: Node, match: re.Match[str]) -> bool:
    package, version = match["package"], match["version"]
    return (
        parent.name == match["name"]
        and (not package or parent.package_name == package)
        and (not version or parent.version == version)
    )


def _relation(node: Node) -> str:
    return node.relation_name or EPHEMERAL_CTE + (node.alias or node.name)
