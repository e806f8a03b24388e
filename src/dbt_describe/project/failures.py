"""Why something couldn't be fetched, in words: the library's own name URLs with all that is secret in them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

_NETWORK = "Check the URL and your network, or download it and give the path."
_LOGIN = "Check the URL: the server may want you to log in."
_CERTIFICATES = (
    "If your company's proxy has certificates of its own, set REQUESTS_CA_BUNDLE to the file with them; "
    "otherwise check the URL."
)


class Failure(Exception):  # noqa: N818 - it never leaves the package: DownloadError does
    """What came of one attempt."""

    def __init__(self, reason: str, advice: str, *, is_passing: bool = False, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.advice = advice
        self.is_passing = is_passing
        """Whether the same request may succeed a moment later."""
        self.wait_s = wait_s
        """What the server asks to wait before."""


def explain(error: Exception, url: str) -> Failure:
    """The failure that an error of requests or urllib3 stands for."""
    causes = list(_causes(error))
    # Behind a redirect it is another one.
    at = getattr(getattr(error, "request", None), "url", None) or url
    parts = urlsplit(at)
    for kinds, reason, advice, may_pass in _known():
        found = next((cause for cause in causes if isinstance(cause, kinds)), None)
        if found is not None:
            fault = _certificate_fault(causes)
            said = reason.format(at=parts.netloc.rpartition("@")[2], host=parts.hostname, fault=fault)
            # A name that can't be looked up just now may be found a moment later; one that doesn't exist won't.
            is_passing = may_pass and getattr(found, "errno", None) != socket.EAI_NONAME
            return Failure(said, advice, is_passing=is_passing)
    return Failure("the connection failed", _NETWORK, is_passing=True)


def _known() -> tuple[tuple[tuple[type[BaseException], ...], str, str, bool], ...]:
    """Kinds of errors, what is said of them, what to do, and whether they may pass. The first that fits counts."""
    import requests  # noqa: PLC0415
    import urllib3  # noqa: PLC0415

    own, theirs = requests.exceptions, urllib3.exceptions
    return (
        ((own.TooManyRedirects,), "its redirects lead in a circle", _LOGIN, False),
        ((own.InvalidSchema, own.InvalidURL), "it is, or redirects to, no http(s) URL", "Check the URL.", False),
        ((own.SSLError, ssl.SSLError), "the connection to {at} isn't secure{fault}", _CERTIFICATES, False),
        ((own.ProxyError, theirs.ProxyError), "the proxy can't be used", "Check HTTPS_PROXY and NO_PROXY.", True),
        ((socket.gaierror,), "the host {host} isn't known", _NETWORK, True),
        ((ConnectionRefusedError,), "nothing answers at {at}", _NETWORK, True),
        ((own.ConnectTimeout,), "{at} can't be reached in time", _NETWORK, True),
        ((own.Timeout, theirs.ReadTimeoutError, TimeoutError), "the server stopped answering", _NETWORK, True),
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it comes from; urllib3 keeps that as `reason`, requests as its first argument."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        found = waiting.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        inner = (*found.args, getattr(found, "reason", None), found.__cause__, found.__context__)
        waiting.extend(cause for cause in inner if isinstance(cause, BaseException))


def _certificate_fault(causes: list[BaseException]) -> str:
    faults = [cause.verify_message for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)]
    return f": {faults[0].rstrip('.')}" if faults else ""
