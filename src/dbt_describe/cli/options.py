"""Options that several commands have, and the settings they amount to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dbt_describe.cli.output import complain

if TYPE_CHECKING:
    from dbt_describe.configuration import Hook
    from dbt_describe.settings import Settings

_Command = TypeVar("_Command", bound=Callable[..., Any])

PROFILE_VALUES = click.option(
    "--profile-values/--no-profile-values",
    default=None,
    help="Show models what columns hold, asked of the warehouse through dbt. Default: what the settings say; no in CI.",
)
"""Only `document` asks the warehouse; what it was told then is shown by the others."""
SHARD = click.option(
    "--shard",
    metavar="I/N",
    help="Only the share of the I-th of N machines, which work on the same project side by side.",
)
_NODES = (
    click.argument("files", nargs=-1, type=click.Path(path_type=Path)),
    click.option(
        "-s", "--select", multiple=True, metavar="SELECTOR", help="Nodes to describe, in dbt's selection syntax."
    ),
    click.option("--exclude", multiple=True, metavar="SELECTOR", help="Nodes to leave out."),
    click.option("--selector", metavar="NAME", help="The nodes of a selector of selectors.yml."),
    click.option("--state", metavar="DIR", help="Where an older manifest.json is, for `state:` selectors."),
    click.option(
        "--defer-state",
        metavar="DIR",
        help="Where another environment's manifest.json is: dbt reads what isn't built there.",
    ),
    click.option(
        "--indirect-selection",
        type=click.Choice(("eager", "cautious", "buildable", "empty")),
        help="Which tests are selected with what they test. Default: eager.",
    ),
    click.option(
        "--changed",
        is_flag=False,
        flag_value="HEAD",
        metavar="[REF]",
        help="Only nodes whose files changed in git since REF, e.g. origin/main. Default: what isn't committed.",
    ),
    click.option(
        "--resource-type",
        "resource_types",
        multiple=True,
        metavar="TYPE",
        help="What to describe: model, seed, snapshot, source (the default), analysis, exposure, metric, "
        "semantic_model, saved_query, macro, function, test, unit_test, group, or all.",
    ),
    click.option(
        "--exclude-resource-type",
        "exclude_resource_types",
        multiple=True,
        metavar="TYPE",
        help="Resource types to leave out.",
    ),
)
_PROJECT_DIR = (
    click.option(
        "--project-dir", type=click.Path(path_type=Path), help="Where dbt_project.yml is. Default: here, or above."
    ),
)
_DBT = (
    click.option("--profiles-dir", type=click.Path(path_type=Path), help="Where profiles.yml is, for dbt."),
    click.option("--profile", default="", help="Profile for dbt."),
    click.option("-t", "--target", default="", help="Target for dbt."),
    click.option("--vars", "vars_", default="", metavar="YAML", help="Variables for dbt."),
    click.option("--target-path", type=click.Path(path_type=Path), help="Where dbt's artifacts are. Default: target."),
)
_ARTIFACTS = (
    click.option(
        "--manifest",
        metavar="PATH|URL",
        help="A manifest in place of the project's own, taken as it is: a path, a URL, or dbt-cloud://ACCOUNT/JOB.",
    ),
    click.option("--catalog", metavar="PATH|URL", help="A catalog in place of the project's own."),
    click.option("--refresh", is_flag=True, help="Let dbt make manifest and catalog anew; needs the warehouse."),
)
_MODELS = (
    click.option(
        "--model",
        default="",
        metavar="PROVIDER/NAME",
        help="Language model to ask, e.g. openai/gpt-6-luna; `rules` for none. Default: what the settings say.",
    ),
    click.option(
        "--fallback",
        multiple=True,
        metavar="PROVIDER/NAME",
        help="Asked when the model can't answer; several in their order, `rules` as the last.",
    ),
    click.option("--offline", is_flag=True, help="Ask servers of this machine only."),
)
_ASKING = (
    click.option("--max-cost", metavar="USD", help="Spend no more than this on models in this run."),
    click.option("--max-tokens", type=click.IntRange(min=1), help="Use no more tokens than this in this run."),
    click.option(
        "--review",
        default="",
        metavar="PROVIDER/NAME",
        help="Language model that checks each draft against the facts; `model`: the one that drafts, `none`: none.",
    ),
    click.option("--no-prompt-cache", is_flag=True, help="Don't ask providers to keep what prompts have in common."),
)
_CONFIG = (
    click.option(
        "--config", type=click.Path(path_type=Path), help="Settings. Default: the project's dbt-describe.yml."
    ),
)
_SHOWING = (
    click.option("-v", "--verbose", is_flag=True, help="List every unknown description, of however many nodes."),
    click.option(
        "--prompts",
        type=click.Path(path_type=Path),
        help="Directory with prompt templates of your own.",
    ),
)
_PROMPTS = _SHOWING[1:]
_LOGGING = (
    click.option(
        "--log-level",
        type=click.Choice(("debug", "info", "warn", "error")),
        default="warn",
        show_default=True,
        envvar="DBT_DESCRIBE_LOG_LEVEL",
        help="What is logged on stderr; debug tells each request's parts, sizes and times.",
    ),
    click.option(
        "--log-bodies",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Add what models are asked and answer to FILE, as JSON lines without keys.",
    ),
)
BATCH_OPTIONS = (
    click.option(
        "--batch/--no-batch",
        default=None,
        help="Ask in batches: half the price, answers within a day. --no-batch asks now what a batch still asks, too.",
    ),
    click.option("--wait/--no-wait", default=None, help="With --batch: wait for the answers, or leave. Default: wait."),
    click.option(
        "--waves",
        type=click.Choice(("one", "by-level")),
        help="With --batch: all in one, or a batch for each level, whose answers the next one's questions show.",
    ),
)
SHARED_OPTIONS = (
    *_NODES,
    *_PROJECT_DIR,
    *_DBT,
    *_ARTIFACTS,
    *_MODELS,
    *_ASKING,
    *_CONFIG,
    *_SHOWING,
    *_LOGGING,
)
"""Of commands that look at nodes and may ask a model."""
CHECK_OPTIONS = (*_NODES, *_PROJECT_DIR, *_DBT, *_ARTIFACTS[:2], *_CONFIG, *_LOGGING[:1])
"""Of commands that look at nodes, and ask nobody."""
TEMPLATE_OPTIONS = (*_PROJECT_DIR, *_CONFIG, *_PROMPTS, *_LOGGING[:1])
"""Of commands that look at templates, and at no node."""
RENDER_OPTIONS = (*_NODES[7:8], *_PROJECT_DIR, *_DBT, *_ARTIFACTS, *_MODELS, *_CONFIG, *_PROMPTS, *_LOGGING[:1])
"""Of the command that shows what a model would be asked of a node."""
MODEL_OPTIONS = (*_PROJECT_DIR, *_MODELS, *_CONFIG, *_LOGGING)
"""Of commands that are about models alone."""


MEMORY_OPTIONS = (*_PROJECT_DIR, *_DBT, *_ARTIFACTS[:2], *_CONFIG, *_LOGGING[:1])
"""Of commands that look at the project as a whole, and ask nobody."""


def with_options(options: Sequence[Callable[[Any], Any]]) -> Callable[[_Command], _Command]:
    """A decorator that gives a command some options, in their order."""

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def settings_of(given: dict[str, Any], hook: Hook | None = None) -> Settings:
    """The settings that a command's options amount to, with logging started as they say.

    Raises:
        SettingsError: a value can't be used.
    """
    from dbt_describe.settings import make_settings  # noqa: PLC0415 - --help must not wait for it

    _start_logging(given["log_level"], given.get("log_bodies"))
    for flag in ("select", "exclude", "selector", "state", "changed"):
        values = given.get(flag) or () if flag in ("select", "exclude") else (given.get(flag),)
        if any(value is not None and not value.strip() for value in values):
            raise click.UsageError(f"--{flag} needs a value.")
    for flag in ("manifest", "catalog", "shard"):
        if given.get(flag) is not None and not given[flag].strip():
            raise click.UsageError(f"--{flag} needs a value.")
    make: Callable[..., Settings] = make_settings
    if given.get("resume") is not None:
        from dbt_describe.resuming import settings_to_go_on  # noqa: PLC0415 - --help must not wait for it

        make = partial(settings_to_go_on, given["resume"], complain)
    return make(**_keywords(given), hook=hook)


def _keywords(given: dict[str, Any]) -> dict[str, Any]:
    """A command's options as `make_settings` calls them, but for those that it has not, or that weren't given."""
    from dbt_describe.settings import make_settings  # noqa: PLC0415 - --help must not wait for it

    named = {**given, "vars": given.get("vars_"), "use_cache": not given.get("no_cache", False)}
    return {name: value for name in make_settings.__kwdefaults__ or {} if (value := named.get(name)) is not None}


def _start_logging(level: str, bodies: Path | None) -> None:
    """Log on stderr until the command ends."""
    from dbt_describe.logs import logging_to  # noqa: PLC0415 - --help must not wait for it

    click.get_current_context().with_resource(logging_to(complain, level, bodies))
