"""What a second run does with what the first one wrote, when SQL or texts have changed in between."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import pytest
import yaml

from dbt_describe import run
from dbt_describe.errors import LockFileError
from dbt_describe.lineage.origins import Lineage
from dbt_describe.llm.bounds import Amount
from dbt_describe.planning import Abstention, Descriptions, Draft, Task
from dbt_describe.preparing import Prepared, prepare
from dbt_describe.progress import Silent
from dbt_describe.project.nodes import Project
from dbt_describe.prompting.facts import Enrich
from dbt_describe.provenance.entries import FILE_NAME
from dbt_describe.report import Report
from dbt_describe.settings import Settings, make_settings
from dbt_describe.writers.protocol import WriterResult
from tests.manifests import manifest, model, source

SCHEMA = "models/schema.yml"
DOCS = "models/_columns.md"


class Shop:
    """raw.orders → stg → mart, in one schema file; `dbt` reads it and the SQL anew."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sql = {
            "stg": 'select id as order_id, amount, lower(code) as code from "db"."raw"."orders"',
            "mart": 'select order_id, sum(amount) as total, max(code) as code from "db"."main"."stg" group by 1',
            "top": 'select order_id, total from "db"."main"."mart"',
        }
        self.disabled: Sequence[str] = ()
        self.raw = {"id": "Number that the till gave the order.", "amount": "", "code": ""}
        (root / "models").mkdir()
        (root / "dbt_project.yml").write_text("name: shop\n", encoding="utf-8")
        self.describe({})

    def describe(self, texts: Mapping[str, str]) -> None:
        """Write the schema file with descriptions by `model.column` or `model`."""
        columns = {
            "stg": ("order_id", "amount", "code"),
            "mart": ("order_id", "total", "code"),
            "top": ("order_id", "total"),
        }
        models = [
            {
                "name": name,
                "description": texts.get(name, ""),
                "columns": [{"name": column, "description": texts.get(f"{name}.{column}", "")} for column in names],
            }
            for name, names in columns.items()
        ]
        sources = [{"name": "raw", "tables": [{"name": "orders", "columns": []}]}]
        (self.root / SCHEMA).write_text(yaml.safe_dump({"models": models, "sources": sources}), encoding="utf-8")

    @property
    def texts(self) -> dict[str, str]:
        """What the schema file says, by `model.column` or `model`."""
        found = yaml.safe_load((self.root / SCHEMA).read_text(encoding="utf-8"))["models"]
        texts = {entry["name"]: entry["description"] for entry in found}
        texts |= {
            f"{entry['name']}.{column['name']}": column["description"] for entry in found for column in entry["columns"]
        }
        return {place: text for place, text in texts.items() if text}

    def edit(self, place: str, text: str) -> None:
        """As a person would."""
        self.describe({**self.texts, place: text})

    def prepare(self, **options: object) -> Prepared:
        return prepare(self.settings(**options), Silent())

    def settings(self, **options: object) -> Settings:
        """With the manifest that dbt would make now."""
        texts = {place: self._rendered(text) for place, text in self.texts.items()}
        entries = [
            model(
                name,
                sql,
                reads=["source.shop.raw.orders"] if name == "stg" else ["stg"] if name == "mart" else ["mart"],
                columns={place.partition(".")[2]: texts.get(place, "") for place in self._places(name)},
                description=texts.get(name, ""),
                patch_path=f"shop://{SCHEMA}",
            )
            for name, sql in self.sql.items()
        ]
        raw = source("orders", self.raw, original_file_path=SCHEMA, description="Orders of the till, one row each.")
        for name, sql in self.sql.items():
            (self.root / f"models/{name}.sql").write_text(sql, encoding="utf-8")
        (self.root / "target").mkdir(exist_ok=True)
        content = manifest(raw, *entries)
        content["metadata"]["generated_at"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
        content["docs"] = {
            f"doc.shop.{name}": {
                "name": name,
                "package_name": "shop",
                "block_contents": text,
                "original_file_path": DOCS,
            }
            for name, text in self.blocks.items()
        }
        content["disabled"] = {name: [{"unique_id": name}] for name in self.disabled}
        (self.root / "target/manifest.json").write_text(json.dumps(content), encoding="utf-8")
        environ = {"DBT_DESCRIBE_STORE": str(self.root / "store")}
        settings = make_settings(project_dir=self.root, environ=environ)
        return msgspec.structs.replace(settings, resource_types=("model",), **options)

    @property
    def blocks(self) -> dict[str, str]:
        """The docs blocks."""
        docs = self.root / DOCS
        content = docs.read_text(encoding="utf-8") if docs.exists() else ""
        return dict(re.findall(r"{% docs (\w+) %}\n(.*?)\n{% enddocs %}", content))

    def _rendered(self, text: str) -> str:
        """As dbt does it with docs blocks."""
        found = re.fullmatch(r"{{ doc\('(\w+)'\) }}", text)
        return self.blocks[found[1]] if found else text

    def _places(self, name: str) -> list[str]:
        found = yaml.safe_load((self.root / SCHEMA).read_text(encoding="utf-8"))["models"]
        return [f"{name}.{column['name']}" for entry in found if entry["name"] == name for column in entry["columns"]]

    def states(self) -> dict[str, str]:
        """By `model.column`."""
        prepared = self.prepare()
        found = (standing for name in prepared.plan.selected for standing in prepared.standings.of_node(name))
        return {f"{one.unique_id.rpartition('.')[2]}.{one.column}".rstrip("."): one.state for one in found}

    @property
    def lock(self) -> list[str]:
        return (self.root / FILE_NAME).read_text(encoding="utf-8").splitlines()


class Scribe:
    """A writer that costs something: it says what it was asked, and doesn't know what is in `unknown`."""

    name = "tests/scribe"
    is_free = False

    def __init__(self, *unknown: str) -> None:
        self.unknown = unknown
        self.asked: list[Task] = []

    async def write(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        self.asked.append(task)
        asked = [*([""] if task.describe_node else []), *task.columns]
        number = len(self.asked)
        return WriterResult(
            drafts=tuple(
                Draft(task.unique_id, name, f"Answer {number} on {name or 'it'}.", self.name, prompt="model 1")
                for name in asked
                if name not in self.unknown
            ),
            abstentions=tuple(
                Abstention(task.unique_id, name, "the model isn't sure", self.name)
                for name in asked
                if name in self.unknown
            ),
        )

    def estimate(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
        return WriterResult()

    def inform(self, enrich: Enrich) -> None:
        pass

    def charge(self, used: Amount) -> None:
        pass

    def avoid(self, descriptions: int) -> None:
        pass

    def stop(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def document(shop: Shop, scribe: Scribe, **options: object) -> Report:
    settings = shop.settings(**options)
    config = msgspec.structs.replace(settings.llm.config, model="tests/scribe")
    settings = msgspec.structs.replace(settings, llm=msgspec.structs.replace(settings.llm, config=config))
    return run.document_with(scribe, settings, Silent())


def test_what_is_written_is_ours_and_what_stood_there_is_a_persons(shop: Shop) -> None:
    shop.describe({"mart": "One row per order."})
    report = document(shop, Scribe())
    assert report.is_recorded
    assert shop.states() == {
        "stg": "generated",
        "stg.order_id": "inherited",
        "stg.amount": "generated",
        "stg.code": "generated",
        "mart": "human",
        "mart.order_id": "inherited",
        "mart.total": "generated",
        "mart.code": "generated",
        "top": "generated",
        "top.order_id": "inherited",
        "top.total": "inherited",
    }


def test_a_second_run_asks_nothing_and_leaves_the_lock_as_it_is(shop: Shop) -> None:
    document(shop, Scribe())
    before = shop.lock
    scribe = Scribe()
    report = document(shop, scribe)
    assert (scribe.asked, report.drafts, report.is_recorded, shop.lock) == ([], (), False, before)


def test_changed_sql_makes_its_column_and_the_copies_of_it_stale_and_nothing_else(shop: Shop) -> None:
    document(shop, Scribe())
    shop.sql["mart"] = shop.sql["mart"].replace("sum(", "avg(")
    assert [place for place, state in shop.states().items() if state == "stale"] == ["mart.total", "top.total"]


def test_what_is_stale_is_asked_anew_with_its_old_text_and_copies_get_the_new_one(shop: Shop) -> None:
    document(shop, Scribe())
    old = shop.texts
    shop.sql["mart"] = shop.sql["mart"].replace("sum(", "avg(")
    scribe = Scribe()
    report = document(shop, scribe)
    (task,) = scribe.asked
    assert (task.columns, task.describe_node, task.previous) == (("total",), False, {"total": old["mart.total"]})
    assert (report.outdated, report.renewed, report.missing) == (2, 2, 0)
    assert shop.texts == {**old, "mart.total": "Answer 1 on total.", "top.total": "Answer 1 on total."}
    assert "stale" not in shop.states().values()


def test_an_answer_that_says_the_same_again_settles_it_without_touching_the_file(shop: Shop) -> None:
    scribe = Scribe()
    document(shop, scribe)
    shop.sql["mart"] = shop.sql["mart"].replace("sum(", "avg(")
    same = Scribe()
    same.asked = scribe.asked[:1]  # the next answer has the number of the one that described the mart
    shop.settings()
    before = (shop.root / SCHEMA).read_bytes()
    report = document(shop, same)
    assert (shop.root / SCHEMA).read_bytes() == before
    assert (report.files, report.renewed, report.is_recorded) == ((), 2, True)
    assert "stale" not in shop.states().values()


def test_of_two_lines_with_the_same_text_the_one_that_holds_counts(shop: Shop) -> None:
    document(shop, Scribe())
    old = next(line for line in shop.lock if '"column":"total"' in line and "mart" in line)
    shop.sql["mart"] = shop.sql["mart"].replace("sum(", "avg(")
    same = Scribe()
    same.asked = [Task("", ())]
    document(shop, same)
    assert shop.texts["mart.total"] == "Answer 2 on total."
    renewed = shop.lock
    assert old not in renewed
    with (shop.root / FILE_NAME).open("a", encoding="utf-8") as lock:
        lock.write(f"{old}\n")
    assert shop.states()["mart.total"] == "generated"
    document(shop, Scribe())
    assert shop.lock == renewed


def test_lines_of_nodes_that_are_disabled_now_are_kept_and_of_those_that_are_gone_arent(shop: Shop) -> None:
    document(shop, Scribe())
    top = [line for line in shop.lock if "model.shop.top" in line]
    del shop.sql["top"]
    shop.disabled = ["model.shop.top"]
    document(shop, Scribe())
    assert [line for line in shop.lock if "model.shop.top" in line] == top
    shop.disabled = []
    document(shop, Scribe())
    assert not [line for line in shop.lock if "model.shop.top" in line]


def test_a_stale_text_that_nobody_can_renew_stays_and_is_told(shop: Shop) -> None:
    document(shop, Scribe())
    old = shop.texts
    shop.sql["mart"] = shop.sql["mart"].replace("sum(", "avg(")
    report = document(shop, Scribe("total"))
    assert shop.texts == old
    assert "the model isn't sure; its description no longer holds" in {given.reason for given in report.abstentions}
    assert shop.states()["mart.total"] == "stale"


def test_a_stale_text_is_asked_for_in_vain_once_only(shop: Shop) -> None:
    document(shop, Scribe())
    shop.sql["mart"] = shop.sql["mart"].replace("sum(", "avg(")
    document(shop, Scribe("total"))
    before = shop.lock
    again = Scribe()
    report = document(shop, again)
    assert (again.asked, shop.lock) == ([], before)
    assert "the model isn't sure (asked before; --ask-again asks again); its description no longer holds" in {
        given.reason for given in report.abstentions
    }
    assert shop.states()["mart.total"] == "stale"
    document(shop, wished := Scribe(), ask_again=True)
    assert [task.columns for task in wished.asked] == [("total",)]
    shop.sql["mart"] = shop.sql["mart"].replace("avg(", "max(")
    document(shop, changed := Scribe())
    assert [task.columns for task in changed.asked] == [("total",)]


def test_a_placeholder_is_asked_for_in_vain_once_only(shop: Shop) -> None:
    shop.describe({"stg.code": "TODO"})
    document(shop, Scribe("code"))
    again = Scribe()
    document(shop, again)
    assert (again.asked, shop.states()["stg.code"]) == ([], "unknown")


def test_a_deleted_text_that_nobody_can_write_again_is_asked_for_once(shop: Shop) -> None:
    document(shop, Scribe())
    shop.edit("mart.total", "")
    document(shop, Scribe("total"))
    again = Scribe()
    document(shop, again)
    assert again.asked == []


def test_copies_follow_their_origin_through_each_other_in_one_run(shop: Shop) -> None:
    document(shop, Scribe())
    shop.raw["id"] = "Number of the order, as printed on the receipt."
    assert [place for place, state in shop.states().items() if state == "stale"] == [
        "stg.order_id",
        "mart.order_id",
        "top.order_id",
    ]
    scribe = Scribe()
    document(shop, scribe)
    assert scribe.asked == []
    assert {shop.texts[f"{name}.order_id"] for name in ("stg", "mart", "top")} == {shop.raw["id"]}


def test_an_edited_copy_is_left_alone_and_those_below_follow_it(shop: Shop) -> None:
    document(shop, Scribe())
    shop.edit("mart.order_id", "Order of the mart.")
    assert {place: state for place, state in shop.states().items() if "order_id" in place} == {
        "stg.order_id": "inherited",
        "mart.order_id": "edited",
        "top.order_id": "stale",
    }
    shop.raw["id"] = "Changed above."
    document(shop, Scribe())
    assert shop.texts["stg.order_id"] == "Changed above."
    assert shop.texts["mart.order_id"] == shop.texts["top.order_id"] == "Order of the mart."


def test_an_edited_text_is_a_persons_whatever_becomes_of_its_sql(shop: Shop) -> None:
    document(shop, Scribe())
    shop.edit("mart.total", "What the order came to.")
    shop.sql["mart"] = shop.sql["mart"].replace("sum(", "avg(")
    scribe = Scribe()
    document(shop, scribe)
    assert (scribe.asked, shop.texts["mart.total"]) == ([], "What the order came to.")
    assert shop.states()["mart.total"] == "edited"


def test_what_isnt_known_is_not_asked_again_until_its_sql_changes(shop: Shop) -> None:
    document(shop, Scribe("code"))
    assert shop.states()["stg.code"] == "unknown"
    again = Scribe()
    report = document(shop, again)
    assert again.asked == []
    assert {given.reason for given in report.abstentions} == {
        "the model isn't sure (asked before; --ask-again asks again)"
    }
    shop.sql["stg"] = shop.sql["stg"].replace("lower(code)", "upper(code)")
    asked = Scribe()
    document(shop, asked)
    assert [task.columns for task in asked.asked] == [("code",)]


def test_what_isnt_known_is_asked_again_if_wished_and_by_the_rules_in_any_case(shop: Shop) -> None:
    document(shop, Scribe("code"))
    wished = Scribe()
    document(shop, wished, ask_again=True)
    assert sorted(task.columns for task in wished.asked) == [("code",), ("code",)]
    assert shop.states()["mart.code"] == "generated"
    assert shop.prepare().plan.nodes == {}


def test_a_column_that_is_gone_leaves_the_lock(shop: Shop) -> None:
    document(shop, Scribe())
    shop.sql["top"] = 'select order_id from "db"."main"."mart"'
    texts = shop.texts
    shop.describe({place: text for place, text in texts.items() if place != "top.total"})
    schema = yaml.safe_load((shop.root / SCHEMA).read_text(encoding="utf-8"))
    top = next(entry for entry in schema["models"] if entry["name"] == "top")
    top["columns"] = [column for column in top["columns"] if column["name"] != "total"]
    (shop.root / SCHEMA).write_text(yaml.safe_dump(schema), encoding="utf-8")
    document(shop, Scribe())
    assert not [line for line in shop.lock if '"model.shop.top","column":"total"' in line]


def test_lines_of_both_sides_of_a_merge_are_settled_by_what_stands_in_the_schema_file(shop: Shop) -> None:
    document(shop, Scribe())
    settled = shop.lock
    ours = next(line for line in settled if '"column":"total"' in line and "mart" in line)
    theirs = ours.replace('"text":"', '"text":"0')
    marked = ["<<<<<<< ours", *settled, "=======", theirs, ">>>>>>> theirs", ""]
    (shop.root / FILE_NAME).write_text("\n".join(marked), encoding="utf-8")
    assert shop.states()["mart.total"] == "generated"
    document(shop, Scribe())
    assert shop.lock == settled


@pytest.mark.parametrize("doc_blocks", [False, True])
def test_a_stale_text_in_a_docs_block_is_replaced_where_it_is_referred_to(shop: Shop, doc_blocks: bool) -> None:
    document(shop, Scribe(), doc_blocks=True)
    schema = shop.root / SCHEMA
    assert schema.read_text(encoding="utf-8").count("{{ doc('total') }}") == 2
    docs = shop.root / DOCS
    before = docs.read_text(encoding="utf-8")
    shop.sql["mart"] = shop.sql["mart"].replace("sum(", "avg(")
    report = document(shop, Scribe(), doc_blocks=doc_blocks)
    assert (report.failures, report.renewed) == ((), 2)
    text = schema.read_text(encoding="utf-8")
    assert "doc('total')" not in text
    assert text.count("{{ doc('mart__total') }}" if doc_blocks else "Answer 1 on total.") == 2
    assert docs.read_text(encoding="utf-8").startswith(before)


def test_a_text_of_ours_that_a_person_moved_into_a_docs_block_is_replaced_there(shop: Shop) -> None:
    document(shop, Scribe())
    (shop.root / DOCS).write_text(f"{{% docs mart %}}\n{shop.texts['mart']}\n{{% enddocs %}}\n", encoding="utf-8")
    shop.edit("mart", "{{ doc('mart') }}")
    shop.sql["mart"] = shop.sql["mart"].replace('"stg"', '"stg" where amount > 0')
    report = document(shop, Scribe())
    assert report.failures == ()
    assert shop.texts["mart"].startswith("Answer")


def test_a_dry_run_records_nothing(shop: Shop) -> None:
    report = document(shop, Scribe(), dry_run=True)
    assert not (shop.root / FILE_NAME).exists()
    assert not report.is_recorded


def test_a_lock_that_cant_be_read_ends_the_run_before_anything_is_asked(shop: Shop) -> None:
    (shop.root / FILE_NAME).mkdir()
    scribe = Scribe()
    with pytest.raises(LockFileError, match="can't be read"):
        document(shop, scribe)
    assert scribe.asked == []


def test_lines_that_come_while_a_run_asks_are_kept(shop: Shop) -> None:
    class Pull(Scribe):
        async def write(self, task: Task, project: Project, lineage: Lineage, known: Descriptions) -> WriterResult:
            line = '{"id":"model.shop.stg","column":"amount","writer":"human","text":"0123456789abcdef"}'
            (shop.root / "dbt-describe.lock").write_text("\n".join([*shop.lock, line, ""]), encoding="utf-8")
            return await super().write(task, project, lineage, known)

    document(shop, Scribe())
    shop.sql["mart"] = shop.sql["mart"].replace("sum(", "avg(")
    document(shop, Pull())
    assert [line for line in shop.lock if "0123456789abcdef" in line]


def test_a_reference_that_a_person_put_where_our_text_stood_is_kept_whatever_the_given_manifest_says(
    shop: Shop,
) -> None:
    document(shop, Scribe())
    shop.sql["mart"] = shop.sql["mart"].replace("sum(", "avg(")
    shop.settings()
    shutil.copy(shop.root / "target/manifest.json", shop.root / "given.json")
    shop.edit("mart.total", "{{ doc('mine') }}")
    environ = {"DBT_DESCRIBE_STORE": str(shop.root / "store")}
    settings = make_settings(project_dir=shop.root, environ=environ, manifest=shop.root / "given.json")
    run.document_with(Scribe(), msgspec.structs.replace(settings, resource_types=("model",)), Silent())
    assert shop.texts["mart.total"] == "{{ doc('mine') }}"


def test_a_renamed_models_texts_stay_ours(shop: Shop) -> None:
    document(shop, Scribe())
    texts = shop.texts
    shop.sql["peak"] = shop.sql.pop("top")
    schema = (shop.root / SCHEMA).read_text(encoding="utf-8").replace("name: top", "name: peak")
    (shop.root / SCHEMA).write_text(schema, encoding="utf-8")
    states = {place: state for place, state in shop.states().items() if place.startswith("peak")}
    assert states == {"peak": "generated", "peak.order_id": "inherited", "peak.total": "inherited"}
    document(shop, Scribe())
    assert not [line for line in shop.lock if "model.shop.top" in line]
    assert len([line for line in shop.lock if "model.shop.peak" in line]) == 3
    assert shop.texts == {place.replace("top", "peak"): text for place, text in texts.items()}


def test_a_new_models_texts_arent_ours_by_chance(shop: Shop) -> None:
    document(shop, Scribe())
    shop.sql["peak"] = shop.sql.pop("top").replace("total", "-total as total")
    schema = (shop.root / SCHEMA).read_text(encoding="utf-8").replace("name: top", "name: peak")
    (shop.root / SCHEMA).write_text(schema, encoding="utf-8")
    assert {state for place, state in shop.states().items() if place.startswith("peak")} == {"human"}
