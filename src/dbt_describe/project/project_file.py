"""dbt_project.yml, vars.yml and .dbtignore, as far as the manifest doesn't repeat them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import msgspec
import yaml

from dbt_describe.errors import ManifestError, ProjectError, ProjectNotFoundError
from dbt_describe.project.engines import Engine, parse_engine
from dbt_describe.project.ignored import read_ignore_patterns
from dbt_describe.project.nodes import Project

VARS_FILE = "vars.yml"
"""Source: https://docs.getdbt.com/docs/build/project-variables (dbt 1.12; 2026-11)."""
PATH_KEYS: Mapping[str, tuple[str, ...]] = {
    "model-paths": ("models",),
    "seed-paths": ("seeds",),
    "snapshot-paths": ("snapshots",),
    "macro-paths": ("macros",),
    "analysis-paths": ("analyses",),
    "test-paths": ("tests",),
    "function-paths": ("functions",),
    "docs-paths": (),
}
"""Where dbt looks for files, with its defaults.

Source: https://docs.getdbt.com/reference/dbt_project.yml (2026-11).
"""
CLOSED_DIRS: Mapping[str, str] = {"packages-install-path": "dbt_packages", "target-path": "target"}
"""Where dbt puts what isn't the project's own, with its defaults. *Source:* as above."""
_NO_SCHEMA_FILES = frozenset({"docs-paths"})
_SCHEMA_FILES_SINCE: Mapping[str, Engine] = {"test-paths": Engine(1, 9), "function-paths": Engine(1, 11)}
"""The first dbt that reads schema files there.

Source: `all_source_paths` in dbt-core's config/project.py of 1.8.9 to 1.11.16 (2026-11).
"""


def read_project_file(project_dir: Path) -> Mapping[str, object]:
    """What dbt_project.yml says.

    Raises:
        ProjectError: it can't be read, or isn't YAML.
    """
    path = project_dir / "dbt_project.yml"
    try:
        return _read(path)
    except OSError as error:
        raise ProjectNotFoundError(
            f"Can't read {path}: {error.strerror}. Run dbt-describe inside a dbt project, or pass --project-dir."
        ) from error


def configured_paths(settings: Mapping[str, object], key: str) -> tuple[str, ...]:
    """The directories of one of `PATH_KEYS`, as they are written or as dbt assumes them."""
    configured = settings.get(key)
    if configured is None:
        return PATH_KEYS[key]
    return tuple(str(name) for name in configured) if isinstance(configured, list) else ()


def check_project(project_dir: Path, name: str | None, manifest_path: Path) -> None:
    """That a manifest is of this project.

    Raises:
        ProjectError: dbt_project.yml has another name than the manifest, or can't be understood.
    """
    path = project_dir / "dbt_project.yml"
    if not name or not path.is_file():
        return
    own = read_project_file(project_dir).get("name")
    if isinstance(own, str) and "{{" not in own and own != name:
        raise ManifestError(
            f"{manifest_path} is of the project `{name}`, and {path} is of `{own}`. Make it again with `dbt compile`, "
            "or pass the --project-dir that it belongs to."
        )


def with_project_file(project: Project) -> Project:
    """The project with its variables, the directories in which dbt reads schema files and docs blocks, and .dbtignore.

    dbt reads any section of a schema file in each of them: `models:` below `seeds/` is as good as below `models/`
    (tried with dbt 1.11).

    Raises:
        ProjectError: dbt_project.yml, vars.yml or .dbtignore can't be read or understood.
    """
    settings = read_project_file(project.root)
    engine = parse_engine(project.dbt_version)
    unread = {key for key, since in _SCHEMA_FILES_SINCE.items() if engine and engine < since}
    read = [key for key in PATH_KEYS if key not in _NO_SCHEMA_FILES | unread]
    paths = [name for key in read for name in configured_paths(settings, key)]
    # What Jinja makes of a path, only dbt knows: then no directory can be ruled out.
    is_known = not any("{{" in name for name in paths)
    return msgspec.structs.replace(
        project,
        schema_paths=tuple(dict.fromkeys(_normal(name) for name in paths)) if is_known else (),
        model_path=_normal((*configured_paths(settings, "model-paths"), "models")[0]),
        docs_dir=_docs_dir(settings),
        closed_dirs=tuple(_closed_dir(settings.get(key), default) for key, default in CLOSED_DIRS.items()),
        ignore_patterns=read_ignore_patterns(project.root),
        vars=_variables(project.root, settings),
    )


def _closed_dir(configured: object, default: str) -> str:
    """The directory that is set, unless only dbt knows what Jinja makes of it."""
    return configured if isinstance(configured, str) and configured and "{{" not in configured else default


def _docs_dir(settings: Mapping[str, object]) -> str:
    """The first of the directories that dbt looks for docs blocks in: unless they are set, models are the first."""
    is_set = settings.get("docs-paths") is not None
    first = next(
        iter(configured_paths(settings, "docs-paths" if is_set else "model-paths")), "" if is_set else "models"
    )
    return "" if "{{" in first else first


def _variables(project_dir: Path, settings: Mapping[str, object]) -> Mapping[str, object]:
    """The project's variables. dbt allows them in one of both files only."""
    found = settings.get("vars")
    path = project_dir / VARS_FILE
    if not found and path.is_file():
        try:
            found = _read(path).get("vars")
        except OSError as error:
            raise ProjectError(f"Can't read {path}: {error.strerror or error}.") from error
    return found if isinstance(found, dict) else {}


def _read(path: Path) -> Mapping[str, object]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).split())
        raise ProjectError(f"{path} is not valid YAML: {said}. Correct it, and check it with `dbt parse`.") from error
    return content if isinstance(content, dict) else {}


def _normal(path: str) -> str:
    """`./models/` → `models`."""
    return str(PurePosixPath(path.replace("\\", "/")))
