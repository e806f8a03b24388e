"""The templates in force, whole copies of them, and what a model would be asked of a node."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dbt_describe.errors import PromptError, SettingsError
from dbt_describe.prompting.templates import open_templates
from dbt_describe.settings import Settings, make_settings
from dbt_describe.showing import differences, eject, render, template_in_force, templates_in_force
from tests.manifests import manifest, model, resource, source

RAW = source("orders", {"id": "Number of the order.", "amount": ""}, description="Orders of the till.")
STG = model(
    "stg",
    'select id, amount from "db"."raw"."orders"',
    reads=["source.shop.raw.orders"],
    columns={"id": "", "amount": ""},
    original_file_path="models/staging/stg.sql",
    description="Orders, one row each.",
    patch_path="shop://models/schema.yml",
)
MART = model(
    "mart",
    'select id, sum(amount) as total from "db"."main"."stg" group by 1',
    reads=["stg"],
    columns={"id": "", "total": ""},
    original_file_path="models/marts/mart.sql",
    patch_path="shop://models/schema.yml",
)
DONE = model("done", "select 1 as one", columns={"one": "The number one."}, description="One.")
OTHERS = (resource("macro", "cents", macro_sql="{% macro cents(x) %}{{ x }} / 100{% endmacro %}"),)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DBT_DESCRIBE_STORE", str(tmp_path / "store"))
    directory = tmp_path / "shop"
    write(
        directory,
        {
            "dbt_project.yml": "name: shop\n",
            "models/schema.yml": "models: [{name: stg}, {name: mart}]\n",
            "models/staging/stg.sql": STG["raw_code"],
            "models/marts/mart.sql": MART["raw_code"],
            "models/done.sql": "select 1 as one",
            "models/sources.yml": "sources: [{name: raw, tables: [{name: orders}]}]\n",
            "macros/cents.sql": "{% macro cents(x) %}{{ x }} / 100{% endmacro %}",
            "target/manifest.json": json.dumps(manifest(RAW, STG, MART, DONE, *OTHERS)),
        },
    )
    os.utime(directory / "target/manifest.json", (4e9, 4e9))
    return directory


def write(directory: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text, encoding="utf-8")


def settings(shop: Path, **flags: Any) -> Settings:
    return make_settings(project_dir=shop, **{"model": "openai/gpt-6-luna", **flags})


def test_a_node_is_rendered_without_a_key(shop: Path) -> None:
    (one,) = render("mart", settings(shop))
    assert (one.unique_id, one.path, one.model) == ("model.shop.mart", "models/marts/mart.sql", "openai/gpt-6-luna")
    (prompt,) = one.prompts
    assert (prompt.columns, prompt.describe_node, prompt.whole) == (("total",), True, {})
    assert "sum(amount) as total" in prompt.user
    assert "computed as" not in prompt.user


def test_a_node_is_found_by_its_unique_id_whatever_it_is(shop: Path) -> None:
    for unique_id in ("model.shop.mart", "source.shop.raw.orders", "macro.shop.cents"):
        (one,) = render(unique_id, settings(shop))
        assert (one.unique_id, len(one.prompts)) == (unique_id, 1)


def test_of_several_nodes_it_is_said_which_are_asked_first(shop: Path) -> None:
    found = {one.unique_id: one.after for one in render("source:raw+", settings(shop))}
    assert found == {
        "source.shop.raw.orders": (),
        "model.shop.stg": (),
        "model.shop.mart": ("source.shop.raw.orders",),
    }


def test_why_nothing_is_asked_is_said(shop: Path) -> None:
    (done,) = render("done", settings(shop))
    assert (done.prompts, done.reason) == ((), "all of it is described")
    stg = next(one for one in render("source:raw+", settings(shop)) if one.unique_id == "model.shop.stg")
    assert stg.reason == "2 of its descriptions are copied from upstream"


def test_what_fits_no_window_is_said(shop: Path) -> None:
    write(shop, {"dbt-describe.yml": "models: {openai/gpt-6-luna: {context_window: 500}}\n"})
    (one,) = render("mart", settings(shop))
    assert "don't fit a window of 500 tokens" in one.reason


def test_what_is_left_out_of_a_small_window_is_said(shop: Path) -> None:
    long = " ".join(f"and id <> {number}" for number in range(600))
    entry = {
        **MART,
        "compiled_code": f'select id, sum(amount) as total from "db"."main"."stg" where true {long} group by 1',
    }
    write(shop, {"target/manifest.json": json.dumps(manifest(RAW, STG, entry))})
    os.utime(shop / "target/manifest.json", (4e9, 4e9))
    write(shop, {"dbt-describe.yml": "models: {openai/gpt-6-luna: {context_window: 2500}}\n"})
    prompt = render("mart", settings(shop))[0].prompts[0]
    assert prompt.window.tokens == 2500
    assert prompt.whole["sql"] > 2000 > prompt.fragments.get("sql", 0)
    assert prompt.input_tokens + prompt.max_output_tokens <= 2500


def test_without_a_model_nothing_would_be_sent(shop: Path) -> None:
    with pytest.raises(SettingsError, match="--model openai/gpt-6-luna; for this, no key is needed"):
        render("mart", settings(shop, model=""))


def test_a_template_of_the_nodes_folder_is_used_and_recorded(shop: Path) -> None:
    write(shop, {"ours/models/marts/model.yml": "output: {column_words: 7}\n"})
    (one,) = render("mart", settings(shop, prompts=shop / "ours"))
    assert "At most 7 words for each column" in one.prompts[0].system
    assert one.prompts[0].template.label.startswith("model 1+")
    (macro,) = render("macro.shop.cents", settings(shop, prompts=shop / "ours"))
    assert macro.prompts[0].template.label == "macro 1"


def test_all_templates_are_listed_with_those_of_folders_and_what_is_misspelled(shop: Path) -> None:
    write(
        shop,
        {
            "ours/models/marts/model.yml": "output: {column_words: 7}\n",
            "ours/modle.yml": "output: {column_words: 7}\n",
            "ours/house.yml": "extends: base\nstyle: Be brief.\n",
            "ours/metric.yml": "extends: house\nwords: {kind: figure}\n",
        },
    )
    found, unused = templates_in_force(settings(shop, prompts=shop / "ours"))
    changed = [(one.name, one.folder) for one in found if one.digest]
    assert changed == [("metric", ""), ("model", "models/marts")]
    assert unused == (shop / "ours/modle.yml",)
    assert len(found) == len(open_templates().names) + 1


def test_a_mistake_anywhere_is_found_when_templates_are_listed(shop: Path) -> None:
    write(shop, {"ours/models/marts/seed.yml": "user: |\n  {% if renews %}{{ sqll }}{% endif %}\n"})
    with pytest.raises(PromptError, match=r"seed\.yml:2: 'sqll' is undefined\. Did you mean sql\?"):
        templates_in_force(settings(shop, prompts=shop / "ours"))


def test_a_difference_is_that_from_the_shipped_template_with_all_it_extends(shop: Path) -> None:
    assert differences((), settings(shop)) == ()
    write(
        shop,
        {"ours/base.yml": "output: {column_words: 7}\n", "ours/models/model.yml": "version: 2\nwords: {part: field}\n"},
    )
    ours = settings(shop, prompts=shop / "ours")
    (base, base_diff), (special, special_diff) = differences((), ours)
    assert (base.name, special.name, special.folder) == ("base", "model", "models")
    assert "-  column_words: 30\n+  column_words: 7\n" in base_diff
    assert base_diff.startswith("--- shipped/base.yml\n+++ yours/base.yml\n")
    assert "+++ yours/models/model.yml\n" in special_diff
    assert "-version: 1\n+version: 2\n" in special_diff
    assert [one.name for one, _ in differences(["metric"], ours)] == ["metric"]
    with pytest.raises(PromptError, match=r"no prompt template nothing\.yml"):
        differences(["nothing"], ours)


def test_a_copy_is_written_once_and_used_from_there(shop: Path) -> None:
    assert eject(["model", "base"], None, settings(shop)) == (shop / "prompts/model.yml", shop / "prompts/base.yml")
    ours = settings(shop, prompts=shop / "prompts")
    assert template_in_force("model", "models/marts", ours).label == "model 1"
    assert (template_in_force("model", "", ours).files[0], differences((), ours)) == (shop / "prompts/model.yml", ())
    with pytest.raises(PromptError, match=r"model\.yml would be replaced: move it away, or give --force"):
        eject(["model", "seed"], None, ours)
    assert not (shop / "prompts/seed.yml").exists()
    assert len(eject((), None, ours, force=True)) == len(open_templates().names)
    assert eject(["seed"], shop / "else/where", ours) == (shop / "else/where/seed.yml",)
    with pytest.raises(PromptError, match="can't be written to"):
        eject(["seed"], shop / "dbt_project.yml/below", ours)
