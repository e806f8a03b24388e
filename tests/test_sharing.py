"""Which columns share a docs block, and what it is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dbt_describe.lineage import ColumnRef, Lineage, NodeLineage, Same
from dbt_describe.planning import Draft
from dbt_describe.project import Project
from dbt_describe.sharing import Sharing, share_blocks
from tests.manifests import doc_block, make_project, model, resource, source

TEXT = "Number of the order."
RAW = "source.shop.raw.orders"


def lineage(**copies: str) -> Lineage:
    """`stg__order_id="raw.orders.id"`: column order_id of model stg holds the values of the source's column id."""
    nodes: dict[str, dict[str, Same]] = {}
    for column, origin in copies.items():
        name, _, own = column.partition("__")
        upstream, _, other = origin.rpartition(".")
        kind = "source.shop" if "." in upstream else "model.shop"
        nodes.setdefault(f"model.shop.{name}", {})[own] = Same(ColumnRef(f"{kind}.{upstream}", other))
    return Lineage("duckdb", {name: NodeLineage(name, origins=origins) for name, origins in nodes.items()})


CHAIN = lineage(stg__order_id="raw.orders.id", fct__order_id="stg.order_id", dim__order_id="stg.order_id")


def draft(place: str, text: str = TEXT, writer: str = "inherited") -> Draft:
    unique_id, _, column = place.rpartition(".")
    return Draft(unique_id if "." in unique_id else f"model.shop.{unique_id}", column, text, writer)


def shop(
    directory: Path, *, origin: str = TEXT, docs: Sequence[Mapping[str, Any]] = (), stg: str = "", schema: str = ""
) -> Project:
    (directory / "models").mkdir(exist_ok=True)
    (directory / "models/sources.yml").write_text(schema, encoding="utf-8")
    for path in {str(block["original_file_path"]) for block in docs if block["package_name"] == "shop"}:
        blocks = [
            f"{{% docs {block['name']} %}}{{% enddocs %}}" for block in docs if block["original_file_path"] == path
        ]
        (directory / path).write_text("\n".join(blocks), encoding="utf-8")
    return make_project(
        directory,
        source("orders", {"id": origin}),
        source("customers", {"id": origin}),
        model("stg", reads=[RAW], columns={"order_id": stg}, patch_path="shop://models/sources.yml"),
        model("fct", reads=["stg"], columns={"order_id": ""}),
        model("dim", reads=["stg"], columns={"order_id": ""}),
        docs=docs,
    )


def test_two_copies_of_a_human_text_share_a_new_block(tmp_path: Path) -> None:
    shared = share_blocks([draft("fct.order_id"), draft("stg.order_id", f" {TEXT}\n")], shop(tmp_path), CHAIN)
    assert shared == Sharing(
        {("model.shop.fct", "order_id"): "order_id", ("model.shop.stg", "order_id"): "order_id"},
        {"order_id": TEXT},
        tmp_path / "models/_columns.md",
    )


def test_one_copy_is_written_out(tmp_path: Path) -> None:
    assert share_blocks([draft("stg.order_id")], shop(tmp_path), CHAIN).references == {}


def test_an_origin_that_this_run_describes_refers_to_the_block_too(tmp_path: Path) -> None:
    drafts = [draft("source.shop.raw.orders.id", writer="rules"), draft("stg.order_id")]
    shared = share_blocks(drafts, shop(tmp_path, origin=""), CHAIN)
    assert shared.references == {(RAW, "id"): "order_id", ("model.shop.stg", "order_id"): "order_id"}


def test_equal_texts_of_other_values_are_not_shared(tmp_path: Path) -> None:
    drafts = [draft("source.shop.raw.orders.id"), draft("source.shop.raw.customers.id")]
    assert share_blocks(drafts, shop(tmp_path, origin=""), CHAIN) == Sharing({}, {}, tmp_path / "models/_columns.md")


def test_other_texts_of_the_same_values_are_not_shared(tmp_path: Path) -> None:
    drafts = [draft("stg.order_id"), draft("fct.order_id", "Number of the order, as printed.")]
    assert share_blocks(drafts, shop(tmp_path), CHAIN).references == {}


def test_nodes_and_texts_that_no_block_can_hold_take_no_part(tmp_path: Path) -> None:
    drafts = [draft("stg."), draft("fct."), draft("stg.order_id", "{{ x }}"), draft("fct.order_id", "{{ x }}")]
    assert share_blocks(drafts, shop(tmp_path), CHAIN).references == {}


def test_versions_of_a_model_share_one_place(tmp_path: Path) -> None:
    versions = [model("m", unique_id=f"model.shop.m.v{v}", version=v, columns={"a": ""}) for v in (1, 2)]
    copies = {f"model.shop.m.v{v}": NodeLineage("", origins={"a": Same(ColumnRef(RAW, "id"))}) for v in (1, 2)}
    drafts = [draft("model.shop.m.v1.a"), draft("model.shop.m.v2.a")]
    project = make_project(tmp_path, source("orders", {"id": TEXT}), *versions)
    assert share_blocks(drafts, project, Lineage("duckdb", copies)).references == {}


REFERENCE = (
    "sources: [{name: raw, tables: [{name: orders, columns: [{name: id, description: \"{{ doc('number') }}\"}]}]}]"
)


def test_a_copy_of_a_reference_is_the_same_reference(tmp_path: Path) -> None:
    docs = [doc_block("order_id", TEXT), doc_block("number", f"{TEXT}\r\n")]
    project = shop(tmp_path, docs=docs, schema=REFERENCE)
    shared = share_blocks([draft("stg.order_id")], project, CHAIN)
    assert (shared.references, shared.new) == ({("model.shop.stg", "order_id"): "number"}, {})


def test_a_copy_of_a_copy_follows_the_nearest_reference(tmp_path: Path) -> None:
    schema = "models: [{name: stg, columns: [{name: order_id, description: \"{{ doc('nearest') }}\"}]}]\n" + REFERENCE
    docs = [doc_block("nearest", TEXT), doc_block("number", TEXT)]
    shared = share_blocks([draft("fct.order_id")], shop(tmp_path, stg=TEXT, docs=docs, schema=schema), CHAIN)
    assert shared.references == {("model.shop.fct", "order_id"): "nearest"}


def test_a_block_of_the_same_text_that_nobody_uses_is_used(tmp_path: Path) -> None:
    docs = [doc_block("about", "All."), doc_block("number", TEXT)]
    shared = share_blocks([draft("stg.order_id")], shop(tmp_path, docs=docs), CHAIN)
    assert (list(shared.references.values()), shared.new) == (["number"], {})


def test_a_block_that_another_column_alone_uses_is_left_to_it(tmp_path: Path) -> None:
    schema = REFERENCE.replace("orders", "customers")
    drafts = [draft("stg.order_id"), draft("fct.order_id")]
    shared = share_blocks(drafts, shop(tmp_path, docs=[doc_block("number", TEXT)], schema=schema), CHAIN)
    assert shared.new == {"order_id": TEXT}


def test_a_block_that_several_other_columns_use_is_for_all(tmp_path: Path) -> None:
    columns = "[{name: id, description: \"{{ doc('key') }}\"}]"
    tables = ", ".join(f"{{name: {name}, columns: {columns}}}" for name in ("orders", "customers"))
    project = shop(tmp_path, docs=[doc_block("key", TEXT)], schema=f"sources: [{{name: raw, tables: [{tables}]}}]")
    assert list(share_blocks([draft("stg.other")], project, CHAIN).references.values()) == ["key"]


def test_an_unused_block_is_given_to_one_column_only(tmp_path: Path) -> None:
    project = shop(tmp_path, origin="", docs=[doc_block("id", TEXT), doc_block("orders__id", TEXT)])
    drafts = [draft("source.shop.raw.customers.id"), draft("source.shop.raw.orders.id")]
    shared = share_blocks(drafts, project, CHAIN)
    assert sorted(shared.references.values()) == ["id", "orders__id"]


@pytest.mark.parametrize("package", ["shop", "other"])
def test_a_name_that_is_taken_gets_the_origins_node_in_front(package: str, tmp_path: Path) -> None:
    drafts = [draft("stg.order_id"), draft("fct.order_id")]
    docs = [doc_block("ORDER_ID", "Other.", package_name=package)]
    assert list(share_blocks(drafts, shop(tmp_path, docs=docs), CHAIN).new) == ["orders__order_id"]
    docs.append(doc_block("orders__order_id", "Another.", package_name=package))
    assert list(share_blocks(drafts, shop(tmp_path, docs=docs), CHAIN).new) == ["orders__order_id_2"]


def test_a_packages_block_is_never_reused(tmp_path: Path) -> None:
    docs = [doc_block("number", TEXT, package_name="other")]
    assert share_blocks([draft("stg.order_id")], shop(tmp_path, docs=docs), CHAIN).references == {}


def test_a_block_that_the_docs_file_lost_or_won_since_the_manifest_counts(tmp_path: Path) -> None:
    project = shop(tmp_path, docs=[doc_block("number", TEXT)])
    (tmp_path / "models/docs.md").write_text("{% docs order_id %}Other.{% enddocs %}", encoding="utf-8")
    shared = share_blocks([draft("stg.order_id"), draft("fct.order_id")], project, CHAIN)
    assert (shared.new, shared.path) == ({"orders__order_id": TEXT}, tmp_path / "models/docs.md")


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        (["ID", "Order_Id"], "order_id"),
        (["status", "status"], "status"),
        (["Größe", "Größe"], "gr__e"),
        (["1st", "1st"], "_1st"),
        (["__overview__", "__overview__"], "column__overview__"),
        (["a b.c", "d"], "a_b_c"),
    ],
)
def test_a_block_has_the_columns_name(columns: Sequence[str], name: str, tmp_path: Path) -> None:
    copies = lineage(
        **{f"{node}__{column.lower()}": "raw.orders.id" for node, column in zip(("stg", "fct"), columns, strict=True)}
    )
    drafts = [
        Draft(f"model.shop.{node}", column, TEXT, "x") for node, column in zip(("stg", "fct"), columns, strict=True)
    ]
    assert list(share_blocks(drafts, shop(tmp_path), copies).new) == [name]


def test_two_columns_of_one_name_get_two_blocks_whatever_the_order_of_drafts(tmp_path: Path) -> None:
    copies = lineage(
        stg__id="raw.orders.id", fct__id="raw.orders.id", dim__id="raw.customers.id", dim__key="raw.customers.id"
    )
    drafts = [draft("stg.id"), draft("fct.id"), draft("dim.id"), draft("dim.key")]
    one, other = (share_blocks(given, shop(tmp_path), copies) for given in (drafts, drafts[::-1]))
    assert one == other
    assert list(one.new) == ["customers__id", "id"]


def test_names_dont_hang_on_the_manifests_order(tmp_path: Path) -> None:
    origins = {"fct": "raw.orders.id", "dim": "raw.customers.id"}
    copies = lineage(**{f"{node}__{column}": origin for node, origin in origins.items() for column in ("id", "k")})
    drafts = [draft(f"{node}.{column}") for node in origins for column in ("id", "k")]
    project = shop(tmp_path)
    turned = msgspec.structs.replace(project, nodes=dict(reversed([*project.nodes.items()])))
    assert share_blocks(drafts, project, copies) == share_blocks(drafts, turned, copies)


def test_new_blocks_go_where_blocks_describe_columns_already(tmp_path: Path) -> None:
    docs = [
        *(doc_block(name, f"About {name}.", "models/overview.md") for name in "abc"),
        doc_block("number", TEXT, "models/keys.md"),
        doc_block("d", TEXT, "models/other.md", package_name="other"),
    ]
    assert share_blocks([], shop(tmp_path, docs=docs), CHAIN).path == tmp_path / "models/keys.md"


def test_new_blocks_never_go_into_a_packages_file(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "dbt_packages/other").mkdir(parents=True)
    (tmp_path / "models/keys.md").symlink_to("../dbt_packages/other/keys.md")
    docs = [doc_block("number", TEXT, "models/keys.md"), doc_block("again", TEXT, "models/keys.md")]
    project = shop(tmp_path, docs=docs)
    assert share_blocks([], project, CHAIN).path == tmp_path / "models/_columns.md"
    docs.append(doc_block("mine", TEXT, "models/mine.md"))
    assert share_blocks([], shop(tmp_path, docs=docs), CHAIN).path == tmp_path / "models/mine.md"


@pytest.mark.parametrize(
    ("docs_dir", "ignored", "path"),
    [
        ("docs", "", "docs/_columns.md"),
        ("", "", None),
        ("docs", "*.md\n", None),
        ("docs", "docs/\n", None),
        ("docs", "\n# *.txt\nother/*.md\n", "docs/_columns.md"),
        ("docs", "docs/**\n!_columns.md\n", "docs/_columns.md"),
    ],
)
def test_a_new_docs_file_is_one_that_dbt_reads(docs_dir: str, ignored: str, path: str | None, tmp_path: Path) -> None:
    patterns = tuple(ignored.split("\n"))
    project = msgspec.structs.replace(shop(tmp_path), docs_dir=docs_dir, ignore_patterns=patterns)
    assert share_blocks([], project, CHAIN).path == (tmp_path / path if path else None)


def test_arguments_share_nothing(tmp_path: Path) -> None:
    """An argument holds no values: that another one is described alike is chance."""
    code = "{% macro m(a) %}{% endmacro %}"
    project = make_project(tmp_path, *(resource("macro", name, macro_sql=code) for name in ("m", "n")))
    drafts = [Draft(f"macro.shop.{name}", "a", TEXT, "model") for name in ("m", "n")]
    assert share_blocks(drafts, project, Lineage("duckdb", {})) == Sharing(path=tmp_path / "models/_columns.md")
