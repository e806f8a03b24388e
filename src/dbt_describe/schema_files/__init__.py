"""Schema YAML: which file, which characters of it, and the proof that no other changed.

    locate(node, project) → path
    prepare_change(path, edits, root) → FileChange        reads, edits, verifies; writes nothing
    write_change(change, root)                            replaces the file at once
    undo_change(change, made, root)                       puts it back as it was

Nothing but missing, empty, null and placeholder descriptions is ever written over.
"""

from __future__ import annotations

from dbt_describe.schema_files.editing import edit_text
from dbt_describe.schema_files.edits import SECTIONS, DescriptionEdit
from dbt_describe.schema_files.files import (
    MAX_SIZE_BYTES,
    FileChange,
    prepare_change,
    remove_leftovers,
    write_change,
)
from dbt_describe.schema_files.locate import Siblings, index_siblings, locate
from dbt_describe.schema_files.undoing import undo_change

__all__ = [
    "MAX_SIZE_BYTES",
    "SECTIONS",
    "DescriptionEdit",
    "FileChange",
    "Siblings",
    "edit_text",
    "index_siblings",
    "locate",
    "prepare_change",
    "remove_leftovers",
    "undo_change",
    "write_change",
]
