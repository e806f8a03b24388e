"""Schema YAML: which file, which characters of it, and the proof that no other changed.

    locate(node, project) → path
    refuse_new_files(paths, root) → reasons                of files that can't be made
    faults_of(path, edits, root) → faults                 why single edits can't be made, the file being read once
    prepare_change(path, edits, root) → FileChange        reads, edits, verifies; writes nothing
    write_change(change, root)                            replaces the file at once
    undo_change(change, made, root)                       puts it back as it was
    find_lines(project, places) → FileLines               where a person would change descriptions

Nothing but missing, empty, null and placeholder descriptions is ever written over.
"""

from __future__ import annotations

from dbt_describe.schema_files.closed import owner_of
from dbt_describe.schema_files.doc_blocks import is_block_text, normal_text, prepare_blocks
from dbt_describe.schema_files.editing import edit_text
from dbt_describe.schema_files.edits import SECTIONS, DescriptionEdit, fault_of_text
from dbt_describe.schema_files.files import (
    MAX_SIZE_BYTES,
    FileChange,
    faults_of,
    prepare_change,
    remove_leftovers,
    resolve_inside,
    shown_path,
    write_change,
)
from dbt_describe.schema_files.lines import FileLine, find_lines
from dbt_describe.schema_files.listed import with_listed_tests
from dbt_describe.schema_files.locate import locate
from dbt_describe.schema_files.neighbours import Siblings, index_siblings
from dbt_describe.schema_files.new_files import refuse_new_files
from dbt_describe.schema_files.references import ReferenceReader
from dbt_describe.schema_files.templates import PLACEHOLDERS, check_template
from dbt_describe.schema_files.undoing import undo_change

__all__ = [
    "MAX_SIZE_BYTES",
    "PLACEHOLDERS",
    "SECTIONS",
    "DescriptionEdit",
    "FileChange",
    "FileLine",
    "ReferenceReader",
    "Siblings",
    "check_template",
    "edit_text",
    "fault_of_text",
    "faults_of",
    "find_lines",
    "index_siblings",
    "is_block_text",
    "locate",
    "normal_text",
    "owner_of",
    "prepare_blocks",
    "prepare_change",
    "refuse_new_files",
    "remove_leftovers",
    "resolve_inside",
    "shown_path",
    "undo_change",
    "with_listed_tests",
    "write_change",
]
