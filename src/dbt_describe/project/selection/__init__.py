"""dbt's node selection over the manifest.

Everything that dbt 1.12 selects by is built in but `result:`, `source_status:` and selectors made by Jinja, which are
handed to the user's own dbt.

Source: https://docs.getdbt.com/reference/node-selection/syntax (2026-11).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from dbt_describe.errors import SelectionError
from dbt_describe.project.nodes import Project
from dbt_describe.project.project_file import read_project_file
from dbt_describe.project.selection.criteria import (
    ASKED_OF_DBT,
    INDIRECT,
    Criterion,
    Indirect,
    Specification,
    criteria_of,
    parse_union,
)
from dbt_describe.project.selection.definitions import Definitions, JinjaInSelectorError, read_definitions
from dbt_describe.project.selection.evaluation import Evaluation, enabled_nodes
from dbt_describe.project.selection.files import files_in_project, may_hold_nodes, nodes_in_files
from dbt_describe.project.selection.selectors import Selectors
from dbt_describe.project.selection.state import Comparison
from dbt_describe.project.selection.wording import nothing_matches, word_matches_nothing

__all__ = [
    "INDIRECT",
    "Indirect",
    "Selection",
    "Selectors",
    "files_in_project",
    "find_nodes",
    "may_hold_nodes",
    "parse_union",
    "select_nodes",
    "word_matches_nothing",
]

AskDbt = Callable[[list[str]], set[str]]
"""Told the options of `dbt ls`, the unique_ids that it lists."""
_MAY_BE_EMPTY = ASKED_OF_DBT | {"state"}
"""Methods by which nothing is selected when all is well."""
_BY_UNRENDERED = "state_modified_compare_more_unrendered_values"
"""A flag of dbt_project.yml.

Source: https://docs.getdbt.com/reference/global-configs/behavior-changes (2026-11).
"""


class Selection(msgspec.Struct, frozen=True):
    """unique_ids in the manifest's order; `unmatched` are the words that match no node of any package."""

    unique_ids: tuple[str, ...]
    unmatched: tuple[str, ...] = ()
    by_default: str = ""
    """The selector of selectors.yml that stands in where none is given."""
    may_be_empty: bool = False
    """By what was asked for, nothing selected is no mistake: nothing has changed."""


def select_nodes(
    project: Project,
    selectors: Selectors = Selectors(),  # noqa: B008 - frozen
    ask_dbt: AskDbt | None = None,
    changed: Iterable[str] | None = None,
    files: Iterable[str] | None = None,
) -> Selection:
    """The project's own nodes that are selected; without any selector the default one of selectors.yml, or all.

    `changed` and `files` leave only nodes in these files, see `nodes_in_files`.

    Raises:
        SelectionError: a selector can't be understood, needs a dbt that isn't there, or matches nothing. What `state:`
            or these leave empty is no error: nothing has changed.
    """
    found = find_nodes(project, selectors, ask_dbt)
    own = tuple(unique_id for unique_id in found.unique_ids if project.is_own(project.nodes[unique_id]))
    if not own and (selectors.are_given or found.by_default) and not found.may_be_empty:
        raise SelectionError(nothing_matches(project, selectors, found.unmatched, found.by_default))
    for limit in (changed, files):
        if limit is not None:
            inside = nodes_in_files(project, limit)
            own = tuple(unique_id for unique_id in own if unique_id in inside)
            found = msgspec.structs.replace(found, may_be_empty=True)
    return msgspec.structs.replace(found, unique_ids=own)


def find_nodes(project: Project, selectors: Selectors, ask_dbt: AskDbt | None = None) -> Selection:
    """The nodes that are selected, packages' included, as `dbt ls` does it.

    Macros and groups aren't in dbt's graph; here they match `fqn`, `path`, `file`, `package` and `resource_type`.

    Raises:
        SelectionError: a selector can't be understood, or needs a dbt that isn't there.
    """
    definitions = read_definitions(project.root, selectors.indirect)
    default = "" if selectors.are_given else definitions.default
    if default:
        selectors = msgspec.structs.replace(selectors, selector=default)
    evaluation = Evaluation(project, definitions, lambda: _compare(project, selectors))
    try:
        included, excluded = _specifications(selectors, definitions)
        parts = [part for part in (included, excluded) if part]
        methods = {criterion.method for part in parts for criterion in _all_criteria(part, definitions)}
    except JinjaInSelectorError as error:
        found, methods = _asked(ask_dbt, selectors, f"selector {error.selector} with Jinja"), set[str]()
    else:
        foreign = sorted(methods & ASKED_OF_DBT)
        if foreign:
            found = _asked(ask_dbt, selectors, f"method `{foreign[0]}:`")
        else:
            found = evaluation.select(included) if included else set(enabled_nodes(project))
            found = found - evaluation.select(excluded) if excluded else found
    return Selection(
        unique_ids=tuple(unique_id for unique_id in project.nodes if unique_id in found),
        unmatched=tuple(evaluation.unmatched),
        by_default=default,
        may_be_empty=bool(methods & _MAY_BE_EMPTY),
    )


def _specifications(
    selectors: Selectors, definitions: Definitions
) -> tuple[Specification | None, Specification | None]:
    if selectors.selector:
        return definitions.specification(selectors.selector), None
    included, excluded = (
        parse_union(words, selectors.indirect) if words.strip() else None
        for words in (selectors.select, selectors.exclude)
    )
    return included, excluded


def _all_criteria(
    specification: Specification, definitions: Definitions, inside: frozenset[str] = frozenset()
) -> Iterator[Criterion]:
    """The criteria that it is made of, with those of the selectors that it names; `inside` which ones we are.

    Raises:
        SelectionError: it names a selector that doesn't exist, or can't be understood.
        JinjaInSelectorError: it names one that is made by Jinja.
    """
    for criterion in criteria_of(specification):
        yield criterion
        name = criterion.text
        if criterion.method == "selector" and name not in inside:
            yield from _all_criteria(definitions.specification(name), definitions, inside | {name})


def _asked(ask_dbt: AskDbt | None, selectors: Selectors, what: str) -> set[str]:
    if ask_dbt is None:
        raise SelectionError(f"The {what} needs dbt itself, which isn't there.")
    return ask_dbt(selectors.options())


def _compare(project: Project, selectors: Selectors) -> Comparison:
    if selectors.state_manifest is None:
        raise SelectionError(
            "Got a state selector method, but no comparison manifest: pass --state with the directory of an older "
            "manifest.json."
        )
    if project.manifest_path is None:
        raise SelectionError("There is no manifest to compare the state with.")
    flags = read_project_file(project.root).get("flags")
    by_unrendered = isinstance(flags, Mapping) and flags.get(_BY_UNRENDERED) is True
    return Comparison(project.manifest_path, selectors.state_manifest, by_unrendered=by_unrendered)
