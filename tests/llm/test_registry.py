"""Providers of other packages, found by their entry points as if they were installed."""

from __future__ import annotations

import asyncio
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from dbt_describe.errors import LlmSettingsError
from dbt_describe.llm.config import EndpointConfig, LlmConfig
from dbt_describe.llm.learned import Forgetful
from dbt_describe.llm.messages import Probed, Reply, Usage
from dbt_describe.llm.registry import ENTRY_POINT_GROUP, find_spec, provider_names
from dbt_describe.llm.routes import find_model
from dbt_describe.llm.specs import ProviderSpec
from tests.llm.fakes import question

EXAMPLE = Path(__file__).parent / "example_provider"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example package, importable and with its metadata."""
    monkeypatch.syspath_prepend(EXAMPLE)


def install(directory: Path, entry_point: str, module: str = "", package: str = "their-package") -> None:
    """A package with one entry point of our group, and its one module."""
    metadata = directory / f"{package.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{entry_point}\n", encoding="utf-8")
    (directory / "their_module.py").write_text(module, encoding="utf-8")


def echoed(config: LlmConfig, environ: Mapping[str, str], model: str) -> tuple[Reply, Probed | None]:
    """A model's answer and what it tells of itself, found as a run finds it."""
    found = find_model(model, config, environ)

    async def run() -> tuple[Reply, Probed | None]:
        provider = found.spec.open(found.endpoints[0], Forgetful())
        try:
            return await provider.complete(question(model=found.model)), await provider.probe(found.name)
        finally:
            await provider.aclose()

    return asyncio.run(run())


@pytest.mark.usefixtures("example")
def test_a_package_adds_a_provider_by_its_entry_point() -> None:
    assert "echo" in provider_names()
    spec = find_spec("echo")
    assert (spec.name, spec.title) == ("echo", "Echo")
    answer, probed = echoed(LlmConfig(), {}, "echo/canyon")
    assert (answer.text, answer.model, answer.usage) == ("Why?", "canyon at echo.localhost", Usage(1, 1))
    assert probed == Probed(1000)
    assert find_model("echo/canyon", LlmConfig(), {}).capabilities.structured_output == "prompt"


@pytest.mark.usefixtures("example")
def test_its_settings_and_environment_variables_reach_it() -> None:
    written = {"provider": "echo", "base_url": "http://valley:8080", "voice": "loud"}
    loud = msgspec.convert(written, find_spec("echo").config)
    answer, _ = echoed(LlmConfig(endpoints={"valley": loud}), {}, "valley/canyon")
    assert (answer.text, answer.model) == ("WHY?", "canyon at valley:8080")
    answer, _ = echoed(LlmConfig(), {"ECHO_BASE_URL": "http://cave", "ECHO_VOICE": "loud"}, "echo/canyon")
    assert (answer.text, answer.model) == ("WHY?", "canyon at cave")


@pytest.mark.usefixtures("example")
def test_its_errors_are_passed_on() -> None:
    with pytest.raises(LlmSettingsError, match="no echo in 'desert'"):
        echoed(LlmConfig(), {}, "echo/desert")


def test_the_examples_metadata_is_what_its_project_file_says() -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [f"[{ENTRY_POINT_GROUP}]"]
    lines += [f"{name} = {target}" for name, target in project["entry-points"][ENTRY_POINT_GROUP].items()]
    metadata = EXAMPLE / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    assert (metadata / "entry_points.txt").read_text(encoding="utf-8").splitlines() == lines
    assert f"Name: {project['name']}\nVersion: {project['version']}\n" in (metadata / "METADATA").read_text("utf-8")


def test_without_the_package_there_is_no_such_provider() -> None:
    with pytest.raises(LlmSettingsError, match="no provider 'echo'"):
        find_spec("echo")


@pytest.mark.parametrize(
    ("entry_point", "module", "words"),
    [
        (
            "broken = their_module:SPEC",
            "import nothing_of_that_name",
            "'broken' of the package their-package can't be imported: ModuleNotFoundError",
        ),
        ("broken = their_module:SPEC", "raise SystemError('out of order')", "SystemError: out of order"),
        ("broken = their_module:SPEC", "", "AttributeError"),
        ("broken = their_module:SPEC", "SPEC = 7", "entry point is no ProviderSpec"),
    ],
)
def test_a_package_that_cannot_be_used_is_named(
    entry_point: str, module: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, entry_point, module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "their_module", raising=False)
    with pytest.raises(LlmSettingsError, match=words):
        find_spec("broken")


def test_ours_win_over_theirs_and_theirs_is_not_even_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "ollama = their_module:SPEC", "raise SystemError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert find_spec("ollama").title == "Ollama"
    assert provider_names().count("ollama") == 1


def test_a_misspelt_provider_is_told_the_nearest_one() -> None:
    with pytest.raises(LlmSettingsError, match="Did you mean anthropic"):
        find_spec("antropic")


@pytest.mark.parametrize("name", provider_names())
def test_every_provider_of_ours_can_be_found_without_its_packages(name: str) -> None:
    spec = find_spec(name)
    assert isinstance(spec, ProviderSpec)
    assert spec.name == name
    assert issubclass(spec.config, EndpointConfig)
    assert spec.title
    assert {field for field in spec.config_variables if not hasattr(spec.config(), field)} == set()
