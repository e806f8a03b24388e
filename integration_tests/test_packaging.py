"""What the wheel and the sdist hold."""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from integration_tests.conftest import run_in

ROOT = Path(__file__).parent.parent
PROMPTS = {path.name for path in (ROOT / "prompts").glob("*.yml")}


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    run_in(ROOT, sys.executable, "-m", "build", "--no-isolation", "--outdir", str(directory))
    return directory


def test_the_wheel_made_from_the_sdist_holds_the_templates_and_the_type_marker(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {f"dbt_describe/prompts/{name}" for name in PROMPTS} <= names
    data = ("py.typed", "dbt-describe.schema.json", "configuration/starter.yml")
    assert {f"dbt_describe/{name}" for name in data} <= names
    assert not any(name.startswith(("tests/", "demo/")) for name in names)


def test_the_sdist_holds_templates_tests_and_demo(distributions: Path) -> None:
    (sdist,) = distributions.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"prompts/{name}" for name in PROMPTS} <= names
    assert {"demo/run.sh", "tests/test_planning.py", "LICENSE"} <= names


def test_the_templates_are_found_in_an_installed_wheel(distributions: Path, tmp_path: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "from dbt_describe.prompting.templates import open_templates; print(open_templates().get('model').system.path)"
    )
    found = run_in(tmp_path, sys.executable, "-c", code, PYTHONPATH=str(tmp_path)).stdout.strip()
    assert Path(found).is_relative_to(tmp_path)
