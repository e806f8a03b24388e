"""`dbt-describe init` and `dbt-describe schema`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dbt_describe.configuration.survey import Survey


@click.command()
@click.option(
    "--project-dir", type=click.Path(path_type=Path), help="Where dbt_project.yml is. Default: here, or above."
)
@click.option("--model", default="", metavar="PROVIDER/NAME", help="The model to ask. Default: one whose key is set.")
@click.option("--force", is_flag=True, help="Replace a dbt-describe.yml that is there.")
@click.option(
    "--editor-schema", is_flag=True, help="Also write .dbt-describe.schema.json, by which editors complete and check."
)
def init(project_dir: Path | None, model: str, force: bool, editor_schema: bool) -> None:
    """Write a dbt-describe.yml with every setting in it, commented out.

    Looks at the project, at which providers' keys are set, and at which model servers run on this machine.
    """
    from dbt_describe.configuration.starter import findings, write_starter  # noqa: PLC0415 - --help must not wait for it
    from dbt_describe.settings import survey  # noqa: PLC0415

    directory, found = survey(project_dir, model)
    written = write_starter(directory, found, force=force, with_schema=editor_schema)
    click.echo("\n".join([*findings(found), *(f"Wrote {path}." for path in written), *_next_steps(found)]))


@click.command()
def schema() -> None:
    """Print the JSON schema of dbt-describe.yml."""
    from dbt_describe.configuration.starter import schema_text  # noqa: PLC0415 - --help must not wait for it

    click.echo(schema_text(), nl=False)


def _next_steps(found: Survey) -> Iterator[str]:
    if found.model:
        yield f"It asks {found.model}. See what that would cost, before a cent is spent:  dbt-describe plan"
    else:
        yield "It asks no language model: no provider's key is set, so lineage, SQL and tests alone are used."
        yield "For one, set a key, e.g. OPENAI_API_KEY, and take the # from the line `model:`."
    if not found.has_catalog:
        yield "For the columns of sources and seeds that no schema file lists:  dbt docs generate"
    yield "Then look at the diff:  dbt-describe document --dry-run"
