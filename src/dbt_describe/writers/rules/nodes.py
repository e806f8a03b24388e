"""A description for one node: what a row is, where the rows come from, which of them are in."""

from __future__ import annotations

import re

from dbt_describe.lineage.origins import ColumnRef, Join, Lineage, Shape
from dbt_describe.planning import Abstention, Descriptions, Draft
from dbt_describe.project.nodes import Node, Project
from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.grain import Grain, changes_rows, drops_duplicates
from dbt_describe.writers.rules.junctions import together, without_implied
from dbt_describe.writers.rules.names import Names
from dbt_describe.writers.rules.phrases import UnsayableError, sentence
from dbt_describe.writers.rules.speech import teller_of
from dbt_describe.writers.rules.sql import parsed

WRITER = "rules"
MAX_SOURCES = 5
MAX_KEY_COLUMNS = 4


def describe_node(
    node: Node, project: Project, lineage: Lineage, known: Descriptions, grain: Grain | None = None
) -> Draft | Abstention:
    """What is certain about the rows of the node, or why nothing is."""
    grain = grain or Grain(project, lineage)
    traced = lineage.nodes.get(node.unique_id)
    shape = traced.shape if traced else None
    names = Names(project, known, grain, ColumnRef(node.unique_id, ""))
    try:
        if node.resource_type == "snapshot":
            text, evidence = _snapshot(node, names), "snapshot configuration"
        else:
            text, evidence = _described(node, shape, grain, names, lineage.dialect)
    except UnsayableError as error:
        return Abstention(node.unique_id, "", str(error))
    return Draft(node.unique_id, "", text, WRITER, "high", evidence)


def _snapshot(node: Node, names: Names) -> str:
    if not node.unique_key or not node.depends_on:
        raise UnsayableError("the snapshot's configuration names no key")
    source = names.node_name(node.depends_on[0]) if len(node.depends_on) == 1 else ""
    keys = words.listed([words.code(key) for key in node.unique_key])
    entity = words.entity(names.node(node.depends_on[0])) if source else None
    identified = words.identified(node.unique_key[0]) if len(node.unique_key) == 1 else None
    what = identified or (entity if node.unique_key == ("id",) else None)
    version = f"{what} ({keys})" if what else f"row, which {keys} identif{'ies' if len(node.unique_key) == 1 else 'y'}"
    return sentence(
        f"history of {source}: one row per version of each {version}"
        if source
        else f"history: one row per version of each {version}"
    )


def _described(node: Node, shape: Shape | None, grain: Grain, names: Names, dialect: str) -> tuple[str, str]:
    per = _per(node, grain)
    if node.same_table_as:
        shape = None
    origin = _origin(node, shape, names, dialect) if shape is not None else ""
    if per and origin:
        return sentence(f"one row per {per}, from {origin}"), "keys and SQL"
    if per:
        return sentence(f"one row per {per}"), "keys"
    if shape is None:
        raise UnsayableError("no test proves what one row is")
    return _rows_sentence(node, shape, names, origin), "SQL"


def _per(node: Node, grain: Grain) -> str:
    """`customer (`customer_id`)`: what one row is, empty where nothing proves it."""
    keys = grain.keys(node)
    if not keys or len(keys) > MAX_KEY_COLUMNS:
        return ""
    shown = words.listed([words.code(key) for key in keys])
    said = [_key(node, key) for key in keys]
    hashed = grain.hashed_keys(node, keys[0]) if len(keys) == 1 else ()
    said_hashed = [_key(node, key) for key in hashed]
    if hashed and len(hashed) <= MAX_KEY_COLUMNS and all(said_hashed):
        return f"{words.listed([key for key in said_hashed if key])} ({shown})"
    if len(keys) == 1 and words.identified(keys[0]) is None and re.search(r"(?:key|uuid|hash|sk|pk)$", keys[0].lower()):
        return shown
    if any(key is None for key in said):
        return f"combination of {shown}" if len(keys) > 1 else shown
    plain = words.listed([key for key in said if key])
    is_spelled_out = all(key == name.lower().replace("_", " ") for key, name in zip(said, keys, strict=True))
    return plain if is_spelled_out else f"{plain} ({shown})"


def _key(node: Node, column: str) -> str | None:
    name = column.lower()
    if name == "id":
        return words.entity(node)
    return words.identified(name) or words.words_of(name)


def _origin(node: Node, shape: Shape, names: Names, dialect: str) -> str:
    """`` `a` where …, joined with `b` ``; empty where the rows can't be told of."""
    if shape.union:
        return _union(shape, names)
    source = shape.grouped_from
    driving = source.driving if source is not None else shape.driving
    joins = source.joins if source is not None else shape.joins
    if not driving:
        return words.listed([names.node_name(read) for read in _few(shape.reads)])
    joined = _joined(driving, joins, names)
    filters = tuple(dict.fromkeys((*(source.filters if source else ()), *shape.filters)))
    where = _where(filters, names, dialect)
    if where is None:
        return f"some of the rows of {names.node_name(driving)}{joined}"
    return f"{names.node_name(driving)}{joined}{where}"


def _few(reads: tuple[str, ...]) -> tuple[str, ...]:
    return reads if len(reads) <= MAX_SOURCES else ()


def _union(shape: Shape, names: Names) -> str:
    if not all(shape.union) or len(set(shape.union)) > MAX_SOURCES:
        return words.listed([names.node_name(read) for read in _few(shape.reads)])
    arms = list(dict.fromkeys(shape.union))
    if len(arms) < 2:
        return names.node_name(arms[0])
    return f"the union of {words.listed([names.node_name(arm) for arm in arms])}"


def _joined(driving: str, joins: tuple[Join, ...], names: Names) -> str:
    if not joins:
        return ""
    others = list(dict.fromkeys(join.unique_id for join in joins if join.kind not in ("semi", "anti")))
    if not all(others) or not others:
        return " joined with other relations"
    if len(others) > MAX_SOURCES:
        return f" joined with {len(others)} other relations"
    itself = "itself" if driving in others else ""
    said = [names.node_name(other) for other in others if other != driving]
    return f" joined with {words.listed([*said, itself] if itself else said)}"


def _where(filters: tuple[str, ...], names: Names, dialect: str) -> str | None:
    """` where …`, None where the conditions have no words."""
    if not filters:
        return ""
    try:
        conditions = without_implied([parsed(condition, dialect) for condition in filters])
        teller = teller_of(names, dialect)
        text = together([teller.clause(condition) for condition in conditions])
    except UnsayableError:
        return None
    return f" where {text}" if len(text.split()) <= 24 else None


def _rows_sentence(node: Node, shape: Shape, names: Names, origin: str) -> str:
    """A sentence for rows whose key isn't proved."""
    if not origin:
        raise UnsayableError("no test proves what one row is, and it reads too many relations to name them")
    if shape.union and all(shape.union) and len(set(shape.union)) > 1:
        return sentence(origin.removeprefix("the "))
    if not shape.driving or shape.grouped_from or shape.distinct or changes_rows(node) or drops_duplicates(node):
        return _unsure_rows_sentence(shape, origin)
    if origin.startswith("some of"):
        raise UnsayableError("its rows are some of another node's, but which can't be said in a sentence")
    if not shape.joins and not shape.filters:
        return sentence(f"all rows of {origin}")
    if not shape.joins:
        return sentence(f"the rows of {origin}")
    return sentence(f"rows of {origin}")


def _unsure_rows_sentence(shape: Shape, origin: str) -> str:
    """Only a filter is worth a sentence where it isn't known what one row is; dbt itself shows what is read."""
    if shape.driving and shape.grouped_from is None and " where " in origin:
        return sentence(f"built from {origin}")
    raise UnsayableError("neither tests nor SQL prove what one row is")
