"""`dbt-cloud://ACCOUNT/JOB`: which requests are made of dbt Cloud's API, and what is said where they fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import responses

from dbt_describe.errors import DownloadError, SettingsError
from dbt_describe.project.remote import Artifacts, find_artifacts
from dbt_describe.project.sources import ArtifactSources, make_sources
from tests.project.test_remote import CATALOG, MANIFEST

TOKEN = "dbtc_abcdefghijkl"
JOB = "dbt-cloud://12/34"
API = "https://cloud.getdbt.com/api/v2/accounts/12"
RUNS = f"{API}/runs/?job_definition_id=34&status=10&order_by=-finished_at&limit=1"
REFUSED = "Check that DBT_CLOUD_API_TOKEN may read the job, and that DBT_CLOUD_HOST is your account's own access URL."
Find = Callable[..., Artifacts]


@pytest.fixture
def server() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def find(tmp_path: Path) -> Find:
    def found(manifest: str = JOB, catalog: str = "", **environ: str) -> Artifacts:
        environ = {"DBT_CLOUD_API_TOKEN": TOKEN} | environ
        sources = make_sources(ArtifactSources(manifest, catalog), "", "", environ)
        return find_artifacts(sources, tmp_path, lambda _: None, lambda _: None)

    return found


def refused(find: Find, *locations: str, **environ: str) -> str:
    with pytest.raises(DownloadError) as raised:
        find(*locations, **environ)
    assert TOKEN not in str(raised.value)
    return str(raised.value)


def test_both_artifacts_are_of_the_latest_successful_run(server: responses.RequestsMock, find: Find) -> None:
    server.get(RUNS, json={"data": [{"id": 56, "status": 10}], "status": {"code": 200}})
    server.get(f"{API}/runs/56/artifacts/manifest.json", MANIFEST)
    server.get(f"{API}/runs/56/artifacts/catalog.json", CATALOG)
    found = find(JOB, f"{JOB}/")
    assert found.manifest is not None
    assert found.catalog is not None
    assert (found.manifest.read_bytes(), found.catalog.read_bytes()) == (MANIFEST, CATALOG)
    assert len(server.calls) == 3
    assert {call.request.headers["Authorization"] for call in server.calls} == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize("host", ["ab123.us1.dbt.com", "https://ab123.us1.dbt.com/", " ab123.us1.dbt.com "])
def test_the_host_is_the_account_s_own(server: responses.RequestsMock, find: Find, host: str) -> None:
    api = API.replace("cloud.getdbt.com", "ab123.us1.dbt.com")
    server.get(f"{api}/runs/", json={"data": [{"id": 56}]})
    server.get(f"{api}/runs/56/artifacts/manifest.json", MANIFEST)
    assert find(DBT_CLOUD_HOST=host).manifest is not None


def test_the_token_does_not_follow_a_redirect_to_a_store(server: responses.RequestsMock, find: Find) -> None:
    store = "https://artifacts.s3.amazonaws.com/manifest.json"
    server.get(RUNS, json={"data": [{"id": 56}]})
    server.get(f"{API}/runs/56/artifacts/manifest.json", status=302, headers={"Location": store})
    server.get(store, MANIFEST)
    find()
    assert "Authorization" not in server.calls[2].request.headers


def test_dbt_clouds_token_is_for_dbt_cloud_alone(server: responses.RequestsMock, find: Find) -> None:
    url = "https://ci.example.com/catalog.json"
    server.get(RUNS, json={"data": [{"id": 56}]})
    server.get(f"{API}/runs/56/artifacts/manifest.json", MANIFEST)
    server.get(url, CATALOG)
    find(JOB, url, DBT_DESCRIBE_ARTIFACTS_TOKEN="other")
    assert [call.request.headers["Authorization"] for call in server.calls] == [
        f"Bearer {TOKEN}",
        f"Bearer {TOKEN}",
        "Bearer other",
    ]


@pytest.mark.parametrize("body", [{"data": []}, {"data": None}, {}])
def test_a_job_without_a_successful_run_is_told(
    server: responses.RequestsMock, find: Find, body: dict[str, object]
) -> None:
    server.get(RUNS, json=body)
    assert refused(find) == (
        "Job 34 of account 12 at dbt Cloud has no successful run, or the token may not see it. "
        "Run the job, or check both numbers. Check that DBT_CLOUD_API_TOKEN may read the job."
    )


@pytest.mark.parametrize(
    ("status", "reason", "advice"),
    [
        (401, "the server refuses the credentials (401)", REFUSED),
        (403, "the server denies access (403)", REFUSED),
        (
            404,
            "there is nothing (404)",
            "Check account 12 and job 34, and that DBT_CLOUD_HOST is its access URL.",
        ),
        (500, "the server answers 500, 4 times in a row", "Try again later."),
    ],
)
def test_an_account_that_can_not_be_read_is_told(
    server: responses.RequestsMock, find: Find, status: int, reason: str, advice: str
) -> None:
    server.get(RUNS, status=status)
    assert refused(find) == f"Can't fetch the runs of job 34 from {API}/runs/: {reason}. {advice}"


def test_a_host_that_is_not_dbt_clouds_is_told(server: responses.RequestsMock, find: Find) -> None:
    server.get(RUNS, "<html>")
    assert refused(find) == (
        f"Can't fetch the runs of job 34 from {API}/runs/: the answer isn't that of dbt Cloud's API. "
        "Check DBT_CLOUD_HOST: it is your account's access URL."
    )


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("manifest", "Let the job's last step be `dbt compile`, `build` or the docs."),
        ("catalog", "Let the job generate docs (`Generate docs on run`), or leave --catalog out."),
    ],
)
def test_a_run_without_the_artifact_is_told(server: responses.RequestsMock, find: Find, kind: str, advice: str) -> None:
    server.get(RUNS, json={"data": [{"id": 56}]})
    url = f"{API}/runs/56/artifacts/{kind}.json"
    server.get(url, status=404)
    locations = (JOB,) if kind == "manifest" else ("", JOB)
    assert refused(find, *locations) == f"Can't fetch the {kind} from {url}: there is nothing (404). {advice}"


def test_without_a_token_nothing_is_asked(find: Find) -> None:
    with pytest.raises(SettingsError) as raised:
        find(DBT_CLOUD_API_TOKEN="")
    assert str(raised.value) == (
        f"{JOB} needs a token: set DBT_CLOUD_API_TOKEN to a service token or a personal access token."
    )


def test_the_token_is_not_sent_unencrypted(find: Find) -> None:
    with pytest.raises(SettingsError) as raised:
        find(DBT_CLOUD_HOST="http://cloud.example.com")
    assert str(raised.value) == (
        "DBT_CLOUD_HOST begins with http://, and the token must not be sent unencrypted; write https://."
    )
