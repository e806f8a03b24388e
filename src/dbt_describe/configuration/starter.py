"""The file that `dbt-describe init` writes: every setting, commented out, and a model where one can be asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from dbt_describe.configuration.files import FILE_NAME
from dbt_describe.configuration.survey import Survey, our_specs
from dbt_describe.errors import SettingsError
from dbt_describe.llm.config import EndpointConfig
from dbt_describe.llm.specs import ProviderSpec

SCHEMA_NAME = ".dbt-describe.schema.json"
"""What the schema is called beside the file; the file's first line names it."""
_MODELINE = f"# yaml-language-server: $schema={SCHEMA_NAME}\n"
_EXAMPLE = "openai/gpt-6-luna"
_HERE = Path(__file__).parent
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]+")


def schema_text() -> str:
    """The JSON schema of the file."""
    return (_HERE.parent / "dbt-describe.schema.json").read_text(encoding="utf-8")


def starter_text(survey: Survey, *, names_schema: bool = False) -> str:
    """The file's text. It sets nothing but the survey's model."""
    model = f"#model: {_EXAMPLE}"
    if survey.model:
        is_plain = re.fullmatch(r"[\w.-]+/[\w./-]+(?::[\w.-]+)?", survey.model)
        model = f"model: {survey.model if is_plain else json.dumps(survey.model.replace('${', '$${'))}"
    blanks = {
        "@model\n": f"{model}\n",
        "@providers\n": _comment(_variables()),
        "@own\n": "".join(_own_settings()),
    }
    text = (_HERE / "starter.yml").read_text(encoding="utf-8")
    for blank, filled in blanks.items():
        text = text.replace(blank, filled)
    return (_MODELINE if names_schema else "") + text


def write_starter(directory: Path, survey: Survey, *, force: bool = False, with_schema: bool = False) -> list[Path]:
    """Write the file into the project, and the schema beside it where that is wished for; returns what was written.

    Raises:
        SettingsError: the file is there already, and `force` isn't said; or it can't be written.
    """
    path = directory / FILE_NAME
    if path.exists() and not force:
        raise SettingsError(f"{path} is there already. Edit it, or let `dbt-describe init --force` replace it.")
    texts = {path: starter_text(survey, names_schema=with_schema)}
    if with_schema:
        texts[directory / SCHEMA_NAME] = schema_text()
    try:
        for file, text in texts.items():
            unfinished = file.with_name(f"{file.name}.new")
            unfinished.write_text(text, encoding="utf-8", newline="\n")
            unfinished.replace(file)
    except OSError as error:
        raise SettingsError(f"{directory} can't be written to: {error.strerror or error}.") from None
    return list(texts)


def findings(survey: Survey) -> Iterator[str]:
    """What was found, in sentences. None of it goes into the file, which others will read on other machines."""
    artifacts = [
        name for name, is_there in (("manifest", survey.has_manifest), ("catalog", survey.has_catalog)) if is_there
    ]
    yield f"Found {survey.project}: {survey.models} models, {' and '.join(artifacts) or 'no artifacts yet'}."
    if survey.uses_osmosis:
        yield "dbt_project.yml has settings of dbt-osmosis; they stay, and its paths of schema files are used here too."
    for usable in survey.usable:
        yield f"{usable.title} can be asked: {usable.variable} is set."
    for provider, models in survey.servers.items():
        listed = ", ".join(f"{provider}/{name}" for name in models) or "no model yet"
        yield f"A server of {provider} runs on this machine: {listed}."


def _variables() -> Iterator[str]:
    for spec in our_specs():
        yield f"- {spec.name:<20}{spec.title:<30}{' or '.join(spec.key_variables) or 'no key'}"


def _own_settings() -> Iterator[str]:
    """What only some providers have, with what the schema says of it."""
    definitions = json.loads(schema_text())["$defs"]
    for spec in our_specs():
        described = definitions.get(spec.config.__name__, {}).get("properties", {})
        lines = list(_lines(spec, described))
        if lines:
            title = _CONTROL.sub(" ", spec.title)
            yield f"#  {spec.name}:{' ' * max(1, 34 - len(spec.name))}# what only {title} has\n"
            yield from lines


def _lines(spec: ProviderSpec, described: dict[str, Any]) -> Iterator[str]:
    for field in msgspec.structs.fields(spec.config):
        if field.name in EndpointConfig.__struct_fields__:
            continue
        # msgspec keeps an empty mapping as the factory that makes it.
        default = {} if field.default_factory is dict else field.default
        shown = json.dumps(default if isinstance(default, (str, bool, int, float, dict)) else None)
        setting = f"#    {field.encode_name}: {shown}"
        about = described.get(field.encode_name, {}).get("description", "")
        yield f"{setting:<38}# {about}".rstrip(" #") + "\n"


def _comment(lines: Iterator[str]) -> str:
    """Lines of a comment; what another package says can't end one."""
    return "".join(f"# {_CONTROL.sub(' ', line)}\n" for line in lines)
