"""selectors.yml: selectors that the project names.

    selectors:
      - name: nightly
        default: true
        definition:
          union:
            - method: tag
              value: nightly
              children: true
            - "path:models/marts"
            - exclude:
                - method: selector
                  value: slow

Source: https://docs.getdbt.com/reference/node-selection/yaml-selectors (2026-11), and how dbt 1.11 reads them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

import msgspec
import yaml

from dbt_describe.errors import SelectionError
from dbt_describe.project.graph import ALL
from dbt_describe.project.selection.criteria import (
    INDIRECT,
    Combination,
    Criterion,
    Indirect,
    Specification,
    parse_criterion,
    parse_method,
)

SELECTORS_FILE = "selectors.yml"


class JinjaInSelectorError(Exception):
    """What Jinja makes of a selector, only dbt knows."""

    def __init__(self, selector: str) -> None:
        super().__init__(selector)
        self.selector = selector


class Definition(msgspec.Struct, frozen=True):
    """One selector as it is written."""

    name: str
    definition: object
    is_default: bool = False


class Definitions:
    """The selectors of a project, in the file's order."""

    def __init__(self, path: Path, definitions: Mapping[str, Definition], indirect: Indirect = "eager") -> None:
        """`indirect` is for criteria that don't say it themselves."""
        self._path = path
        self._definitions = definitions
        self._indirect = indirect

    @property
    def default(self) -> str:
        """The selector that stands where nothing is selected, or empty."""
        return next((definition.name for definition in self._definitions.values() if definition.is_default), "")

    def specification(self, name: str) -> Specification:
        """What the selector of that name asks for.

        Raises:
            SelectionError: there is none, or it can't be understood.
            JinjaInSelectorError: it is made by Jinja.
        """
        if name not in self._definitions:
            raise SelectionError(self._unknown(name))
        reading = _Reading(name, self._path, self._indirect, self._before(name))
        return reading.specification(self._definitions[name].definition, is_root=True)

    def _before(self, name: str) -> Definitions:
        """Those that it may build upon: dbt knows a selector only after it has read it."""
        names = list(self._definitions)
        earlier = {each: self._definitions[each] for each in names[: names.index(name)]}
        return Definitions(self._path, earlier, self._indirect)

    def _unknown(self, name: str) -> str:
        names = list(self._definitions)
        if not names:
            why = "has none that it could be" if self._path.exists() else "doesn't exist"
            return f"Could not find selector named {name}: {self._path} {why}."
        near = difflib.get_close_matches(name, names, 3) or names
        return f"Could not find selector named {name}, expected one of {', '.join(near)} ({self._path})."


class _Reading(msgspec.Struct, frozen=True):
    """How one selector of the file is read."""

    name: str
    path: Path
    indirect: Indirect
    known: Definitions

    @property
    def where(self) -> str:
        return f"{self.path}, selector {self.name}"

    def specification(self, definition: object, *, is_root: bool = False) -> Specification:
        if isinstance(definition, str):
            self._refuse_jinja(definition)
            return parse_criterion(definition, self.indirect)
        if not isinstance(definition, Mapping):
            raise self.error(f"expected union, intersection, a text or a mapping, found `{definition}`")
        operators = definition.keys() & {"union", "intersection"}
        if operators and is_root and len(definition) > 1:
            found = ", ".join(map(str, definition))
            raise self.error(f"only a single `union` or `intersection` key is allowed at its root; found {found}")
        if "union" in definition:
            return self._combination("union", definition["union"])
        if "intersection" in definition:
            return self._combination("intersection", definition["intersection"])
        return self._criterion(definition)

    def _combination(self, operator: str, parts: object) -> Specification:
        included: list[Specification] = []
        excluded: Specification | None = None
        for part in self._list(parts, operator):
            if isinstance(part, Mapping) and "exclude" in part:
                if excluded is not None:
                    raise self.error(f"`{operator}` has more than one `exclude`: put them into one list")
                excluded = self._exclusion(part["exclude"])
            else:
                included.append(self.specification(part))
        combined = Combination("union" if operator == "union" else "intersection", tuple(included))
        return combined if excluded is None else Combination("difference", (combined, excluded))

    def _exclusion(self, parts: object) -> Specification | None:
        excluded = tuple(self.specification(part) for part in self._list(parts, "exclude"))
        if not excluded:
            return None
        return excluded[0] if len(excluded) == 1 else Combination("union", excluded)

    def _criterion(self, definition: Mapping[object, object]) -> Specification:
        if len(definition) == 1:
            ((method, value),) = definition.items()
            return self._made({"method": method, "value": value})
        if definition.get("method") == "selector":
            self._refuse_jinja(str(definition.get("value")))
            return self.known.specification(str(definition.get("value")))
        if not {"method", "value"} <= definition.keys():
            found = ", ".join(map(str, definition))
            raise self.error(f'expected either 1 key or else "method" and "value" keys, but got {found}')
        criterion = self._made(definition)
        excluded = self._exclusion(definition["exclude"]) if "exclude" in definition else None
        return criterion if excluded is None else Combination("difference", (criterion, excluded))

    def _made(self, definition: Mapping[object, object]) -> Criterion:
        self._refuse_jinja(str(definition["value"]))
        if definition.get("children") and definition.get("childrens_parents"):
            raise self.error('"@" (childrens_parents) and "+" (children) are incompatible')
        indirect = next((known for known in INDIRECT if known == definition.get("indirect_selection")), None)
        if indirect is None and "indirect_selection" in definition:
            raise self.error(f"indirect_selection must be one of {', '.join(INDIRECT)}")
        method, arguments = parse_method(str(definition["method"]), self.where)
        return Criterion(
            method=method,
            value=definition["value"],
            arguments=arguments,
            parents_depth=self._depth(definition, "parents"),
            children_depth=self._depth(definition, "children"),
            childrens_parents=bool(definition.get("childrens_parents")),
            indirect=indirect or self.indirect,
        )

    def _depth(self, definition: Mapping[object, object], direction: str) -> int | None:
        if not definition.get(direction):
            return None
        depth = definition.get(f"{direction}_depth")
        if not depth:
            return ALL
        try:
            return int(str(depth))
        except ValueError:
            raise self.error(f"{direction}_depth must be a number, and is `{depth}`") from None

    def _list(self, parts: object, key: str) -> list[object]:
        if not isinstance(parts, list):
            raise self.error(f'invalid value for key "{key}": expected a list')
        return parts

    def _refuse_jinja(self, text: str) -> None:
        if "{{" in text or "{%" in text:
            raise JinjaInSelectorError(self.name)

    def error(self, reason: str) -> SelectionError:
        return SelectionError(
            f"{self.where}: {reason}. See https://docs.getdbt.com/reference/node-selection/yaml-selectors"
        )


def read_definitions(project_dir: Path, indirect: Indirect = "eager") -> Definitions:
    """The selectors of the project's selectors.yml; none where there is no such file.

    Raises:
        SelectionError: the file can't be read, or isn't what dbt takes for one.
    """
    path = project_dir / SELECTORS_FILE
    if not path.exists():
        return Definitions(path, {}, indirect)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())
        raise SelectionError(f"{path} can't be read: {said}. Correct it, and check it with `dbt parse`.") from error
    found: dict[str, Definition] = {}
    for entry in _entries(content, path):
        found[entry.name] = entry
    defaults = [definition.name for definition in found.values() if definition.is_default]
    if len(defaults) > 1:
        raise SelectionError(f"{path}: found multiple selectors with `default: true`: {' and '.join(defaults)}.")
    return Definitions(path, found, indirect)


def _entries(content: object, path: Path) -> list[Definition]:
    selectors = content.get("selectors") if isinstance(content, Mapping) else content
    if content is None or (isinstance(content, Mapping) and selectors is None):
        return []
    if not isinstance(selectors, list):
        raise SelectionError(f"{path} has no list `selectors:`, so dbt can't read it.")
    entries = []
    for number, entry in enumerate(selectors, 1):
        if not isinstance(entry, Mapping) or "name" not in entry or "definition" not in entry:
            raise SelectionError(f"{path}: selector {number} needs `name:` and `definition:`.")
        entries.append(Definition(str(entry["name"]), entry["definition"], entry.get("default") is True))
    return entries
