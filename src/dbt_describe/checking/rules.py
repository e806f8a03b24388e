"""What is wrong with single descriptions, rule by rule."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from dbt_describe.answers.restating import restates
from dbt_describe.checking.agreement import Agreement
from dbt_describe.checking.leftovers import Leftovers
from dbt_describe.checking.naming import file_of, label_of
from dbt_describe.checking.problems import Problem, Rule
from dbt_describe.lineage.origins import ColumnRef, Lineage, Unknown
from dbt_describe.planning import NOT_RETURNED
from dbt_describe.project.nodes import Node, Project
from dbt_describe.provenance.entries import HUMAN, Place
from dbt_describe.provenance.standings import Standing, Standings

_Found = tuple[Rule, str]
"""What is wrong, as the rest of a sentence that begins with the name."""
_LONGEST_SHOWN = 60


class Rules:
    """The rules for descriptions of their own, over what is known of a project."""

    def __init__(self, project: Project, lineage: Lineage, standings: Standings) -> None:
        self._project = project
        self._lineage = lineage
        self._standings = standings
        self._agreement = Agreement(project, lineage)
        self._leftovers = Leftovers(project)

    def problems_of(self, unique_id: str, undescribable: Collection[Place] = frozenset()) -> Iterator[Problem]:
        """What is wrong with the node's own description, then with its columns', in their order."""
        node = self._project.nodes[unique_id]
        for standing in self._standings.of_node(unique_id):
            if standing.place in undescribable and not standing.text:
                continue
            for rule, rest in self._of(node, standing):
                message = f"{label_of(node, standing.column)} {rest}"
                yield Problem(rule, message, path=file_of(node), unique_id=unique_id, column=standing.column)

    def _of(self, node: Node, standing: Standing) -> Iterator[_Found]:
        if standing.state in _WITHOUT_TEXT:
            yield _WITHOUT_TEXT[standing.state](standing, self._is_gone(standing))
            return
        if self._is_gone(standing):
            yield "stale", "is described, and its SQL doesn't return it: was it renamed? Take it out of the schema file."
            return
        if standing.state == "stale":
            yield "stale", _stale(standing)
        elif standing.column and (other := self._contradicted(standing)):
            advice = "let both say the same, or run `dbt-describe adopt` if both are right."
            yield "inconsistent", f"is described otherwise than {other}, whose values it holds: {advice}"
        if piece := self._leftovers.find(node, standing.text):
            yield "jinja", f"holds `{piece}`, which dbt didn't render: mend it, or put it between raw tags."
        elif self._restates(node, standing):
            yield "restating", f'is described as "{_shown(standing.text)}", which its name says already: say more.'

    def _contradicted(self, standing: Standing) -> str:
        """What says something else of the same values; not what we wrote upstream of what a person had said.

        A person who adopted the text has said that it is right so.
        """
        is_adopted = standing.state == "human" and standing.writer == HUMAN
        source = None if is_adopted else self._agreement.contradicted(_ref(standing))
        if source is None:
            return ""
        upstream = self._project.nodes[source.unique_id]
        if standing.state == "human":
            place = source.unique_id, source.column
            if any(found.is_ours for found in self._standings.of_node(source.unique_id) if found.place == place):
                return ""
        return label_of(upstream, source.column)

    def _is_gone(self, standing: Standing) -> bool:
        """Whether only the schema file has the column."""
        origin = self._lineage.origin(_ref(standing)) if standing.column else None
        if not isinstance(origin, Unknown) or origin.reason != NOT_RETURNED:
            return False
        column = self._project.nodes[standing.unique_id].column(standing.column)
        return column is not None and not column.data_type

    def _restates(self, node: Node, standing: Standing) -> bool:
        """A copy is judged where its text was first given, if that is in the project, too."""
        if not standing.column:
            return restates(standing.text, node.name)
        if not restates(standing.text, standing.column):
            return False
        source = self._agreement.source_of(_ref(standing))
        upstream = self._project.nodes.get(source.unique_id) if source else None
        if source is None or upstream is None:
            return True
        return not self._project.is_own(upstream) and restates(standing.text, source.column)


def _ref(standing: Standing) -> ColumnRef:
    return ColumnRef(*standing.place)


def _missing(standing: Standing, is_gone: bool) -> _Found:
    if is_gone:
        return "missing", "has no description, and its SQL doesn't return it: take it out of the schema file."
    return "missing", "has no description: write one, or run `dbt-describe document`."


def _unknown(standing: Standing, is_gone: bool) -> _Found:
    reason = standing.reason.rstrip(".") or "the model couldn't tell"
    return "missing", f"has no description (asked, and not known: {reason}): write one."


def _placeholder(standing: Standing, is_gone: bool) -> _Found:
    shown = _shown(standing.text)
    return "placeholder", f'is described as "{shown}": write what it is, or run `dbt-describe document`.'


_WITHOUT_TEXT: Mapping[str, Callable[[Standing, bool], _Found]] = {
    "missing": _missing,
    "unknown": _unknown,
    "placeholder": _placeholder,
}


def _stale(standing: Standing) -> str:
    if standing.is_ours:
        return f"is out of date: {standing.reason}. Run `dbt-describe document`."
    return f"may be out of date: {standing.reason}. Read it again, then run `dbt-describe adopt`."


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_SHOWN else f"{line[: _LONGEST_SHOWN - 1]}…"
