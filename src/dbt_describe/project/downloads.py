"""Files over HTTP: with bounded time, size and redirects, retried where that can help, and every failure in words.

A URL's password, query and token are in no message: a signed URL is as good as a key.
"""

from __future__ import annotations

import base64
import gzip
import io
import time
import zlib
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, BinaryIO, TypeVar, cast
from urllib.parse import unquote_to_bytes, urlsplit

import msgspec

from dbt_describe.errors import DownloadError
from dbt_describe.project.failures import Failure, explain
from dbt_describe.project.sources import host_of, shown

if TYPE_CHECKING:
    import requests

Sleep = Callable[[float], None]
"""Waits for a number of seconds."""
ATTEMPTS = 4
LONGEST_WAIT_S = 60.0
"""What a server may ask us to wait before we ask again."""
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 60.0
"""The longest silence within an answer."""
MOST_REDIRECTS = 10
_CHUNK_BYTES = 1 << 20
_GZIP = b"\x1f\x8b"
_T = TypeVar("_T")


class Request(msgspec.Struct, frozen=True):
    """What is fetched, and what is said of it."""

    url: str
    what: str
    """`the manifest`."""
    token: str = ""
    """Sent as `Authorization: Bearer`, unless the URL has a user of its own."""
    headers: Mapping[str, str] = {}
    advice: Mapping[int, str] = {}
    """What to do about an answer of that status, where it isn't the usual."""

    def __repr__(self) -> str:
        return f"Request({shown(self.url)!r})"


class Reply(msgspec.Struct, frozen=True):
    """An answer of status 200, or of 304 to headers that ask for it; nothing of it is read yet.

    The body is unpacked as it is read.
    """

    status: int
    headers: Mapping[str, str]
    body: BinaryIO


def fetch(request: Request, read: Callable[[Reply], _T], sleep: Sleep = time.sleep) -> _T:
    """What `read` makes of the answer. It is asked for again where the server or the network may have had a bad moment.

    Raises:
        DownloadError: there is no such answer; the message says why and what to do.
    """
    import requests  # noqa: PLC0415 - 60 ms that only those need who fetch something
    from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt  # noqa: PLC0415

    def wait_s(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return max(2.0 ** (state.attempt_number - 1), error.wait_s if isinstance(error, Failure) else 0.0)

    retrying = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_s,
        retry=retry_if_exception(lambda error: isinstance(error, Failure) and error.is_passing),
        sleep=sleep,
        reraise=True,
    )
    try:
        with requests.Session() as session:
            session.max_redirects = MOST_REDIRECTS
            return cast(_T, retrying(_attempt, session, request, read))
    except Failure as failure:
        often = f", {ATTEMPTS} times in a row" if failure.is_passing else ""
        raise DownloadError(
            f"Can't fetch {request.what} from {shown(request.url)}: {failure.reason}{often}. {failure.advice}"
        ) from None


def read_at_most(body: BinaryIO, write: Callable[[bytes], object], largest_bytes: int) -> int:
    """Pass the body on piece by piece; returns its size.

    Raises:
        Failure: it is larger than `largest_bytes`.
    """
    size_bytes = 0
    while piece := body.read(_CHUNK_BYTES):
        size_bytes += len(piece)
        if size_bytes > largest_bytes:
            raise Failure(
                f"it is larger than {largest_bytes >> 20:,} MiB", "Check the URL, or download it and give the path."
            )
        write(piece)
    return size_bytes


def _attempt(session: requests.Session, request: Request, read: Callable[[Reply], _T]) -> _T:
    import requests  # noqa: PLC0415
    import urllib3  # noqa: PLC0415

    url, credentials = _without_user(request.url)
    if not credentials and request.token:
        credentials = f"Bearer {request.token}"
    try:
        with session.get(
            url,
            auth=_Authorization(credentials) if credentials else None,
            # Nothing else is unpacked, so that a small answer can't become a large one unnoticed.
            headers={"Accept-Encoding": "gzip", "Accept": "application/json, */*", "User-Agent": "dbt-describe"}
            | dict(request.headers),
            timeout=(CONNECT_TIMEOUT_S, READ_TIMEOUT_S),
            stream=True,
        ) as response:
            try:
                _check(response, request, has_credentials=bool(credentials))
                return read(Reply(response.status_code, response.headers, _unpacked(response)))
            except Failure as failure:
                failure.reason += _redirected(response, url)
                raise
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise explain(error, url) from error
    except ValueError as error:  # urllib's, of what isn't even in the form of a URL
        raise Failure("it redirects to no valid URL", "Check the URL.") from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise Failure(
            "its gzip is cut off or damaged", "Download it by hand to see whether the server's file is whole."
        ) from error


def _redirected(response: requests.Response, url: str) -> str:
    """Where the answer came from, if that is another host: it may be one for logging in."""
    host = host_of(response.url)
    return f", after a redirect to {host}" if host != host_of(url) else ""


class _Authorization:
    """The header of that name. Given among the others, requests would put what ~/.netrc has in its place."""

    def __init__(self, value: str) -> None:
        self._value = value

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._value
        return request


def _without_user(url: str) -> tuple[str, str]:
    """The URL without its user and password, and the header's value that says these."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, ""
    name, _, password = user.partition(":")
    said = base64.b64encode(unquote_to_bytes(name) + b":" + unquote_to_bytes(password))
    return parts._replace(netloc=host).geturl(), f"Basic {said.decode()}"


def _check(response: requests.Response, request: Request, *, has_credentials: bool) -> None:
    """Raises Failure unless there is something to read."""
    status = response.status_code
    if status == 200 or (status == 304 and request.headers):
        return
    reason, advice = _REASONS.get(status, (f"the server answers {status}", "Check the URL."))
    if status == 401 and has_credentials:
        reason, advice = "the server refuses the credentials (401)", _CREDENTIALS
    is_passing = status == 429 or status >= 500
    if is_passing:
        reason, advice = f"the server answers {status}", "Try again later."
    wait_s = _asked_wait_s(response.headers.get("Retry-After", "")) if is_passing else 0.0
    if wait_s > LONGEST_WAIT_S:
        is_passing, advice = False, f"It asks to be left alone for {wait_s:.0f} s. {advice}"
    raise Failure(reason, request.advice.get(status, advice), is_passing=is_passing, wait_s=wait_s)


_CREDENTIALS = "Check the user and password in the URL, or DBT_DESCRIBE_ARTIFACTS_TOKEN."
_REASONS: Mapping[int, tuple[str, str]] = {
    401: (
        "the server wants credentials (401)",
        "Set DBT_DESCRIBE_ARTIFACTS_TOKEN, or write user:password@ before the host.",
    ),
    403: (
        "the server denies access (403)",
        "Check that the credentials may read it, and that a signed URL hasn't expired.",
    ),
    404: ("there is nothing (404)", "Check the URL; some servers say so, too, where credentials are missing."),
}


def _asked_wait_s(retry_after: str) -> float:
    """Of `Retry-After`, which is in seconds or a date."""
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def _unpacked(response: requests.Response) -> BinaryIO:
    """The body, unpacked where it is gzip: by its encoding, as a .gz file, or both."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip"):
        raise Failure(f"it is packed as {encoding[:20]!r}", "Let the server send it as it is, or as gzip.")
    response.raw.auto_close = False  # a reader above it asks once more at its end
    body = io.BufferedReader(response.raw, _CHUNK_BYTES)
    for _ in range(2):
        if body.peek(2)[:2] == _GZIP:
            body = io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=body, mode="rb")), _CHUNK_BYTES)
    return body
