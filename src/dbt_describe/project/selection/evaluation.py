"""What a specification selects: its criteria's nodes, their neighbours, and the tests that come along."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dbt_describe.errors import SelectionError
from dbt_describe.project.graph import ALL, neighbours_of, reachable
from dbt_describe.project.nodes import Node, Project
from dbt_describe.project.selection.criteria import Combination, Criterion, Indirect, Specification
from dbt_describe.project.selection.definitions import Definitions
from dbt_describe.project.selection.methods import matcher_of
from dbt_describe.project.selection.state import Comparison

_TESTS = frozenset({"test", "unit_test"})

Selected = tuple[set[str], set[str]]
"""unique_ids that are selected, and tests that would be with more of their parents."""


def enabled_nodes(project: Project) -> dict[str, Node]:
    """What can be selected. dbt leaves a disabled source in the manifest, other than a disabled model."""
    return {unique_id: node for unique_id, node in project.nodes.items() if node.config.get("enabled") is not False}


class Evaluation:
    """One project's graph, for any number of criteria."""

    def __init__(self, project: Project, definitions: Definitions, compare: Callable[[], Comparison]) -> None:
        """`compare` is called at the first `state:` criterion."""
        self._project = project
        self._nodes = enabled_nodes(project)
        self._neighbours = neighbours_of(self._nodes)
        self._sources = {unique_id for unique_id, node in self._nodes.items() if node.resource_type == "source"}
        self._definitions = definitions
        self._compare = compare
        self._comparison: Comparison | None = None
        self._resolving: list[str] = []
        self.unmatched: list[str] = []
        """Words of the command line that selected nothing so far."""

    def select(self, specification: Specification) -> set[str]:
        """unique_ids that are selected, packages' included.

        Raises:
            SelectionError: a criterion's value can't be used.
        """
        return self._select(specification)[0]

    def _select(self, specification: Specification) -> Selected:
        if isinstance(specification, Criterion):
            return self._criterion(specification)
        parts = [self._select(part) for part in specification.parts]
        direct = _combined(specification, [direct for direct, _ in parts])
        indirect = _combined(specification, [direct | indirect for direct, indirect in parts])
        direct = self._with_complete_tests(direct, indirect, specification.indirect)
        if specification.written and not direct and specification.written not in self.unmatched:
            self.unmatched.append(specification.written)
        return direct, indirect

    def _criterion(self, criterion: Criterion) -> Selected:
        found = self._matching(criterion)
        selected = set(found)
        if criterion.childrens_parents:
            selected |= reachable(reachable(found, self._neighbours.children), self._neighbours.parents)
        if criterion.parents_depth is not None:
            selected |= reachable(found, self._neighbours.parents, criterion.parents_depth)
        if criterion.children_depth is not None:
            selected |= reachable(found, self._neighbours.children, criterion.children_depth)
        return self._with_tests(selected, criterion.indirect)

    def _matching(self, criterion: Criterion) -> set[str]:
        if criterion.method == "selector":
            return self._by_selector(criterion.text)
        if criterion.method == "state":
            self._comparison = self._comparison or self._compare()
            is_so = self._comparison.test_of(criterion.text)
            return {unique_id for unique_id in self._nodes if is_so(unique_id)}
        matches = matcher_of(criterion, self._project)
        return {unique_id for unique_id, node in self._nodes.items() if matches(node)}

    def _by_selector(self, name: str) -> set[str]:
        if name in self._resolving:
            raise SelectionError(f"The selector {name} of selectors.yml is made of itself.")
        self._resolving.append(name)
        found = self.select(self._definitions.specification(name))
        self._resolving.pop()
        return found

    def _with_tests(self, selected: set[str], indirect: Indirect) -> Selected:
        """The selected nodes with the tests of any of them, or, short of `eager`, the tests of nothing else."""
        if indirect == "empty":
            return selected, set()
        tests = {
            child
            for unique_id in selected
            for child in self._neighbours.children.get(unique_id, ())
            if self._nodes[child].resource_type in _TESTS
        }
        if indirect == "eager":
            return selected | tests, set()
        enough = self._buildable(selected) if indirect == "buildable" else selected
        direct = {test for test in tests if set(self._nodes[test].depends_on) <= enough}
        return selected | direct, tests - direct

    def _with_complete_tests(self, direct: set[str], indirect: set[str], mode: Indirect) -> set[str]:
        """With those tests whose parents are all there, now that selections are put together."""
        if mode in ("eager", "empty"):
            return direct
        enough = self._buildable(direct, with_sources=False) if mode == "buildable" else direct
        tests = (unique_id for unique_id in indirect if self._nodes[unique_id].resource_type == "test")
        return direct | {test for test in tests if set(self._nodes[test].depends_on) <= enough}

    def _buildable(self, selected: set[str], *, with_sources: bool = True) -> set[str]:
        """What is there once the selected nodes are built: they and all that they are built from."""
        return reachable(selected, self._neighbours.parents, ALL) | (self._sources if with_sources else set())


def _combined(combination: Combination, parts: Iterable[set[str]]) -> set[str]:
    first, *others = (*parts,) or (set[str](),)
    if combination.operator == "union":
        return first.union(*others)
    return first.intersection(*others) if combination.operator == "intersection" else first.difference(*others)
