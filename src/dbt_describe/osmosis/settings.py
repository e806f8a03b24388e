"""What a run inside of dbt-osmosis is told: by dbt-describe.yml and our own variables, else by dbt-osmosis's."""

from __future__ import annotations

from collections.abc import Mapping

import click
import msgspec

from dbt_describe.configuration.merging import truth_of
from dbt_describe.osmosis.contexts import OsmosisContext, root_of
from dbt_describe.osmosis.providers import PROVIDER, variables_of, with_openai_api
from dbt_describe.project.sources import ArtifactSources
from dbt_describe.settings import Settings, environment, make_settings

ASK = "DBT_DESCRIBE_OSMOSIS_ASK"
"""Whether a model is asked although nothing is to be written, or only looked at."""
WRITER = "DBT_DESCRIBE_OSMOSIS_WRITER"
"""Whether we write the schema files in dbt-osmosis's place."""
NO_MODEL = (
    "No language model is configured: name one in dbt-describe.yml (`model`), by DBT_DESCRIBE_MODEL, or by "
    "dbt-osmosis's variables (LLM_PROVIDER and those of the provider; OPENAI_API_KEY alone means openai)."
)


def settings_of(context: OsmosisContext, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings for dbt-osmosis's project, profile, target and variables.

    With `--dry-run` or `--check`, only answers that are kept are given, unless DBT_DESCRIBE_OSMOSIS_ASK says otherwise.

    Raises:
        DbtDescribeError: a setting can't be used.
    """
    environ = environment() if environ is None else environ
    is_preview = context.settings.dry_run or checks()
    cached_only = is_preview and not truth_of(ASK, environ.get(ASK), otherwise=False)
    settings = _settings(context, {**environ, PROVIDER: ""}, cached_only=cached_only)
    if not settings.llm.config.model:
        theirs = variables_of(environ)
        settings = _settings(context, theirs, cached_only=cached_only)
        config = with_openai_api(settings.llm.config, theirs)
        llm = msgspec.structs.replace(settings.llm, config=config, not_asked="" if config.model else NO_MODEL)
        settings = msgspec.structs.replace(settings, llm=llm)
    # dbt-osmosis has read the project itself.
    return msgspec.structs.replace(settings, sources=ArtifactSources())


def checks() -> bool:
    """Whether dbt-osmosis's command is to fail where something would change."""
    command = click.get_current_context(silent=True)
    return bool(command and command.params.get("check"))


def writes_files(settings: Settings) -> bool:
    """Whether we write the schema files in dbt-osmosis's place.

    Raises:
        SettingsError: the variable is neither true nor false.
    """
    return truth_of(WRITER, settings.llm.environ.get(WRITER), otherwise=False)


def _settings(context: OsmosisContext, environ: Mapping[str, str], *, cached_only: bool) -> Settings:
    config = context.project.config
    return make_settings(
        project_dir=root_of(context),
        profiles_dir=config.profiles_dir,
        profile=config.profile or "",
        target=config.target or "",
        vars=config.vars or "",
        target_path=context.project.runtime_cfg.target_path,
        dry_run=context.settings.dry_run,
        verify=False,
        doc_blocks=False,
        cached_only=cached_only,
        environ=environ,
    )
