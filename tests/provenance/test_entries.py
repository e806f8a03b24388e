"""dbt-describe.lock: reading, writing, and what merges, editors and killed runs leave in it."""

from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from dbt_describe.errors import LockFileError
from dbt_describe.provenance.basis import Basis
from dbt_describe.provenance.entries import (
    FILE_NAME,
    HUMAN,
    INHERITED,
    Entry,
    append_entries,
    hash_text,
    read_lock,
    write_lock,
)
from dbt_describe.provenance.standings import new_entry

BASIS = Basis("1.column:0123456789ab", "number", "-")
ID = Entry(id="model.shop.orders", column="id", writer=INHERITED, origin="source.shop.raw.orders.id", text="1a")
TOTAL = Entry(id="model.shop.orders", column="total", writer="openai/gpt-5", prompt="describe-2", text="2b")


def lines(directory: Path) -> list[str]:
    return (directory / FILE_NAME).read_text(encoding="utf-8").splitlines()


def written(directory: Path, content: str | bytes) -> None:
    (directory / FILE_NAME).write_bytes(content if isinstance(content, bytes) else content.encode())


def line_of(entry: Entry) -> str:
    return msgspec.json.encode(entry).decode()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    entries = [
        new_entry(("model.shop.orders", "total"), "openai/gpt-5", "What was paid.", BASIS, prompt="describe-2"),
        new_entry(("model.shop.orders", ""), HUMAN, "Orders.", Basis("1.rows:aa")),
        Entry(id="model.shop.orders", column="x", writer="openai/gpt-5", unknown="the SQL doesn't say", sql="1.part:b"),
    ]
    assert write_lock(tmp_path, entries)
    found = read_lock(tmp_path)
    assert found.warnings == ()
    assert {place: list(some) for place, some in found.entries.items()} == {entry.place: [entry] for entry in entries}


def test_lines_are_sorted_and_the_same_whatever_the_order(tmp_path: Path) -> None:
    node = Entry(id="model.shop.orders", writer="rules", text="3c")
    other = Entry(id="model.shop.a_first", column="z", writer="rules", text="4d")
    write_lock(tmp_path, [TOTAL, node, other, ID])
    before = lines(tmp_path)
    assert [(found["id"], found.get("column", "")) for found in map(msgspec.json.decode, before)] == [
        ("model.shop.a_first", "z"),
        ("model.shop.orders", ""),
        ("model.shop.orders", "id"),
        ("model.shop.orders", "total"),
    ]
    assert not write_lock(tmp_path, [other, ID, TOTAL, node])
    assert lines(tmp_path) == before


def test_a_line_is_json_that_people_can_read(tmp_path: Path) -> None:
    write_lock(
        tmp_path, [new_entry(("model.shop.größen", "größe"), INHERITED, "x", BASIS, origin="source.shop.raw.x.größe")]
    )
    assert lines(tmp_path) == [
        '{"id":"model.shop.größen","column":"größe","writer":"inherited","from":"source.shop.raw.x.größe",'
        f'"text":"{hash_text("x")}","sql":"1.column:0123456789ab","type":"number"}}'
    ]


def test_there_is_no_file_without_entries(tmp_path: Path) -> None:
    assert not write_lock(tmp_path, [])
    append_entries(tmp_path, [])
    assert list(tmp_path.iterdir()) == []
    assert read_lock(tmp_path).entries == {}
    write_lock(tmp_path, [ID])
    assert write_lock(tmp_path, [])
    assert list(tmp_path.iterdir()) == []


def test_one_new_description_is_one_new_line(tmp_path: Path) -> None:
    write_lock(tmp_path, [TOTAL])
    before = lines(tmp_path)
    write_lock(tmp_path, [TOTAL, ID])
    assert [line for line in lines(tmp_path) if line not in before] == [line_of(ID)]


def test_appended_lines_count_before_the_file_is_sorted(tmp_path: Path) -> None:
    write_lock(tmp_path, [TOTAL])
    append_entries(tmp_path, [msgspec.structs.replace(TOTAL, text=hash_text("New.")), ID])
    found = read_lock(tmp_path)
    assert found.find(TOTAL.place, "New.") == msgspec.structs.replace(TOTAL, text=hash_text("New."))
    assert found.find(ID.place, "any") == ID


def test_an_entry_is_whole_after_a_line_that_was_cut_off(tmp_path: Path) -> None:
    written(tmp_path, line_of(TOTAL) + "\n" + line_of(ID)[:40])
    append_entries(tmp_path, [ID])
    found = read_lock(tmp_path)
    assert set(found.entries) == {TOTAL.place, ID.place}
    assert "line 2 can't be read" in found.warnings[0]


def test_of_several_lines_the_one_counts_whose_text_stands_there(tmp_path: Path) -> None:
    """As `merge=union` leaves them where both branches described the same column."""
    ours = msgspec.structs.replace(TOTAL, text=hash_text("Ours."), sql="1.column:aa")
    theirs = msgspec.structs.replace(TOTAL, text=hash_text("Theirs."), sql="1.column:bb")
    written(tmp_path, "\n".join(map(line_of, (ID, ours, theirs, ours))) + "\n")
    found = read_lock(tmp_path)
    assert found.warnings == ()
    assert found.find(TOTAL.place, "Ours.") == ours
    assert found.find(TOTAL.place, "Theirs.") == theirs
    assert found.find(TOTAL.place, "Neither.") == ours
    assert found.find(("model.shop.orders", "other"), "Ours.") is None


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("base", [(), ("||||||| 1f2e3d4", line_of(msgspec.structs.replace(TOTAL, text="0")))])
def test_both_sides_of_a_conflict_are_read(base: tuple[str, ...], newline: str, tmp_path: Path) -> None:
    ours = msgspec.structs.replace(TOTAL, text=hash_text("Ours."))
    theirs = msgspec.structs.replace(TOTAL, text=hash_text("Theirs."))
    conflict = ["<<<<<<< HEAD", line_of(ours), *base, "=======", line_of(theirs), ">>>>>>> other", line_of(ID)]
    written(tmp_path, newline.join([*conflict, ""]))
    found = read_lock(tmp_path)
    assert found.warnings == ()
    assert found.find(TOTAL.place, "Ours.") == ours
    assert found.find(TOTAL.place, "Theirs.") == theirs
    assert found.find(ID.place, "x") == ID


@pytest.mark.parametrize("foreign", ["# a note", "[1, 2]", '{"id": 3}', '{"writer": "rules"}', '"text"', "{", "\udcff"])
def test_a_line_of_something_else_costs_a_warning(foreign: str, tmp_path: Path) -> None:
    written(tmp_path, f"{line_of(ID)}\n{foreign}\n{line_of(TOTAL)}\n".encode(errors="surrogateescape"))
    found = read_lock(tmp_path)
    assert set(found.entries) == {ID.place, TOTAL.place}
    assert found.warnings[0].startswith(f"{FILE_NAME}: line 2 can't be read")


def test_of_many_unread_lines_some_are_named(tmp_path: Path) -> None:
    written(tmp_path, "x\n" * 5)
    assert "line 1, 2, 3 and 2 more can't be read" in read_lock(tmp_path).warnings[0]


def test_fields_of_newer_versions_are_passed_over(tmp_path: Path) -> None:
    written(tmp_path, line_of(ID)[:-1] + ',"later":{"a":1}}\n')
    assert read_lock(tmp_path).find(ID.place, "x") == ID


def test_long_names_are_names(tmp_path: Path) -> None:
    entry = Entry(id="model.shop." + "m" * 100_000, column="c" * 100_000, writer="rules", text="1a")
    write_lock(tmp_path, [entry])
    assert read_lock(tmp_path).find(entry.place, "x") == entry


def test_a_byte_order_mark_hides_nothing(tmp_path: Path) -> None:
    written(tmp_path, b"\xef\xbb\xbf" + line_of(ID).encode() + b"\n")
    assert read_lock(tmp_path).find(ID.place, "x") == ID


def test_a_file_that_cant_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(LockFileError, match=r"dbt-describe\.lock can't be read: Is a directory"):
        read_lock(tmp_path)


@pytest.mark.parametrize("write", [append_entries, write_lock])
def test_a_file_that_cant_be_written_is_an_error(write: object, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(LockFileError, match=r"dbt-describe\.lock can't be written: Is a directory"):
        (append_entries if write is append_entries else write_lock)(tmp_path, [ID])


def test_a_missing_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LockFileError, match="can't be written: No such file"):
        write_lock(tmp_path / "gone", [ID])
    assert not (tmp_path / "gone").exists()


def test_a_link_stays_one(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "lock"
    target.parent.mkdir()
    target.write_text("", encoding="utf-8")
    (tmp_path / FILE_NAME).symlink_to(target)
    write_lock(tmp_path, [ID])
    assert (tmp_path / FILE_NAME).is_symlink()
    assert target.read_text(encoding="utf-8") == line_of(ID) + "\n"
    assert [path.name for path in target.parent.iterdir()] == ["lock"]


def test_permissions_stay_as_they_were(tmp_path: Path) -> None:
    write_lock(tmp_path, [ID])
    (tmp_path / FILE_NAME).chmod(0o640)
    write_lock(tmp_path, [ID, TOTAL])
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_a_text_wrapped_in_another_way_is_the_same() -> None:
    assert hash_text("What was  paid,\n  in euros. ") == hash_text("What was paid, in euros.")
    assert hash_text("What was paid, in euros.") != hash_text("What was paid, in Euros.")
    assert hash_text(" \n") == ""


def test_a_deep_line_is_one_that_cant_be_read(tmp_path: Path) -> None:
    deep = b'{"id":"a","writer":"x","z":' + b"[" * 200_000 + b"]" * 200_000 + b"}\n"
    (tmp_path / "dbt-describe.lock").write_bytes(deep)
    assert read_lock(tmp_path).warnings


def test_a_lock_that_is_a_link_to_elsewhere_is_not_written_through(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    project.mkdir()
    outside.write_text("anybody's\n", encoding="utf-8")
    (project / "dbt-describe.lock").symlink_to(outside)
    with pytest.raises(LockFileError):
        write_lock(project, [Entry(id="model.shop.orders", writer="rules", text="0")])
    assert outside.read_text(encoding="utf-8") == "anybody's\n"


def test_lines_that_cant_be_read_are_kept(tmp_path: Path) -> None:
    entry = Entry(id="model.shop.orders", writer="rules", text="0")
    write_lock(tmp_path, [entry])
    with (tmp_path / FILE_NAME).open("ab") as lock:
        lock.write(b'{"id": of a newer kind}\n')
    found = read_lock(tmp_path)
    assert not write_lock(tmp_path, [entry], found.unread)
    assert read_lock(tmp_path) == found
