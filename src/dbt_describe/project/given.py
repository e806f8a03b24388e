"""A project from the manifest that the user names: it is believed, and what doesn't fit the files here is told."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from dbt_describe.errors import ManifestError
from dbt_describe.project.artifacts import load_project
from dbt_describe.project.changes import differing_files, read_record
from dbt_describe.project.nodes import Project
from dbt_describe.project.project_file import read_project_file, with_project_file
from dbt_describe.project.remote import Artifacts
from dbt_describe.project.sources import shown


def open_given(root: Path, artifacts: Artifacts, location: str) -> Project:
    """The project as the manifest has it, which messages call by its `location`.

    Its own nodes whose files don't exist here are left out, unless that is all of them.
    Only the catalog that was named beside it is read: the project's own may be of another time.

    Raises:
        ProjectError: an artifact or dbt_project.yml can't be read.
    """
    if artifacts.manifest is None:
        raise ValueError("no manifest was named")
    try:
        project = with_project_file(load_project(root, artifacts.manifest, artifacts.catalog))
        differing = differing_files(read_record(artifacts.manifest, root), root)
    except ManifestError as error:
        raise ManifestError(str(error).replace(str(artifacts.manifest), shown(location))) from error
    name = f"the manifest {shown(location)}"
    warnings = [*artifacts.warnings, *project.warnings]
    here = read_project_file(root).get("name")
    if here != project.name:
        warnings.append(f"{name[0].upper()}{name[1:]} is of the project {project.name}, and here is {here}.")
    if differing:
        warnings.append(
            f"Changed since {name} was made: {_number(differing, differing[0])}. "
            "What is written is true of what the manifest has."
        )
    files = {unique_id: node.original_file_path for unique_id, node in project.nodes.items() if project.is_own(node)}
    own = {unique_id: path for unique_id, path in files.items() if path}
    gone = {unique_id: path for unique_id, path in own.items() if not (root / path).exists()}
    if gone and len(gone) == len(own):
        # Somebody looks at the artifacts alone: a plan is all that can be meant.
        warnings.append(f"None of the files of {name} is here, e.g. {min(gone.values())}.")
        return msgspec.structs.replace(project, has_files=False, warnings=tuple(warnings))
    if gone:
        warnings.append(f"Missing here, and left out: {_number(set(gone.values()), min(gone.values()))} of {name}.")
    kept = {unique_id: node for unique_id, node in project.nodes.items() if unique_id not in gone}
    return msgspec.structs.replace(project, nodes=kept, warnings=tuple(warnings))


def _number(files: Collection[str], first: str) -> str:
    return first if len(files) == 1 else f"{len(files):,} files, e.g. {first}"
