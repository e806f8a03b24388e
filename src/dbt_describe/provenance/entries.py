"""dbt-describe.lock: a line of JSON for each description that we wrote, inherited or were told to watch.

Lines are sorted and hold no time of day, so that two branches touch the same lines only where they describe the same.
With `merge=union` in .gitattributes git keeps both sides' lines; so does reading a file with conflict markers in it.
Of several lines for one description, the one counts whose text stands in the schema file.
"""

from __future__ import annotations

import hashlib
import secrets
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from dbt_describe.errors import LockFileError
from dbt_describe.provenance.basis import Basis, what_changed

FILE_NAME = "dbt-describe.lock"
HUMAN, INHERITED, RULES = "human", "inherited", "rules"
"""Writers that are no models."""
NOT_THERE = f"There is no {FILE_NAME}: nothing can be known to be stale. `document` and `adopt` write it."
Place = tuple[str, str]
"""unique_id and column in lower case, which is empty for the node itself."""

_MARKERS = (b"<<<<<<<", b"=======", b">>>>>>>", b"|||||||")
_LENGTH = 16
_LINES_NAMED = 3


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """What is remembered of a description."""

    id: str
    """unique_id of the node."""
    column: str = ""
    """In lower case."""
    writer: str
    """`human` where a person's text was adopted, `inherited`, `rules`, or the model as `provider/NAME`."""
    prompt: str = ""
    """Name and version of the template, of a model's text."""
    origin: str = msgspec.field(name="from", default="")
    """Of an inherited text, the column that it was taken from: `unique_id.column`."""
    text: str = ""
    """Hash of the text; empty where the model was asked and didn't know."""
    unknown: str = ""
    """Why it didn't; with a text, why it didn't know what to write in the place of one that no longer holds."""
    asked: str = ""
    """With such a text, a hash of the basis that it was asked on."""
    sql: str = ""
    """As in `Basis`; so are `type` and `values`."""
    type: str = ""
    values: str = "-"

    @property
    def place(self) -> Place:
        """What it is about."""
        return self.id, self.column

    @property
    def basis(self) -> Basis:
        """What the text rests on."""
        return Basis(self.sql, self.type, self.values)


class LockFile(msgspec.Struct, frozen=True):
    """The entries by place; of some there may be several, from both sides of a merge."""

    entries: Mapping[Place, Sequence[Entry]] = {}
    warnings: tuple[str, ...] = ()
    unread: tuple[bytes, ...] = ()
    """Lines that can't be read; they are kept."""
    is_there: bool = True

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know who asks how things stand."""
        return self.warnings if self.is_there else (NOT_THERE,)

    def find(self, place: Place, text: str, now: Callable[[], Basis] = Basis) -> Entry | None:
        """The entry of a description: of those that are of this text the last one that holds `now`, else the last one.

        Both sides of a merge may have the same text, and one of them an older basis.
        """
        found = self.entries.get(place)
        if not found:
            return None
        hashed = hash_text(text)
        same = [entry for entry in found if entry.text == hashed]
        if len(same) > 1:
            basis = now()
            same = [entry for entry in same if not what_changed(entry.basis, basis)] or same
        return (same or found)[-1]


def hash_text(text: str) -> str:
    """A hash of a description, in which spaces and line breaks are all the same; empty where there is no text."""
    words = text.split()
    return hashlib.sha256(" ".join(words).encode()).hexdigest()[:_LENGTH] if words else ""


def hash_basis(basis: Basis) -> str:
    """A hash of all parts of a basis."""
    return hash_text(f"{basis.sql} {basis.type} {basis.values}")


def read_lock(project_dir: Path) -> LockFile:
    """The project's entries; none where it has no such file.

    Raises:
        LockFileError: the file can't be read.
    """
    path = project_dir / FILE_NAME
    try:
        lines = path.read_bytes().removeprefix(BOM_UTF8).split(b"\n")
    except FileNotFoundError:
        return LockFile(is_there=False)
    except OSError as error:
        raise LockFileError(f"{path} can't be read: {error.strerror or error}.") from error
    decoder = msgspec.json.Decoder(Entry)
    entries: dict[Place, tuple[Entry, ...]] = {}
    unread: list[int] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith(_MARKERS):
            continue
        try:
            entry = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            unread.append(number)
        else:
            place = entry.place
            entries[place] = (*entries.get(place, ()), entry)
    return LockFile(entries, _unread_warning(unread), tuple(lines[number - 1] for number in unread))


def _unread_warning(numbers: Sequence[int]) -> tuple[str, ...]:
    if not numbers:
        return ()
    more = f" and {len(numbers) - _LINES_NAMED} more" if len(numbers) > _LINES_NAMED else ""
    shown = f"{', '.join(map(str, numbers[:_LINES_NAMED]))}{more}"
    return (
        f"{FILE_NAME}: line {shown} can't be read: what it was about counts as a person's text. "
        "`git checkout` an older one, or leave it.",
    )


def append_entries(project_dir: Path, entries: Iterable[Entry]) -> None:
    """Add lines at the end, before the texts themselves are written: a killed run leaves no text of ours unknown.

    Raises:
        LockFileError: the file can't be written.
    """
    lines = b"".join(b"\n" + _encoded(entry) for entry in entries)
    if not lines:
        return
    path = _inside(project_dir)
    try:
        with path.open("ab") as file:
            file.write(lines + b"\n")
    except OSError as error:
        raise _unwritable(path, error) from error


def write_lock(project_dir: Path, entries: Iterable[Entry], unread: Iterable[bytes] = ()) -> bool:
    """Replace the file by these entries, sorted; returns whether it changed. Without entries, there is no file.

    `unread` are lines that stay as they are, at the end.

    Raises:
        LockFileError: the file can't be written.
    """
    path = _inside(project_dir)
    by_place = {entry.place: entry for entry in entries}
    lines = (*(_encoded(by_place[place]) for place in sorted(by_place)), *unread)
    content = b"".join(line + b"\n" for line in lines)
    try:
        before = path.read_bytes() if path.exists() else b""
        if not content:
            path.unlink(missing_ok=True)
        elif content != before:
            _replace(path, content)
    except OSError as error:
        raise _unwritable(path, error) from error
    return content != before


def _inside(project_dir: Path) -> Path:
    """Where the file is, a link followed.

    Raises:
        LockFileError: it is a link to somewhere outside of the project.
    """
    path = project_dir / FILE_NAME
    target = path.resolve()
    if not target.is_relative_to(project_dir.resolve()):
        raise LockFileError(f"{path} is a link to {target}, outside of the project. Put a file in its place.")
    return target


def _replace(target: Path, content: bytes) -> None:
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        temporary.write_bytes(content)
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o777)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _encoded(entry: Entry) -> bytes:
    return msgspec.json.encode(entry)


def _unwritable(path: Path, error: OSError) -> LockFileError:
    return LockFileError(
        f"{path} can't be written: {error.strerror or error}. Descriptions would not be known as ours afterwards; "
        "make it writable and run again."
    )
