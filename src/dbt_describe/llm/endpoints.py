"""Where requests go: the URL and the credentials, and how both are shown without giving them away."""

from __future__ import annotations

import hashlib
import ipaddress
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from dbt_describe.errors import LlmSettingsError
from dbt_describe.llm.config import EndpointConfig, Timeouts


class Endpoint(msgspec.Struct, frozen=True):
    """A base URL with its key. `key_variable` is the environment variable that messages tell people to set."""

    base_url: str
    api_key: str = ""
    key_variable: str = ""
    name: str = "openai"
    """What stands before the slash of its models: a provider, or a name from the settings."""
    timeouts: Timeouts = Timeouts()
    config: EndpointConfig = EndpointConfig()
    """As it was set, in the provider's own type; URL and key in it may be several."""
    prompt_cache: Literal["5m", "1h", "off"] = "5m"
    """How long the provider is asked to keep a prompt's prefix, where that must be asked for."""

    def __repr__(self) -> str:
        return f"Endpoint({self.shown})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        # msgspec's own shows the key.
        return [("shown", self.shown)]

    @property
    def shown(self) -> str:
        """Host, port and path, without user, password or query."""
        parts = urlsplit(self.base_url)
        return f"{_host_and_port(parts.hostname, parts.netloc)}{parts.path.rstrip('/')}"

    @property
    def fingerprint(self) -> str:
        """Tells endpoints apart by all that makes a client, without giving the key away."""
        decisive = (self.base_url, self.api_key, self.name, self.timeouts, self.config, self.prompt_cache)
        return hashlib.sha256(msgspec.json.encode(decisive, order="sorted")).hexdigest()[:16]

    @property
    def account(self) -> str:
        """Tells apart whose limits are used, URL and key, without giving the key away."""
        return hashlib.sha256(f"{self.base_url}\0{self.api_key}".encode()).hexdigest()[:16]

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine, or said to be as good as that: its tokens cost nothing."""
        if self.config.local is not None:
            return self.config.local
        host = (urlsplit(self.base_url).hostname or "").lower()
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False


def checked_base_url(base_url: str) -> str:
    """The URL without trailing slashes.

    Raises:
        LlmSettingsError: it isn't an http or https URL with a host.
    """
    url = base_url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        # It isn't shown: whatever stands there instead may well be a key.
        raise LlmSettingsError("The base URL is no http(s) URL: write it like http://localhost:8080/v1.")
    return url


def _host_and_port(host: str | None, netloc: str) -> str:
    port = netloc.rsplit("@", 1)[-1].removeprefix(f"[{host}]").partition(":")[2]
    name = f"[{host}]" if host and ":" in host else host or ""
    return f"{name}:{port}" if port.isdigit() else name
