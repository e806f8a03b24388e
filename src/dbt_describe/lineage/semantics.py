"""What the entities, dimensions and measures of semantic models are made of: the columns of their model."""

from __future__ import annotations

import msgspec

from dbt_describe.lineage.alone import trace_query
from dbt_describe.lineage.known import declared
from dbt_describe.lineage.origins import Lineage, NodeLineage, Origin, Same, Unknown
from dbt_describe.lineage.relations import NamedNode
from dbt_describe.project.nodes import Column, Node, Project

_RELATION = "the_model"
_ELEMENT = "element"
NO_EXPRESSION = "no SQL says how it is aggregated"


def with_semantic_models(project: Project, lineage: Lineage) -> tuple[Project, Lineage]:
    """Both, completed by the origins of what semantic models consist of.

    An entity or dimension whose expression is a plain column of the model holds that column's values, and what tests
    prove of the one is proved of the other: a semantic model has the rows of its model. dbt itself takes the column's
    description for a dimension that stands at the column (since 1.12).
    """
    nodes = dict(project.nodes)
    traced = dict(lineage.nodes)
    for node in project.nodes.values():
        model = nodes.get(node.depends_on[0]) if node.resource_type == "semantic_model" and node.depends_on else None
        if model is not None:
            origins = {column.name.lower(): _origin(column, node, model, lineage.dialect) for column in node.columns}
            traced[node.unique_id] = NodeLineage(node.unique_id, origins=origins)
            columns = tuple(_tested(column, origins[column.name.lower()], model) for column in node.columns)
            nodes[node.unique_id] = msgspec.structs.replace(node, columns=columns)
    return msgspec.structs.replace(project, nodes=nodes), msgspec.structs.replace(lineage, nodes=traced)


def _origin(column: Column, node: Node, model: Node, dialect: str) -> Origin:
    if not column.expression or "{{" in column.expression:
        return Unknown(NO_EXPRESSION)
    # A line break ends what may be a comment.
    sql = f"select {column.expression}\n as {_ELEMENT} from {_RELATION}"  # noqa: S608 - parsed, never run
    found = trace_query(node, sql, dialect, [NamedNode(model.unique_id, _RELATION, _RELATION, known=declared(model))])
    return found.origins.get(_ELEMENT) or Unknown(found.failure or NO_EXPRESSION)


def _tested(column: Column, origin: Origin, model: Node) -> Column:
    if not isinstance(origin, Same):
        return column
    source = model.column(origin.ref.column) or column
    return msgspec.structs.replace(column, tests=source.tests, data_type=column.data_type or source.data_type)
