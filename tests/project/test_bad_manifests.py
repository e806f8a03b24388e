"""Artifacts that can't be right: one line that says what and where and what to do, exit 2, and no dbt is needed."""

from __future__ import annotations

import gzip
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dbt_describe.cli.main import main
from dbt_describe.errors import ManifestError
from dbt_describe.project import load_project
from tests.manifests import generic_test, manifest, model
from tests.project.engine_manifests import V12, manifest_of

Run = Callable[..., tuple[int, str, str]]
MANIFEST = json.dumps(manifest(model("a", "select 1 as id", columns={"id": ""})))
AGAIN = "Make it again with `dbt compile`."


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project named shop with one model, and no dbt."""
    for name, text in {
        "dbt_project.yml": "name: shop\n",
        "models/a.sql": "select 1 as id",
        "models/b.sql": "select 1 as id",
        "target/manifest.json": MANIFEST,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DBT_DESCRIBE_STORE", str(tmp_path / "target/store"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    return tmp_path


@pytest.fixture
def run(shop: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `dbt-describe plan` over a manifest."""

    def run(content: bytes | Mapping[str, Any]) -> tuple[int, str, str]:
        path = shop / "target/manifest.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        code = 0
        try:
            main(["plan"])
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        first, _, rest = printed.err.partition("\n")
        assert first.startswith("No language model is configured")
        return code, printed.out, rest

    return run


def changed(change: Callable[[dict[str, Any]], Any]) -> bytes:
    """The manifest of the project, changed."""
    content = json.loads(MANIFEST)
    change(content)
    return json.dumps(content).encode()


def entry(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["nodes"]["model.shop.a"]
    return found


NODE = "nodes['model.shop.a']"
NOT_READABLE: list[tuple[str, bytes, str]] = [
    ("empty", b"", "it is empty"),
    ("white space", b"\n \n", "it is empty"),
    ("truncated", MANIFEST.encode()[:-40], "Input data was truncated"),
    (
        "truncated gzip",
        gzip.compress(MANIFEST.encode())[:-40],
        "Compressed file ended before the end-of-stream marker was reached",
    ),
    ("HTML", b"\n<!DOCTYPE html><html>Sign in</html>", "it is HTML or XML, not JSON"),
    ("a list", b"[]", "expected `object`, got `array`"),
    ("text", b"not found", "JSON is malformed: invalid character (byte 4)"),
    ("no nodes", b'{"metadata": {}}', "object missing required field `nodes`"),
    ("nodes in a list", b'{"metadata": {}, "nodes": []}', "expected `object`, got `array` at nodes"),
    (
        "a number as a description",
        changed(lambda content: entry(content).update(description=2024)),
        f"expected `str | null`, got `int` at {NODE}.description",
    ),
    (
        "a number as a column's description",
        changed(lambda content: entry(content)["columns"]["id"].update(description=2024)),
        f"expected `str | null`, got `int` at {NODE}.columns['id'].description",
    ),
    (
        "a node that is a list",
        changed(lambda content: content["nodes"].update({"model.shop.a": []})),
        f"expected `object`, got `array` at {NODE}",
    ),
    (
        "a node without a name",
        changed(lambda content: entry(content).pop("name")),
        f"object missing required field `name` at {NODE}",
    ),
    (
        "a word as a list",
        changed(lambda content: entry(content).update(depends_on={"nodes": "a"})),
        f"expected `array | null`, got `str` at {NODE}.depends_on.nodes",
    ),
]


@pytest.mark.parametrize(("content", "said"), [row[1:] for row in NOT_READABLE], ids=[row[0] for row in NOT_READABLE])
def test_what_is_no_manifest_is_told_with_the_place_of_the_mistake(
    content: bytes, said: str, run: Run, shop: Path
) -> None:
    path = shop / "target/manifest.json"
    assert run(content) == (2, "", f"Error: {path} is not a readable dbt manifest: {said}. {AGAIN}\n")


def test_a_manifest_of_another_project_is_told_with_both_names(run: Run, shop: Path) -> None:
    other = changed(lambda content: content["metadata"].update(project_name="bakery"))
    assert run(other) == (
        2,
        "",
        f"Error: {shop}/target/manifest.json is of the project `bakery`, and {shop}/dbt_project.yml is of `shop`. "
        f"Make it again with `dbt compile`, or pass the --project-dir that it belongs to.\n",
    )


def test_a_project_whose_name_only_dbt_knows_is_taken_for_the_manifests(run: Run, shop: Path) -> None:
    (shop / "dbt_project.yml").write_text("name: \"{{ env_var('NAME') }}\"\n", encoding="utf-8")
    assert run(MANIFEST.encode())[0] == 0


def test_files_that_are_gone_need_a_new_manifest(run: Run, shop: Path) -> None:
    """However new the manifest looks: what it says of them may be wrong."""
    code, out, err = run(manifest(model("a"), model("gone")))
    assert (code, out) == (2, "")
    assert err.startswith("Error: `dbt compile` is needed, and there is no dbt: ")


def test_nodes_that_depend_on_each_other_are_named(run: Run) -> None:
    circle = manifest(model("a", reads=["b"]), model("b", reads=["a"]))
    code, out, err = run(circle)
    assert (code, out) == (2, "")
    assert err in {
        f"Error: The manifest's nodes depend on each other in a circle: {names}. "
        "dbt refuses such a project: make the manifest again with `dbt compile`.\n"
        for names in (
            "model.shop.a → model.shop.b → model.shop.a",
            "model.shop.b → model.shop.a → model.shop.b",
        )
    }


def test_what_a_node_depends_on_may_be_missing(run: Run) -> None:
    read = "select id from gone"
    entries = (
        model("a", read, reads=["gone", "source.shop.raw.gone"], columns={"id": ""}),
        generic_test("relationships", "model.shop.a", "id", kwargs={"to": "ref('gone')", "field": "id"})
        | {"depends_on": {"nodes": ["model.shop.gone", "model.shop.a"]}},
        generic_test("unique", "model.shop.gone", "id"),
    )
    code, out, err = run(manifest(*entries))
    assert (code, "model.shop.a" in out, err) == (0, True, "")


def places(value: object, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to each value inside of a value."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*place, key)
        yield from places(inner, (*place, key))


WRONG: tuple[object, ...] = (5, "x", [5], {"x": 5}, None, True, 1.5, [], {}, [[]])


@pytest.mark.parametrize("begin", [0, pytest.param(3, marks=pytest.mark.slow)])
def test_a_value_of_any_type_anywhere_is_read_or_told(begin: int, tmp_path: Path) -> None:
    """In turn, every value of a manifest is of a wrong type."""
    whole = json.dumps(manifest_of(V12))
    path = tmp_path / "manifest.json"
    told = 0
    for place, wrong in zip(places(json.loads(whole)), itertools.cycle(WRONG[begin:] + WRONG[:begin]), strict=False):
        content = inner = json.loads(whole)
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = wrong
        path.write_text(json.dumps(content), encoding="utf-8")
        try:
            load_project(tmp_path, path)
        except ManifestError:
            told += 1
    assert told
