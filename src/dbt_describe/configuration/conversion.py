"""Plain values into the types of the settings, with every fault said in one line of its own."""

from __future__ import annotations

import difflib
import math
import types
from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from dbt_describe.configuration.documents import Document, Keys, shown
from dbt_describe.configuration.literals import holds_secret, is_secret_place
from dbt_describe.configuration.variables import ADVICE, expand, has_variable
from dbt_describe.configuration.wording import wanted
from dbt_describe.errors import DbtDescribeError
from dbt_describe.llm.failures import quotable

Annotation = Any
"""A type as it stands at a field."""


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with a value, where. `variable` is the one that isn't set, if it is that."""

    keys: Keys
    message: str
    variable: str = ""


class Conversion:
    """Turns what one document says into typed values, and collects what can't be."""

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self._document = document
        self._environ = environ
        self.faults: list[Fault] = []

    def fields(
        self, kind: type[msgspec.Struct], value: object, keys: Keys, leave_out: Collection[str] = ()
    ) -> dict[str, Any]:
        """The fields of `kind` that are given, converted; `leave_out` are those that aren't settings."""
        if not isinstance(value, Mapping):
            self.complain(keys, "must be a mapping, as `key: value` lines")
            return {}
        known = {field.encode_name: field for field in msgspec.structs.fields(kind) if field.name not in leave_out}
        self.refuse_unknown(value, known, keys)
        given: dict[str, Any] = {}
        for name, field in known.items():
            if value.get(name) is None:
                if field.required:
                    self.complain((*keys, name), "is missing")
                continue
            converted = self.convert(field.type, value[name], (*keys, name))
            if converted is not msgspec.UNSET:
                given[field.name] = converted
        return given

    def struct(self, kind: type[msgspec.Struct], value: object, keys: Keys) -> Any:
        """A `kind`, or UNSET after a complaint."""
        before = len(self.faults)
        given = self.fields(kind, value, keys)
        if any(not fault.variable for fault in self.faults[before:]):
            return msgspec.UNSET
        try:
            return kind(**given)
        except (ValueError, TypeError, DbtDescribeError) as error:
            if len(self.faults) == before:
                self.complain(keys, f"can't be used: {quotable(error)}")
            return msgspec.UNSET

    def convert(self, annotation: Annotation, value: object, keys: Keys) -> Any:
        """The value in the annotation's type, or UNSET after a complaint."""
        kind = _struct_of(annotation)
        if kind is not None:
            return self.struct(kind, value, keys)
        if isinstance(value, Mapping):
            annotation = next((member for member in _members(annotation) if _is_mapping(member)), annotation)
        if not _is_mapping(annotation):
            return self._leaf(annotation, value, keys)
        if not isinstance(value, Mapping):
            self.complain(keys, "must be a mapping, as `key: value` lines")
            return msgspec.UNSET
        key_type, value_type = get_args(annotation)
        if _origin(key_type) is Literal:
            self.refuse_unknown(value, get_args(key_type), keys)
        converted = {
            name: self.convert(value_type, item, (*keys, name)) for name, item in value.items() if item is not None
        }
        return {name: item for name, item in converted.items() if item is not msgspec.UNSET}

    def refuse_unknown(self, value: Mapping[str, object], known: Iterable[str], keys: Keys) -> None:
        """Complain of each key that isn't among the known ones."""
        names = tuple(known)
        for name in value:
            if name not in names:
                nearest = difflib.get_close_matches(name, names, n=1)
                hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(sorted(names))}"
                self.complain((*keys, name), f"is no setting; {hint}")

    def complain(self, keys: Keys, message: str, variable: str = "") -> None:
        """Note a fault: file and line, the keys, then `message`."""
        said = f"{self._document.where(keys)}: {f'{shown(keys)} ' if keys else ''}{message}"
        self.faults.append(Fault(keys, said.rstrip(".") + ("" if said.endswith("?") else "."), variable))

    def _leaf(self, annotation: Annotation, value: object, keys: Keys) -> Any:
        if holds_secret(keys, value):
            self.complain(
                keys,
                "holds a secret. Write it as ${NAME} and set the environment variable NAME; revoke it if others saw it",
            )
            return msgspec.UNSET
        if not self._can_expand(value, keys):
            return msgspec.UNSET
        plain = _as_written_in_yaml_1_2(self._expanded(value), annotation)
        try:
            converted = msgspec.convert(plain, annotation, strict=not _has_variable(value))
        except msgspec.ValidationError:
            converted = msgspec.UNSET
        if converted is msgspec.UNSET or not _is_usable_number(converted):
            # As written in the file: a variable's own text may be a secret.
            is_shown = not is_secret_place(keys) and not isinstance(value, (list, Mapping))
            self.complain(
                keys, f"{f'is `{_as_in_yaml(value)}`; it ' if is_shown else ''}must be {wanted(annotation, value)}"
            )
            return msgspec.UNSET
        return converted

    def _can_expand(self, value: object, keys: Keys) -> bool:
        """Whether all variables of the value are known; complains of one that isn't."""
        for text in _texts(value):
            expansion = expand(text, self._environ)
            if expansion.is_malformed:
                self.complain(keys, f"has a ${{ that names no variable; {ADVICE}")
            elif expansion.missing:
                name = expansion.missing[0]
                or_else = "" if is_secret_place(keys) else f", or write ${{{name}:-default}}"
                self.complain(keys, f"needs the environment variable {name}, which isn't set. Set it{or_else}", name)
            else:
                continue
            return False
        return True

    def _expanded(self, value: object) -> object:
        if isinstance(value, list):
            return [self._expanded(item) for item in value]
        if isinstance(value, Mapping):
            return {name: self._expanded(item) for name, item in value.items()}
        return expand(value, self._environ).text if isinstance(value, str) else value


def _as_in_yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else quotable(value)


def _texts(value: object) -> Iterator[str]:
    """Every text in the value."""
    if isinstance(value, str):
        yield value
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for item in items:
        yield from _texts(item)


def _has_variable(value: object) -> bool:
    """Whether a variable's text may stand for a number or a truth value."""
    return any(has_variable(text) for text in _texts(value))


def _is_usable_number(value: object) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite() and value >= 0
    return not isinstance(value, float) or math.isfinite(value)


def _as_written_in_yaml_1_2(value: object, annotation: Annotation) -> object:
    """`off` is false to YAML 1.1; where it is one of the words to choose from, it is meant as one."""
    if isinstance(value, bool):
        words = {word for member in _members(annotation) if _origin(member) is Literal for word in get_args(member)}
        return next((word for word in (("on", "yes") if value else ("off", "no")) if word in words), value)
    return value


def _origin(annotation: object) -> object:
    """As typing's, without its many overloads."""
    return get_origin(annotation)


def _members(annotation: Annotation) -> tuple[Annotation, ...]:
    """The alternatives of a union; anything else alone."""
    return get_args(annotation) if _origin(annotation) in {Union, types.UnionType} else (annotation,)


def _struct_of(annotation: Annotation) -> type[msgspec.Struct] | None:
    found = [
        member for member in _members(annotation) if isinstance(member, type) and issubclass(member, msgspec.Struct)
    ]
    return found[0] if found else None


def _is_mapping(annotation: Annotation) -> bool:
    """Whether it is `Mapping[…]` or `dict[…]`."""
    origin = _origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Mapping)
