"""One file of a prompt template: read, checked by itself, and written.

name: model                # optional; the file's own
version: 1
description: What it is for.   # optional; for people
extends: base              # optional: what is left out here is taken from there
parameters: {temperature: 0.0}
output: {column_words: 30, node_words: 60}
words: {part: column}      # plain text by name, as the bodies use it: what differs between resource types
style: |                   # Jinja; how descriptions are written: `style_section` in `system`
  …
system: |                  # Jinja; the same for every node, so that providers can cache it
  …
user: |                    # Jinja; the facts
  …
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml

from dbt_describe.errors import PromptError

LARGEST_TEMPLATE_BYTES = 262_144
BODIES = ("style", "system", "user")
_MAPPINGS = ("parameters", "output", "words")
KEYS = ("name", "version", "description", "extends", *_MAPPINGS, *BODIES)
_ODD_ENDS = frozenset("\r\x85\u2028\u2029")
_MERGE = "tag:yaml.org,2002:merge"


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the model is asked. `temperature` None leaves it to the provider."""

    temperature: float | None = None


class Output(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the descriptions should be."""

    column_words: Annotated[int, msgspec.Meta(ge=1)] = 30
    node_words: Annotated[int, msgspec.Meta(ge=1)] = 60


class Body(msgspec.Struct, frozen=True):
    """A Jinja body and where it stands: `line` is the file's line of its first line."""

    source: str
    path: Path
    line: int


Version = Annotated[str, msgspec.Meta(pattern=r"^[\w.-]{1,40}$")]
_TYPES: Mapping[str, Any] = {
    "version": Version | int | float,
    "extends": str | None,
    "parameters": Parameters,
    "output": Output,
    "words": dict[str, str],
}


def read_template_file(path: Path) -> dict[str, Any]:
    """The file's fields as they stand, bodies as Body.

    Raises:
        PromptError: it can't be read, is too large, or isn't what a template is; the message names the line.
    """
    root = _read_yaml(path)
    if not isinstance(root, yaml.MappingNode):
        raise PromptError(f"{path}:1: a template is a mapping with the keys {', '.join(KEYS)}.")
    fields: dict[str, Any] = {}
    for key, node in root.value:
        where = f"{path}:{key.start_mark.line + 1}"
        if problem := _problem_with(key, node, fields):
            raise PromptError(f"{where}: {problem}.")
        fields[key.value] = value = _value(node)
        if problem := _problem_with_value(key.value, value, path):
            raise PromptError(f"{where}: {problem}.")
        if key.value in BODIES:
            # The text of a block scalar begins on the line after its indicator.
            line = node.start_mark.line + (2 if node.style in {"|", ">"} else 1)
            fields[key.value] = Body(value, path, line)
    return fields


def write_template(fields: Mapping[str, object]) -> str:
    """The fields as a file, bodies as blocks. Empty ones are left out."""
    return yaml.dump(
        {key: fields[key] for key in KEYS if fields.get(key) not in (None, "", {})},
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=2**31,
    )


def _read_yaml(path: Path) -> yaml.Node | None:
    """The file's nodes: nothing that they refer to is made yet, however often."""
    try:
        if path.stat().st_size > LARGEST_TEMPLATE_BYTES:
            raise PromptError(f"{path} is larger than {LARGEST_TEMPLATE_BYTES:,} bytes.")
        return yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"{path} can't be read: {error}.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise PromptError(f"{path}:{line}: {getattr(error, 'problem', None) or 'not valid YAML'}.") from error
    except RecursionError as error:
        raise PromptError(f"{path} is nested too deep for a template.") from error


def _problem_with(key: yaml.Node, node: yaml.Node, before: Mapping[str, Any]) -> str:
    """What is wrong with one of the file's keys and the shape of its value, or an empty string."""
    if not isinstance(key, yaml.ScalarNode) or key.value not in KEYS:
        said = repr(key.value) if isinstance(key, yaml.ScalarNode) else "that is no word"
        return f"unknown key {said}; known are {', '.join(sorted(KEYS))}"
    if key.value in before:
        return f"{key.value} stands here a second time"
    if key.value in _MAPPINGS and not isinstance(node, yaml.MappingNode):
        return f"{key.value} must be a mapping"
    if key.value not in _MAPPINGS and not isinstance(node, yaml.ScalarNode):
        return f"{key.value} must be text"
    if isinstance(node, yaml.MappingNode):
        if any(not isinstance(part, yaml.ScalarNode) for pair in node.value for part in pair):
            return f"{key.value} holds plain values by name, nothing inside of them"
        names = [name.value for name, _ in node.value]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            return f"{key.value} has {', '.join(twice)} twice"
        if any(name.tag == _MERGE for name, _ in node.value):
            return f"{key.value} has a <<, which isn't read here"
    return ""


def _value(node: yaml.Node) -> Any:
    return yaml.SafeLoader("").construct_document(node)


def _problem_with_value(key: str, value: Any, path: Path) -> str:
    if key in {*BODIES, "description"} and not isinstance(value, str):
        return f"{key} must be text"
    if key == "name" and value != path.stem:
        return f"the name is {value!r}, but the file's is {path.stem!r}"
    if key in _TYPES:
        try:
            msgspec.convert(value, _TYPES[key])
        except msgspec.ValidationError as error:
            return f"{key}: {error}"
    return ""


class _Dumper(yaml.SafeDumper):
    """Texts of several lines stand as blocks, as people write them."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # Other ends of lines than this one would become it.
    style = '"' if _ODD_ENDS & set(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
