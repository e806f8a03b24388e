"""Where artifacts may come from: flags over variables over the file, and what is no such place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dbt_describe.errors import SettingsError
from dbt_describe.project.sources import ArtifactSources, Credentials, shown
from dbt_describe.settings import make_settings

SECRET = "hunter2-hunter2"
CORRECT = " Correct it; in a user or password, write / ? # and @ as %2F %3F %23 and %40."
Make = Callable[..., ArtifactSources]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """The sources of a project with this dbt-describe.yml and these variables."""
    (tmp_path / "dbt_project.yml").write_text("name: shop", encoding="utf-8")

    def made(file: str = "", environ: dict[str, str] | None = None, **flags: Any) -> ArtifactSources:
        (tmp_path / "dbt-describe.yml").write_text(file, encoding="utf-8")
        return make_settings(project_dir=tmp_path, environ=environ or {}, **flags).sources

    return made


def test_without_anything_the_project_s_own_are_read(make: Make) -> None:
    assert make() == ArtifactSources()


def test_flags_win_over_variables_and_these_over_the_file(make: Make) -> None:
    file = "manifest: https://file/m.json\ncatalog: https://file/c.json"
    environ = {"DBT_DESCRIBE_MANIFEST": "https://variable/m.json", "DBT_DESCRIBE_CATALOG": "https://variable/c.json"}
    assert make(file) == ArtifactSources("https://file/m.json", "https://file/c.json")
    assert make(file, environ) == ArtifactSources("https://variable/m.json", "https://variable/c.json")
    assert make(file, environ, manifest="https://flag/m.json", catalog="https://flag/c.json") == ArtifactSources(
        "https://flag/m.json", "https://flag/c.json"
    )
    assert make(file, {"DBT_DESCRIBE_MANIFEST": ""}).manifest == "https://file/m.json"


def test_paths_are_of_the_working_directory_in_the_file_of_its_own(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    at = tmp_path.resolve()
    made = make("catalog: ci/c.json", {"DBT_DESCRIBE_MANIFEST": "../m.json"})
    assert made == ArtifactSources(str(at / "m.json"), str(at / "ci/c.json"))
    assert make(manifest=Path("m.json")).manifest == str(at / "elsewhere/m.json")
    assert make(f"manifest: {at}/m.json").manifest == str(at / "m.json")


def test_credentials_are_variables(make: Make) -> None:
    environ = {
        "DBT_DESCRIBE_ARTIFACTS_TOKEN": " a\n",
        "DBT_CLOUD_API_TOKEN": "b",
        "DBT_CLOUD_HOST": "emea.dbt.com",
    }
    assert make("", environ).credentials == Credentials("a", "b", "emea.dbt.com")


@pytest.mark.parametrize("host", ["ab c", "[", "host:port"])
def test_what_is_no_host_of_dbt_cloud_is_refused(make: Make, host: str) -> None:
    with pytest.raises(SettingsError, match="DBT_CLOUD_HOST is no valid host"):
        make("", {"DBT_CLOUD_HOST": host})


def test_a_url_that_is_nearly_one_is_refused_without_its_password(make: Make) -> None:
    with pytest.raises(SettingsError, match="a URL begins with https://") as raised:
        make("", {"DBT_DESCRIBE_MANIFEST": "https:/me:hunter2@host/manifest.json"})
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("name", ["DBT_DESCRIBE_ARTIFACTS_TOKEN", "DBT_CLOUD_API_TOKEN"])
@pytest.mark.parametrize("token", ["hunter2\nX-Other: y", "hunter2…", "\x00hunter2"])
def test_a_token_that_no_header_can_hold_is_refused(make: Make, name: str, token: str) -> None:
    with pytest.raises(SettingsError) as raised:
        make("", {name: token})
    assert str(raised.value) == f"{name} holds characters that no token has; copy it again."


def test_refresh_is_a_flag_that_wins_over_what_variables_and_the_file_name(make: Make) -> None:
    assert make("manifest: x", {"DBT_DESCRIBE_CATALOG": "y"}, refresh=True) == ArtifactSources(refresh=True)


@pytest.mark.parametrize("flag", ["manifest", "catalog"])
def test_refresh_contradicts_artifacts_from_elsewhere(make: Make, flag: str) -> None:
    with pytest.raises(SettingsError) as raised:
        make(refresh=True, **{flag: "x"})
    assert str(raised.value) == (
        f"--refresh makes the project's own artifacts anew, and --{flag} names another one; leave out either."
    )


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (
            f"s3://bucket/manifest.json?sig={SECRET}",
            "The manifest s3://bucket/manifest.json can't be fetched: s3:// isn't supported, only a path, an http:// "
            "or https:// URL, or dbt-cloud://ACCOUNT/JOB. Download it first and give the path.",
        ),
        (
            "FILE:///ci/manifest.json",
            "The manifest FILE:///ci/manifest.json can't be read by a file:// URL; give its path, /ci/manifest.json.",
        ),
        (
            "dbt-cloud://x",
            "The manifest dbt-cloud://x names no job; write dbt-cloud://ACCOUNT/JOB with both numbers, which are in "
            "the job's own URL: https://cloud.getdbt.com/deploy/ACCOUNT/projects/…/jobs/JOB.",
        ),
        (
            f"https://me:{SECRET}@/manifest.json",
            "The manifest https:///manifest.json can't be fetched: the URL names no host, or no valid one." + CORRECT,
        ),
        (
            f"https://me:{SECRET}@host:port/m",
            "The manifest https://host:port/m can't be fetched: the URL names no host, or no valid one." + CORRECT,
        ),
        (
            "https://[host/m",
            "The manifest https://[host/m can't be fetched: the URL names no host, or no valid one." + CORRECT,
        ),
        (
            f"https://me:{SECRET}/x@host/m",
            "The manifest https://…@host/m can't be fetched: the URL names no host, or no valid one." + CORRECT,
        ),
        (
            f"https://me:{SECRET}?x@host/m?sig={SECRET}",
            "The manifest https://…@host/m can't be fetched: the URL names no host, or no valid one." + CORRECT,
        ),
    ],
)
def test_what_is_no_place_of_artifacts_is_told(make: Make, location: str, expected: str) -> None:
    with pytest.raises(SettingsError) as raised:
        make(manifest=location)
    assert str(raised.value) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://host:8443/a/@b/m.json?x#y", "https://…@b/m.json"),
        ("https://host/a/@b/m.json", "https://host/a/@b/m.json"),
        (f"https://me:{SECRET}@host:8443/m", "https://host:8443/m"),
        (f"https://me:1{SECRET}#@host/m", "https://…@host/m"),
        (f"https://{SECRET}@me:{SECRET}@host/m", "https://host/m"),
        (f"https:///me:{SECRET}@host/m", "https:///…@host/m"),
        ("dbt-cloud://1/2", "dbt-cloud://1/2"),
        ("/a/b?c", "/a/b?c"),
    ],
)
def test_a_location_is_shown_without_what_may_be_secret(url: str, expected: str) -> None:
    assert shown(url) == expected


@pytest.mark.parametrize("job", ["dbt-cloud://1/x", "dbt-cloud://1/2/3", "dbt-cloud://1", "dbt-cloud://"])
def test_a_job_needs_both_numbers(make: Make, job: str) -> None:
    with pytest.raises(SettingsError, match="names no job"):
        make(catalog=job)


@pytest.mark.parametrize(
    "url",
    [
        f"https://me:{SECRET}@host/m.json",
        f"https://host/m.json?sig={SECRET}",
        f"https://host/m.json?X-Amz-Signature={SECRET}",
    ],
)
def test_a_secret_in_the_file_must_come_from_a_variable(make: Make, url: str) -> None:
    with pytest.raises(SettingsError, match=r"dbt-describe.yml:1: manifest holds a secret\. Write it as \$\{NAME\}"):
        make(f"manifest: {url}")
    as_variable = url.replace(SECRET, "${PASSWORD}")
    assert make(f"manifest: {as_variable}", {"PASSWORD": SECRET}).manifest == url
    assert SECRET not in repr(make(f"manifest: {as_variable}", {"PASSWORD": SECRET}))
