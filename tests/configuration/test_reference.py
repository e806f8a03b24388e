"""The shipped schema, the reference page and the file that `init` writes, held against the settings' types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from dbt_describe.configuration import Configuration, load_configuration
from dbt_describe.configuration import survey as survey_module
from dbt_describe.configuration.starter import SCHEMA_NAME, findings, schema_text, starter_text, write_starter
from dbt_describe.configuration.survey import Survey, survey_project
from dbt_describe.errors import SettingsError
from dbt_describe.llm import registry
from dbt_describe.llm.config import DEFAULT_CONCURRENCY, EndpointConfig, LlmConfig
from dbt_describe.llm.specs import ProviderSpec
from tests.configuration import reference
from tests.configuration.fields import settings_of

REGENERATE = "run `python -m tests.configuration.reference`"
UNCOMMENTED = re.compile(r"^#(?=[a-z]|  )", re.MULTILINE)


def validate(values: object) -> None:
    # Comes with dbt, and is needed by tests alone.
    jsonschema: Any = pytest.importorskip("jsonschema")
    jsonschema.Draft7Validator.check_schema(json.loads(schema_text()))
    jsonschema.validate(values, json.loads(schema_text()), cls=jsonschema.Draft7Validator)


def is_valid(values: object) -> bool:
    jsonschema: Any = pytest.importorskip("jsonschema")
    return bool(jsonschema.Draft7Validator(json.loads(schema_text())).is_valid(values))


def all_keys() -> Iterator[str]:
    """Every key that the file may have, at any depth."""
    kinds: list[type[msgspec.Struct]] = [kind for _, kind in reference._SECTIONS]
    kinds += [spec.config for spec, _ in reference.our_specs().values()]
    for setting in [*reference.top_level(), *(setting for kind in kinds for setting in settings_of(kind))]:
        yield setting.name


def load(tmp_path: Path, text: str, **environ: str) -> Configuration:
    path = tmp_path / "dbt-describe.yml"
    path.write_text(text, encoding="utf-8")
    return load_configuration(path, environ)


def test_the_shipped_schema_is_that_of_the_types() -> None:
    assert schema_text() == reference.render_schema(), REGENERATE


def test_the_reference_page_is_that_of_the_types() -> None:
    assert reference.PAGE.read_text(encoding="utf-8") == reference.render_page(), REGENERATE


def test_every_setting_has_an_explanation() -> None:
    kinds: list[type[msgspec.Struct]] = [LlmConfig, *(kind for _, kind in reference._SECTIONS)]
    kinds += [spec.config for spec, _ in reference.our_specs().values()]
    settings = [(kind.__name__, setting) for kind in kinds for setting in settings_of(kind)]
    assert [f"{kind}.{setting.name}" for kind, setting in settings if not setting.description] == []


@pytest.mark.parametrize("key", sorted(set(all_keys())))
def test_every_setting_is_in_the_page_the_starter_and_the_schema(key: str) -> None:
    assert f"| `{key}` |" in reference.PAGE.read_text(encoding="utf-8")
    assert re.search(rf"^#? *{key}:", starter_text(reference.SURVEYED), re.MULTILINE)
    assert f'"{key}": {{' in schema_text()


def test_the_starter_is_the_same_byte_for_byte() -> None:
    written = starter_text(reference.SURVEYED, names_schema=True)
    assert written == reference.GOLDEN.read_text(encoding="utf-8"), REGENERATE


def test_the_starter_changes_nothing_but_the_model(tmp_path: Path) -> None:
    text = starter_text(reference.SURVEYED)
    assert load(tmp_path, text) == Configuration(LlmConfig(model="openai/gpt-6-luna"))
    validate(yaml.safe_load(text))
    assert load(tmp_path, starter_text(Survey("shop", 0))) == Configuration()


@pytest.mark.parametrize("model", ["openai/gpt-6-luna", "ollama/qwen3:30b", "work/a b: c", "x/${HOME}", 'x/"\\ #y'])
def test_a_model_of_any_spelling_is_written_so_that_it_is_read_again(model: str, tmp_path: Path) -> None:
    assert load(tmp_path, starter_text(Survey("shop", 0, model=model)), HOME="no").llm.model == model


def test_what_the_starter_shows_as_defaults_are_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "prompts").mkdir()
    text = UNCOMMENTED.sub("", starter_text(Survey("shop", 0)))
    found = load(tmp_path, text, WORK_API_KEY="k")
    validate(yaml.safe_load(text))
    plain = LlmConfig()
    for name in ("timeouts", "retry", "prompt_cache", "offline"):
        assert getattr(found.llm, name) == getattr(plain, name)
    assert found.llm.concurrency == DEFAULT_CONCURRENCY
    assert found.cache
    assert found.llm.endpoints["work"].timeouts == plain.timeouts
    assert found.llm.endpoints["work"].base_url == "https://llm.example.com/v1"
    for spec in survey_module.our_specs():
        if spec.config is not EndpointConfig:
            assert found.llm.endpoints[spec.name] == spec.config()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "budget:",
        "prompt_cache: off",
        "concurrency: ${JOBS:-4}",
        "model: a/b\nendpoints: {openai: {limits: {shared: true}}, work: {provider: openai, base_url: [a, b]}}",
        "endpoints: {else: {provider: of-another-package, anything: 1}}",
        "endpoints: {openai: , work: }",
        "budget: {max_cost: 2.50, max_tokens: 5}",
        "routes: {draft: {model: a/b}}",
    ],
)
def test_editors_take_what_we_take(text: str) -> None:
    validate(yaml.safe_load(text))


@pytest.mark.parametrize(
    "text",
    [
        "modle: x",
        "model: 5",
        "concurrency: 0",
        "concurrency: many",
        "prompt_cache: 2h",
        "routes: {daft: {model: a/b}}",
        "small_tasks: {max_input_tokens: 5}",
        "endpoints: {openai: {limit: 5}}",
        "endpoints: {work: {provider: openai, limit: 5}}",
        "budget: {max_cost: -1}",
    ],
)
def test_editors_mark_what_we_refuse(text: str, tmp_path: Path) -> None:
    assert not is_valid(yaml.safe_load(text))
    with pytest.raises(SettingsError):
        load(tmp_path, text)


def nothing_runs(port: int, path: str) -> bytes:
    raise ConnectionRefusedError(f"{port}{path}")


def shop(tmp_path: Path) -> Path:
    (tmp_path / "dbt_project.yml").write_text(
        "name: shop\nmodel-paths: [sql]\nmodels: {shop: {+dbt-osmosis: '{model}.yml'}}", encoding="utf-8"
    )
    (tmp_path / "sql/staging").mkdir(parents=True)
    for name in ("a.sql", "staging/b.sql", "staging/c.py", "staging/c.yml"):
        (tmp_path / "sql" / name).touch()
    (tmp_path / "target").mkdir()
    (tmp_path / "target/manifest.json").touch()
    return tmp_path


def test_a_survey_tells_what_there_is(tmp_path: Path) -> None:
    found = survey_project(shop(tmp_path), {"OPENAI_API_KEY": "hidden-key"}, nothing_runs)
    assert (found.project, found.models, found.has_manifest, found.has_catalog) == ("shop", 3, True, False)
    assert found.uses_osmosis
    assert found.model == "openai/gpt-6-luna"
    said = "\n".join(findings(found))
    assert "Found shop: 3 models, manifest." in said
    assert "OpenAI can be asked: OPENAI_API_KEY is set." in said
    assert "hidden-key" not in said + repr(found)


def test_without_a_key_no_model_is_chosen(tmp_path: Path) -> None:
    assert survey_project(shop(tmp_path), {"OPENAI_API_KEY": " "}, nothing_runs).model == ""


def test_dbt_osmosis_choice_goes_first(tmp_path: Path) -> None:
    environ = {"OPENAI_API_KEY": "k", "LLM_PROVIDER": "openai", "OPENAI_MODEL": "gpt-9"}
    assert survey_project(shop(tmp_path), environ, nothing_runs).model == "openai/gpt-9"


def test_a_survey_names_the_servers_of_this_machine_and_a_few_of_their_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey_module, "provider_names", lambda: ("ollama", "lm-studio"))
    answers = {
        11434: json.dumps({"models": [{"name": f"m{number}"} for number in range(9)]}).encode(),
        1234: b"<html>",
    }
    found = survey_project(shop(tmp_path), {}, lambda port, _: answers[port])
    assert found.servers == {"ollama": ("m0", "m1", "m2", "m3", "m4")}
    assert found.model == ""
    said = "A server of ollama runs on this machine: ollama/m0, ollama/m1, ollama/m2, ollama/m3, ollama/m4."
    assert said in list(findings(found))


def test_a_project_file_that_cannot_be_read_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "dbt_project.yml").write_text("[", encoding="utf-8")
    found = survey_project(tmp_path, {}, nothing_runs)
    assert (found.project, found.models) == (tmp_path.name, 0)


def test_a_file_that_is_there_is_only_replaced_when_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "dbt-describe.yml"
    path.write_text("model: mine/own", encoding="utf-8")
    with pytest.raises(SettingsError, match="is there already"):
        write_starter(tmp_path, reference.SURVEYED)
    assert path.read_text(encoding="utf-8") == "model: mine/own"
    assert write_starter(tmp_path, reference.SURVEYED, force=True) == [path]
    assert path.read_text(encoding="utf-8") == starter_text(reference.SURVEYED)


def test_the_schema_is_written_beside_the_file_and_named_in_its_first_line(tmp_path: Path) -> None:
    settings, schema = write_starter(tmp_path, reference.SURVEYED, with_schema=True)
    assert schema.name == SCHEMA_NAME
    assert schema.read_text(encoding="utf-8") == schema_text()
    first = settings.read_text(encoding="utf-8").splitlines()[0]
    assert first == f"# yaml-language-server: $schema={schema.name}"
    assert sorted(tmp_path.iterdir()) == sorted([settings, schema])


def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="can't be written to"):
        write_starter(tmp_path / "nowhere", reference.SURVEYED)


class OwnConfig(EndpointConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    region: str = "eu"
    depth: int | None = None
    extra_body: Mapping[str, object] = {}


def test_a_provider_of_another_package_is_in_the_starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = ProviderSpec(name="own", title="Own\nmodel: x", open=lambda *_: pytest.fail("not opened"), config=OwnConfig)
    monkeypatch.setattr(registry, "_theirs", lambda: {"own": spec, "broken": None})
    monkeypatch.setattr(registry, "_loaded", lambda found: found)
    text = starter_text(Survey("shop", 0))
    assert load(tmp_path, text) == Configuration()
    own = text[text.index("#  own:") :].splitlines()[1:4]
    assert own == ['#    region: "eu"', "#    depth: null", "#    extra_body: {}"]
