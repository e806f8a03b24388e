"""The projects that the benchmark generates."""

from __future__ import annotations

import itertools
from pathlib import Path

import yaml

from benchmarks.side_by_side import torture
from benchmarks.side_by_side.chains import Chains, columns_of, families_of, model_name, sql_of, write_chains
from benchmarks.side_by_side.works import longest_chain, squeezed_lines
from dbt_describe.lineage import ColumnRef, Same, trace_project
from tests.manifests import make_project, model


def compiled(level: int) -> str:
    """A model of the first chain as dbt compiles it."""
    above = model_name(0, level - 1)
    return sql_of(0, level).replace(f"{{{{ ref('{above}') }}}}", f'"db"."main"."{above}"')


def test_a_chains_models_have_twelve_columns_of_which_eight_are_handed_on() -> None:
    columns = columns_of(3, 4)
    assert len(set(columns)) == 12
    assert len(set(columns) & set(columns_of(3, 3))) == 8
    assert all(name in sql_of(3, 4) for name in columns)


def test_what_the_benchmark_holds_for_copies_is_what_lineage_proves(tmp_path: Path) -> None:
    models = [
        model(model_name(0, level), compiled(level), reads=[model_name(0, level - 1)] if level else [])
        for level in range(3)
    ]
    lineage = trace_project(make_project(tmp_path, *models))
    for family in families_of(Chains(chains=1, levels=3)):
        for (above, column), (name, _) in itertools.pairwise(family):
            origin = lineage.nodes[f"model.shop.{name}"].origins[column]
            assert origin == Same(ColumnRef(f"model.shop.{above}", column))


def test_the_full_project_has_two_hundred_models_with_sql_of_their_own(tmp_path: Path) -> None:
    size = Chains()
    write_chains(tmp_path / "chains", size)
    codes = {path.read_text(encoding="utf-8") for path in (tmp_path / "chains").rglob("*.sql")}
    assert len(codes) == size.nodes == 200
    # Four columns of each chain go through all its models, four more of each model but the last to the next one.
    assert len(families_of(size)) == 20 * (4 + 4 * 9)


def test_the_longest_chain_is_counted_in_nodes() -> None:
    nodes = {
        "a": {"depends_on": {"nodes": ["source.elsewhere"]}},
        "b": {"depends_on": {"nodes": ["a"]}},
        "c": {"depends_on": {"nodes": ["a", "b"]}},
        "d": {},
    }
    assert longest_chain(nodes) == 3


def test_lines_of_sql_are_compared_without_layout() -> None:
    assert squeezed_lines("select\n    amount   as net_amount,\n)\n") == {"amount as net_amount"}


def test_the_tortured_schema_file_is_valid_and_has_gaps() -> None:
    models = {entry["name"]: entry for entry in yaml.safe_load(torture.TEXT)["models"]}
    assert models["orders"]["meta"] == {"owner": "data-team", "contains_pii": False, "reviewed": "2026-03-01"}
    gaps = [column["name"] for column in models["customers"]["columns"] if "description" not in column]
    assert gaps == ["first_order", "most_recent_order", "customer_lifetime_value", "customer_average_value"]
