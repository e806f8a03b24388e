"""What is taken out of facts, and how it is known to be private."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dbt_describe import hiding
from dbt_describe.background import background_of
from dbt_describe.lineage.origins import Aggregation, ColumnRef, Derived, Lineage, NodeLineage, Same
from dbt_describe.memory.markdown import sections
from dbt_describe.planning import Draft, Plan
from dbt_describe.preparing import Prepared
from dbt_describe.privacy import PrivateColumns
from dbt_describe.progress import Silent
from dbt_describe.project.nodes import Column, Node, Project
from dbt_describe.prompting.config import PromptingConfig
from dbt_describe.prompting.facts import ColumnFacts, Example, NodeFacts
from dbt_describe.prompting.prompts import build_prompts
from dbt_describe.prompting.reviews import build_reviews
from dbt_describe.prompting.templates import open_templates
from dbt_describe.prompting.window import Window
from dbt_describe.provenance.entries import LockFile
from dbt_describe.provenance.standings import Standings
from dbt_describe.redaction.marks import told_of_marks
from dbt_describe.settings import Settings, make_settings
from tests.llm.fakes import FakeCompleter
from tests.manifests import make_project, model, source
from tests.writers.test_llm_writer import ALL, KNOWN, LINEAGE, good, project, writer

KEY = "AKIA" + "ABCDEFGHIJKLMNOP"


def columns_of(*entries: Mapping[str, Any], origins: Mapping[str, Any] | None = None, path: Path) -> PrivateColumns:
    traced = NodeLineage("model.shop.a", tuple(origins or ()), dict(origins or {}))
    return PrivateColumns(make_project(path, *entries), Lineage("duckdb", {"model.shop.a": traced}))


@pytest.mark.parametrize(
    ("said", "is_private"),
    [
        ({"meta": {"pii": True}}, True),
        ({"meta": {"PII": "email"}}, True),
        ({"config": {"meta": {"contains_pii": "yes"}}}, True),
        ({"meta": {"classification": "Confidential (level 3)"}}, True),
        ({"meta": {"data_classification": "non-sensitive"}}, False),
        ({"tags": ["contains_pii"]}, True),
        ({"config": {"tags": "phi"}}, True),
        ({"tags": ["no-pii", "nightly"]}, False),
        ({"meta": {"pii": False}}, False),
        ({"meta": {"pii": "none"}}, False),
        ({"meta": {"owner": "pii team"}}, False),
        ({}, False),
    ],
)
def test_meta_and_tags_say_that_a_column_is_private(said: dict[str, Any], is_private: bool, tmp_path: Path) -> None:
    entry = model("a", columns={"amount": ""})
    entry["columns"]["amount"] |= said
    assert columns_of(entry, path=tmp_path).holds(ColumnRef("model.shop.a", "amount")) is is_private


@pytest.mark.parametrize(
    "said", [{"tags": ["pii"]}, {"meta": {"pii": True}}, {"config": {"meta": {"sensitive": "true"}}}]
)
def test_what_is_said_of_a_node_holds_for_its_columns_unless_they_say_otherwise(
    said: dict[str, Any], tmp_path: Path
) -> None:
    entry = model("a", columns={"amount": "", "country": ""}, **said)
    entry["columns"]["country"]["meta"] = {"pii": False}
    columns = columns_of(entry, path=tmp_path)
    assert columns.holds(ColumnRef("model.shop.a", "amount"))
    assert not columns.holds(ColumnRef("model.shop.a", "country"))


def test_what_is_made_of_a_private_column_is_private_unless_it_counts_or_says_yes_or_no(tmp_path: Path) -> None:
    email = ColumnRef("source.shop.raw.users", "email")
    origins = {
        "contact": Same(email),
        "domain_part": Derived("SPLIT(email)", (email,)),
        "total": Derived("COUNT(email)", (email,), (Aggregation(),)),
        "latest": Derived("MAX(email)", (email,), (Aggregation(),)),
        "reachable": Derived("email IS NOT NULL", (email,)),
        "circle": Same(ColumnRef("model.shop.a", "circle")),
    }
    types = {"total": "BIGINT", "latest": "VARCHAR", "reachable": "BOOLEAN"}
    entry = model("a", columns=dict.fromkeys(origins, ""))
    for name, data_type in types.items():
        entry["columns"][name]["data_type"] = data_type
    columns = columns_of(entry, source("users", {"email": ""}), origins=origins, path=tmp_path)
    private = {name for name in origins if columns.holds(ColumnRef("model.shop.a", name))}
    assert private == {"contact", "domain_part", "latest"}


FACTS = NodeFacts(
    "model.shop.users",
    "users",
    "model",
    describe_node=True,
    columns=(
        ColumnFacts(
            "email",
            tests=("tested to be one of: 'ada@example.com', 'Bob'", "tested unique"),
            origin="computed as CASE WHEN raw.first_name = 'Ada' THEN 'x' END",
            comments=("call 555-123-4567",),
        ),
        ColumnFacts("status", tests=("tested to be one of: 'open', 'paid'",)),
    ),
    about=("rows filtered by grade = 'E14'",),
    sql="select email from raw where grade = 'E14' and status = 'paid' -- by ada@example.com",
    upstream=(("raw", "Ask ada@example.com."),),
    examples=(Example("a.b", "Mail to ada@example.com."),),
)


def enriched(facts: NodeFacts, **options: Any) -> NodeFacts:
    raw = Node(
        "model.shop.raw", "model", "raw", "shop", columns=(Column("grade", privacy="private"), Column("first_name"))
    )
    users = Node(
        "model.shop.users",
        "model",
        "users",
        "shop",
        columns=(Column("email"), Column("status")),
        depends_on=(raw.unique_id,),
    )
    shop = Project(Path(), "shop", "duckdb", "1.11.0", {raw.unique_id: raw, users.unique_id: users})
    lineage = Lineage("duckdb", {})
    prepared = Prepared(shop, lineage, Plan({}, KNOWN), shop, Standings(shop, lineage, LockFile(), ()))
    return background_of(prepared, settings_with(**options), Silent(), asks=True)(facts)


def settings_with(
    *, environ: Mapping[str, str] | None = None, model: str = "openai/x", redact: bool = False
) -> Settings:
    directory = Path(__file__).parent.parent / "demo"
    settings = make_settings(
        project_dir=directory, model=model, environ={"DBT_DESCRIBE_STORE": "x"} | dict(environ or {})
    )
    llm = msgspec.structs.replace(settings.llm, prompting=PromptingConfig(redact=redact))
    return msgspec.structs.replace(settings, llm=llm)


def test_with_redact_personal_data_goes_from_all_facts() -> None:
    hidden = enriched(FACTS, redact=True)
    shown = str(hidden)
    for gone in ("ada@example.com", "Ada", "Bob", "555-123", "E14"):
        assert gone not in shown
    assert hidden.sql == (
        "select email from raw where grade = '[redacted value]' and status = 'paid' -- by [redacted email]"
    )
    assert hidden.columns[0].tests == ("tested to be one of: [redacted value]", "tested unique")
    assert hidden.columns[1] == FACTS.columns[1]


def test_a_password_in_a_url_is_one_and_no_address() -> None:
    hidden = enriched(msgspec.structs.replace(FACTS, sql="-- postgres://me:s3cr3t@db.example.com/shop"), redact=True)
    assert hidden.sql == "-- postgres://me:[redacted password]@db.example.com/shop"


def test_without_it_and_without_a_model_facts_stay_as_they_are() -> None:
    assert enriched(FACTS) == FACTS
    assert enriched(FACTS, redact=True, model="rules") == FACTS


def test_secrets_of_the_environment_go_from_all_facts() -> None:
    facts = msgspec.structs.replace(FACTS, sql="select 'sh0p-pass!' as x, created_at")
    hidden = enriched(facts, environ={"DBT_PASSWORD": "sh0p-pass!", "SORT_KEY": "created_at", "OPENAI_API_KEY": "x"})
    assert hidden.sql == "select '[redacted password]' as x, created_at"


def test_a_credential_in_any_fragment_is_sent_to_nobody_and_counted() -> None:
    """Also one that is cut in its middle, and one with a character in it that nobody sees."""
    facts = NodeFacts(
        "model.shop.users",
        "users",
        "model",
        describe_node=True,
        columns=(ColumnFacts("a", comments=(f"{'x ' * 250}{KEY} {'y ' * 250}",)),),
        sql=f"-- {KEY[:9]}\u200b{KEY[9:]}\nselect 1 as a",
        description=f"Loaded with {KEY}",
        passages=(),
    )
    (prompt,) = build_prompts(facts, open_templates(), Window())
    for text in (prompt.user, prompt.facts):
        assert KEY not in text
        assert KEY[:9] not in text
    assert prompt.redactions == {"key": 3}


def test_a_reviewer_sees_no_credential_either() -> None:
    facts = NodeFacts(
        "model.shop.users", "users", "model", describe_node=True, columns=(), sql=f"-- {KEY}\nselect 1 as a"
    )
    drafts = (Draft("model.shop.users", "", "Users of the shop.", "openai/x"),)
    (prompt,) = build_reviews(facts, drafts, open_templates(), Window())
    assert KEY not in prompt.user
    assert "[redacted key]" in prompt.user


def test_a_passage_of_a_document_is_cut_behind_its_credentials() -> None:
    body = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7c" * 2
    key = "-----BEGIN PRIVATE KEY-----\n" + f"{body}\n" * 100 + "-----END PRIVATE KEY-----"
    passages = [text for _, text in sections(f"# Access\n{'The key is here. ' * 40}\n{key}\n")]
    assert body not in "".join(passages)


def test_what_was_taken_out_is_counted_by_node() -> None:
    shop = project(sql=f"select sum(amount) as amount, min(day) as ordered_on from stg_payments -- {KEY}, {KEY}")
    asking = writer(FakeCompleter(good))
    result = asyncio.run(asking.write(ALL, shop, LINEAGE, KNOWN))
    assert result.redactions == {"key": 2}
    assert asking.estimate(ALL, shop, LINEAGE, KNOWN).redactions == {"key": 2}


def test_a_report_says_what_where_and_what_to_do() -> None:
    counts = {
        "a": {"key": 2, "email": 1},
        "b": {},
        "c": {"key": 1, "IP address": 2},
        "d": {"email": 1},
        "e": {"email": 1},
    }
    assert told_of_marks(counts) == (
        "Left out of what models are shown: 3 keys, 3 emails, 2 IP addresses, of a, c, d and 1 more. Credentials don't "
        "belong in SQL or descriptions: let dbt read them by env_var(), and replace those that others may have seen.",
    )
    assert told_of_marks({"a": {"binary data": 2}}) == (
        "Left out of what models are shown: binary data (2 times), of a.",
    )
    assert told_of_marks({"a": {}}) == ()


def test_what_a_table_holds_now_is_shown_but_proves_nothing() -> None:
    column = ColumnFacts(
        "a", values=("at present, not to be quoted: 17 % null, in 6 rows", "most frequent values: 'x'")
    )
    facts = NodeFacts("model.shop.users", "users", "model", describe_node=False, columns=(column,))
    (prompt,) = build_prompts(facts, open_templates(), Window())
    assert "17 % null" in prompt.user
    assert "17 % null" not in prompt.facts
    assert "most frequent values: 'x'" in prompt.facts


def test_no_text_of_a_fact_is_forgotten_whichever_field_it_is_in() -> None:
    """Each field that holds text, those to come included, but for names and what the settings say."""

    shapes: dict[Any, object] = {
        str: "a secret",
        tuple[str, ...]: ("a secret",),
        tuple[tuple[str, str], ...]: (("x", "a secret"),),
    }

    def filled(kind: type[msgspec.Struct], kept: frozenset[str]) -> dict[str, object]:
        values: dict[str, object] = {}
        for field in msgspec.structs.fields(kind):
            if field.name not in kept and field.type in shapes:
                values[field.name] = shapes[field.type]
        return values

    column = ColumnFacts(**{"name": "x", **filled(ColumnFacts, hiding._KEPT_OF_COLUMNS)})  # type: ignore[arg-type]
    node = filled(NodeFacts, hiding._KEPT_OF_NODES) | {"sql": "a secret"}
    facts = NodeFacts("model.s.x", "x", "model", describe_node=True, columns=(column,), **node)  # type: ignore[arg-type]
    changed = hiding._changed(facts, lambda _: "-", lambda text: text.replace("secret", "-"))
    assert "secret" in str(facts)
    assert "secret" not in str(changed)
    assert len(node) > 6
