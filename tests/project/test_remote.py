"""Artifacts by URL: what is fetched, how, and what is said where that can't be. No connection is made."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
import urllib3

from dbt_describe.errors import DownloadError, ManifestError
from dbt_describe.project import downloads, remote
from dbt_describe.project.remote import Artifacts, find_artifacts
from dbt_describe.project.sources import ArtifactSources, Credentials, make_sources
from tests.manifests import manifest, model

URL = "https://ci.example.com/shop/manifest.json"
CATALOG_URL = "https://ci.example.com/shop/catalog.json"
MANIFEST = json.dumps(manifest(model("orders", "select 1 as id"))).encode()
CATALOG = json.dumps({"metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/catalog/v1.json"}}).encode()
SECRET = "hunter2-hunter2"
Find = Callable[..., Artifacts]


@pytest.fixture
def server() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def waited_s() -> list[float]:
    return []


@pytest.fixture
def find(tmp_path: Path, waited_s: list[float]) -> Find:
    """The artifacts of a manifest's URL, or of other sources; waits are noted, none is waited for."""

    def found(url: str = URL, catalog: str = "", **environ: str) -> Artifacts:
        sources = make_sources(ArtifactSources(url, catalog), "", "", environ)
        return find_artifacts(sources, tmp_path / "own", lambda _: None, waited_s.append)

    return found


def refused(find: Find, url: str = URL, **environ: str) -> str:
    with pytest.raises(DownloadError) as raised:
        find(url, **environ)
    message = str(raised.value)
    assert SECRET not in message
    return message.removeprefix(f"Can't fetch the manifest from {URL}: ")


def sent(server: responses.RequestsMock, index: int = -1) -> Mapping[str, str]:
    request = server.calls[index].request
    return request.headers


def test_both_artifacts_are_fetched_into_our_directory(
    server: responses.RequestsMock, find: Find, tmp_path: Path
) -> None:
    server.get(URL, MANIFEST)
    server.get(CATALOG_URL, CATALOG)
    found = find(URL, CATALOG_URL)
    assert (found.manifest, found.catalog) == (
        tmp_path / "own/fetched/manifest.json",
        tmp_path / "own/fetched/catalog.json",
    )
    assert found.manifest is not None
    assert found.catalog is not None
    assert (found.manifest.read_bytes(), found.catalog.read_bytes()) == (MANIFEST, CATALOG)


def test_each_fetch_is_told_without_what_is_secret(server: responses.RequestsMock, tmp_path: Path) -> None:
    server.get(URL, MANIFEST)
    said: list[str] = []
    sources = ArtifactSources(f"https://me:{SECRET}@ci.example.com/shop/manifest.json?sig={SECRET}#{SECRET}")
    find_artifacts(sources, tmp_path, said.append)
    assert said == [f"Fetching the manifest from {URL}."]
    assert SECRET not in repr(sources)
    assert SECRET not in repr(Credentials(SECRET, SECRET))


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (gzip.compress(MANIFEST), {}),
        (gzip.compress(MANIFEST), {"Content-Encoding": "gzip"}),
        (gzip.compress(gzip.compress(MANIFEST)), {"Content-Encoding": "gzip"}),
        (gzip.compress(MANIFEST[:40]) + gzip.compress(MANIFEST[40:]), {}),
    ],
    ids=["a .gz file", "packed for the way", "both", "of several parts"],
)
def test_gzip_is_unpacked_wherever_it_comes_from(
    server: responses.RequestsMock, find: Find, body: bytes, headers: dict[str, str]
) -> None:
    server.get(URL, body, headers=headers)
    path = find().manifest
    assert path is not None
    assert path.read_bytes() == MANIFEST
    assert sent(server)["Accept-Encoding"] == "gzip"


@pytest.mark.parametrize("mark", [{"ETag": '"v1"'}, {"Last-Modified": "Sat, 21 Nov 2026 10:00:00 GMT"}])
def test_what_the_server_says_is_unchanged_is_not_fetched_again(
    server: responses.RequestsMock, find: Find, mark: dict[str, str]
) -> None:
    server.get(URL, MANIFEST, headers=mark)
    first = find()
    condition = {"If-None-Match" if "ETag" in mark else "If-Modified-Since": next(iter(mark.values()))}
    server.replace("GET", URL, status=304)
    assert find() == first
    assert first.manifest is not None
    assert first.manifest.read_bytes() == MANIFEST
    assert {name: sent(server)[name] for name in condition} == condition


def test_a_kept_file_counts_for_its_own_url_and_token_only(
    server: responses.RequestsMock, find: Find, tmp_path: Path
) -> None:
    server.get(URL, MANIFEST, headers={"ETag": '"v1"'})
    find()
    find(f"{URL}?v=2")
    assert "If-None-Match" not in sent(server)
    find(f"{URL}?v=2", DBT_DESCRIBE_ARTIFACTS_TOKEN=SECRET)
    assert "If-None-Match" not in sent(server)
    path = find(f"{URL}?v=2").manifest
    assert path is not None
    path.write_bytes(MANIFEST[:10])
    find(f"{URL}?v=2")
    assert "If-None-Match" not in sent(server)
    assert sorted(path.name for path in (tmp_path / "own/fetched").iterdir()) == [
        "manifest.json",
        "manifest.validators.json",
    ]
    assert SECRET.encode() not in (tmp_path / "own/fetched/manifest.validators.json").read_bytes()


def test_an_answer_that_can_not_be_used_leaves_the_kept_file_and_nothing_else(
    server: responses.RequestsMock, find: Find, tmp_path: Path
) -> None:
    server.get(URL, MANIFEST, headers={"ETag": '"v1"'})
    find()
    server.replace("GET", URL, b"<html>")
    refused(find)
    assert sorted(path.name for path in (tmp_path / "own/fetched").iterdir()) == [
        "manifest.json",
        "manifest.validators.json",
    ]
    assert (tmp_path / "own/fetched/manifest.json").read_bytes() == MANIFEST


def test_the_user_of_a_url_is_sent_and_stands_in_no_address(server: responses.RequestsMock, find: Find) -> None:
    server.get(URL, MANIFEST)
    find("https://me%40work:p%2Fwé@ci.example.com/shop/manifest.json", DBT_DESCRIBE_ARTIFACTS_TOKEN="t")
    assert sent(server)["Authorization"] == f"Basic {base64.b64encode('me@work:p/wé'.encode()).decode()}"
    assert server.calls[0].request.url == URL


def test_the_token_goes_to_one_host_alone(server: responses.RequestsMock, find: Find) -> None:
    other = "https://other.example.com/catalog.json"
    server.get(URL, MANIFEST)
    server.get(other, CATALOG)
    find(URL, other, DBT_DESCRIBE_ARTIFACTS_TOKEN=SECRET)
    assert sent(server, 0)["Authorization"] == f"Bearer {SECRET}"
    assert "Authorization" not in sent(server, 1)


def test_the_token_is_not_replaced_by_what_netrc_has(
    server: responses.RequestsMock, find: Find, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine ci.example.com login me password other\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.get(URL, MANIFEST)
    find(DBT_DESCRIBE_ARTIFACTS_TOKEN=SECRET)
    assert sent(server)["Authorization"] == f"Bearer {SECRET}"
    find()
    assert sent(server)["Authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("target", "goes_along"),
    [
        ("https://ci.example.com/elsewhere.json", True),
        ("https://storage.example.com/manifest.json", False),
        ("http://ci.example.com/manifest.json", False),
        ("https://ci.example.com:8443/manifest.json", False),
    ],
)
@pytest.mark.parametrize("user", ["", f"me:{SECRET}@"])
def test_credentials_do_not_follow_a_redirect_to_another_host(
    server: responses.RequestsMock, find: Find, target: str, goes_along: bool, user: str
) -> None:
    server.get(URL, status=302, headers={"Location": target})
    server.get(target, MANIFEST)
    find(URL.replace("//", f"//{user}"), DBT_DESCRIBE_ARTIFACTS_TOKEN=SECRET)
    assert "Authorization" in sent(server, 0)
    assert ("Authorization" in sent(server, 1)) is goes_along


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://x/manifest.json"])
def test_a_redirect_to_what_is_no_web_address_is_not_followed(
    server: responses.RequestsMock, find: Find, target: str
) -> None:
    server.get(URL, status=302, headers={"Location": target})
    assert refused(find) == "it is, or redirects to, no http(s) URL. Check the URL."


def test_a_redirect_to_what_has_not_even_the_form_of_a_url_is_told(server: responses.RequestsMock, find: Find) -> None:
    server.get(URL, status=302, headers={"Location": f"https://[::1/{SECRET}"})
    assert refused(find) == "it redirects to no valid URL. Check the URL."


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (403, b"", "the server denies access (403)"),
        (200, b"<html>", "the server sends a web page and no JSON, as for logging in"),
    ],
)
def test_a_failure_behind_a_redirect_names_the_other_host(
    server: responses.RequestsMock, find: Find, status: int, body: bytes, reason: str
) -> None:
    server.get(URL, status=302, headers={"Location": f"https://login.example.com/?next={SECRET}"})
    server.get("https://login.example.com/", body, status=status)
    assert refused(find).startswith(f"{reason}, after a redirect to https://login.example.com. ")


def test_a_host_behind_a_redirect_that_is_not_known_is_named(server: responses.RequestsMock, find: Find) -> None:
    server.get(URL, status=302, headers={"Location": f"https://me:{SECRET}@store.example.com/x?sig={SECRET}"})
    server.get("https://store.example.com/x", requests.ConnectionError(pool_error(unknown_host(socket.EAI_NONAME))))
    server.get(
        f"https://me:{SECRET}@store.example.com/x",
        requests.ConnectionError(pool_error(unknown_host(socket.EAI_NONAME))),
    )
    assert refused(find).startswith("the host store.example.com isn't known. ")


def test_credentials_over_plain_http_are_warned_of(server: responses.RequestsMock, find: Find) -> None:
    for url in ("http://ci.example.com/m.json", "http://localhost:8000/m.json", "https://ci.example.com/m.json"):
        server.get(url, MANIFEST)
    assert find("http://me:x@ci.example.com/m.json").warnings == (
        "The credentials for http://ci.example.com/m.json were sent unencrypted; "
        "write https:// if the server knows it.",
    )
    assert find("http://ci.example.com/m.json", DBT_DESCRIBE_ARTIFACTS_TOKEN="t").warnings != ()
    assert find("http://ci.example.com/m.json").warnings == ()
    assert find("http://me:x@localhost:8000/m.json").warnings == ()
    assert find("https://me:x@ci.example.com/m.json").warnings == ()


NETWORK = "Check the URL and your network, or download it and give the path."
LOG_IN = (
    "Give the URL of the file itself, with credentials if it needs any: DBT_DESCRIBE_ARTIFACTS_TOKEN, or "
    "user:password@ before the host."
)
UPLOAD = "Upload one that `dbt compile` made."


@pytest.mark.parametrize(
    ("status", "environ", "expected"),
    [
        (
            401,
            {},
            "the server wants credentials (401). "
            "Set DBT_DESCRIBE_ARTIFACTS_TOKEN, or write user:password@ before the host.",
        ),
        (
            401,
            {"DBT_DESCRIBE_ARTIFACTS_TOKEN": SECRET},
            "the server refuses the credentials (401). "
            "Check the user and password in the URL, or DBT_DESCRIBE_ARTIFACTS_TOKEN.",
        ),
        (
            403,
            {},
            "the server denies access (403). "
            "Check that the credentials may read it, and that a signed URL hasn't expired.",
        ),
        (
            404,
            {},
            "there is nothing (404). Check the URL; some servers say so, too, where credentials are missing.",
        ),
        (418, {}, "the server answers 418. Check the URL."),
        (304, {}, "the server answers 304. Check the URL."),
        (204, {}, "the server answers 204. Check the URL."),
    ],
)
def test_an_answer_with_another_status_is_told_with_what_to_do(
    server: responses.RequestsMock, find: Find, status: int, environ: dict[str, str], expected: str
) -> None:
    server.get(URL, status=status, body=SECRET)
    assert refused(find, **environ) == expected
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "the answer is empty. Look at what is stored there, and upload it again."),
        (b" \n", "the answer is empty. Look at what is stored there, and upload it again."),
        (b"\n<!DOCTYPE html><form>", f"the server sends a web page and no JSON, as for logging in. {LOG_IN}"),
        (
            gzip.compress(MANIFEST)[:-20],
            "its gzip is cut off or damaged. Download it by hand to see whether the server's file is whole.",
        ),
        (
            b"\x1f\x8bnot gzip at all",
            "its gzip is cut off or damaged. Download it by hand to see whether the server's file is whole.",
        ),
        (MANIFEST[:100], f"it isn't a dbt manifest: Input data was truncated. {UPLOAD}"),
        (b"[]", f"it isn't a dbt manifest: Expected `object`, got `array`. {UPLOAD}"),
        (b'{"error": "no"}', f"it is JSON, but no dbt manifest. {UPLOAD}"),
        (b'{"metadata": {"dbt_schema_version": ""}}', f"it is JSON, but no dbt manifest. {UPLOAD}"),
        (CATALOG, f"it is a dbt catalog and no manifest. {UPLOAD}"),
        (b"\xff\xfe\x00", f"it isn't a dbt manifest: JSON is malformed: invalid character (byte 0). {UPLOAD}"),
    ],
)
def test_what_is_no_manifest_is_told(
    server: responses.RequestsMock, find: Find, body: bytes, expected: str, waited_s: list[float]
) -> None:
    server.get(URL, body)
    assert (refused(find), waited_s) == (expected, [])


def test_what_is_no_catalog_is_told(server: responses.RequestsMock, find: Find) -> None:
    server.get(CATALOG_URL, MANIFEST)
    with pytest.raises(DownloadError) as raised:
        find("", CATALOG_URL)
    assert str(raised.value) == (
        f"Can't fetch the catalog from {CATALOG_URL}: it is a dbt manifest and no catalog. "
        "Upload one that `dbt docs generate` made."
    )


def test_an_encoding_that_nobody_asked_for_is_refused(server: responses.RequestsMock, find: Find) -> None:
    server.get(URL, MANIFEST, headers={"Content-Encoding": "br"})
    assert refused(find) == "it is packed as 'br'. Let the server send it as it is, or as gzip."


@pytest.mark.parametrize("packed", [True, False])
def test_a_file_that_is_too_large_once_unpacked_is_refused(
    server: responses.RequestsMock, find: Find, monkeypatch: pytest.MonkeyPatch, packed: bool, tmp_path: Path
) -> None:
    monkeypatch.setattr(remote, "LARGEST_BYTES", 3 << 20)
    body = MANIFEST + b" " * (64 << 20)
    server.get(URL, gzip.compress(gzip.compress(body)) if packed else body)
    assert refused(find) == "it is larger than 3 MiB. Check the URL, or download it and give the path."
    assert list((tmp_path / "own/fetched").iterdir()) == []


def pool_error(reason: Exception) -> urllib3.exceptions.MaxRetryError:
    """As urllib3 raises it, with the URL and its query in the text."""
    pool = urllib3.HTTPSConnectionPool("ci.example.com")
    return urllib3.exceptions.MaxRetryError(pool, f"/shop/manifest.json?sig={SECRET}", reason)


def unknown_host(number: int) -> Exception:
    connection = urllib3.connection.HTTPSConnection("ci.example.com")
    cause = socket.gaierror(number, "Name")
    error = urllib3.exceptions.NameResolutionError("ci.example.com", connection, cause)
    error.__cause__ = cause
    return error


def not_connected(cause: Exception) -> Exception:
    connection = urllib3.connection.HTTPSConnection("ci.example.com")
    error = urllib3.exceptions.NewConnectionError(connection, "Failed")
    error.__cause__ = cause
    return error


def bad_certificate() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


CERTIFICATES = (
    "If your company's proxy has certificates of its own, set REQUESTS_CA_BUNDLE to the file with them; "
    "otherwise check the URL."
)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            requests.ConnectionError(pool_error(unknown_host(socket.EAI_NONAME))),
            f"the host ci.example.com isn't known. {NETWORK}",
        ),
        (
            requests.exceptions.SSLError(pool_error(urllib3.exceptions.SSLError(bad_certificate()))),
            f"the connection to ci.example.com isn't secure: self-signed certificate. {CERTIFICATES}",
        ),
        (requests.exceptions.InvalidURL(SECRET), "it is, or redirects to, no http(s) URL. Check the URL."),
    ],
)
def test_a_failure_that_will_not_pass_is_told_at_once(
    server: responses.RequestsMock, find: Find, error: Exception, expected: str, waited_s: list[float]
) -> None:
    server.get(URL, error)
    assert (refused(find), waited_s) == (expected, [])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (requests.ConnectionError(pool_error(unknown_host(socket.EAI_AGAIN))), "the host ci.example.com isn't known"),
        (
            requests.ConnectionError(pool_error(not_connected(ConnectionRefusedError(111, "refused")))),
            "nothing answers at ci.example.com",
        ),
        (requests.ConnectTimeout(pool_error(TimeoutError())), "ci.example.com can't be reached in time"),
        (requests.ReadTimeout(SECRET), "the server stopped answering"),
        (requests.ConnectionError(SECRET), "the connection failed"),
        (
            requests.ConnectionError(pool_error(not_connected(OSError(101, "Network is unreachable")))),
            "the connection failed",
        ),
        (requests.exceptions.ChunkedEncodingError(SECRET), "the connection failed"),
    ],
)
def test_a_failure_that_may_pass_is_told_after_four_attempts(
    server: responses.RequestsMock, find: Find, error: Exception, reason: str, waited_s: list[float]
) -> None:
    server.get(URL, error)
    assert refused(find) == f"{reason}, 4 times in a row. {NETWORK}"
    assert waited_s == [1, 2, 4]


def test_a_proxy_that_fails_is_named(server: responses.RequestsMock, find: Find) -> None:
    server.get(URL, requests.exceptions.ProxyError(pool_error(urllib3.exceptions.ProxyError(SECRET, OSError()))))
    assert refused(find) == "the proxy can't be used, 4 times in a row. Check HTTPS_PROXY and NO_PROXY."


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_is_busy_is_asked_again(
    server: responses.RequestsMock, find: Find, status: int, waited_s: list[float]
) -> None:
    for _ in range(3):
        server.get(URL, status=status)
    server.get(URL, MANIFEST)
    assert find().manifest is not None
    assert waited_s == [1, 2, 4]
    server.reset()
    server.get(URL, status=status)
    assert refused(find) == f"the server answers {status}, 4 times in a row. Try again later."


def test_a_wait_that_the_server_asks_for_is_waited_for_up_to_a_minute(
    server: responses.RequestsMock, find: Find, waited_s: list[float]
) -> None:
    for asked in ("7", "-1", "soon", "Sat, 21 Nov 2020 10:00:00 GMT"):
        server.get(URL, status=429, headers={"Retry-After": asked})
    refused(find)
    assert waited_s == [7, 2, 4]
    server.reset()
    server.get(URL, status=429, headers={"Retry-After": "3600"})
    assert refused(find) == "the server answers 429. It asks to be left alone for 3600 s. Try again later."
    assert len(waited_s) == 3


def test_redirects_in_a_circle_are_told(server: responses.RequestsMock, find: Find, waited_s: list[float]) -> None:
    server.get(URL, status=302, headers={"Location": f"{URL}?again={SECRET}"})
    assert refused(find) == "its redirects lead in a circle. Check the URL: the server may want you to log in."
    assert (len(server.calls), waited_s) == (downloads.MOST_REDIRECTS + 1, [])


def test_timeouts_are_set_for_connecting_and_for_silence(server: responses.RequestsMock, find: Find) -> None:
    server.get(URL, MANIFEST, match=[responses.matchers.request_kwargs_matcher({"timeout": (10, 60), "stream": True})])
    assert find().manifest is not None


def test_a_directory_that_can_not_be_written_to_is_told(
    server: responses.RequestsMock, find: Find, tmp_path: Path
) -> None:
    (tmp_path / "own").write_text("", encoding="utf-8")
    with pytest.raises(
        DownloadError, match=r"own.* can't be written: .*Make room for it, or pass another --target-path"
    ):
        find()


def test_a_path_is_read_where_it_is(find: Find, tmp_path: Path) -> None:
    path = tmp_path / "ci.json"
    path.write_bytes(MANIFEST)
    assert find(str(path)) == Artifacts(manifest=path)
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none.json", "There is no manifest at {path}; correct its path"),
        ("", "The manifest {path} is a directory; name the file in it"),
    ],
)
def test_a_path_without_a_file_is_told(find: Find, tmp_path: Path, name: str, expected: str) -> None:
    path: Any = tmp_path / name
    with pytest.raises(ManifestError) as raised:
        find(str(path))
    options = "(--manifest, DBT_DESCRIBE_MANIFEST, or `manifest:` in dbt-describe.yml)."
    assert str(raised.value) == f"{expected.format(path=path)} {options}"
