"""A description for one node: what a row is, where the rows come from, which of them are in."""

from __future__ import annotations

import contextlib
import re

from dbt_describe.lineage.origins import ColumnRef, Lineage, Shape
from dbt_describe.planning import Abstention, Descriptions, Draft
from dbt_describe.project.nodes import Node, Project
from dbt_describe.uniqueness import changes_rows
from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.grain import Grain, drops_duplicates, holds_earlier_runs
from dbt_describe.writers.rules.names import Names
from dbt_describe.writers.rules.phrases import UnsayableError, sentence
from dbt_describe.writers.rules.provenance import Origin, origin_of

WRITER = "rules"
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
    if holds_earlier_runs(node):
        if per:
            return sentence(f"one row per {per}"), "keys"
        raise UnsayableError("its table also holds what earlier runs returned, and no test proves what one row is")
    origin = origin_of(node, shape, names, dialect) if shape is not None else Origin()
    if per and origin.text:
        with contextlib.suppress(UnsayableError):  # too long: the key alone says something too
            return sentence(f"one row per {per}, from {origin.text}"), "keys and SQL"
    if per:
        return sentence(f"one row per {per}"), "keys"
    if shape is None:
        raise UnsayableError("no test proves what one row is")
    return _rows_sentence(node, shape, origin), "SQL"


def _per(node: Node, grain: Grain) -> str:
    """`customer (`customer_id`)`: what one row is, empty where nothing proves it."""
    keys = grain.keys(node)
    if not keys or len(keys) > MAX_KEY_COLUMNS:
        return ""
    shown = words.listed([words.code(key) for key in keys])
    said = [_key(node, key, grain, alone=len(keys) == 1) for key in keys]
    hashed = grain.hashed_keys(node, keys[0]) if len(keys) == 1 else ()
    said_hashed = [_key(node, key, grain, alone=len(hashed) == 1) for key in hashed]
    if hashed and len(hashed) <= MAX_KEY_COLUMNS and all(said_hashed):
        return f"{words.listed([key for key in said_hashed if key])} ({shown})"
    if len(keys) == 1 and words.identified(keys[0]) is None and re.search(r"(?:key|uuid|hash|sk|pk)$", keys[0].lower()):
        return shown
    if any(key is None for key in said):
        return f"combination of {shown}" if len(keys) > 1 else shown
    plain = words.listed([key for key in said if key])
    is_spelled_out = all(key == name.lower().replace("_", " ") for key, name in zip(said, keys, strict=True))
    return plain if is_spelled_out else f"{plain} ({shown})"


def _key(node: Node, column: str, grain: Grain, *, alone: bool) -> str | None:
    """What the key column identifies, or its words; an `id` that isn't the whole key identifies something else."""
    name = column.lower()
    if name == "id":
        return words.entity(node) if alone else grain.renamed_from(node, name)
    return words.identified(name) or words.words_of(name)


def _rows_sentence(node: Node, shape: Shape, origin: Origin) -> str:
    """A sentence for rows whose key isn't proved."""
    text = origin.text
    if not text:
        reads = "reads too many relations to name them" if shape.reads else "reads none of the project's relations"
        raise UnsayableError(f"no test proves what one row is, and it {reads}")
    if origin.is_union:
        return sentence(text.removeprefix("the "))
    if not shape.driving or shape.grouped_from or shape.distinct or changes_rows(node) or drops_duplicates(node):
        return _unsure_rows_sentence(shape, text)
    if text.startswith("some of"):
        raise UnsayableError("its rows are some of another node's, but which can't be said in a sentence")
    if origin.combined:
        return sentence(f"combinations of rows of {origin.combined}")
    if not shape.joins and not shape.filters:
        return sentence(f"all rows of {text}")
    if not shape.joins:
        return sentence(f"the rows of {text}")
    return sentence(f"rows of {text}")


def _unsure_rows_sentence(shape: Shape, origin: str) -> str:
    """Only a filter is worth a sentence where it isn't known what one row is; dbt itself shows what is read."""
    if shape.driving and shape.grouped_from is None and " where " in origin:
        return sentence(f"built from {origin}")
    raise UnsayableError("neither tests nor SQL prove what one row is")
