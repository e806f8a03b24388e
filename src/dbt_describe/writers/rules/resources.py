"""What can be said of resources that are no tables without reading code or knowing people."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from dbt_describe.lineage.origins import ColumnRef, Lineage
from dbt_describe.planning import Abstention, Descriptions, Draft
from dbt_describe.project.nodes import Node, Project
from dbt_describe.writers.rules import words
from dbt_describe.writers.rules.data_tests import data_test_sentence, singular_test_sentence
from dbt_describe.writers.rules.names import noun_phrase
from dbt_describe.writers.rules.phrases import UnsayableError, sentence

WRITER = "rules"
UNSAYABLE: Mapping[str, str] = {
    "exposure": "only its people know what it shows",
    "group": "only its people know what it stands for",
    "macro": "what it does is only in its code",
    "function": "what it does is only in its code",
    "unit_test": "which case it stands for is only in its rows",
}
"""Resource types of which nothing is certain, each with why."""
_GROUPED = re.compile(
    r"(?P<kind>Dimension|TimeDimension|Entity)\(\s*['\"](?P<name>\w+)['\"]\s*(?:,\s*['\"](?P<grain>\w+)['\"]\s*)?\)"
)


def describe_resource(node: Node, project: Project, lineage: Lineage, known: Descriptions) -> Draft | Abstention:
    """What is certain about a node that is no table, or why nothing is."""
    try:
        if node.resource_type in UNSAYABLE:
            raise UnsayableError(UNSAYABLE[node.resource_type])
        if node.resource_type == "test":
            text, evidence, confidence = _test(node, project, lineage, known)
        else:
            text, evidence, confidence = _SAYERS[node.resource_type](node, project, known)
    except UnsayableError as error:
        return Abstention(node.unique_id, "", str(error))
    return Draft(node.unique_id, "", text, WRITER, confidence, evidence)


def describe_argument(node: Node, name: str) -> Abstention:
    """What an argument is for is never certain."""
    return Abstention(node.unique_id, name, "what it is for is only in the code")


_Said = tuple[str, str, str]
"""Text, evidence, confidence."""


def _test(node: Node, project: Project, lineage: Lineage, known: Descriptions) -> _Said:
    if node.test is None:
        return singular_test_sentence(node, project, lineage, known), "its SQL", "high"
    return data_test_sentence(node, project), f"the test {node.test.name}", "high"


def _semantic_model(node: Node, project: Project, known: Descriptions) -> _Said:
    """Its model's text: dbt itself takes that for a semantic model that stands at its model (since 1.12)."""
    model = node.depends_on[0] if len(node.depends_on) == 1 else ""
    text = known.nodes.get(model, "")
    if not text:
        raise UnsayableError("its model isn't described")
    return text, f"the description of its model {project.nodes[model].name}", "medium"


def _metric(node: Node, project: Project, known: Descriptions) -> _Said:
    params = _mapping(node.properties.get("type_params"))
    if node.properties.get("filter"):
        raise UnsayableError("its filter can't be said for certain")
    kind = str(node.properties.get("type") or "").lower()
    match kind:
        case "simple":
            text = _measure_text(node, params, project, known)
            return text, f"its measure {_mapping(params.get('measure')).get('name')}", "high"
        case "cumulative":
            return _cumulative(node, params, project, known), "its measure and its window", "high"
        case "ratio":
            parts = [_input(params.get(key)) for key in ("numerator", "denominator")]
            return sentence(f"ratio of the metric {parts[0]} to the metric {parts[1]}"), "its definition", "high"
        case "derived":
            return _derived(params), "its definition", "high"
        case _:
            raise UnsayableError(f"a {kind or 'metric'} metric can't be told for certain")


def _measure_text(node: Node, params: Mapping[str, object], project: Project, known: Descriptions) -> str:
    measure = _mapping(params.get("measure"))
    name = str(measure.get("name") or "")
    if measure.get("filter") or measure.get("fill_nulls_with") is not None:
        raise UnsayableError("its measure is filtered or filled, which can't be said for certain")
    refs = (ColumnRef(parent, name.lower()) for parent in node.depends_on if parent in project.nodes)
    text = next((known.columns[ref] for ref in refs if known.columns.get(ref)), "")
    if not text:
        raise UnsayableError("its measure isn't described" if name else "it has no measure of its own")
    return text


def _cumulative(node: Node, params: Mapping[str, object], project: Project, known: Descriptions) -> str:
    phrase = noun_phrase(_measure_text(node, params, project, known))
    if phrase is None:
        raise UnsayableError("its measure's description is no single phrase")
    own = _mapping(params.get("cumulative_type_params"))
    window = _mapping(own.get("window") or params.get("window"))
    grain = own.get("grain_to_date") or params.get("grain_to_date")
    if window:
        return sentence(
            f"{phrase}, accumulated over {window.get('count')} {words.plural(str(window.get('granularity')))}"
        )
    return sentence(
        f"{phrase}, accumulated since the start of the {grain}" if grain else f"{phrase}, accumulated over time"
    )


def _derived(params: Mapping[str, object]) -> str:
    inputs = params.get("metrics")
    for given in inputs if isinstance(inputs, list) else ():
        _input(given)
    expression = str(params.get("expr") or "")
    if not expression:
        raise UnsayableError("it has no expression")
    return sentence(f"computed from other metrics as {words.code(' '.join(expression.split()))}")


def _input(given: object) -> str:
    """A metric that goes into another one as it is.

    Raises:
        UnsayableError: it goes into it filtered, moved in time, or under another name.
    """
    metric = _mapping(given)
    if not metric.get("name") or any(value for key, value in metric.items() if key != "name"):
        raise UnsayableError("a metric goes into it filtered, moved in time or renamed")
    return words.code(str(metric["name"]))


def _saved_query(node: Node, project: Project, known: Descriptions) -> _Said:
    params = _mapping(node.properties.get("query_params"))
    if params.get("where") or params.get("limit"):
        raise UnsayableError("which rows it keeps can't be said for certain")
    metrics = [words.code(str(name)) for name in _list(params.get("metrics"))]
    if not metrics:
        raise UnsayableError("it names no metric")
    groups = [_grouped(str(group)) for group in _list(params.get("group_by"))]
    by = f" by {words.listed(groups)}" if groups else ""
    noun = "metric" if len(metrics) == 1 else "metrics"
    return sentence(f"the {noun} {words.listed(metrics)}{by}"), "its definition", "high"


def _grouped(group: str) -> str:
    found = _GROUPED.fullmatch(group.strip())
    if found is None:
        raise UnsayableError("what it is grouped by can't be said for certain")
    return (
        f"{words.code(found['name'])} (per {found['grain'].lower()})" if found["grain"] else words.code(found["name"])
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


_SAYERS: Mapping[str, Callable[[Node, Project, Descriptions], _Said]] = {
    "semantic_model": _semantic_model,
    "metric": _metric,
    "saved_query": _saved_query,
}
