"""Seeds without a catalog: their columns are those of the file's first row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dbt_describe.lineage import Same, trace_project
from dbt_describe.project import Project
from dbt_describe.project.seeds import read_header
from tests.manifests import make_project, model


def seed(name: str, **fields: Any) -> dict[str, Any]:
    package = fields.get("package_name", "shop")
    return model(
        name,
        **{
            "resource_type": "seed",
            "unique_id": f"seed.{package}.{name}",
            "original_file_path": f"seeds/{name}.csv",
            "config": {"materialized": "seed", **fields.pop("config", {})},
            **fields,
        },
    )


def project_of(directory: Path, content: bytes, catalog: Any = None, **fields: Any) -> Project:
    path = directory / "seeds" / "colours.csv"
    path.parent.mkdir()
    path.write_bytes(content)
    return make_project(directory, seed("colours", **fields), catalog=catalog)


def names(project: Project) -> list[str]:
    return [column.name for column in project.nodes["seed.shop.colours"].columns]


@pytest.mark.parametrize(
    ("content", "config", "expected"),
    [
        (b"id,Name\n1,red\n", {}, ["id", "Name"]),
        ("\ufeffid,größe\r\n1,2\r\n".encode(), {}, ["id", "größe"]),
        (b"id;name\n", {"delimiter": ";"}, ["id", "name"]),
        (b"id\tname", {"delimiter": "\t"}, ["id", "name"]),
        (b'"a ""b""","c,d","e\nf", g \n1,2,3,4\n', {}, ['a "b"', "c,d", "e\nf", "g"]),
        (b"a,a,a,,b\n", {}, ["a", "a_2", "a_3", "b"]),
        (b"id|name\n", {"delimiter": "||"}, ["id|name"]),
        (b"", {}, []),
        (b"\xff\xfe\x00", {}, []),
        (b"x" * 2**21 + b"\n1\n", {}, []),
        (b'"' + b"x,\n" * 2**20, {}, []),
    ],
    ids=["plain", "bom", "semicolon", "tab", "quoted", "twice", "bad delimiter", "empty", "binary", "huge", "endless"],
)
def test_the_columns_are_those_of_the_first_row(
    content: bytes, config: dict[str, Any], expected: list[str], tmp_path: Path
) -> None:
    assert names(project_of(tmp_path, content, config=config)) == expected


def test_the_schema_files_spelling_texts_and_types_are_kept(tmp_path: Path) -> None:
    columns = {"ID": "Key.", "gone": ""}
    project = project_of(
        tmp_path, b"name,id,Size\n", columns=columns, config={"column_types": {"size": "bigint"}, "delimiter": None}
    )
    found = project.nodes["seed.shop.colours"].columns
    assert [(column.name, column.description, column.data_type, column.declared) for column in found] == [
        ("name", "", "", False),
        ("ID", "Key.", "", True),
        ("Size", "", "bigint", False),
        ("gone", "", "", True),
    ]


def test_the_catalog_leads_where_there_is_one(tmp_path: Path) -> None:
    assert names(project_of(tmp_path, b"id,name\n", catalog={"seed.shop.colours": {"key": "INT"}})) == ["key"]


def test_a_star_over_a_seed_has_the_files_columns(tmp_path: Path) -> None:
    path = tmp_path / "seeds" / "colours.csv"
    path.parent.mkdir()
    path.write_text("Id,name\n", encoding="utf-8")
    top = model("top", 'select * from "db"."main"."colours"', reads=["seed.shop.colours"])
    found = trace_project(make_project(tmp_path, seed("colours"), top)).nodes["model.shop.top"]
    assert found.columns == ("Id", "name")
    assert all(isinstance(origin, Same) for origin in found.origins.values())


def test_a_packages_seed_is_read_where_the_package_is(tmp_path: Path) -> None:
    for directory, header in ((tmp_path, "own"), (tmp_path / "dbt_packages" / "paint", "theirs")):
        (directory / "seeds").mkdir(parents=True)
        (directory / "seeds" / "colours.csv").write_text(header, encoding="utf-8")
    project = make_project(tmp_path, seed("colours"), seed("colours", package_name="paint"))
    assert names(project) == ["own"]
    assert [column.name for column in project.nodes["seed.paint.colours"].columns] == ["theirs"]


@pytest.mark.parametrize(
    "path", ["seeds/none.csv", "seeds", "../colours.csv", "/etc/x.csv", "a\0.csv", "", "x.CSV.txt"]
)
def test_what_is_no_file_of_the_project_has_no_columns(path: str, tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    (tmp_path.parent / "colours.csv").write_text("id", encoding="utf-8")
    assert read_header(tmp_path, path) == ()
