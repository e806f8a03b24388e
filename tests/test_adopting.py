"""What `status` counts and what `adopt` records, on a project whose SQL and texts change."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from dbt_describe.adopting import AdoptReport, adopt, names_nodes
from dbt_describe.checkup import check
from dbt_describe.cli.states import status_as_json
from dbt_describe.counting import DescriptionStatus, status
from dbt_describe.errors import ManifestError
from dbt_describe.progress import Silent
from dbt_describe.project.exclusive import writing_alone
from dbt_describe.project.selection import Selectors
from dbt_describe.project.sources import ArtifactSources
from dbt_describe.provenance.entries import FILE_NAME, NOT_THERE
from tests.manifests import resource
from tests.test_keeping_true import Scribe, Shop, document

MART = Selectors("mart")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def adopted(report: AdoptReport) -> dict[str, str]:
    """The state in which each was, by `model.column`."""
    return {f"{one.unique_id.rpartition('.')[2]}.{one.column}".rstrip("."): one.state for one in report.adopted}


def change_total(shop: Shop) -> None:
    shop.sql["mart"] = shop.sql["mart"].replace("sum(", "avg(")


def test_a_persons_text_that_was_adopted_is_told_once_its_sql_changes_and_never_rewritten(shop: Shop) -> None:
    shop.describe({"mart.total": "What the order came to."})
    report = adopt(shop.settings())
    assert (adopted(report), report.known, report.left) == ({"mart.total": "human"}, 0, 0)
    assert shop.states()["mart.total"] == "human"
    change_total(shop)
    assert shop.states()["mart.total"] == "stale"
    document(shop, Scribe())
    assert (shop.texts["mart.total"], shop.states()["mart.total"]) == ("What the order came to.", "stale")
    assert adopted(adopt(shop.settings())) == {"mart.total": "stale"}
    assert shop.states()["mart.total"] == "human"


def test_adopting_twice_changes_nothing(shop: Shop) -> None:
    shop.describe({"mart": "One row per order.", "stg.code": "Code, in lower case."})
    adopt(shop.settings())
    before = shop.lock
    report = adopt(shop.settings())
    assert (report.adopted, report.known, shop.lock) == ((), 2, before)


def test_adopting_where_less_is_known_forgets_nothing(shop: Shop) -> None:
    """A laptop without a catalog, or SQL that can't be followed, must not undo what another one recorded."""
    shop.describe({"mart.total": "What the order came to."})
    catalog = {"nodes": {"model.shop.mart": {"columns": {"total": {"name": "total", "type": "integer", "index": 1}}}}}
    settings = shop.settings()
    path = shop.root / "target/catalog.json"
    path.write_text(json.dumps(catalog), encoding="utf-8")
    assert adopted(adopt(settings)) == {"mart.total": "human"}
    (entry,) = map(json.loads, shop.lock)
    assert (entry["type"], bool(entry["sql"])) == ("number", True)
    path.unlink()
    before, sql = shop.lock, shop.sql["mart"]
    shop.sql["mart"] = "select from nowhere ((("
    assert (adopt(shop.settings()).adopted, shop.lock) == ((), before)
    shop.sql["mart"] = sql.replace("sum(", "avg(")
    assert adopted(adopt(shop.settings())) == {"mart.total": "stale"}
    (entry,) = map(json.loads, shop.lock)
    assert entry["type"] == "number"


def test_a_text_that_a_person_changed_is_theirs_from_then_on(shop: Shop) -> None:
    document(shop, Scribe())
    shop.edit("mart.total", "What the order came to.")
    assert adopted(adopt(shop.settings())) == {"mart.total": "edited"}
    assert shop.states()["mart.total"] == "human"


def test_texts_of_ours_that_hold_stay_ours(shop: Shop) -> None:
    document(shop, Scribe())
    before = shop.lock
    for selectors in (Selectors(), MART):
        report = adopt(shop.settings(selectors=selectors))
        assert (report.adopted, report.known, report.left, shop.lock) == ((), 0, 0, before)


def test_texts_of_ours_that_no_longer_hold_are_adopted_only_where_nodes_are_named(shop: Shop) -> None:
    """Without names, what `document` would write anew must not become a person's by accident."""
    document(shop, Scribe())
    change_total(shop)
    report = adopt(shop.settings())
    assert (report.adopted, report.left) == ((), 2)
    for named in ({"files": ("models/schema.yml",)}, {"selectors": Selectors(selector="x")}):
        assert names_nodes(shop.settings(**named))
    report = adopt(shop.settings(selectors=MART))
    assert (adopted(report), report.left) == ({"mart.total": "stale"}, 0)
    assert shop.states()["mart.total"] == "human"
    assert shop.states()["top.total"] != "human"


def test_the_entries_of_all_others_are_kept(shop: Shop) -> None:
    document(shop, Scribe())
    before = shop.lock
    shop.edit("mart.total", "What the order came to.")
    adopt(shop.settings(selectors=MART))
    changed = [line for line in shop.lock if line not in before]
    assert [(json.loads(line)["column"], json.loads(line)["writer"]) for line in changed] == [("total", "human")]
    assert len(shop.lock) == len(before)
    assert shop.lock == sorted(shop.lock, key=lambda line: (json.loads(line)["id"], json.loads(line).get("column", "")))


def test_a_dry_run_records_nothing(shop: Shop) -> None:
    shop.describe({"mart": "One row per order."})
    report = adopt(shop.settings(dry_run=True))
    assert (adopted(report), report.dry_run) == ({"mart": "human"}, True)
    assert not (shop.root / FILE_NAME).exists()


def test_where_nothing_is_to_be_adopted_no_file_is_made(shop: Shop) -> None:
    report = adopt(shop.settings())
    assert (report.nodes, report.adopted, report.known) == (3, (), 0)
    assert not (shop.root / FILE_NAME).exists()


def test_what_is_left_alone_is_neither_adopted_nor_counted_nor_described(shop: Shop) -> None:
    shop.describe({"mart": "One row per order.", "top": "The same."})
    ignore = ("mart", "*.code")
    assert adopted(adopt(shop.settings(ignore=ignore))) == {"top": "human"}
    counted = {node.unique_id: len(node.descriptions) for node in status(shop.settings(ignore=ignore)).nodes}
    assert counted == {"model.shop.stg": 3, "model.shop.top": 3}
    scribe = Scribe()
    document(shop, scribe, ignore=ignore)
    assert [(task.unique_id, task.columns) for task in scribe.asked] == [
        ("model.shop.stg", ("amount",)),
        ("model.shop.top", ("total",)),  # what it copies isn't described
    ]
    assert "mart.total" not in shop.texts


def test_check_says_nothing_of_what_is_left_alone(shop: Shop) -> None:
    shop.describe({"mart": "TODO", "mart.code": "{{ no_such_variable }}"})
    everything = check(shop.settings())
    assert "model.shop.mart" in {problem.unique_id for problem in everything.problems}
    report = check(shop.settings(ignore=("mart", "*.code")))
    found = {(problem.unique_id, problem.column) for problem in report.problems}
    assert {unique_id for unique_id, _ in found} == {"model.shop.stg", "model.shop.top"}
    assert not {column for _, column in found} & {"code"}
    (project,) = report.coverage
    assert (project.described, project.total) == (0, 6)


def test_what_is_left_alone_is_inherited_from_all_the_same(shop: Shop) -> None:
    shop.describe({"mart.total": "What the order came to."})
    document(shop, Scribe(), ignore=("mart",))
    assert shop.texts["top.total"] == "What the order came to."


def test_a_selection_that_is_left_alone_is_said_to_be(shop: Shop) -> None:
    said: list[str] = []

    class Heard(Silent):
        def say(self, message: str) -> None:
            said.append(message)

    report = status(shop.settings(selectors=MART, ignore=("mart",)), Heard())
    assert report.nodes == ()
    assert said == ["All that is selected is left alone, as `meta` or the `ignore` of dbt-describe.yml says."]


def test_texts_that_are_elsewhere_cannot_be_adopted(shop: Shop) -> None:
    settings = shop.settings()
    for path in (shop.root / "models").iterdir():
        path.unlink()
    path = shop.root / "target/manifest.json"
    with pytest.raises(ManifestError, match=r"there are no texts to adopt\. Run `adopt` where they are"):
        adopt(msgspec.structs.replace(settings, sources=ArtifactSources(manifest=str(path))))
    assert not (shop.root / FILE_NAME).exists()


def test_what_has_no_room_for_a_description_is_not_counted(shop: Shop) -> None:
    settings = shop.settings()
    path = shop.root / "target/manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["functions"]["function.shop.f"] = resource("function", "f")
    path.write_text(json.dumps(content), encoding="utf-8")
    report = status(msgspec.structs.replace(settings, resource_types=("function",)))
    assert report.nodes == ()


def test_the_status_tells_whose_each_description_is(shop: Shop) -> None:
    shop.describe({"mart": "One row per order.", "stg.code": "TODO"})
    document(shop, Scribe("amount"))
    shop.edit("top", "The best orders.")
    change_total(shop)
    report = status(shop.settings())
    by_place = {
        f"{node.unique_id.rpartition('.')[2]}.{found.column}": found
        for node in report.nodes
        for found in node.descriptions
    }
    scribe = {"writer": "tests/scribe", "prompt": "model 1"}
    assert by_place["mart."] == DescriptionStatus("", "human")
    assert by_place["stg."] == DescriptionStatus("", "generated", **scribe)
    assert by_place["top."] == DescriptionStatus("", "edited", **scribe)
    assert by_place["mart.total"] == DescriptionStatus("total", "stale", **scribe, reason="its SQL changed")
    assert by_place["stg.amount"] == DescriptionStatus(
        "amount", "unknown", writer="tests/scribe", reason="the model isn't sure"
    )
    origin = "source.shop.raw.orders.id"
    assert by_place["stg.order_id"] == DescriptionStatus("order_id", "inherited", "inherited", origin=origin)
    assert report.nodes[0].path == "models/schema.yml"
    assert (report.counts.described, report.counts.total) == (10, 11)


def test_the_json_has_the_same_keys_whatever_there_is(shop: Shop) -> None:
    shop.describe({"mart": "One row per order."})
    found = status_as_json(status(shop.settings(selectors=MART)))
    zero = dict.fromkeys(("inherited", "generated", "rules", "edited", "stale"), 0)
    counts = {
        "described": 1,
        "total": 4,
        "percent": 25.0,
        "counts": {"human": 1, **zero, "missing": 3, "placeholder": 0, "unknown": 0},
    }
    empty = {"writer": "", "prompt": "", "from": "", "reason": ""}
    states = {"": "human", "order_id": "missing", "total": "missing", "code": "missing"}
    assert found == {
        **counts,
        "nodes": [
            {
                "unique_id": "model.shop.mart",
                "resource_type": "model",
                "path": "models/schema.yml",
                **counts,
                "descriptions": [{"column": name, "state": state, **empty} for name, state in states.items()],
            }
        ],
        "warnings": [NOT_THERE],
    }


def test_adopting_waits_for_another_writer_and_a_dry_run_does_not(shop: Shop) -> None:
    shop.describe({"mart": "One row per order."})
    settings = shop.settings()
    command = [sys.executable, "-m", "dbt_describe", "adopt", "--project-dir", str(shop.root)]
    with writing_alone(settings.dbt, lambda _: None):
        adopt(msgspec.structs.replace(settings, dry_run=True))
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as other:
            assert other.stderr is not None
            assert "Waiting for another dbt-describe" in other.stderr.readline()
            assert not (shop.root / FILE_NAME).exists()
            other.terminate()


def test_with_a_warm_cache_nothing_heavy_is_imported(shop: Shop) -> None:
    """A command for every commit and prompt must not wait for parsers and clients."""
    settings = shop.settings()
    status(settings)
    code = (
        "import sys\nfrom dbt_describe.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'jinja2', 'openai', 'sqlglot', 'anthropic'}))"
    )
    for command in ("status", "adopt"):
        done = subprocess.run(
            [sys.executable, "-c", code, command, "--project-dir", str(shop.root)],
            capture_output=True,
            text=True,
            check=True,
            env={"DBT_DESCRIBE_STORE": str(shop.root / "store"), "PYTHONPATH": ":".join(sys.path), "PATH": ""},
        )
        assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_a_difference_that_was_adopted_is_right(shop: Shop) -> None:
    document(shop, Scribe())
    shop.edit("mart.order_id", "Order of the mart, which may have been split.")
    shop.edit("top.order_id", shop.texts["mart.order_id"])
    (problem,) = [one for one in check(shop.settings()).problems if one.rule == "inconsistent"]
    assert (problem.unique_id, problem.column) == ("model.shop.mart", "order_id")
    adopt(shop.settings())
    assert "inconsistent" not in check(shop.settings()).counts
