"""What `dbt-describe init` looks at: the project, the keys that are set, the servers of this machine."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from dbt_describe.configuration.merging import osmosis_model
from dbt_describe.errors import LlmSettingsError
from dbt_describe.llm.registry import find_spec, provider_names
from dbt_describe.llm.specs import ProviderSpec

PROBE_TIMEOUT_S = 0.3
MOST_MODELS_NAMED = 5
_SERVERS = (("ollama", 11434, "/api/tags", "models", "name"), ("lm-studio", 1234, "/v1/models", "data", "id"))
"""A provider of this machine: its port, what lists its models, and where their names are in the answer.

Source: docs.ollama.com/api and lmstudio.ai/docs, 2026-11.
"""

Probe = Callable[[int, str], bytes]
"""The body that a port of this machine answers a path with. Raises OSError or HTTPException where nothing does."""


class Usable(msgspec.Struct, frozen=True):
    """A provider whose key is set, in `variable`."""

    name: str
    title: str
    variable: str
    model: str
    """What to ask there, as `provider/NAME`; empty where only the user can know."""


class Survey(msgspec.Struct, frozen=True):
    """What was found."""

    project: str
    models: int
    """SQL and Python files in the model paths."""
    has_manifest: bool = False
    has_catalog: bool = False
    uses_osmosis: bool = False
    usable: tuple[Usable, ...] = ()
    servers: Mapping[str, tuple[str, ...]] = {}
    """Servers that run on this machine, by provider → the models that they have."""
    model: str = ""
    """The model to ask: dbt-osmosis's own choice, else that of the first usable provider; empty where there is none."""


def survey_project(project_dir: Path, environ: Mapping[str, str], probe: Probe | None = None) -> Survey:
    """Look at the project, at the environment, and at the ports where servers of language models usually are.

    Raises:
        SettingsError: LLM_PROVIDER is set, and doesn't tell a model.
    """
    project = _project(project_dir)
    paths = project.get("model-paths")
    target = project_dir / environ.get("DBT_TARGET_PATH", str(project.get("target-path") or "target"))
    usable = tuple(_usable(environ))
    return Survey(
        project=str(project.get("name") or project_dir.name),
        models=sum(1 for _ in _model_files(project_dir, paths if isinstance(paths, list) else ["models"])),
        has_manifest=(target / "manifest.json").is_file(),
        has_catalog=(target / "catalog.json").is_file(),
        uses_osmosis="dbt-osmosis" in json.dumps(project, default=str),
        usable=usable,
        servers=dict(_servers(probe or ask_port)),
        model=osmosis_model(environ) or next((found.model for found in usable if found.model), ""),
    )


def ask_port(port: int, path: str) -> bytes:
    """What the port of this machine answers; no proxy is asked.

    Raises:
        OSError, HTTPException: nothing answers there.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def our_specs() -> Iterator[ProviderSpec]:
    """The providers that can be imported, each once, in the order of their names in the registry."""
    seen: set[str] = set()
    for name in provider_names():
        try:
            spec = find_spec(name)
        except LlmSettingsError:
            continue
        if spec.name not in seen:
            seen.add(spec.name)
            yield spec


def _project(project_dir: Path) -> Mapping[str, Any]:
    try:
        found = yaml.safe_load((project_dir / "dbt_project.yml").read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _model_files(project_dir: Path, paths: list[Any]) -> Iterator[Path]:
    for path in paths:
        if isinstance(path, str):
            yield from (file for file in (project_dir / path).rglob("*") if file.suffix in {".sql", ".py"})


def _usable(environ: Mapping[str, str]) -> Iterator[Usable]:
    for spec in our_specs():
        variable = next((name for name in spec.key_variables if environ.get(name, "").strip()), "")
        # One that must be told its URL isn't usable by its key alone.
        is_found = spec.base_url or any(environ.get(name, "").strip() for name in spec.url_variables)
        if variable and is_found:
            named = (environ[name].strip() for name in spec.model_variables if environ.get(name, "").strip())
            model = next(named, "") or spec.default_model
            yield Usable(spec.name, spec.title, variable, f"{spec.name}/{model}" if model else "")


def _servers(probe: Probe) -> Iterator[tuple[str, tuple[str, ...]]]:
    known = provider_names()
    for provider, port, path, listed, named in _SERVERS:
        if provider not in known:
            continue
        try:
            models = json.loads(probe(port, path))[listed]
            yield provider, tuple(str(model[named]) for model in models)[:MOST_MODELS_NAMED]
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
            continue
