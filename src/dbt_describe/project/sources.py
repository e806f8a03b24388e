"""Where manifest.json and catalog.json come from, if they aren't the project's own.

ci/manifest.json                              a path, which may end in .gz
https://host/path/manifest.json               a URL; `user:password@` before the host, or a token by a variable
dbt-cloud://ACCOUNT/JOB                       the job's latest successful run at dbt Cloud
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, urlsplit

import msgspec

from dbt_describe.errors import SettingsError

Kind = Literal["manifest", "catalog"]
DBT_CLOUD_HOST = "cloud.getdbt.com"
"""Where accounts without an access URL of their own are.

Source: https://docs.getdbt.com/docs/cloud/about-cloud/access-regions-ip-addresses (2026-11).
"""
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_JOB = re.compile(r"dbt-cloud://(?P<account>\d+)/(?P<job>\d+)/?")
_FETCHED_SCHEMES = ("http", "https")
_SUPPORTED = "a path, an http:// or https:// URL, or dbt-cloud://ACCOUNT/JOB"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Credentials(msgspec.Struct, frozen=True):
    """What servers are shown. Never part of a message."""

    token: str = ""
    """For the host of the manifest's URL, or of the catalog's if there is no other URL."""
    dbt_cloud_token: str = ""
    dbt_cloud_host: str = DBT_CLOUD_HOST

    def __repr__(self) -> str:
        return f"Credentials(dbt_cloud_host={self.dbt_cloud_host!r})"


class ArtifactSources(msgspec.Struct, frozen=True):
    """Which artifacts are read in place of the project's own; by default none."""

    manifest: str = ""
    """An absolute path, a URL or a job of dbt Cloud."""
    catalog: str = ""
    refresh: bool = False
    """Whether dbt makes the project's own artifacts anew."""
    credentials: Credentials = Credentials()

    def __repr__(self) -> str:
        return f"ArtifactSources({shown(self.manifest)!r}, {shown(self.catalog)!r}, refresh={self.refresh})"


NO_SOURCES = ArtifactSources()


class Job(msgspec.Struct, frozen=True):
    """A job of dbt Cloud."""

    account: str
    number: str


def make_sources(
    given: ArtifactSources, manifest: str | None, catalog: str | None, environ: Mapping[str, str]
) -> ArtifactSources:
    """The sources of a run: flags, which are `given`, over variables over the settings file's `manifest` and `catalog`.

    Raises:
        SettingsError: a location can't be used, there is no token for dbt Cloud, or `refresh` is asked for together
            with a flag that it contradicts.
    """
    credentials = Credentials(
        _read_token(environ, "DBT_DESCRIBE_ARTIFACTS_TOKEN"),
        _read_token(environ, "DBT_CLOUD_API_TOKEN"),
        _dbt_cloud_host(environ.get("DBT_CLOUD_HOST", "")),
    )
    if given.refresh:
        _refuse_both(given)
        return ArtifactSources(refresh=True, credentials=credentials)
    sources = ArtifactSources(
        manifest=_location(given.manifest or environ.get("DBT_DESCRIBE_MANIFEST") or manifest or "", "manifest"),
        catalog=_location(given.catalog or environ.get("DBT_DESCRIBE_CATALOG") or catalog or "", "catalog"),
        credentials=credentials,
    )
    jobs = [location for location in (sources.manifest, sources.catalog) if find_job(location)]
    if jobs and not credentials.dbt_cloud_token:
        raise SettingsError(
            f"{jobs[0]} needs a token: set DBT_CLOUD_API_TOKEN to a service token or a personal access token."
        )
    return sources


def is_remote(location: str) -> bool:
    """Whether the location isn't a path."""
    return bool(_SCHEME.match(location))


def shown(location: str) -> str:
    """The location as messages name it: without user, password, query and fragment, any of which may be a secret."""
    found = _SCHEME.match(location)
    if not found:
        return location
    rest = location[found.end() :]
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in host:
        rest = rest[host.rindex("@") + 1 :]
    elif ":" in host and "@" in rest:
        # What looks like the host may be a password with such a character in it.
        rest = f"…@{rest.rpartition('@')[2]}"
    return found[0] + re.sub(r"[^/]*:[^/]*@", "…@", re.split(r"[?#]", rest, maxsplit=1)[0])


def find_job(location: str) -> Job | None:
    """The job that a location names, if it does."""
    found = _JOB.fullmatch(location)
    return Job(found["account"], found["job"]) if found else None


def host_of(url: str) -> str:
    """`https://host:8443`: what a token is for."""
    parts = urlsplit(url)
    return f"{parts.scheme.lower()}://{parts.netloc.rpartition('@')[2].lower()}"


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine."""
    return urlsplit(url).hostname in _LOOPBACK


def _refuse_both(given: ArtifactSources) -> None:
    for flag, location in (("--manifest", given.manifest), ("--catalog", given.catalog)):
        if location:
            raise SettingsError(
                f"--refresh makes the project's own artifacts anew, and {flag} names another one; leave out either."
            )


def _location(text: str, kind: Kind) -> str:
    """The location with its path made absolute, from the working directory.

    Raises:
        SettingsError: it's a URL that can't be used.
    """
    text = text.strip()
    found = _SCHEME.match(text)
    if re.match(r"https?:", text, re.IGNORECASE) and not found:  # it may hold a password
        raise SettingsError(f"The {kind} begins with http: or https:, but a URL begins with https://. Correct it.")
    if not found:
        return str(Path(text).resolve()) if text else ""
    scheme = found[1].lower()
    what = f"The {kind} {shown(text)}"
    if scheme == "file":
        raise SettingsError(f"{what} can't be read by a file:// URL; give its path, {shown(text)[len('file://') :]}.")
    if scheme == "dbt-cloud":
        if not find_job(text):
            raise SettingsError(
                f"{what} names no job; write dbt-cloud://ACCOUNT/JOB with both numbers, which are in the job's own "
                f"URL: https://{DBT_CLOUD_HOST}/deploy/ACCOUNT/projects/…/jobs/JOB."
            )
    elif scheme not in _FETCHED_SCHEMES:
        raise SettingsError(
            f"{what} can't be fetched: {scheme}:// isn't supported, only {_SUPPORTED}. "
            "Download it first and give the path."
        )
    elif not _has_host(text):
        raise SettingsError(
            f"{what} can't be fetched: the URL names no host, or no valid one. Correct it; in a user or password, "
            "write / ? # and @ as %2F %3F %23 and %40."
        )
    return text


def _has_host(url: str) -> bool:
    try:
        parts: SplitResult = urlsplit(url)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _read_token(environ: Mapping[str, str], name: str) -> str:
    """The token of a variable.

    Raises:
        SettingsError: no header can hold it.
    """
    token = environ.get(name, "").strip()
    if not (token.isascii() and token.isprintable()):
        raise SettingsError(f"{name} holds characters that no token has; copy it again.")
    return token


def _dbt_cloud_host(text: str) -> str:
    """The host alone, or a URL of this machine.

    Raises:
        SettingsError: the token would be sent unencrypted.
    """
    text = text.strip().rstrip("/")
    if text.lower().startswith("http://") and not is_loopback(text):
        raise SettingsError(
            "DBT_CLOUD_HOST begins with http://, and the token must not be sent unencrypted; write https://."
        )
    host = text.removeprefix("https://") or DBT_CLOUD_HOST
    if not _has_host(host if "://" in host else f"https://{host}") or re.search(r"\s", host):
        raise SettingsError("DBT_CLOUD_HOST is no valid host. Set it to your account's access URL.")
    return host
