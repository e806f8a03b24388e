"""Tokens of Microsoft Entra ID, as Azure takes them in place of a key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from dbt_describe.errors import LlmSettingsError
from dbt_describe.llm.failures import TransientError, quotable


class TokenSource(Protocol):
    """Where tokens come from."""

    async def token(self) -> str:
        """One that is valid now, the same one as long as it is.

        Raises:
            LlmError: there is none to be had.
        """

    def close(self) -> None:
        """Close its connections."""


class EntraTokens:
    """The token for each request. `open_source` is called again when a token is refused before its time."""

    def __init__(self, open_source: Callable[[], TokenSource]) -> None:
        self._open_source = open_source
        self._source: TokenSource | None = None
        self._is_renewed = False
        # Sixteen requests that begin at once need one token, not sixteen.
        self._turn = asyncio.Lock()
        self.current = ""

    async def __call__(self) -> str:
        """A valid token: what the SDK calls before each request."""
        async with self._turn:
            self.current = await self.open().token()
            return self.current

    def open(self) -> TokenSource:
        """The source.

        Raises:
            LlmSettingsError: it can't be opened.
        """
        if self._source is None:
            self._source = self._open_source()
        return self._source

    def renew(self, refused: str) -> bool:
        """Whether a request that a server refused for its token is worth sending again, with another one.

        It is once: a fresh token that is refused too would be so for ever.
        """
        if refused != self.current:
            return True
        if self._is_renewed:
            return False
        self._is_renewed = True
        self.close()
        return True

    def accept(self) -> None:
        """The current token has worked, so that a later refusal means that it was withdrawn."""
        self._is_renewed = False

    def close(self) -> None:
        """Forget the source and close it."""
        if self._source is not None:
            self._source.close()
            self._source = None


class AzureIdentity:
    """The signed-in identity: environment variables, workload or managed identity, Azure CLI and others.

    azure-identity's own threads-and-requests credential in a thread: its async one needs aiohttp besides.
    Source: azure-identity 1.27, azure-core's AsyncPipelineClient, read 2026-11.

    Raises:
        LlmSettingsError: azure-identity isn't installed.
    """

    def __init__(self, scope: str) -> None:
        try:
            # Imported here: it takes 0.4 s and is an extra.
            from azure.identity import DefaultAzureCredential, get_bearer_token_provider  # noqa: PLC0415
        except ImportError as error:
            raise LlmSettingsError(
                "Signing in to Azure with Entra ID needs a package more: pip install 'dbt-describe[azure]'."
            ) from error
        # Where nobody listens, its warnings would go to the terminal: a page for what one error of ours says.
        logging.getLogger("azure").addHandler(logging.NullHandler())
        self._credential = DefaultAzureCredential()
        self._provide: Callable[[], str] = get_bearer_token_provider(self._credential, scope)

    async def token(self) -> str:
        """A token from the credential's cache, refreshed at least five minutes before it ends."""
        from azure.core.exceptions import AzureError, ClientAuthenticationError  # noqa: PLC0415 - as above

        try:
            return await asyncio.to_thread(self._provide)
        except ClientAuthenticationError as error:
            raise LlmSettingsError(
                f"Entra ID gave no token: {quotable(error.message)} "
                "Sign in (az login), or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET."
            ) from error
        except AzureError as error:
            raise TransientError(f"Entra ID can't be reached: {quotable(error)}") from error

    def close(self) -> None:
        """Close the credential's connections."""
        self._credential.close()
