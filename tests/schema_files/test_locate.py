"""Where a node's descriptions belong."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from dbt_describe.errors import SchemaFileError
from dbt_describe.project.nodes import Node, Project
from dbt_describe.schema_files import index_siblings, locate


def node(name: str, patch: str = "", **fields: object) -> Node:
    values = {
        "unique_id": f"model.shop.{name}",
        "resource_type": "model",
        "package_name": "shop",
        "original_file_path": f"models/staging/{name}.sql",
        "patch_path": f"shop://{patch}" if patch and "://" not in patch else patch,
    } | fields
    return Node(name=name, **values)  # type: ignore[arg-type]  # the tests give each field what it takes


def found(
    wanted: Node,
    *others: Node,
    root: Path = Path("/project"),
    schema_path: Mapping[str, str] | None = None,
    **project_fields: object,
) -> str:
    nodes = {one.unique_id: one for one in (wanted, *others)}
    project = Project(root, "shop", "duckdb", "1.11.0", nodes, **project_fields)  # type: ignore[arg-type]  # as above
    path = locate(wanted, project, schema_path=schema_path)
    assert path == locate(wanted, project, schema_path=schema_path, siblings=index_siblings(project))
    return path.relative_to(root).as_posix()


def test_the_node_s_own_file_comes_first() -> None:
    assert found(node("orders", "models/a.yml"), node("items", "models/staging/b.yml")) == "models/a.yml"


def test_a_source_stays_in_its_file() -> None:
    source = node("orders", resource_type="source", original_file_path="models/sources.yml")
    assert found(source) == "models/sources.yml"


def test_a_snapshot_defined_in_yaml_stays_in_its_file() -> None:
    assert found(node("s", resource_type="snapshot", original_file_path="snapshots/s.yml")) == "snapshots/s.yml"


def test_the_siblings_most_common_file_is_joined() -> None:
    others = [
        node("a", "models/staging/_models.yml"),
        node("b", "models/staging/_models.yml"),
        node("c", "models/staging/other.yml"),
        node("d", "models/elsewhere.yml"),
        node("e", "models/elsewhere.yml"),
        node("f", "models/elsewhere.yml"),
        node("g", "models/staging/seeds.yml", resource_type="seed", unique_id="seed.shop.g"),
    ]
    assert found(node("orders"), *others) == "models/staging/_models.yml"


def test_a_sibling_s_own_file_is_not_joined_but_its_pattern_followed() -> None:
    others = [node("items", "models/staging/items.yml"), node("refunds", "models/staging/refunds.yml")]
    assert found(node("orders"), *others) == "models/staging/orders.yml"
    others = [node("items", "models/staging/_items__schema.yaml")]
    assert found(node("orders"), *others) == "models/staging/_orders__schema.yaml"


def test_a_package_s_sibling_says_nothing() -> None:
    other = node("items", "other://models/staging/_x.yml", package_name="other", unique_id="model.other.items")
    assert found(node("orders"), other) == "models/staging/_staging__models.yml"


@pytest.mark.parametrize(
    ("resource_type", "file", "expected"),
    [
        ("model", "models/staging/orders.sql", "models/staging/_staging__models.yml"),
        ("model", "models/orders_v2.sql", "models/_models__models.yml"),
        ("seed", "seeds/raw/orders.csv", "seeds/raw/_raw__seeds.yml"),
        ("snapshot", "snapshots/orders.sql", "snapshots/_snapshots__snapshots.yml"),
        ("analysis", "analyses/orders.sql", "analyses/_analyses__analyses.yml"),
        ("model", "models\\staging\\orders.sql", "models/staging/_staging__models.yml"),
    ],
)
def test_without_any_file_near_a_new_one_is_named(resource_type: str, file: str, expected: str) -> None:
    assert found(node("orders", resource_type=resource_type, original_file_path=file)) == expected


@pytest.mark.parametrize("patch", ["../x.yml", "models/../../x.yml", "/etc/x.yml", "C:/x.yml"])
def test_a_path_out_of_the_project_is_refused(patch: str) -> None:
    with pytest.raises(SchemaFileError, match=rf"model\.shop\.orders: .*{patch}.* leads out of the project"):
        found(node("orders", patch))


def test_a_symlink_out_of_the_project_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "models").symlink_to(tmp_path)
    with pytest.raises(SchemaFileError, match=r"models/x\.yml.*leads out of the project"):
        found(node("orders", "models/x.yml"), root=root)


@pytest.mark.parametrize("name", ["dbt_project.yml", "packages.yml", "Profiles.yml", "vars.yml", "dbt-describe.yml"])
def test_a_file_of_another_purpose_is_no_schema_file(name: str) -> None:
    at_root = {"original_file_path": "orders.sql"}
    message = rf"^{name}: is a file of settings, not a schema file; nothing is written there$"
    for wanted, template in [
        (node("orders", name), ""),
        (node("orders", resource_type="source", original_file_path=name), ""),
        (node("orders", **at_root), "{dir}/" + name),
        (node("orders", config={"dbt-osmosis": name}, **at_root), ""),
    ]:
        with pytest.raises(SchemaFileError, match=message):
            found(wanted, schema_path={"models": template}, schema_paths=(".",))


def test_below_the_root_only_a_project_s_own_file_has_its_name_for_itself() -> None:
    assert found(node("orders"), schema_path={"models": "{dir}/packages"}) == "models/staging/packages.yml"
    with pytest.raises(SchemaFileError, match=r"models/staging/dbt_project\.yml: is a file of settings"):
        found(node("orders"), schema_path={"models": "{dir}/dbt_project"})


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("dbt_project.yml", r"^models/x\.yml: leads to dbt_project\.yml, which is a file of settings"),
        (".git/config.yml", r"^models/x\.yml: leads to \.git/config\.yml, which is git's own; nothing is written"),
        ("dbt_packages/other/docs/x.yml", r"^models/x\.yml: leads into dbt_packages, where dbt puts packages"),
        ("target/x.yml", r"^models/x\.yml: leads into target, where dbt puts"),
    ],
)
def test_a_symlink_inside_the_project_to_what_is_not_its_own_is_refused(
    target: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/x.yml").symlink_to(Path("..", target))
    with pytest.raises(SchemaFileError, match=message):
        found(node("orders", "models/x.yml"), root=tmp_path)
    (tmp_path / "models/y").symlink_to(Path("..", target).parent)
    if target != "dbt_project.yml":
        with pytest.raises(SchemaFileError):
            found(node("orders"), schema_path={"models": "models/y/new.yml"}, root=tmp_path)


def test_directories_of_packages_and_artifacts_are_those_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "modules").symlink_to("vendor")
    (tmp_path / "models/x.yml").symlink_to("../vendor/other/x.yml")
    with pytest.raises(SchemaFileError, match="leads into modules"):
        found(node("orders", "models/x.yml"), root=tmp_path, closed_dirs=("modules",))
    assert found(node("orders", "dbt_packages/x.yml"), root=tmp_path, closed_dirs=("modules", ".", "..")) == (
        "dbt_packages/x.yml"
    )


def test_packages_are_never_written() -> None:
    with pytest.raises(SchemaFileError, match=r"orders: belongs to the package other"):
        found(node("orders", package_name="other"))
    with pytest.raises(SchemaFileError, match=r"in models/x.yml of the package other \(other://models/x.yml\)"):
        found(node("orders", "other://models/x.yml"))
    with pytest.raises(SchemaFileError, match=r"of the package helpers .* inside the project included"):
        found(node("orders", "helpers://dbt_packages/helpers/models/x.yml"))


def test_a_node_without_any_path_is_refused() -> None:
    with pytest.raises(SchemaFileError, match="leads out of the project"):
        found(node("orders", resource_type="source", original_file_path=""))


def test_a_patch_path_is_taken_from_the_root_of_its_package() -> None:
    assert found(node("orders", "shop://models/a.yml")) == "models/a.yml"
    assert found(node("orders", patch_path="models/a.yml")) == "models/a.yml"
    assert found(node("orders", "shop://models\\staging\\a.yml")) == "models/staging/a.yml"


def test_a_file_elsewhere_that_describes_the_siblings_is_joined() -> None:
    others = [node("a", "models/shared.yml"), node("b", "models/shared.yml"), node("c", "models/other.yml")]
    assert found(node("orders"), *others) == "models/shared.yml"


def test_a_file_beside_the_siblings_wins_over_one_elsewhere() -> None:
    others = [node("a", "models/shared.yml"), node("b", "models/shared.yml"), node("c", "models/staging/x.yml")]
    assert found(node("orders"), *others, node("d", "models/staging/x.yml")) == "models/staging/x.yml"


def test_files_of_single_siblings_in_another_directory_are_followed() -> None:
    others = [node("items", "models/docs/items.yml"), node("refunds", "models/docs/refunds.yml")]
    assert found(node("orders"), *others) == "models/docs/orders.yml"


def at(directory: str, name: str, patch: str) -> Node:
    return node(name, patch, original_file_path=f"{directory}/{name}.sql")


def test_a_file_that_several_directories_share_takes_a_new_directory_in() -> None:
    others = [at("models/staging", "a", "models/schema.yml"), at("models/marts", "b", "models/schema.yml")]
    new = node("orders", original_file_path="models/intermediate/deep/orders.sql")
    assert found(new, *others) == "models/schema.yml"


def test_of_shared_files_the_nearest_is_taken() -> None:
    others = [
        at("models/marts/core", "a", "models/marts/marts.yml"),
        at("models/marts/finance", "b", "models/marts/marts.yml"),
        *(at(f"models/{name}", name, "models/schema.yml") for name in ("x", "y", "z", "zz")),
    ]
    assert found(node("orders", original_file_path="models/marts/new/orders.sql"), *others) == "models/marts/marts.yml"
    assert found(node("orders", original_file_path="models/new/orders.sql"), *others) == "models/schema.yml"


@pytest.mark.parametrize(
    "others",
    [
        [at("models/staging", "a", "models/schema.yml"), at("models/staging", "b", "models/schema.yml")],
        [at("models", "a", "models/schema.yml")],
        [
            at("models/staging", "a", "models/schema.yml"),
            at("models/marts", "b", "models/schema.yml"),
            *(at(f"models/{name}", name, f"models/{name}/schema.yml") for name in ("x", "y", "z")),
        ],
        [at("models/staging", "a", "models/staging/schema.yml"), at("models/marts", "b", "models/staging/schema.yml")],
    ],
    ids=["of one directory", "of its own directory", "of fewer nodes than others", "elsewhere"],
)
def test_a_file_that_is_not_shared_takes_no_new_directory_in(others: list[Node]) -> None:
    new = node("orders", original_file_path="models/new/orders.sql")
    assert found(new, *others) == "models/new/_new__models.yml"


def test_a_shared_file_of_models_says_nothing_of_seeds() -> None:
    others = [at("data/a", "a", "data/schema.yml"), at("data/b", "b", "data/schema.yml")]
    seed = node("orders", resource_type="seed", original_file_path="data/c/orders.csv")
    assert found(seed, *others) == "data/c/_c__seeds.yml"


EACH = {"models": "{dir}/{model}.yml", "seeds": "seeds/all.yml"}


def test_settings_say_where_a_node_goes_that_nothing_near_describes() -> None:
    assert found(node("orders"), schema_path=EACH) == "models/staging/orders.yml"
    seed = node("countries", resource_type="seed", original_file_path="seeds/geo/countries.csv")
    assert found(seed, schema_path=EACH) == "seeds/all.yml"
    snapshot = node("orders", resource_type="snapshot", original_file_path="snapshots/orders.sql")
    assert found(snapshot, schema_path=EACH) == "snapshots/_snapshots__snapshots.yml"


def test_own_file_then_siblings_then_settings_then_osmosis_then_shared_then_a_new_one() -> None:
    shared = [at("models/a", "a", "models/schema.yml"), at("models/b", "b", "models/schema.yml")]
    config = {"dbt-osmosis": "_{model}.yml"}
    routed = node("orders", config=config)
    sibling = node("items", "models/staging/_models.yml")
    own = node("orders", "models/own.yml", config=config)
    assert found(own, sibling, *shared, schema_path=EACH) == "models/own.yml"
    assert found(routed, sibling, *shared, schema_path=EACH) == "models/staging/_models.yml"
    assert found(routed, *shared, schema_path=EACH) == "models/staging/orders.yml"
    assert found(routed, *shared) == "models/staging/_orders.yml"
    assert found(node("orders"), *shared) == "models/schema.yml"
    assert found(node("orders")) == "models/staging/_staging__models.yml"


def test_a_source_stays_in_its_file_whatever_dbt_osmosis_plans_for_it() -> None:
    source = node("orders", resource_type="source", source_name="raw", original_file_path="models/sources.yml")
    assert found(source, vars={"dbt-osmosis": {"sources": {"raw": "staging/raw.yml"}}}) == "models/sources.yml"


def test_a_file_where_dbt_never_looks_is_refused() -> None:
    paths = {"schema_paths": ("models", "seeds"), "schema_path": {"models": "docs/{model}.yml"}}
    with pytest.raises(SchemaFileError) as raised:
        found(node("orders"), **paths)  # type: ignore[arg-type]  # of both kinds
    assert str(raised.value) == (
        "schema_path `docs/{model}.yml` leads to where dbt doesn't look for schema files; it does below models, seeds "
        "(dbt_project.yml)"
    )
    config = {"dbt-osmosis": "../../docs/{model}.yml"}
    with pytest.raises(SchemaFileError, match="leads out of the project"):
        found(node("orders", config=config), schema_paths=("models",))


def test_a_file_that_dbtignore_hides_from_dbt_is_refused_unless_dbt_has_read_it() -> None:
    patterns = {"ignore_patterns": ("_*.yml", "!_kept.yml")}
    with pytest.raises(SchemaFileError) as raised:
        found(node("orders"), **patterns)  # type: ignore[arg-type]  # none of them is a root
    assert str(raised.value) == (
        "its directory leads to models/staging/_staging__models.yml, which dbt passes over (.dbtignore); let dbt read "
        "it, or set schema_path"
    )
    with pytest.raises(SchemaFileError, match=r"the file of its siblings leads to .*_orders\.yml.*\.dbtignore"):
        found(node("orders"), node("items", "models/staging/_items.yml"), **patterns)  # type: ignore[arg-type]
    with pytest.raises(SchemaFileError, match=r"schema_path `_x\.yml` leads to _x\.yml.*\.dbtignore"):
        found(node("orders"), schema_path={"models": "_x.yml"}, **patterns)  # type: ignore[arg-type]
    assert found(node("orders", "models/_x.yml"), **patterns) == "models/_x.yml"  # type: ignore[arg-type]
    assert found(node("orders"), schema_path={"models": "_kept"}, **patterns) == "_kept.yml"  # type: ignore[arg-type]


def test_a_model_may_be_described_wherever_dbt_reads_schema_files() -> None:
    config = {"dbt-osmosis": "/countries.yml"}
    seed = node("countries", resource_type="seed", original_file_path="seeds/countries.csv", config=config)
    assert found(seed, schema_paths=("models", "seeds")) == "models/countries.yml"
    assert found(node("orders", original_file_path="orders.sql"), schema_paths=(".",)) == "_shop__models.yml"


def test_a_template_that_fails_says_which_and_why() -> None:
    with pytest.raises(SchemaFileError) as raised:
        found(node("orders", config={"dbt-osmosis": "{node.fqn[7]}.yml"}))
    assert str(raised.value) == (
        "dbt-osmosis's path `{node.fqn[7]}.yml` has the placeholder `node.fqn[7]`, which stands for nothing here"
    )


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", "..", "x\0y", "{dir}", "a:b"])
def test_a_node_s_name_never_leads_elsewhere(name: str) -> None:
    with pytest.raises(SchemaFileError, match="that can't be part of a file's name"):
        found(node(name), schema_path=EACH)
    with pytest.raises(SchemaFileError):
        found(node(name, original_file_path="models/staging/x.sql"), node("items", "models/staging/items.yml"))


def test_a_name_that_no_file_system_takes_is_refused() -> None:
    with pytest.raises(SchemaFileError, match="is too long"):
        found(node("o" * 240), schema_path=EACH)


class _OnlyByName(dict[str, Node]):
    """Nodes that can be looked up, but not gone through."""

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("goes through all nodes")

    values = items = keys = __iter__  # type: ignore[assignment]  # none of them is of any use


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("models/staging/_models.yml", "models/staging/_models.yml"),
        ("models/staging/{}.yml", "models/staging/orders.yml"),
        ("models/staging/{}/schema.yml", "models/staging/m0/schema.yml"),
    ],
)
def test_what_siblings_say_is_known_once_for_all_nodes_however_many_there_are(file: str, expected: str) -> None:
    """Counted for each node, n nodes beside n described ones would take n² steps."""
    sizes_bytes = set()
    for count in (10, 1000):
        others = {name: node(name, file.format(name)) for name in (f"m{number}" for number in range(count))}
        project = Project(Path("/project"), "shop", "duckdb", "1.11.0", others)
        siblings = index_siblings(project)
        sizes_bytes.add(len(pickle.dumps(siblings)))
        project = msgspec.structs.replace(project, nodes=_OnlyByName(others))
        assert locate(node("orders"), project, siblings=siblings) == Path("/project") / expected
    assert len(sizes_bytes) == 1


def test_of_a_file_and_a_pattern_the_one_of_more_siblings_is_followed() -> None:
    both = [node(name, "models/staging/_models.yml") for name in ("ab", "cd")]
    own = [node(name, f"models/staging/{name}.yml") for name in ("items", "refunds", "returns")]
    assert found(node("orders"), *both, *own) == "models/staging/orders.yml"
    assert found(node("orders"), *both, *own[1:]) == "models/staging/_models.yml"
    assert found(node("orders"), *own[:1], node("cd", "models/schema.yml")) == "models/staging/orders.yml"
