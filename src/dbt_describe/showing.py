"""What models are told, before anything is sent: the templates in force, and the prompts made of them."""

from __future__ import annotations

import asyncio
import difflib
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from dbt_describe.background import background_of
from dbt_describe.errors import PromptError, SettingsError
from dbt_describe.planning import NodePlan
from dbt_describe.preparing import Prepared, prepare
from dbt_describe.progress import Progress, Silent
from dbt_describe.project.graph import parents_of, topological_order
from dbt_describe.project.nodes import DESCRIBABLE_RESOURCE_TYPES
from dbt_describe.project.selection import Selectors
from dbt_describe.prompting.prompts import Prompt
from dbt_describe.prompting.templates import Template, Templates, open_templates
from dbt_describe.prompting.variables import check_template, check_templates
from dbt_describe.report import Failure
from dbt_describe.run import find_places
from dbt_describe.schedule import waits_for
from dbt_describe.settings import Settings
from dbt_describe.writers.certain import CertainFirstWriter
from dbt_describe.writers.opening import open_llm_writer

_UNIQUE_ID = re.compile(rf"({'|'.join(DESCRIBABLE_RESOURCE_TYPES)})\.[\w.$-]+\.[\w.$-]+")


class Rendered(msgspec.Struct, frozen=True):
    """What a model would be asked of one node."""

    unique_id: str
    path: str
    """The file that defines it, relative to the project."""
    model: str
    prompts: tuple[Prompt, ...] = ()
    reason: str = ""
    """Why nothing would be asked."""
    after: tuple[str, ...] = ()
    """Nodes of the same selection that are asked before: what is written of them is added to these prompts."""


def templates_in_force(settings: Settings) -> tuple[tuple[Template, ...], tuple[Path, ...]]:
    """The templates that there are, those for folders after the general ones; and files that none of them is made of.

    Raises:
        PromptError: a file can't be used; the message names file and line.
    """
    templates = open_templates(*settings.llm.prompts_dirs)
    found = check_templates(templates)
    used = {path for template in found for path in template.files}
    return found, tuple(path for path in templates.files if path not in used)


def without_folder(templates: Iterable[Template], settings: Settings) -> tuple[Path, ...]:
    """The files of templates for folders that the project doesn't have: no node is asked for with them."""
    project = settings.dbt.project_dir
    if not (project / "dbt_project.yml").is_file():
        return ()
    return tuple(one.files[0] for one in templates if one.folder and not (project / one.folder).is_dir())


def template_in_force(name: str, folder: str, settings: Settings) -> Template:
    """The template of that name, as it is for nodes of a folder of the project.

    Raises:
        PromptError: there is none, or its file can't be used.
    """
    templates = open_templates(*settings.llm.prompts_dirs)
    template = templates.get(name, folder.strip("/"))
    check_template(template, templates)
    return template


def differences(names: Iterable[str], settings: Settings) -> tuple[tuple[Template, str], ...]:
    """The templates that aren't as they were shipped, all or those named, each with a unified diff.

    Raises:
        PromptError: there is no such template, or a file can't be used.
    """
    templates = open_templates(*settings.llm.prompts_dirs)
    wanted = set(names)
    for name in sorted(wanted - set(templates.names)):
        templates.get(name)
    found = check_templates(templates)
    # One that has no file of its own says nothing new: what it extends is told of.
    own = [one for one in found if one.digest and (one.name in wanted if wanted else one.files[0] in templates.files)]
    return tuple((template, _diff(templates, template)) for template in own)


def eject(names: Iterable[str], directory: Path | None, settings: Settings, *, force: bool = False) -> tuple[Path, ...]:
    """Write whole copies of shipped templates, by default all, into a directory, by default the one in use.

    Raises:
        PromptError: there is no such template, its file is there already, or it can't be written.
    """
    templates = open_templates()
    chosen = [templates.get(name) for name in (tuple(names) or templates.names)]
    given = settings.llm.prompts_dirs
    target = directory or (given[0] if given else settings.dbt.project_dir / "prompts")
    paths = [target / f"{template.name}.yml" for template in chosen]
    taken = [path for path in paths if path.exists()]
    if taken and not force:
        raise PromptError(f"{', '.join(map(str, taken))} would be replaced: move it away, or give --force.")
    try:
        target.mkdir(parents=True, exist_ok=True)
        for template, path in zip(chosen, paths, strict=True):
            path.write_text(template.text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise PromptError(f"{target} can't be written to: {error}.") from error
    return tuple(paths)


def render(node: str, settings: Settings, progress: Progress | None = None) -> tuple[Rendered, ...]:
    """What `document` would ask of a node, by its name, its unique_id or any selector. Asks nothing, runs no query.

    Raises:
        SettingsError: the settings name no language model.
        DbtDescribeError: see `run.document`.
    """
    progress = progress or Silent()
    if not settings.llm.config.model:
        raise SettingsError(
            "No language model is configured, so that nothing would be sent. Name one with --model, e.g. --model "
            "openai/gpt-6-luna; for this, no key is needed."
        )
    settings = _about(node, settings)
    asked = open_llm_writer(settings.llm, asks=False, recalls=True, say=progress.say)
    try:
        prepared, _, failures = find_places(prepare(settings, progress), settings)
        asked.inform(background_of(prepared, settings, progress, asks=False))
        unique_ids = [one for one in prepared.plan.selected if node == one or not _UNIQUE_ID.fullmatch(node)]
        above = _asked_above(prepared)
        writer = CertainFirstWriter(asked)
        rendered = tuple(_rendered(one, prepared, writer, failures) for one in unique_ids)
        return tuple(
            msgspec.structs.replace(one, after=tuple(sorted(above.get(one.unique_id, ())))) if one.prompts else one
            for one in rendered
        )
    finally:
        asyncio.run(asked.aclose())


def _about(node: str, settings: Settings) -> Settings:
    """The settings with the node alone selected; a unique_id tells its resource type, too."""
    if not _UNIQUE_ID.fullmatch(node):
        return msgspec.structs.replace(settings, selectors=_selecting(node, settings))
    resource_type, _, *names = node.split(".")
    word = names[-1] if resource_type == "unit_test" else names[0] if resource_type == "test" else ".".join(names)
    selectors = _selecting(f"source:{word}" if resource_type == "source" else word, settings)
    return msgspec.structs.replace(settings, selectors=selectors, resource_types=(resource_type,))


def _selecting(words: str, settings: Settings) -> Selectors:
    return msgspec.structs.replace(settings.selectors, select=words)


def _asked_above(prepared: Prepared) -> dict[str, set[str]]:
    nodes = prepared.project.nodes
    asked = [name for name, plan in prepared.plan.nodes.items() if plan.asks]
    return waits_for(topological_order(nodes), {name: parents_of(one) for name, one in nodes.items()}, asked)


def _rendered(unique_id: str, prepared: Prepared, writer: CertainFirstWriter, failures: Iterable[Failure]) -> Rendered:
    node = prepared.project.nodes[unique_id]
    nothing = Rendered(unique_id, node.original_file_path, writer.name)
    failed = [failure.message for failure in failures if failure.subject == unique_id]
    plan = prepared.plan.nodes.get(unique_id)
    if failed or plan is None or not plan.asks:
        return msgspec.structs.replace(nothing, reason="; ".join(failed) or _without_gaps(plan))
    estimate = writer.estimate(plan.task, prepared.project, prepared.lineage, prepared.plan.known)
    reason = "; ".join(estimate.failures) or ("" if estimate.prompts else "rules know what it says")
    return msgspec.structs.replace(nothing, prompts=estimate.prompts, reason=reason)


def _without_gaps(plan: NodePlan | None) -> str:
    """Why there is nothing to ask."""
    if plan is None or not (plan.inherited or plan.following or plan.skipped):
        return "all of it is described"
    copied = len(plan.inherited) + len(plan.following)
    reasons = [f"{copied} of its descriptions are copied from upstream"] if copied else []
    reasons += dict.fromkeys(f"{given.column or 'the node itself'}: {given.reason}" for given in plan.skipped)
    return "; ".join(reasons)


def _diff(templates: Templates, template: Template) -> str:
    original = templates.original(template.name)
    below = f"{template.folder}/" if template.folder else ""
    return "".join(
        difflib.unified_diff(
            original.text.splitlines(keepends=True) if original else [],
            template.text.splitlines(keepends=True),
            f"shipped/{template.name}.yml",
            f"yours/{below}{template.name}.yml",
        )
    )
