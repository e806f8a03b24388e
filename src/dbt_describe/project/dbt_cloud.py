"""Artifacts of a job at dbt Cloud, by version 2 of its Administrative API.

The artifacts of a job are asked of its latest successful run, not of the job: so manifest and catalog are of one run,
and a message can name it. They are those of the run's last step, which is `dbt docs generate` where docs are generated.

Source: https://docs.getdbt.com/dbt-cloud/api-v2 (listRuns, getArtifact; `Bearer` and `Token` are equivalent; 2026-11).
"""

from __future__ import annotations

import msgspec

from dbt_describe.errors import DownloadError
from dbt_describe.project.downloads import Reply, Request, Sleep, fetch, read_at_most
from dbt_describe.project.failures import Failure
from dbt_describe.project.sources import Credentials, Job, Kind

SUCCESS = 10
"""dbt Cloud's number of a run's status."""
_LARGEST_LIST_BYTES = 16 << 20
_TOKEN = "Check that DBT_CLOUD_API_TOKEN may read the job"  # noqa: S105 - the name of a variable
_REFUSED = f"{_TOKEN}, and that DBT_CLOUD_HOST is your account's own access URL."
_NO_CATALOG = "Let the job generate docs (`Generate docs on run`), or leave --catalog out."


class _Run(msgspec.Struct, frozen=True):
    id: int


class _Runs(msgspec.Struct, frozen=True):
    data: list[_Run] | None = None


def latest_run(job: Job, credentials: Credentials, sleep: Sleep) -> int:
    """The number of the job's latest successful run.

    Raises:
        DownloadError: dbt Cloud can't be asked, or there is no such run.
    """
    request = Request(
        f"{_base(job, credentials)}/runs/?job_definition_id={job.number}&status={SUCCESS}"
        "&order_by=-finished_at&limit=1",
        f"the runs of job {job.number}",
        credentials.dbt_cloud_token,
        advice={
            401: _REFUSED,
            403: _REFUSED,
            404: f"Check account {job.account} and job {job.number}, and that DBT_CLOUD_HOST is its access URL.",
        },
    )
    runs = fetch(request, _read_runs, sleep)
    if not runs:
        raise DownloadError(
            f"Job {job.number} of account {job.account} at dbt Cloud has no successful run, or the token may not see "
            f"it. Run the job, or check both numbers. {_TOKEN}."
        )
    return runs[0].id


def artifact_request(job: Job, run: int, kind: Kind, credentials: Credentials) -> Request:
    """What asks for an artifact of a run."""
    not_found = _NO_CATALOG if kind == "catalog" else "Let the job's last step be `dbt compile`, `build` or the docs."
    return Request(
        f"{_base(job, credentials)}/runs/{run}/artifacts/{kind}.json",
        f"the {kind}",
        credentials.dbt_cloud_token,
        advice={401: _REFUSED, 403: _REFUSED, 404: not_found},
    )


def _base(job: Job, credentials: Credentials) -> str:
    host = credentials.dbt_cloud_host
    return f"{host if '://' in host else f'https://{host}'}/api/v2/accounts/{job.account}"


def _read_runs(reply: Reply) -> list[_Run]:
    content = bytearray()
    read_at_most(reply.body, content.extend, _LARGEST_LIST_BYTES)
    try:
        return msgspec.json.decode(bytes(content), type=_Runs).data or []
    except msgspec.DecodeError as error:
        raise Failure(
            "the answer isn't that of dbt Cloud's API", "Check DBT_CLOUD_HOST: it is your account's access URL."
        ) from error
