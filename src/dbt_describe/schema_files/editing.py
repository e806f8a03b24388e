"""From a file's text and the edits to its new text."""

from __future__ import annotations

from collections.abc import Sequence

from dbt_describe.errors import SchemaFileError
from dbt_describe.schema_files.edits import DescriptionEdit
from dbt_describe.schema_files.growth import growth_splices
from dbt_describe.schema_files.places import Places
from dbt_describe.schema_files.replacements import Splice, apply_splices
from dbt_describe.schema_files.splices import fill_splices, wrap_splices
from dbt_describe.schema_files.style import FileStyle, measure_style
from dbt_describe.schema_files.targets import Growth, Intents, find_intents
from dbt_describe.schema_files.tree import Document, read_document
from dbt_describe.schema_files.untouched import find_untouched
from dbt_describe.schema_files.verification import verify_edit

_BOM = "\ufeff"
_NEW_LIST, _OF_OWNER, _IN_LIST = range(3)


def edit_text(
    text: str, edits: Sequence[DescriptionEdit], *, placeholders: frozenset[str], source: str = "schema file"
) -> str:
    """The text with the descriptions in it; every other character as it was, the byte order mark included.

    Edits that are made already change nothing, so that twice is the same as once. `placeholders` are texts that count
    as missing (compared stripped, without case); `source` is what messages call the file. An empty text gives a new
    file.

    Raises:
        SchemaFileError: an edit can't be made, would touch what a person wrote, or would change anything else;
            with file and line.
    """
    if text.startswith(_BOM):
        return _BOM + edit_text(text[1:], edits, placeholders=placeholders, source=source)
    old = read_document(text, source)
    intents = find_intents(old, edits, placeholders)
    if _is_empty(intents):
        return text
    if old.root is None and len(intents.growths) > 1:
        # Of several sections, the others join the file that the first one has begun.
        first = [edit for edit in edits if edit.section == edits[0].section]
        rest = [edit for edit in edits if edit.section != edits[0].section]
        begun = edit_text(text, first, placeholders=placeholders, source=source)
        return edit_text(begun, rest, placeholders=placeholders, source=source)
    splices = find_splices(old, intents)
    untouched = find_untouched(old, splices)
    verify_edit(old, apply_splices(text, [*splices, *untouched.cuts]), intents, untouched.ids)
    return apply_splices(text, splices)


def find_faults(
    text: str, edits: Sequence[DescriptionEdit], *, placeholders: frozenset[str], source: str = "schema file"
) -> list[SchemaFileError | None]:
    """Of each edit in turn, why it can't be made, or None; the text is read once.

    Found are the places and what is to be written there, as `edit_text` does, but no new text is made and proved.

    Raises:
        SchemaFileError: the text can't be read at all.
    """
    old = read_document(text.removeprefix(_BOM), source)
    places = Places(old)
    style = measure_style(old)

    def find(edits: Sequence[DescriptionEdit]) -> list[SchemaFileError | None]:
        """Most files take all edits, so all are tried at once, then halves of those that are refused."""
        try:
            find_splices(old, find_intents(old, edits, placeholders, places), style)
        except SchemaFileError as error:
            if len(edits) == 1:
                return [error]
            middle = len(edits) // 2
            return find(edits[:middle]) + find(edits[middle:])
        return [None] * len(edits)

    return find(edits)


def find_splices(document: Document, intents: Intents, style: FileStyle | None = None) -> list[Splice]:
    """The replacements that make the intents true, in the file's own style.

    Raises:
        SchemaFileError: one of them can't be written there.
    """
    if _is_empty(intents):
        return []
    style = style or measure_style(document)
    splices = [splice for wrap in intents.wraps for splice in wrap_splices(document, style, wrap)]
    ranked = [
        *((fill.owner.start, _OF_OWNER, fill_splices(document, style, fill)) for fill in intents.fills),
        *((*_rank(growth), growth_splices(document, style, growth)) for growth in intents.growths),
    ]
    # Of those at one place the innermost comes first: else it would end up in what is around it.
    ranked.sort(key=lambda found: found[:2], reverse=True)  # stable
    return splices + [splice for *_, found in ranked for splice in found]


def _rank(growth: Growth) -> tuple[int, int]:
    """What begins later stands deeper; in an entry, its list that is there, its description, a list that is new."""
    if growth.owner is None:
        return -1, _NEW_LIST
    return growth.owner.start, _NEW_LIST if growth.value is None else _IN_LIST


def _is_empty(intents: Intents) -> bool:
    return not (intents.fills or intents.growths or intents.wraps)
