"""The hooks of `.pre-commit-hooks.yaml`, run by the real pre-commit at `git commit`, on a project in a subdirectory.

Their environment is made once for all of pytest's processes. What this package needs is taken from the environment
that runs the tests, not installed anew: that would take half a minute and a network.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest
from filelock import FileLock

from integration_tests.conftest import DBT, PRELOADED, commit_all, run_in

ROOT = Path(__file__).parent.parent
PACKAGED = ("src", "prompts", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml")
HOOKS = ("dbt-describe-document", "dbt-describe-check")
PRE_COMMIT = str(DBT.parent / "pre-commit")
ENVIRONMENT = {
    "PIP_NO_DEPS": "1",
    "PIP_NO_INDEX": "1",
    "PIP_NO_BUILD_ISOLATION": "0",  # pip's spelling of --no-build-isolation
    "PYTHONPATH": os.pathsep.join([sysconfig.get_path("purelib"), str(PRELOADED)]),
}


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A repository with this checkout committed, from which pre-commit installs the hooks; `home` is beside it."""
    base = tmp_path_factory.getbasetemp()
    directory = (base if worker_id == "master" else base.parent) / "hooks" / "dbt-describe"
    with FileLock(f"{directory.parent}.lock"):
        if not directory.exists():
            unfinished = directory.with_name("unfinished")
            for name in PACKAGED:
                copy_to(unfinished, ROOT / name)
            run_in(unfinished, "git", "init", "--quiet")
            commit_all(unfinished, "released")
            unfinished.rename(directory)
            write_configuration(directory, directory, HOOKS)
            run_in(
                directory, PRE_COMMIT, "install-hooks", check=True, PRE_COMMIT_HOME=str(home(directory)), **ENVIRONMENT
            )
    return directory


def copy_to(directory: Path, source: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, directory / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, directory)


def home(published: Path) -> Path:
    return published.parent / "home"


def write_configuration(repository: Path, published: Path, hooks: Sequence[str], *args: str) -> None:
    revision = run_in(published, "git", "rev-parse", "HEAD").stdout.strip()
    words = ["--project-dir", "shop", "--profiles-dir", "shop", *args]
    lines = [f"repos:\n- repo: {published}\n  rev: {revision}\n  hooks:"]
    lines += [f"  - id: {hook}\n    args: {words}" for hook in hooks]
    text = "\n".join([*lines, "fail_fast: true\n"])
    (repository / ".pre-commit-config.yaml").write_text(text, encoding="utf-8")


class Repository:
    """A git repository with the demo project in `shop/` and the hook installed."""

    def __init__(self, directory: Path, published: Path, hooks: Sequence[str] = HOOKS[:1], *args: str) -> None:
        self.directory = directory
        self.project = directory / "shop"
        self._environment = {"PRE_COMMIT_HOME": str(home(published)), **ENVIRONMENT}
        shutil.move(self.project / ".git", directory)
        write_configuration(directory, published, hooks, *args)
        commit_all(directory, "before")
        run_in(directory, PRE_COMMIT, "install", PRE_COMMIT_HOME=str(home(published)))

    def touch(self, path: str, more: str = "\n") -> None:
        """Add to a file, and stage it. dbt doesn't mind an empty line: the manifest is as new as before."""
        with (self.project / path).open("a", encoding="utf-8") as file:
            file.write(more)
        self.git("add", f"shop/{path}")

    def commit(self, **environ: str) -> subprocess.CompletedProcess[str]:
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
        store = {"DBT_DESCRIBE_STORE": str(self.project / "target/store")}
        words = ("git", *identity, "commit", "-m", "a change")
        return run_in(self.directory, *words, check=False, **self._environment, **store, **environ)

    def git(self, *words: str) -> str:
        return run_in(self.directory, "git", *words).stdout


def test_a_commit_is_described_staged_checked_and_accepted(demo: Path, published: Path) -> None:
    repository = Repository(demo.parent, published, HOOKS)
    repository.touch("models/intermediate/int_order_totals.sql")
    refused = repository.commit()
    name = "models/intermediate/_intermediate__models.yml"
    stage = f"git add shop/{name} shop/dbt-describe.lock"
    assert (refused.returncode, f"\n  {stage}\n" in refused.stderr) == (1, True), refused.stderr
    new = [line[3:] for line in repository.git("status", "--porcelain").splitlines() if line.startswith("??")]
    assert new == ["shop/dbt-describe.lock", f"shop/{name}"]
    text = (demo / name).read_text(encoding="utf-8")
    assert ("int_order_totals" in text, "int_payments_by_order" in text) == (True, False)

    (demo / name).write_text(text.replace("Unique identifier of the order.", "The order ID."), encoding="utf-8")
    repository.git(*stage.split()[1:])
    doubtful = repository.commit()
    line = text[: text.index("Unique identifier")].count("\n") + 1
    shown = rf"shop/{name}:{line}\b.*restating|{name}\n\s+{line}\b.*restating +int_order_totals\.order_id"
    assert (doubtful.returncode, bool(re.search(shown, doubtful.stderr))) == (1, True), doubtful.stderr
    assert re.search("document.*Passed", doubtful.stderr)

    (demo / name).write_text(text, encoding="utf-8")
    repository.git("add", ".")
    accepted = repository.commit()
    assert accepted.returncode == 0, accepted.stderr
    assert repository.git("status", "--porcelain") == ""


def test_a_commit_of_nothing_that_is_dbt_s_calls_no_dbt(demo: Path, published: Path) -> None:
    repository = Repository(demo.parent, published)
    (demo / "target/manifest.json").unlink()
    repository.touch("dbt_project.yml", "# no node\n")
    repository.touch("README.md")
    repository.touch("../tool.py", "print()\n")
    repository.git("rm", "--quiet", "shop/models/marts/fct_product_sales.sql")
    done = repository.commit()
    assert (done.returncode, "Passed" in done.stderr) == (0, True), done.stderr
    assert not (demo / "target/manifest.json").exists()


def test_a_model_that_is_out_of_reach_keeps_nobody_from_committing(demo: Path, published: Path) -> None:
    args = ("--model", "openai/gpt-6-luna")
    unreachable = {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    repository = Repository(demo.parent, published, HOOKS[:1], *args)
    repository.touch("models/intermediate/int_order_totals.sql")
    refused = repository.commit(**unreachable)
    assert (refused.returncode, refused.stderr.count("can't be reached")) == (1, 1), refused.stderr
    assert "From here on, rules alone" in refused.stderr


def test_broken_sql_is_told_and_keeps_nobody_from_committing(demo: Path, published: Path) -> None:
    repository = Repository(demo.parent, published)
    repository.touch("models/staging/stg_products.sql", "where (")
    done = repository.commit()
    assert (done.returncode, "Passed" in done.stderr) == (0, True), done.stderr


def test_a_mistake_in_the_settings_is_told_and_must_be_mended(demo: Path, published: Path) -> None:
    repository = Repository(demo.parent, published)
    (demo / "dbt-describe.yml").write_text("modle: openai/gpt-6-luna\n", encoding="utf-8")
    repository.touch("models/staging/stg_products.sql")
    done = repository.commit()
    assert (done.returncode, "exit code: 2" in done.stderr, "modle" in done.stderr) == (1, True, True), done.stderr
