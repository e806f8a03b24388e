"""Flags over environment variables over dbt-describe.yml over defaults."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dbt_describe.errors import SelectionError, SettingsError
from dbt_describe.llm import registry
from dbt_describe.llm.config import LlmConfig, RouteConfig, Timeouts
from dbt_describe.llm.routes import make_routes
from dbt_describe.llm.specs import ProviderSpec
from dbt_describe.project.selection import Selectors
from dbt_describe.settings import Settings, make_settings, survey
from dbt_describe.sharding import Shard

KEY = "sk-proj-abcdefghijklmnop"
FILE = """
model: openai/from-file
fallback: [openai/second, rules]
routes: {review: {model: openai/reviewer, fallback: [openai/third]}}
small_tasks: {model: openai/small}
concurrency: 3
offline: true
timeouts: {connect: 1, read: 2, total: 3}
budget: {max_cost: 1, max_tokens: 10, max_cost_per_day: 5}
prompt_cache: 1h
prompts: ours
endpoints:
  openai: {timeouts: {read: 9}}
  work: {provider: openai, api_key: "${WORK_KEY}"}
"""
Make = Callable[..., Settings]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Settings of a project with this dbt-describe.yml and these variables."""
    (tmp_path / "dbt_project.yml").write_text("name: shop", encoding="utf-8")
    (tmp_path / "ours").mkdir()

    def made(file: str = "", environ: dict[str, str] | None = None, **flags: Any) -> Settings:
        (tmp_path / "dbt-describe.yml").write_text(file, encoding="utf-8")
        return make_settings(project_dir=tmp_path, environ=environ or {}, **flags)

    return made


def test_without_anything_nobody_is_asked(make: Make) -> None:
    made = make()
    assert made.llm.config == LlmConfig()
    assert (made.concurrency, made.llm.use_cache, made.llm.prompts_dirs, made.llm.rules_fallback) == (
        32,
        True,
        (),
        False,
    )


def test_the_file_counts_where_nothing_else_is_said(make: Make, tmp_path: Path) -> None:
    made = make(FILE)
    llm = made.llm.config
    assert (llm.model, llm.fallback, made.llm.rules_fallback) == ("openai/from-file", ("openai/second",), True)
    assert llm.routes == {"review": RouteConfig("openai/reviewer", ("openai/third",))}
    assert (made.concurrency, llm.offline, llm.prompt_cache) == (3, True, "1h")
    assert (llm.timeouts, made.llm.prompts_dirs) == (Timeouts(1, 2, 3), (tmp_path / "ours",))


def test_variables_win_over_the_file(make: Make, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    environ = {
        "DBT_DESCRIBE_MODEL": "openai/from-variable",
        "DBT_DESCRIBE_OFFLINE": "0",
        "DBT_DESCRIBE_TIMEOUT": "7",
        "DBT_DESCRIBE_PROMPTS": str(tmp_path / "mine"),
        "DBT_DESCRIBE_STORE": str(tmp_path / "store"),
    }
    made = make(FILE, environ)
    llm = made.llm.config
    assert (llm.model, llm.offline) == ("openai/from-variable", False)
    assert (llm.timeouts, llm.endpoints["openai"].timeouts) == (Timeouts(1, 7, 7), Timeouts(read=7, total=7))
    assert (made.llm.prompts_dirs, made.llm.store_dir) == ((tmp_path / "mine", tmp_path / "ours"), tmp_path / "store")


def test_resource_types_come_from_flags_then_from_dbts_variables(make: Make) -> None:
    env = {"DBT_RESOURCE_TYPES": "metric exposure", "DBT_ENGINE_EXCLUDE_RESOURCE_TYPES": "exposure"}
    assert make(environ=env).resource_types == ("metric",)
    assert make(environ=env, resource_types=("model,group", "exposure")).resource_types == ("model", "group")
    assert make(environ=env, exclude_resource_types="metric").resource_types == ("exposure",)
    assert make(resource_types="all", exclude_resource_types="default test").resource_types[0] == "analysis"


def test_flags_win_over_variables(make: Make, tmp_path: Path) -> None:
    environ = {"DBT_DESCRIBE_MODEL": "openai/from-variable", "DBT_DESCRIBE_OFFLINE": "0"}
    made = make(
        FILE,
        environ,
        model="openai/from-flag",
        fallback=("openai/a", "openai/b"),
        offline=True,
        max_cost="2.50",
        max_tokens=7,
        concurrency=9,
        no_prompt_cache=True,
        prompts=tmp_path,
        use_cache=False,
    )
    llm = made.llm.config
    assert (llm.model, llm.fallback, llm.offline) == ("openai/from-flag", ("openai/a", "openai/b"), True)
    assert (llm.budget.max_cost, llm.budget.max_tokens, llm.budget.max_cost_per_day) == (Decimal("2.50"), 7, Decimal(5))
    assert (made.concurrency, llm.prompt_cache, made.llm.prompts_dirs[0], made.llm.use_cache) == (
        9,
        "off",
        tmp_path,
        False,
    )


@pytest.mark.parametrize("how", [{"model": "openai/named"}, {"environ": {"DBT_DESCRIBE_MODEL": "openai/named"}}])
def test_a_model_that_is_named_for_a_run_is_asked_for_every_purpose(make: Make, how: dict[str, Any]) -> None:
    llm = make(FILE, **how).llm.config
    assert llm.small_tasks is None
    assert llm.routes == {"review": RouteConfig("", ("openai/third",))}
    assert llm.fallback == ("openai/second",)


def test_fallbacks_that_are_named_for_a_run_are_those_of_every_purpose(make: Make) -> None:
    llm = make(FILE, fallback="openai/other").llm.config
    assert (llm.fallback, llm.routes) == (("openai/other",), {"review": RouteConfig("openai/reviewer")})


@pytest.mark.parametrize(
    ("file", "flags", "review", "route"),
    [
        ("model: openai/a", {}, "", None),
        ("model: openai/a\nroutes: {review: {model: openai/b}}", {}, "", "openai/b"),
        ("model: openai/a\nreview: openai/b", {}, "openai/b", "openai/b"),
        ("model: openai/a\nreview: model", {}, "model", None),
        ("model: openai/a\nreview: model\nroutes: {review: {model: openai/b}}", {}, "model", "openai/b"),
        ("model: openai/a\nreview: openai/b", {"review": "openai/c"}, "openai/c", "openai/c"),
        ("model: openai/a\nreview: openai/b", {"review": "none"}, "", None),
        ("model: openai/a\nreview: none", {}, "", None),
        ("model: openai/a\nreview: openai/b", {"model": "openai/c"}, "model", None),
        ("model: openai/a\nreview: openai/b", {"model": "openai/c", "review": "openai/d"}, "openai/d", "openai/d"),
        ("model: openai/a\nreview: openai/b", {"model": "rules"}, "", None),
        ("review: openai/b", {}, "", None),
    ],
)
def test_who_reviews(make: Make, file: str, flags: dict[str, Any], review: str, route: str | None) -> None:
    llm = make(file, **flags).llm
    assert llm.prompting.review == review
    found = llm.config.routes.get("review")
    assert ((found and found.model) or None) == route


def test_a_reviewers_fallback_stays(make: Make) -> None:
    file = "model: openai/a\nreview: openai/b\nroutes: {review: {model: openai/c, fallback: [openai/d]}}"
    assert make(file).llm.config.routes["review"] == RouteConfig("openai/b", ("openai/d",))


def test_a_reviewer_is_one_of_the_models_that_must_be_reachable(make: Make) -> None:
    with pytest.raises(SettingsError, match="NOBODYS_KEY"):
        make("model: openai/a\nreview: other/b\nendpoints: {other: {provider: openai, api_key: '${NOBODYS_KEY}'}}")


def test_cache_false_in_the_file_asks_anew(make: Make) -> None:
    assert not make("cache: false").llm.use_cache


@pytest.mark.parametrize(("flag", "shared"), [(None, True), (True, True), (False, False)])
def test_a_flag_goes_over_the_file(flag: bool | None, shared: bool, make: Make) -> None:
    assert make("doc_blocks: true", doc_blocks=flag).doc_blocks is shared
    assert make("", doc_blocks=flag).doc_blocks is bool(flag)
    assert make("verify: true", verify=flag).verify is shared
    assert make("", verify=flag).verify is bool(flag)


@pytest.mark.parametrize("how", [{"config": True}, {"environ": True}])
def test_another_file_is_read_in_place_of_the_project_s(make: Make, how: dict[str, Any], tmp_path: Path) -> None:
    other = tmp_path / "elsewhere.yml"
    other.write_text("model: openai/elsewhere", encoding="utf-8")
    flags: dict[str, Any] = {"config": other} if "config" in how else {"environ": {"DBT_DESCRIBE_CONFIG": str(other)}}
    assert make(FILE, **flags).llm.config.model == "openai/elsewhere"
    other.unlink()
    with pytest.raises(SettingsError, match=r"elsewhere\.yml doesn't exist \(--config, DBT_DESCRIBE_CONFIG\)"):
        make(FILE, **flags)


@pytest.mark.parametrize(
    "how", [{"model": "rules"}, {"environ": {"DBT_DESCRIBE_MODEL": "rules"}}, {"file": "model: rules"}]
)
def test_rules_as_the_model_asks_nobody(make: Make, how: dict[str, Any]) -> None:
    made = make(**{"file": FILE} | how).llm
    assert (made.config.model, made.config.fallback, made.rules_fallback) == ("", (), True)


def test_rules_at_the_end_of_a_route_is_the_rules_writer(make: Make) -> None:
    made = make("model: openai/a\nroutes: {draft: {model: openai/b, fallback: [openai/c, rules]}}").llm
    assert (made.config.routes["draft"].fallback, made.rules_fallback) == (("openai/c",), True)


@pytest.mark.parametrize(
    ("file", "rules"),
    [
        ("fallback: [rules]\nroutes: {repair: {fallback: [openai/b]}}", True),
        ("fallback: [openai/b]\nroutes: {repair: {fallback: [rules]}}", False),
        ("fallback: [openai/b]\nroutes: {draft: {fallback: [rules]}}", True),
        ("fallback: [rules]\nroutes: {draft: {fallback: [openai/b]}}", False),
        ("fallback: [rules]\nroutes: {draft: {model: openai/b}}", True),
    ],
)
def test_rules_write_what_the_chain_for_drafts_ends_in(make: Make, file: str, rules: bool) -> None:
    assert make(f"model: openai/a\n{file}").llm.rules_fallback is rules


@pytest.mark.parametrize(
    ("file", "chain"),
    [
        ("model: openai/a\nroutes: {draft: {model: openai/c, fallback: [rules]}}", ("openai/c",)),
        ("model: openai/a\nroutes: {draft: {fallback: [rules]}}", ("openai/a",)),
        ("model: openai/a\nroutes: {draft: {fallback: [openai/c, rules]}}", ("openai/a", "openai/c")),
        ("model: openai/a\nroutes: {draft: {model: openai/c}}", ("openai/c", "openai/b")),
        ("model: auto\nmodels: {openai/d: {}}\nroutes: {draft: {fallback: [rules]}}", ("auto",)),
    ],
)
def test_a_route_that_falls_back_to_the_rules_alone_asks_no_other_model(
    make: Make, file: str, chain: tuple[str, ...]
) -> None:
    config = make(f"{file}\nfallback: [openai/b]").llm.config
    assert make_routes(config, {"OPENAI_API_KEY": "sk-x"}).chain("draft", 0) == chain


@pytest.mark.parametrize(
    ("file", "flags", "said"),
    [
        ("model: openai/a\nfallback: [rules, openai/b]", {}, "`rules` must be the last of fallback"),
        ("model: rules\nfallback: [openai/b]", {}, "`rules` must be the last of fallback"),
        ("", {"model": "rules", "fallback": ("openai/b",)}, "`rules` must be the last of fallback"),
        ("model: openai/a\nroutes: {draft: {fallback: [rules, openai/b]}}", {}, "the last of routes.draft.fallback"),
        ("model: openai/a\nroutes: {draft: {model: rules}}", {}, "can't be the model of a route"),
        ("model: openai/a\nsmall_tasks: {model: rules}", {}, "can't be the model of a route or of small_tasks"),
        ("", {"fallback": "openai/b"}, "--fallback needs a model"),
        ("", {"review": "openai/b"}, "--review needs a model that drafts"),
        ("model: openai/a", {"review": "openai/b", "model": "rules"}, "--review needs a model that drafts"),
        ("model: openai/a\nreview: rules", {}, "`rules` can't review"),
        ("", {"max_cost": "much"}, "--max-cost is `much`"),
        ("", {"max_cost": -1}, "--max-cost is `-1`"),
        ("", {"max_cost": float("nan")}, "--max-cost is `nan`"),
        ("", {"max_tokens": -1}, "--max-tokens is -1"),
        ("", {"concurrency": -1}, "--concurrency is -1"),
        ("", {"prompts": "nowhere"}, "nowhere doesn't exist (--prompts)"),
        ("", {"environ": {"DBT_DESCRIBE_PROMPTS": "nowhere"}}, "nowhere doesn't exist (DBT_DESCRIBE_PROMPTS)"),
        ("", {"environ": {"DBT_DESCRIBE_TIMEOUT": "soon"}}, "DBT_DESCRIBE_TIMEOUT is `soon`"),
        ("", {"environ": {"DBT_DESCRIBE_TIMEOUT": "inf"}}, "DBT_DESCRIBE_TIMEOUT is `inf`"),
        ("", {"environ": {"DBT_DESCRIBE_OFFLINE": "perhaps"}}, "DBT_DESCRIBE_OFFLINE is `perhaps`; it must be 1 or 0"),
        ("", {"environ": {"LLM_PROVIDER": "opnai"}}, "LLM_PROVIDER can't be used: There is no provider 'opnai'"),
        ("", {"resource_types": "macros"}, "--resource-type macros isn't a resource type"),
        ("", {"resource_types": "exposre"}, "did you mean `exposure`?"),
        ("", {"resource_types": "x"}, "choose from model, seed"),
        ("", {"exclude_resource_types": "teste"}, "--exclude-resource-type teste"),
        ("", {"exclude_resource_types": "default"}, "leave no resource type"),
        ("", {"environ": {"DBT_RESOURCE_TYPES": "tables"}}, "tables isn't a resource type"),
        ("", {"profiles_dir": "/nowhere"}, "The profiles directory"),
    ],
)
def test_what_cannot_be_is_told(make: Make, file: str, flags: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as raised:
        make(file, **flags)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "file",
    [
        "model: work/x",
        "model: openai/x\nfallback: [work/x]",
        "model: openai/x\nroutes: {draft: {model: work/x}}",
        "model: openai/x\nroutes: {draft: {fallback: [work/x]}}",
        "model: openai/x\nsmall_tasks: {model: work/x}",
        "model: auto\nmodels: {work/x: {}}",
    ],
)
def test_an_endpoint_that_may_be_asked_needs_its_variables(make: Make, file: str) -> None:
    endpoints = 'endpoints:\n  work: {provider: openai, api_key: "${WORK_KEY}"}'
    with pytest.raises(SettingsError, match=r"endpoints\.work\.api_key needs the environment variable WORK_KEY"):
        make(f"{file}\n{endpoints}")
    assert make(f"{file}\n{endpoints}", {"WORK_KEY": KEY}).llm.config.endpoints["work"].api_key == KEY
    assert make(f"{file}\n{endpoints}", model="openai/y", fallback="openai/z").llm.config.model == "openai/y"


def test_dbt_osmosis_variables_name_the_model_where_nothing_else_does(make: Make) -> None:
    environ = {"LLM_PROVIDER": " OpenAI ", "OPENAI_MODEL": "gpt-9"}
    assert make(environ=environ).llm.config.model == "openai/gpt-9"
    assert make(environ={"LLM_PROVIDER": "openai"}).llm.config.model == "openai/gpt-6-luna"
    assert make(environ={"OPENAI_MODEL": "gpt-9"}).llm.config.model == ""
    assert make(FILE, environ).llm.config.model == "openai/from-file"
    assert make(environ=environ, model="openai/a").llm.config.model == "openai/a"
    assert make(environ=environ | {"DBT_DESCRIBE_MODEL": "openai/b"}).llm.config.model == "openai/b"


def test_a_provider_without_a_usual_model_needs_one_named(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ProviderSpec(name="mine", title="Mine", open=lambda *_: pytest.fail("nothing is opened"))
    monkeypatch.setattr(registry, "_theirs", lambda: {"mine": spec})
    monkeypatch.setattr(registry, "_loaded", lambda found: found)
    with pytest.raises(SettingsError, match="LLM_PROVIDER is mine, and no model is named: set DBT_DESCRIBE_MODEL"):
        make(environ={"LLM_PROVIDER": "mine"})


def test_keys_reach_the_routes_and_are_never_shown(make: Make) -> None:
    made = make(
        'model: work/x\nendpoints: {work: {provider: openai, headers: {X-Api-Key: "${H}"}}}',
        {
            "OPENAI_API_KEY": KEY,
            "H": KEY,
        },
    )
    routes = make_routes(made.llm.config, made.llm.environ)
    assert routes.models["work/x"].endpoints[0].api_key == KEY
    for shown in (repr(made), repr(made.llm), repr(made.llm.config), str(made.llm)):
        assert KEY not in shown
    assert repr(made.llm) == "LlmSettings(model='work/x', fallback=())"


def test_a_survey_asks_for_the_model_that_is_named(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make()
    monkeypatch.setattr("dbt_describe.configuration.survey._SERVERS", ())
    monkeypatch.setenv("LLM_PROVIDER", "nobody")
    directory, found = survey(tmp_path, "openai/named")
    assert (directory, found.model) == (tmp_path, "openai/named")
    with pytest.raises(SettingsError, match="LLM_PROVIDER"):
        survey(tmp_path)


def test_selectors_are_dbt_s_own(make: Make, tmp_path: Path) -> None:
    (tmp_path / "prod").mkdir()
    (tmp_path / "prod/manifest.json").touch()
    made = make(
        select=["a", "b+"], exclude="c", state="old", defer_state="prod", indirect_selection="empty", changed="main"
    )
    assert made.selectors == Selectors("a b+", "c", state=tmp_path / "old", indirect="empty")
    assert (made.changed, made.dbt.defer_state) == ("main", tmp_path / "prod")
    assert make(selector="nightly").selectors == Selectors(selector="nightly")
    assert make().selectors == Selectors()


def test_dbt_s_variables_say_where_the_state_is(make: Make, tmp_path: Path) -> None:
    environ = {"DBT_STATE": "old", "DBT_INDIRECT_SELECTION": "Cautious"}
    made = make(environ=environ)
    assert made.selectors == Selectors(state=tmp_path / "old", indirect="cautious")
    assert make(environ={**environ, "DBT_ENGINE_STATE": "newer"}).selectors.state == tmp_path / "newer"
    assert make(environ=environ, state=tmp_path / "given").selectors.state == tmp_path / "given"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"selector": "a", "select": "b"}, "--selector can't be combined"),
        ({"selector": "a", "exclude": ["b"]}, "--selector can't be combined"),
        ({"select": "orders tags:a"}, "'tags' is not a valid method name"),
        ({"defer_state": "nowhere"}, "--defer-state: .*nowhere has no manifest.json"),
        ({"exclude": "@a+"}, "incompatible"),
        ({"indirect_selection": "all"}, "--indirect-selection is all; choose from eager, cautious, buildable, empty"),
    ],
)
def test_selectors_that_cannot_be_are_told(make: Make, flags: dict[str, Any], said: str) -> None:
    with pytest.raises((SettingsError, SelectionError), match=said):
        make(**flags)


def test_a_shard_is_one_of_several_machines_which_share_no_docs_blocks(make: Make) -> None:
    assert make().shard is None
    assert make(shard="2/4").shard == Shard(2, 4)
    assert make("doc_blocks: true", shard="2/4", doc_blocks=False).shard == Shard(2, 4)
    for file, flags in (("doc_blocks: true", {}), ("", {"doc_blocks": True})):
        with pytest.raises(SettingsError, match="Docs blocks can't be shared"):
            make(file, shard="2/4", **flags)
