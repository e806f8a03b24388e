"""Plans divided among machines that don't talk."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbt_describe.errors import SettingsError
from dbt_describe.lineage.origins import ColumnRef
from dbt_describe.planning import Descriptions, NodePlan, Plan, Task
from dbt_describe.project.nodes import Node, Project
from dbt_describe.report import Failure
from dbt_describe.sharding import (
    Shard,
    Share,
    check_alone,
    parse_shard,
    shard_failures,
    shard_plan,
    share_of,
    weight_of,
)


def project(reads: Mapping[str, Sequence[str]]) -> Project:
    nodes = {name: Node(name, "model", name, "shop", depends_on=tuple(above)) for name, above in reads.items()}
    return Project(Path(), "shop", "duckdb", "1.11.16", nodes)


def node(name: str, asked: int = 1, copies: Mapping[str, str] | None = None) -> NodePlan:
    """A node that asks for columns `a0`, `a1`, … and copies columns of other nodes, `node.column` by its own name."""
    following = {column: ColumnRef(*origin.split(".")) for column, origin in (copies or {}).items()}
    return NodePlan(Task(name, tuple(f"a{number}" for number in range(asked))), following=following)


def plan(*nodes: NodePlan) -> Plan:
    gaps = sum(len(one.gaps) for one in nodes)
    return Plan({one.task.unique_id: one for one in nodes}, Descriptions(), missing=gaps)


def files(**of_nodes: str) -> dict[str, Path]:
    return {name: Path(f"{path}.yml") for name, path in of_nodes.items()}


def shares(count: int, given: Plan, of: Project, paths: Mapping[str, Path] | None = None) -> list[Share]:
    where = {name: Path(f"{name}.yml") for name in given.nodes} if paths is None else paths
    return [share_of(Shard(index, count), given, of, where) for index in range(1, count + 1)]


def members(found: Sequence[Share]) -> list[Collection[str]]:
    return [sorted(share.nodes) for share in found]


@pytest.mark.parametrize("text", ["0/4", "5/4", "x", "1", "1/", "/", "-1/4", "1/0", "1/4/2", "1.5/4", "²/4"])
def test_what_is_no_machine_of_some_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match=r"--shard is `.*`; write which one of how many, counted from 1: 1/4"):
        parse_shard(text)


def test_a_shard_is_read_as_it_is_shown() -> None:
    assert parse_shard(" 2/4 ") == Shard(2, 4)
    assert str(Shard(2, 4)) == "2/4"
    assert parse_shard("") is None


def test_what_machines_cant_do_side_by_side_is_refused() -> None:
    check_alone(None, doc_blocks=True, is_hook=True)
    check_alone(Shard(1, 2), doc_blocks=False, is_hook=False)
    with pytest.raises(SettingsError, match="--no-doc-blocks"):
        check_alone(Shard(1, 2), doc_blocks=True, is_hook=False)
    with pytest.raises(SettingsError, match="--hook"):
        check_alone(Shard(1, 2), doc_blocks=False, is_hook=True)


def test_nodes_that_read_each_other_are_in_one_shard_also_over_described_ones() -> None:
    chains = project({"a": [], "between": ["a"], "b": ["between"], "c": [], "d": ["c"]})
    assert members(shares(2, plan(*map(node, "abcd")), chains)) == [["a", "b"], ["c", "d"]]


def test_the_heaviest_goes_first_to_who_has_least() -> None:
    alone = project({name: [] for name in "abcd"})
    given = plan(node("a", 2), node("b", 5), node("c", 3), node("d", 3))
    assert members(shares(2, given, alone)) == [["a", "b"], ["c", "d"]]


def test_nodes_of_one_file_are_in_one_shard() -> None:
    alone = project({name: [] for name in "abcd"})
    found = shares(2, plan(*map(node, "abcd")), alone, files(a="x", b="y", c="x", d="y"))
    assert members(found) == [["a", "c"], ["b", "d"]]


def test_copies_weigh_little_and_are_divided_too() -> None:
    given = plan(*(node(name, 0, {"x": f"gone.{name}"}) for name in "abcd"))
    assert [weight_of(one) for one in given.nodes.values()] == [1, 1, 1, 1]
    assert members(shares(2, given, project({name: [] for name in "abcd"}))) == [["a", "c"], ["b", "d"]]


def test_what_is_more_than_a_share_is_divided_where_least_is_read_and_that_is_told() -> None:
    chain = project({"a": [], "b": ["a"], "c": ["b"], "d": ["c"], "e": ["d"]})
    given = plan(node("a"), node("b", 1, {"x": "a.a0"}), node("c"), node("d", 1, {"x": "c.a0"}), node("e", 0))
    first, second = shares(2, given, chain)
    assert members([first, second]) == [["a", "b"], ["c", "d", "e"]]
    assert (first.warnings, second.left) == ((), frozenset())
    assert second.warnings == (
        "1 of the 3 nodes of shard 2/2 read nodes that another shard describes; prompts lack those texts. Fewer shards "
        "divide less.",
    )


def test_copies_of_another_shards_texts_are_left_with_all_that_copies_them() -> None:
    chain = project({"a": [], "b": ["a"], "c": ["b"]})
    given = plan(node("a", 4), node("b", 4, {"X": "a.a0", "y": "a.a1"}), node("c", 0, {"x": "b.x", "own": "b.a0"}))
    first, second = shares(2, given, chain, files(a="a", b="b", c="b"))
    assert (sorted(first.nodes), sorted(second.nodes)) == (["b", "c"], ["a"])
    assert first.left == {("b", "X"), ("b", "y"), ("c", "x")}
    assert first.warnings[-1] == (
        "3 columns of shard 1/2 copy texts of another shard. Once all are put together, `dbt-describe document` writes "
        "them, and asks nothing for it."
    )
    kept = shard_plan(given, first, [("b", "a0"), ("b", "x"), ("a", "a0")])
    assert {name: list(one.following) for name, one in kept.nodes.items()} == {"b": [], "c": ["own"]}
    assert (kept.missing, kept.outdated) == (4, 1)
    assert shard_plan(given, second, ()).missing == 4


def test_a_shard_that_was_begun_keeps_its_nodes_whatever_it_has_done_of_them() -> None:
    alone = project({name: [] for name in "abcdef"})
    whole, rest = plan(*map(node, "abcdef")), plan(*map(node, "bdef"))
    first, second = shares(2, whole, alone)
    assert members([first, second]) == [["a", "c", "e"], ["b", "d", "f"]]
    where = {name: Path(f"{name}.yml") for name in rest.nodes}
    # Divided anew, what is left would be shared with the other machine, which does all of its own.
    assert members(shares(2, rest, alone)) == [["b", "e"], ["d", "f"]]
    again = share_of(first.shard, rest, alone, where, first.nodes)
    assert (sorted(again.nodes), str(again)) == (["e"], "Shard 1/2: 1 of 4 nodes that lack descriptions.")


def test_a_file_that_is_too_much_for_a_share_is_told() -> None:
    alone = project({name: [] for name in "abcd"})
    first, second = shares(2, plan(*map(node, "abcd")), alone, files(a="x", b="x", c="x", d="x"))
    assert (len(first.nodes), len(second.nodes), second.warnings) == (4, 0, ())
    assert first.warnings[0].startswith("Shard 1/2 has 100% of the work, as nodes of one schema file aren't divided.")
    assert str(second) == "Shard 2/2: 0 of 4 nodes that lack descriptions."


def test_a_failure_is_told_of_by_one_shard() -> None:
    of = project({"a": [], "b": []})
    failures = [Failure("a", "no file"), Failure("b", "no file"), Failure("models/x.yml", "no YAML")]
    found = [shard_failures(share, failures, of) for share in shares(2, plan(node("a"), node("b")), of, {})]
    assert [[failure.subject for failure in part] for part in found] == [["a", "models/x.yml"], ["b"]]


@st.composite
def plans(draw: st.DrawFn) -> tuple[dict[str, list[str]], list[NodePlan], dict[str, Path], int]:
    names = [f"n{number}" for number in range(draw(st.integers(0, 14)))]
    reads = {
        name: draw(st.lists(st.sampled_from(names[:place]), max_size=3, unique=True)) if place else []
        for place, name in enumerate(names)
    }
    planned = [
        node(
            name,
            draw(st.integers(0, 5)),
            {"x": f"{draw(st.sampled_from(names[:place]))}.a0"} if place and draw(st.booleans()) else {},
        )
        for place, name in enumerate(names)
    ]
    paths = {name: Path(f"{draw(st.integers(0, 6))}.yml") for name in names if draw(st.booleans())}
    return reads, planned, paths, draw(st.integers(1, 6))


@given(plans())
def test_all_shards_are_the_whole_and_no_node_or_file_is_in_two(
    made: tuple[dict[str, list[str]], list[NodePlan], dict[str, Path], int],
) -> None:
    reads, planned, paths, count = made
    given, of = plan(*planned), project(reads)
    found = shares(count, given, of, paths)
    assert sorted(name for share in found for name in share.nodes) == sorted(given.nodes)
    holders = [{paths[name] for name in share.nodes if name in paths} for share in found]
    assert sum(map(len, holders)) == len(set(paths.values()))
    backwards = project(dict(reversed(reads.items())))
    assert shares(count, plan(*reversed(planned)), backwards, dict(reversed(paths.items()))) == found
    # What is left is exactly what no shard's run writes; all else is in one plan.
    parts = [shard_plan(given, share, ()) for share in found]
    written = [(name, gap) for part in parts for name, one in part.nodes.items() for gap in one.gaps]
    left = [place for share in found for place in share.left]
    assert sorted(written + left) == sorted((one.task.unique_id, gap) for one in planned for gap in one.gaps)
    assert sum(part.missing for part in parts) == len(written)
