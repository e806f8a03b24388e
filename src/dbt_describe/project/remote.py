"""Artifacts from elsewhere, as files that can be read: those with a path where they are, others fetched.

A fetched file is kept in our directory of the project's target path, `fetched/manifest.json`, with the server's mark
of that version beside it: `manifest.validators.json`, `{"of": HASH, "size_bytes": N, "headers": {"If-None-Match": …}}`.
A server that knows such marks sends it once only.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from dbt_describe.errors import DownloadError, ManifestError
from dbt_describe.project.dbt_cloud import artifact_request, latest_run
from dbt_describe.project.downloads import Reply, Request, Sleep, fetch, read_at_most
from dbt_describe.project.failures import Failure
from dbt_describe.project.sources import (
    ArtifactSources,
    Job,
    Kind,
    find_job,
    host_of,
    is_loopback,
    is_remote,
    shown,
)

DIRECTORY = "fetched"
LARGEST_BYTES = 1 << 30
"""Of an artifact once it is unpacked; the manifest of 10,000 models has some 200 MB."""
_OPTIONS = "--{kind}, DBT_DESCRIBE_{KIND}, or `{kind}:` in dbt-describe.yml"


class Artifacts(msgspec.Struct, frozen=True):
    """The artifacts that were asked for."""

    manifest: Path | None = None
    catalog: Path | None = None
    warnings: tuple[str, ...] = ()


class _Validators(msgspec.Struct, frozen=True):
    """What the kept file is a version of, and what a server is asked with whether it is still that."""

    of: str = ""
    size_bytes: int = -1
    headers: Mapping[str, str] = {}


class _Metadata(msgspec.Struct, frozen=True):
    dbt_schema_version: str = ""


class _Artifact(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()


def find_artifacts(
    sources: ArtifactSources, directory: Path, say: Callable[[str], None], sleep: Sleep = time.sleep
) -> Artifacts:
    """The files of the artifacts that `sources` names; `directory` is where those are kept that must be fetched.

    Raises:
        ManifestError: there is no such file.
        DownloadError: an artifact can't be fetched, or what is there isn't one.
    """
    runs: dict[Job, int] = {}

    def find(location: str, kind: Kind) -> Path | None:
        if not location:
            return None
        if not is_remote(location):
            return _checked_path(location, kind)
        say(f"Fetching the {kind} from {shown(location)}.")
        job = find_job(location)
        if job and job not in runs:
            runs[job] = latest_run(job, sources.credentials, sleep)
        request = (
            artifact_request(job, runs[job], kind, sources.credentials)
            if job
            else Request(location, f"the {kind}", _token(sources, location))
        )
        return _fetched(request, kind, directory / DIRECTORY, sleep)

    manifest, catalog = find(sources.manifest, "manifest"), find(sources.catalog, "catalog")
    return Artifacts(manifest, catalog, tuple(_unencrypted(sources)))


def _checked_path(location: str, kind: Kind) -> Path:
    path = Path(location)
    if path.is_file():
        return path
    options = _OPTIONS.format(kind=kind, KIND=kind.upper())
    if path.is_dir():
        raise ManifestError(f"The {kind} {path} is a directory; name the file in it ({options}).")
    raise ManifestError(f"There is no {kind} at {path}; correct its path ({options}).")


def _token(sources: ArtifactSources, location: str) -> str:
    """The token, where the URL is of the host that it is for: one host alone gets it."""
    urls = [url for url in (sources.manifest, sources.catalog) if is_remote(url) and not find_job(url)]
    return sources.credentials.token if host_of(location) == host_of(urls[0]) else ""


def _unencrypted(sources: ArtifactSources) -> Iterator[str]:
    """A sentence for each URL whose credentials anybody between could read."""
    for url in (sources.manifest, sources.catalog):
        if url.lower().startswith("http://") and not is_loopback(url) and (_has_user(url) or _token(sources, url)):
            yield f"The credentials for {shown(url)} were sent unencrypted; write https:// if the server knows it."


def _has_user(url: str) -> bool:
    return "@" in urlsplit(url).netloc


def _fetched(request: Request, kind: Kind, directory: Path, sleep: Sleep) -> Path:
    """The file, fetched anew unless the server says that it is the one that was kept."""
    path = directory / f"{kind}.json"
    noted = path.with_suffix(".validators.json")
    kept = _read_validators(noted, path, request)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _unfinished(path) as unfinished:
            asked = msgspec.structs.replace(request, headers=kept.headers)
            new = fetch(asked, lambda reply: _read_artifact(reply, unfinished, request, kind), sleep)
            if new:
                noted.unlink(missing_ok=True)
                unfinished.replace(path)
                noted.write_bytes(msgspec.json.encode(new))
    except OSError as error:
        raise DownloadError(
            f"{error.filename or directory} can't be written: {error.strerror or error}. "
            "Make room for it, or pass another --target-path."
        ) from error
    return path


@contextlib.contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """A file beside `path` that only its owner may read. In the end it is gone, unless it was moved."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _read_artifact(reply: Reply, path: Path, request: Request, kind: Kind) -> _Validators | None:
    """Write the body into the file; None where the kept one is still right."""
    if reply.status == 304:
        return None
    with path.open("wb") as file:
        size_bytes = read_at_most(reply.body, file.write, LARGEST_BYTES)
    _check_artifact(path.read_bytes(), kind)
    marks = {"If-None-Match": reply.headers.get("ETag"), "If-Modified-Since": reply.headers.get("Last-Modified")}
    return _Validators(_identity(request), size_bytes, {name: mark for name, mark in marks.items() if mark})


def _check_artifact(content: bytes, kind: Kind) -> None:
    """Raises Failure unless it is one."""
    start = content[:200].removeprefix(b"\xef\xbb\xbf").lstrip()
    if not start:
        raise Failure("the answer is empty", "Look at what is stored there, and upload it again.")
    if start.startswith(b"<"):
        raise Failure(
            "the server sends a web page and no JSON, as for logging in",
            "Give the URL of the file itself, with credentials if it needs any: DBT_DESCRIBE_ARTIFACTS_TOKEN, or "
            "user:password@ before the host.",
        )
    again = "Upload one that `dbt compile` made." if kind == "manifest" else "Upload one that `dbt docs generate` made."
    try:
        found = msgspec.json.decode(content, type=_Artifact).metadata.dbt_schema_version
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Failure(f"it isn't a dbt {kind}: {error}", again) from error
    if f"/{kind}/" not in found:
        other = found.rpartition("/dbt/")[2].partition("/")[0]
        is_other = f"it is a dbt {other} and no {kind}" if other.isalpha() else f"it is JSON, but no dbt {kind}"
        raise Failure(is_other, again)


def _read_validators(noted: Path, path: Path, request: Request) -> _Validators:
    """Those of the kept file, if it is whole and of the same URL and token."""
    try:
        found = msgspec.json.decode(noted.read_bytes(), type=_Validators)
        is_same = found.of == _identity(request) and found.size_bytes == path.stat().st_size
    except (OSError, msgspec.DecodeError):
        return _Validators()
    return found if is_same else _Validators()


def _identity(request: Request) -> str:
    """Tells requests apart without telling what they are. A plain hash of a password could be guessed at."""
    return hashlib.scrypt(
        f"{request.url}\n{request.token}".encode(), salt=b"dbt-describe", n=1 << 12, r=8, p=1, dklen=16
    ).hex()
