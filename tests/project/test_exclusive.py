"""One writer at a time."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbt_describe.project.dbt import DbtInvocation
from dbt_describe.project.exclusive import HOLDER_FILE, LOCK_FILE, writing_alone

HOLD = """\
    import sys
    from pathlib import Path
    from dbt_describe.project.dbt import DbtInvocation
    from dbt_describe.project.exclusive import writing_alone

    with writing_alone(DbtInvocation(Path(sys.argv[1])), print):
        print("held", flush=True)
        sys.stdin.readline()
"""


@pytest.fixture
def project(tmp_path: Path) -> DbtInvocation:
    (tmp_path / "dbt_project.yml").write_text("name: shop\n", encoding="utf-8")
    return DbtInvocation(tmp_path)


@pytest.fixture
def holder(project: DbtInvocation) -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, "-c", textwrap.dedent(HOLD), str(project.project_dir)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def never(message: str) -> None:
    raise AssertionError(message)


def test_a_second_process_waits_for_the_first_and_says_for_whom(
    project: DbtInvocation, holder: subprocess.Popen[str]
) -> None:
    said: list[str] = []

    def end_the_first(message: str) -> None:
        said.append(message)
        assert holder.poll() is None
        holder.communicate("\n")

    with writing_alone(project, end_the_first) as warning:
        assert warning == ""
    assert said == [f"Waiting for another dbt-describe (process {holder.pid}) to finish writing to this project."]


def test_the_lock_of_a_killed_process_is_free(project: DbtInvocation, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    with writing_alone(project, never) as warning:
        assert warning == ""


def test_ctrl_c_while_waiting_ends_the_wait(project: DbtInvocation, holder: subprocess.Popen[str]) -> None:
    def interrupt(message: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), writing_alone(project, interrupt):
        raise AssertionError
    assert holder.poll() is None


def test_the_lock_is_free_again_after_an_error(project: DbtInvocation) -> None:
    with pytest.raises(ValueError, match="inside"), writing_alone(project, never):
        raise ValueError("inside")
    with writing_alone(project, never):
        pass


@pytest.mark.parametrize(
    ("setting", "directory"),
    [
        ("", "target"),
        ("target-path: out\n", "out"),
        ("target-path: \"{{ env_var('WHERE') }}\"\n", "target"),
    ],
)
def test_the_lock_is_in_the_projects_own_target_path_whatever_the_flags_say(
    setting: str, directory: str, project: DbtInvocation, tmp_path: Path
) -> None:
    (tmp_path / "dbt_project.yml").write_text(f"name: shop\n{setting}", encoding="utf-8")
    with writing_alone(DbtInvocation(tmp_path, target_path=Path("elsewhere")), never):
        own = tmp_path / directory / "dbt_describe"
        assert sorted(path.name for path in own.iterdir()) == [LOCK_FILE, HOLDER_FILE]
    assert not (own / HOLDER_FILE).exists()


def test_where_there_can_be_no_lock_the_block_runs_with_a_warning(project: DbtInvocation, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("in the way", encoding="utf-8")
    with writing_alone(project, never) as warning:
        assert "writing.lock can't be locked (" in warning
        assert "nothing keeps a second dbt-describe from writing" in warning
