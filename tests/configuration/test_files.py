"""What dbt-describe.yml may say, and how it is told what it may not."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dbt_describe.configuration import Configuration, find_configuration, load_configuration
from dbt_describe.configuration import files as files_module
from dbt_describe.errors import SettingsError
from dbt_describe.llm import registry
from dbt_describe.llm.config import EndpointConfig, Limits, LlmConfig, RouteConfig, SmallTasks, Timeouts
from dbt_describe.llm.specs import ProviderSpec

SECRET = "sk-proj-abcdefghijklmnopqrstuvwx"


def load(tmp_path: Path, text: str, **environ: str) -> Configuration:
    path = tmp_path / "dbt-describe.yml"
    path.write_text(text, encoding="utf-8")
    return load_configuration(path, environ)


def refused(tmp_path: Path, text: str, **environ: str) -> str:
    with pytest.raises(SettingsError) as raised:
        load(tmp_path, text, **environ)
    return str(raised.value)


@pytest.mark.parametrize("text", ["", "# nothing\n", "budget:\nendpoints:\nmodel:\n", "---\n", "\ufeffmodel:\n"])
def test_a_file_that_says_nothing_changes_nothing(text: str, tmp_path: Path) -> None:
    assert load(tmp_path, text) == Configuration()


def test_every_kind_of_value_is_read_in_its_type(tmp_path: Path) -> None:
    (tmp_path / "ours").mkdir()
    found = load(
        tmp_path,
        """
model: work/big
fallback: [openai/gpt-6-luna, rules]
routes: {review: {model: openai/gpt-6-luna}}
small_tasks: {model: openai/tiny}
endpoints:
  work:
    provider: openai
    base_url: [https://a.example/v1, https://b.example/v1]
    api_key: "${KEY}"
    headers: {X-Team: data, Authorization: "Bearer ${KEY}"}
    limits: {requests_per_minute: 1_000}
    timeouts: {total: 5}
models:
  work/big: {prices: {input: 0.1, output: "0.40"}, temperature: 0}
budget: {max_cost: 2.5, max_tokens: 10}
concurrency: ${JOBS:-4}
prompt_cache: off
ignore: [stg_*, " models/${OLD:-legacy}/ "]
offline: yes
cache: ${CACHED}
prompts: ours
""",
        KEY="hidden-key",
        CACHED="false",
    )
    llm, work = found.llm, found.llm.endpoints["work"]
    assert (llm.model, llm.fallback) == ("work/big", ("openai/gpt-6-luna", "rules"))
    assert llm.routes == {"review": RouteConfig("openai/gpt-6-luna")}
    assert llm.small_tasks == SmallTasks("openai/tiny")
    assert (work.base_url, work.api_key) == (("https://a.example/v1", "https://b.example/v1"), "hidden-key")
    assert work.headers == {"X-Team": "data", "Authorization": "Bearer hidden-key"}
    assert (work.limits, work.timeouts) == (Limits(1000), Timeouts(total=5.0))
    prices = llm.models["work/big"].prices
    assert prices is not None
    assert (prices.input, prices.output) == (Decimal("0.1"), Decimal("0.40"))
    assert (llm.budget.max_cost, llm.budget.max_tokens) == (Decimal("2.5"), 10)
    assert (llm.concurrency, llm.prompt_cache, llm.offline) == (4, "off", True)
    assert (found.cache, found.prompts_dir) == (False, tmp_path / "ours")
    assert found.ignore == ("stg_*", "models/legacy/")
    assert "hidden-key" not in repr(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("modle: x", "dbt-describe.yml:1: modle is no setting; did you mean model?"),
        (
            "zzz: x",
            "dbt-describe.yml:1: zzz is no setting; there are abbreviations, batch, batches, budget, cache,",
        ),
        ("plans_only: true", "dbt-describe.yml:1: plans_only is no setting"),
        ("\nroutes: {daft: {model: x}}", "dbt-describe.yml:2: routes.daft is no setting; did you mean draft?"),
        (
            "endpoints:\n  openai:\n    limits:\n      tokens_per_minut: 5",
            "yml:4: endpoints.openai.limits.tokens_per_minut is no setting; did you mean tokens_per_minute?",
        ),
        (
            "endpoints:\n  openai:\n    limits: {tokens_per_minute: lots}",
            "endpoints.openai.limits.tokens_per_minute is `lots`; it must be a whole number above 0.",
        ),
        ("concurrency: 0", "concurrency is `0`; it must be a whole number above 0."),
        ("concurrency: 1.5", "concurrency is `1.5`; it must be a whole number above 0."),
        ("concurrency: true", "concurrency is `true`; it must be a whole number above 0."),
        ("timeouts: {read: .inf}", "timeouts.read is `inf`; it must be a number above 0."),
        ("timeouts: 5", "timeouts must be a mapping, as `key: value` lines."),
        ("routes: [x]", "routes must be a mapping"),
        ("endpoints: [x]", "endpoints must be a mapping from names of your own to endpoints."),
        ("endpoints: {openai: x}", "endpoints.openai must be a mapping"),
        ("fallback: rules", "fallback is `rules`; it must be a list of texts."),
        ("budget: {max_cost: -2}", "budget.max_cost is `-2`; it must be a number, 0 or more."),
        ("budget: {max_cost: .nan}", "budget.max_cost is `nan`; it must be a number, 0 or more."),
        ("prompt_cache: 2h", "prompt_cache is `2h`; it must be one of 1h, 5m, off."),
        ("offline: maybe", "offline is `maybe`; it must be true or false."),
        ("models: {a/b: {temperature: 3}}", "models.a/b.temperature is `3`; it must be a number of at least 0 and at"),
        ("models: {a/b: {reasoning_effort: off}}", "is `false`; it must be a text, so write it in quotes."),
        ("models: {a/b: {prices: {input: 1}}}", "models.a/b.prices.output is missing."),
        (
            "model: x\nschema_path: '{dir}/{modle}.yml'",
            "yml:2: schema_path is `{dir}/{modle}.yml`; it has the placeholder `modle`; there are dir, dir_name,",
        ),
        ("schema_path:\n  models: '{dir}/x'\n  seeds: ../x", "yml:3: schema_path.seeds is `../x`; it must stay inside"),
        ("schema_path: {seeds: ''}", "schema_path.seeds is ``; it names no file"),
        ("schema_path: {sources: x}", "schema_path.sources is no setting; there are analyses, data_tests, macros,"),
        ("schema_path: {model: x}", "schema_path.model is no setting; did you mean models?"),
        ("schema_path: 5", "schema_path is `5`; it must be a text or a mapping, so write it in quotes."),
        ("schema_path: {models: 5}", "schema_path.models is `5`; it must be a text, so write it in quotes."),
        ("schema_path: [x]", "schema_path must be a text or a mapping."),
        ("ignore: stg_*", "ignore is `stg_*`; it must be a list of texts."),
        ("ignore:\n- a\n- 5", "ignore must be a list of texts."),
        ("ignore:\n- a\n- ' '", "dbt-describe.yml:3: ignore.1 is ` `; it names nothing. Write a node's name,"),
        ("\nignore: [/]", "dbt-describe.yml:2: ignore.0 is `/`; it names nothing."),
        ("ignore: ['!a']", "ignore.0 is `!a`; there is no `!` here: `dbt-describe: describe` in the meta of a node or"),
        ("small_tasks: {max_input_tokens: 5}", "dbt-describe.yml:1: small_tasks.model is missing."),
        ("endpoints: {work: {base_url: x}}", "endpoints.work can't be used: There is no provider 'work'."),
        ("endpoints: {work: {provider: opena}}", "Did you mean openai?"),
        ("prompts: nowhere", "nowhere, which doesn't exist."),
        ("model: x\nmodel: y", "dbt-describe.yml:2: model is there twice, first in line 1."),
        ("a: {b: 1, b: 2}", "dbt-describe.yml:1: a.b is there twice, first in line 1."),
        ("model: &a [*a]", "holds itself by an alias."),
        ("endpoints: {on: {}}", "YAML reads the key on as no text; write it in quotes."),
        ("? [a]\n: b", "dbt-describe.yml:1: a key must be a plain word."),
        ("- model", "settings are expected"),
        ("model: [", "this is no YAML:"),
        ("model: 'x\n", "this is no YAML:"),
        ("model: !!python/name:os.system x", "this is no YAML:"),
        ("model: 2026-13-45", "this is no YAML: month must be in 1..12"),
        ("model: a\n---\nmodel: b", "this is no YAML:"),
        ("model: \x00", "this is no YAML:"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_is_expected(text: str, said: str, tmp_path: Path) -> None:
    assert said in refused(tmp_path, text)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    message = refused(tmp_path, "offline: 5\nmodle: x\nretry: {attempts: 0}")
    assert [line.partition(": ")[0] for line in message.splitlines()] == [
        "dbt-describe.yml:1",
        "dbt-describe.yml:2",
        "dbt-describe.yml:3",
    ]


def test_no_more_mistakes_are_listed_than_one_can_read(tmp_path: Path) -> None:
    message = refused(tmp_path, "".join(f"wrong{number}: 1\n" for number in range(30)))
    assert len(message.splitlines()) == files_module.MOST_FAULTS_SHOWN + 1
    assert message.endswith("… and 20 more.")


def test_aliases_and_merge_keys_are_yaml_as_ever(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        """
endpoints:
  openai: &base
    concurrency: 3
    limits: {shared: true}
  work:
    <<: *base
    provider: openai
    concurrency: 4
""",
    )
    assert [found.llm.endpoints[name].concurrency for name in ("openai", "work")] == [3, 4]
    assert found.llm.endpoints["work"].limits.shared


def test_a_file_that_unfolds_to_more_than_memory_holds_is_refused(tmp_path: Path) -> None:
    levels = [f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * 9)}]" for level in range(1, 9)]
    assert "more than 20,000 values" in refused(tmp_path, "\n".join(["l0: &l0 {x: 1}", *levels]))


@pytest.mark.parametrize(
    "text",
    [
        f"endpoints: {{openai: {{api_key: {SECRET}}}}}",
        "endpoints: {openai: {api_key: short}}",
        "endpoints: {openai: {api_key: 1234567890}}",
        f"endpoints: {{openai: {{api_key: ['${{A}}', {SECRET}]}}}}",
        f'endpoints: {{openai: {{api_key: "${{A:-{SECRET}}}"}}}}',
        f'endpoints: {{openai: {{api_key: "{SECRET}${{A}}"}}}}',
        'endpoints: {openai: {api_key: "$${A}"}}',
        "endpoints: {openai: {base_url: 'https://user:secret@host/v1'}}",
        "endpoints: {openai: {base_url: 'https://secret@host/v1'}}",
        "endpoints: {openai: {base_url: ['https://user:${A:-secret}@host/v1']}}",
        "endpoints: {openai: {base_url: 'https://host/v1?api-key=secret'}}",
        "endpoints: {openai: {base_url: 'https://user:secret@[host'}}",
        f"endpoints: {{work: {{provider: {SECRET}}}}}",
        "endpoints: {openai: {headers: {Authorization: Bearer secret}}}",
        "endpoints: {openai: {headers: {x-api-key: secret}}}",
        "endpoints: {openai: {headers: {Ocp-Apim-Subscription-Key: secret}}}",
        "endpoints: {openai: {headers: {Cookie: session=secret}}}",
        f"endpoints: {{openai: {{headers: {{X-Other: {SECRET}}}}}}}",
        f"model: {SECRET}",
    ],
)
def test_a_secret_is_refused_and_never_shown(text: str, tmp_path: Path) -> None:
    message = refused(tmp_path, text, A="a")
    assert "holds a secret. Write it as ${NAME} and set the environment variable NAME" in message
    for part in (SECRET, "short", "1234567890", "=secret", ":secret", "Bearer s"):
        assert part not in message


@pytest.mark.parametrize(
    "entry",
    [
        'api_key: "${A}"',
        'api_key: ["${A}", "${B:-}"]',
        "base_url: 'https://user:${A}@host/v1'",
        "base_url: 'https://${A}:${B}@host/v1'",
        "base_url: 'https://host/v1?key=${A}&version=2'",
        "base_url: '${A:-http://localhost}:8080/v1'",
        "headers: {Authorization: 'Bearer ${A}', Cookie: 'session=${B}', X-Key-Owner: me}",
    ],
)
def test_a_secret_in_a_variable_is_fine(entry: str, tmp_path: Path) -> None:
    load(tmp_path, f"endpoints: {{openai: {{{entry}}}}}", A="a", B="b")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("${A}", "x"),
        ("a-${A}-${A}", "a-x-x"),
        ("${NONE:-y}", "y"),
        ("${EMPTY:-y}", "y"),
        ("${NONE:-}", ""),
        ("${A:-y}", "x"),
        ("$${A}", "${A}"),
        ("$A $", "$A $"),
        ("${NESTED}", "${A}"),
        ("${STRUCTURE}", "{a: b}\nc: d"),
    ],
)
def test_variables_are_filled_in_after_the_yaml_is_read(written: str, read: str, tmp_path: Path) -> None:
    environ = {"A": "x", "EMPTY": "", "NESTED": "${A}", "STRUCTURE": "{a: b}\nc: d"}
    assert load(tmp_path, f'model: "{written}"', **environ).llm.model == read


@pytest.mark.parametrize("written", ["${}", "${a b}", "${A", "${1A}", "${A-b}"])
def test_a_variable_that_is_none_is_refused(written: str, tmp_path: Path) -> None:
    message = refused(tmp_path, f'model: "{written}"', A="x")
    assert message.endswith(
        "model has a ${ that names no variable; write ${NAME} or ${NAME:-default}, and $${ for a plain ${."
    )


@pytest.mark.parametrize("environ", [{}, {"MODEL": ""}])
def test_a_variable_that_is_not_set_is_an_error_that_names_it(environ: dict[str, str], tmp_path: Path) -> None:
    assert refused(tmp_path, "\nmodel: ${MODEL}", **environ) == (
        "dbt-describe.yml:2: model needs the environment variable MODEL, which isn't set. "
        "Set it, or write ${MODEL:-default}."
    )


def test_a_value_from_a_variable_is_not_shown_where_it_is_wrong(tmp_path: Path) -> None:
    message = refused(tmp_path, "concurrency: ${KEY}", KEY="hidden-key")
    assert message == "dbt-describe.yml:1: concurrency is `${KEY}`; it must be a whole number above 0."


def test_a_variable_that_only_an_endpoint_needs_is_told_to_who_asks_it(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        'model: openai/x\nendpoints:\n  work:\n    provider: openai\n    api_key: "${KEY}"\n  openai: {concurrency: 2}',
    )
    assert list(found.llm.endpoints) == ["openai"]
    assert found.unresolved == {
        "work": "dbt-describe.yml:5: endpoints.work.api_key needs the environment variable KEY, "
        "which isn't set. Set it."
    }


def test_a_provider_that_a_variable_would_name_is_told_to_who_asks_it(tmp_path: Path) -> None:
    assert list(load(tmp_path, 'endpoints: {work: {provider: "${KIND}"}}').unresolved) == ["work"]


def test_an_endpoint_without_its_variable_is_checked_all_the_same(tmp_path: Path) -> None:
    text = 'endpoints: {openai: {api_key: "${KEY}", concurency: 4}}'
    assert "did you mean concurrency?" in refused(tmp_path, text)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "dbt-describe.yml"
    path.write_bytes(b"model: \xff")
    with pytest.raises(SettingsError, match="isn't UTF-8"):
        load_configuration(path, {})
    path.write_bytes(b"#" * 2_000_000)
    with pytest.raises(SettingsError, match="larger than 1 MiB"):
        load_configuration(path, {})
    path.unlink()
    with pytest.raises(SettingsError, match="can't be read: No such file"):
        load_configuration(path, {})


def test_the_project_s_own_file_is_found_and_another_ending_is_told(tmp_path: Path) -> None:
    assert find_configuration(tmp_path) is None
    (tmp_path / "dbt-describe.yaml").touch()
    with pytest.raises(SettingsError, match=r"dbt-describe.yaml isn't read; rename it to dbt-describe\.yml"):
        find_configuration(tmp_path)
    (tmp_path / "dbt-describe.yml").touch()
    assert find_configuration(tmp_path) == tmp_path / "dbt-describe.yml"


def test_the_defaults_are_those_of_the_gateway(tmp_path: Path) -> None:
    assert load(tmp_path, "model: openai/x").llm == LlmConfig(model="openai/x")


class OwnConfig(EndpointConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    region: Literal["eu", "us", "off"] = "eu"
    extra_body: Mapping[str, object] = {}
    depth: int | bool | None = None

    def __post_init__(self) -> None:
        if self.region == "us" and self.depth is None:
            raise ValueError("us needs a depth")


@pytest.fixture
def own_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider of another package, called `own`."""
    spec = ProviderSpec(name="own", title="Own", open=lambda *_: pytest.fail("nothing is opened"), config=OwnConfig)
    monkeypatch.setattr(registry, "_theirs", lambda: {"own": spec})
    monkeypatch.setattr(registry, "_loaded", lambda found: found)


@pytest.mark.usefixtures("own_provider")
def test_an_endpoint_is_read_in_its_provider_s_own_type(tmp_path: Path) -> None:
    text = """
endpoints:
  own: {region: off, extra_body: {a: {b: ["${A}", 1]}, c: true}, depth: "${DEPTH}"}
  other: {provider: "${KIND}", depth: no}
"""
    found = load(tmp_path, text, A="x", DEPTH="3", KIND="own").llm.endpoints
    assert found["own"] == OwnConfig(region="off", extra_body={"a": {"b": ["x", 1]}, "c": True}, depth=3)
    assert found["other"] == OwnConfig(provider="own", depth=False)


@pytest.mark.usefixtures("own_provider")
@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("region: us", "yml:1: endpoints.own can't be used: us needs a depth."),
        ("region: as", "endpoints.own.region is `as`; it must be one of eu, off, us."),
        ("depth: deep", "endpoints.own.depth is `deep`; it must be a whole number or true or false."),
        ("extra_body: {a: {token: abc}}", "endpoints.own.extra_body.a holds a secret."),
        ("nothing: 1", "endpoints.own.nothing is no setting; there are api_key, base_url"),
    ],
)
def test_what_a_provider_s_own_type_refuses_is_told(entry: str, said: str, tmp_path: Path) -> None:
    assert said in refused(tmp_path, f"endpoints: {{own: {{{entry}}}}}")


@pytest.mark.usefixtures("own_provider")
def test_a_missing_variable_goes_before_what_follows_from_it(tmp_path: Path) -> None:
    found = load(tmp_path, 'endpoints: {own: {region: us, depth: "${DEPTH}"}}')
    assert list(found.unresolved) == ["own"]


KEYS = st.sampled_from(
    [*LlmConfig.__struct_fields__, *EndpointConfig.__struct_fields__, "prompts", "cache", "draft", "input", "openai"]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.dates(),
    st.sampled_from(["${A}", "${B", "openai"]),
)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(), inner, max_size=4)
)


@given(st.dictionaries(KEYS, TREES))
def test_whatever_stands_there_is_read_or_refused_with_a_sentence(values: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "dbt-describe.yml"
        path.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
        with contextlib.suppress(SettingsError):
            assert load_configuration(path, {"A": "1"}).llm.model in {"", values.get("model"), "1"}


def test_a_schema_path_is_one_for_all_sections_or_one_for_each(tmp_path: Path) -> None:
    one = "{dir}/{model}.yml"
    sections = ("models", "seeds", "snapshots", "analyses", "macros", "data_tests")
    assert load(tmp_path, f"schema_path: '{one}'").schema_path == dict.fromkeys(sections, one)
    each = load(tmp_path, f"schema_path: {{models: '{one}', seeds: '${{SEEDS}}', snapshots: }}", SEEDS="seeds/all.yml")
    assert each.schema_path == {"models": one, "seeds": "seeds/all.yml"}
    assert load(tmp_path, "schema_path: ''").schema_path == {}


@pytest.mark.parametrize(
    "text", ["language: German", "style: {language: German}", "language: German\nstyle: {language: German}"]
)
def test_the_language_may_stand_in_style_as_well(text: str, tmp_path: Path) -> None:
    assert load(tmp_path, text).language == "German"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "language: German\nstyle:\n  language: French",
            "dbt-describe.yml:3: style.language is French, but language is German: one of them is enough.",
        ),
        (
            "style:\n  forbidden: [robust, ' ']",
            "dbt-describe.yml:2: style.forbidden.1 is empty; every text would have it.",
        ),
        (f"style: {{tone: {'x' * 300}}}", "it must be a text of at most 200 characters."),
        ("style: {column_words: 0}", "dbt-describe.yml:1: style.column_words is `0`; it must be a whole number"),
        ("knowledge:\n- ' '", "dbt-describe.yml:2: knowledge.0 names nothing. Write a path or a glob"),
    ],
)
def test_a_style_that_cant_be_kept_is_told_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    assert message in refused(tmp_path, text)


@pytest.mark.parametrize("text", ["- " * 200_000, "a: " + "[" * 100_000, "{a: " * 100_000])
def test_what_is_nested_without_end_is_refused(text: str, tmp_path: Path) -> None:
    assert "dbt-describe.yml:1: this is nested deeper than any setting is." in refused(tmp_path, text)
