"""What is made from the settings' types: the JSON schema that is shipped, and docs/reference/configuration.md.

`python -m tests.configuration.reference` writes both, and the file that the tests compare `init`'s with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec

import dbt_describe
from dbt_describe.checking.thresholds import CheckSettings, CoverageSettings
from dbt_describe.configuration.files import NO_SETTINGS, BatchesConfig, Own
from dbt_describe.configuration.starter import starter_text
from dbt_describe.configuration.survey import Survey
from dbt_describe.configuration.wording import wanted
from dbt_describe.llm.config import (
    Budget,
    EndpointConfig,
    Limits,
    LlmConfig,
    ModelConfig,
    Prices,
    RetryConfig,
    RouteConfig,
    SmallTasks,
    Timeouts,
)
from dbt_describe.llm.registry import find_spec, our_provider_names
from dbt_describe.llm.specs import ProviderSpec
from dbt_describe.prompting.config import PromptingConfig, Style
from dbt_describe.schema_files import PLACEHOLDERS
from tests.configuration.fields import Setting, for_people, settings_of

SCHEMA = Path(dbt_describe.__file__).with_name("dbt-describe.schema.json")
PAGE = Path(__file__).parents[2] / "docs/reference/configuration.md"
Schema = dict[str, Any]

_VARIABLE = {"$ref": "#/$defs/Variable"}
_SECTIONS: tuple[tuple[str, type[msgspec.Struct]], ...] = (
    ("routes.draft", RouteConfig),
    ("small_tasks", SmallTasks),
    ("endpoints.NAME", EndpointConfig),
    ("endpoints.NAME.limits", Limits),
    ("models.MODEL", ModelConfig),
    ("models.MODEL.prices", Prices),
    ("timeouts", Timeouts),
    ("retry", RetryConfig),
    ("batches", BatchesConfig),
    ("budget", Budget),
    ("style", Style),
    ("check", CheckSettings),
    ("check.coverage", CoverageSettings),
)
PARTS: tuple[type[msgspec.Struct], ...] = (LlmConfig, Own, PromptingConfig)
"""What the file's settings are in."""
GOLDEN = Path(__file__).parent / "starter_golden.yml"
SURVEYED = Survey("shop", 3, model="openai/gpt-6-luna")
_HEAD = (Path(__file__).parent / "configuration_head.md").read_text(encoding="utf-8")


def top_level() -> list[Setting]:
    return [setting for kind in PARTS for setting in settings_of(kind) if setting.name not in NO_SETTINGS]


def our_specs() -> dict[str, tuple[ProviderSpec, list[str]]]:
    """Our providers by their own name, each with its other names."""
    specs: dict[str, tuple[ProviderSpec, list[str]]] = {}
    for name in our_provider_names():
        spec = find_spec(name)
        others = specs.setdefault(spec.name, (spec, []))[1]
        if name != spec.name:
            others.append(name)
    return specs


def make_schema() -> Schema:
    """The JSON schema of the file (draft 7: what editors know best)."""
    kinds = {spec.name: spec.config for spec, _ in our_specs().values()}
    types: tuple[type[msgspec.Struct], ...] = tuple(dict.fromkeys((*PARTS, EndpointConfig, *kinds.values())))
    references, components = msgspec.json.schema_components(types, ref_template="#/$defs/{name}", schema_hook=_anything)
    names: dict[type[msgspec.Struct], str] = {
        kind: str(reference["$ref"]).rpartition("/")[2] for kind, reference in zip(types, references, strict=True)
    }
    for kind in {*names, *(kind for _, kind in _SECTIONS)}:
        _describe(components[names.get(kind, kind.__name__)], kind)
    parts = [components.pop(names[kind]) for kind in PARTS]
    properties = {name: found for part in parts for name, found in part["properties"].items()}
    for name in NO_SETTINGS:
        del properties[name]
    by_provider = {name: names[kind] for name, kind in kinds.items()}
    properties["endpoints"] |= _endpoints(by_provider)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "dbt-describe.yml",
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": False,
        "$defs": {
            **components,
            "NamedEndpoint": _named_endpoint(by_provider),
            "Variable": {"type": "string", "pattern": r"\$\{[A-Za-z_]\w*(:-[^}]*)?\}", "title": "${NAME}"},
        },
    }


def _anything(kind: type) -> Schema:
    """What is sent on as it stands may be anything."""
    if kind is object:
        return {"title": "anything"}
    raise NotImplementedError(kind)


def _describe(component: Schema, kind: type[msgspec.Struct]) -> None:
    component.pop("title", None)
    component["description"] = for_people(component.get("description", ""))
    if not component.get("required", True):
        del component["required"]
    for setting in settings_of(kind):
        found = _loosened(component["properties"][setting.name])
        default = component["properties"][setting.name].get("default")
        for member in (setting.annotation, *get_args(setting.annotation)):
            if get_origin(member) is Mapping and get_args(member)[0] is not str:
                mapping = next(one for one in found["anyOf"] if one.get("type") == "object")
                mapping["propertyNames"] = {"enum": sorted(get_args(get_args(member)[0]))}
        if setting.description:
            found["description"] = setting.description
        if isinstance(default, (str, bool, int, float)) and default != "":
            found["default"] = default
        component["properties"][setting.name] = found


def _loosened(schema: Schema) -> Schema:
    """With variables in the place of numbers and truth values, and nothing at all where lines are commented out."""
    alternatives = list(_alternatives(schema))
    plain = {"type": "null"}
    if any(found.get("type") in {"integer", "number", "boolean"} or "enum" in found for found in alternatives):
        alternatives.append(_VARIABLE)
    return {"anyOf": [*alternatives, plain]}


def _alternatives(schema: Schema) -> Iterator[Schema]:
    for found in schema.get("anyOf", [schema]):
        kept = {key: value for key, value in found.items() if key != "default"}
        if kept.get("format") == "decimal":
            yield {"type": "number", "minimum": 0}
            yield {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}
        elif "enum" in kept:
            # YAML 1.1 reads `off` as false.
            yield {"enum": [*kept["enum"], *([False] if "off" in kept["enum"] else [])]}
        elif kept.get("type") != "null":
            yield kept


def _named_endpoint(names: dict[str, str]) -> Schema:
    """The shape of the provider which `provider` names; one of other packages may have any."""
    return {
        "type": ["object", "null"],
        "allOf": [
            {
                "if": {
                    "type": "object",
                    "properties": {"provider": {"enum": [name, *others]}},
                    "required": ["provider"],
                },
                "then": {"$ref": f"#/$defs/{names[name]}"},
            }
            for name, (_, others) in our_specs().items()
        ],
    }


def _endpoints(names: dict[str, str]) -> Schema:
    """Entries by name: a provider's own shape, unless `provider` names another one."""
    named_endpoint = {"$ref": "#/$defs/NamedEndpoint"}
    own = {
        alias: {
            "if": {"type": "object", "required": ["provider"]},
            "then": named_endpoint,
            "else": {"anyOf": [{"$ref": f"#/$defs/{names[name]}"}, {"type": "null"}]},
        }
        for name, (_, others) in our_specs().items()
        for alias in (name, *others)
    }
    return {"anyOf": [{"type": "object", "properties": own, "additionalProperties": named_endpoint}, {"type": "null"}]}


def render_schema() -> str:
    return json.dumps(make_schema(), indent=2, ensure_ascii=False) + "\n"


def render_page() -> str:
    """The page: its head as it is written, then a table for each part of the file."""
    parts = [_HEAD, "\n## Top level\n\n", _table(top_level())]
    parts += ["\n## Placeholders of `schema_path`\n\n", _placeholders()]
    for where, kind in _SECTIONS:
        parts += [f"\n## `{where}`\n\n{_first_paragraph(kind)}\n\n", _table(settings_of(kind))]
        if kind is EndpointConfig:
            parts += list(_provider_settings())
    return "".join([*parts, "\n## Providers\n\n", _providers()])


def _provider_settings() -> Iterator[str]:
    common = EndpointConfig.__struct_fields__
    for spec, _ in our_specs().values():
        more = [setting for setting in settings_of(spec.config) if setting.name not in common]
        if more:
            yield f"\nFor {spec.title} (`provider: {spec.name}`) also:\n\n{_table(more)}"


def _first_paragraph(kind: type[msgspec.Struct]) -> str:
    return for_people((kind.__doc__ or "").split("\n\n")[0])


def _table(settings: Iterator[Setting] | list[Setting]) -> str:
    rows = "".join(
        f"| `{setting.name}` | {_kind(setting)} | {_default(setting.default)} | {_cell(setting.description)} |\n"
        for setting in settings
    )
    return f"| key | value | default | meaning |\n|---|---|---|---|\n{rows}"


def _kind(setting: Setting) -> str:
    if "Struct" in str(msgspec.inspect.type_info(setting.annotation)):
        return "see below"
    return _cell(re.sub(r"\ba ", "", wanted(setting.annotation)))


def _default(default: object) -> str:
    if default is msgspec.UNSET:
        return "required"
    if default is None or default == "" or not isinstance(default, (str, bool, int, float)):
        return "–"
    return f"`{json.dumps(default) if isinstance(default, bool) else default}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _placeholders() -> str:
    rows = "".join(f"| `{{{name}}}` | {meaning} |\n" for name, meaning in PLACEHOLDERS.items())
    return f"| placeholder | stands for |\n|---|---|\n{rows}"


def _providers() -> str:
    rows = []
    for spec, others in our_specs().values():
        names = ", ".join(f"`{name}`" for name in (spec.name, *others))
        variables = [_listed(found) for found in (spec.key_variables, spec.url_variables, spec.model_variables)]
        more = _listed(tuple(spec.config_variables.values()))
        rows.append(f"| {spec.title} | {names} | {' | '.join(variables)} | {more} |\n")
    return (
        "| provider | `provider:` | key | URL | model, with `LLM_PROVIDER` | more |\n|---|---|---|---|---|---|\n"
        + "".join(rows)
    )


def _listed(variables: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in variables) or "–"


if __name__ == "__main__":
    SCHEMA.write_text(render_schema(), encoding="utf-8")
    PAGE.write_text(render_page(), encoding="utf-8")
    # The schema that was just written tells what the starter's lines are about.
    GOLDEN.write_text(starter_text(SURVEYED, names_schema=True), encoding="utf-8")
