"""What a run inside of dbt-osmosis is told."""

from __future__ import annotations

import msgspec

from dbt_describe.osmosis.contexts import OsmosisContext, root_of
from dbt_describe.project.sources import ArtifactSources
from dbt_describe.settings import Settings, make_settings


def settings_of(context: OsmosisContext) -> Settings:
    """The settings for dbt-osmosis's project, profile, target and variables.

    Raises:
        DbtDescribeError: a setting can't be used.
    """
    config, runtime = context.project.config, context.project.runtime_cfg
    settings = make_settings(
        project_dir=root_of(context),
        profiles_dir=config.profiles_dir,
        profile=config.profile or "",
        target=config.target or "",
        vars=config.vars or "",
        target_path=runtime.target_path,
        dry_run=context.settings.dry_run,
        verify=False,
        doc_blocks=False,
    )
    environ = settings.llm.environ
    if not settings.llm.config.model and environ.get("OPENAI_API_KEY") and not environ.get("DBT_DESCRIBE_MODEL"):
        settings = make_settings(
            project_dir=root_of(context),
            profiles_dir=config.profiles_dir,
            profile=config.profile or "",
            target=config.target or "",
            vars=config.vars or "",
            target_path=runtime.target_path,
            dry_run=context.settings.dry_run,
            verify=False,
            doc_blocks=False,
            environ={**environ, "LLM_PROVIDER": "openai"},
        )
    return msgspec.structs.replace(settings, sources=ArtifactSources())
