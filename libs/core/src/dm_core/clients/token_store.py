"""Where refreshed Instagram tokens are kept: Secret Manager in production, a file elsewhere, or nowhere.

The value is written as in the settings (``dm_core.instagram_tokens``), so that the same secret can also be set by hand.
It is never logged.
"""

import asyncio
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dm_core.clients.owners import vault_owner
from dm_core.clients.port import TokenStore
from dm_core.errors import AccountStopped, DmAgentError, Misconfigured, Owner, Service, Unavailable
from dm_core.settings import InstagramSettings

if TYPE_CHECKING:
    from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient

TIMEOUT_SECONDS: Final = 10.0


def open_token_store(settings: InstagramSettings) -> TokenStore:
    """The vault the settings name: a secret, else a file, else none. Raises Misconfigured for a malformed name."""
    if settings.token_secret:
        return SecretManagerTokenStore(settings.token_secret)
    if settings.token_file:
        return FileTokenStore(Path(settings.token_file))
    return NoTokenStore()


class NoTokenStore:
    """Nothing is kept: the token of the settings is the only one."""

    async def load(self) -> str | None:
        return None

    async def save(self, text: str) -> None:  # noqa: ARG002 (the port's argument)
        """Raises Misconfigured: a refreshed token that can't be kept is of no use to the next instance."""
        raise Misconfigured("INSTAGRAM_TOKEN_SECRET is missing: a refreshed token has nowhere to be kept")


class FileTokenStore:
    """One file that only its owner can read, replaced as a whole."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def load(self) -> str | None:
        """The kept tokens, or None. Raises Unavailable if the file can't be read, AccountStopped if it is not text."""
        return await asyncio.to_thread(self._read)

    async def save(self, text: str) -> None:
        """Raises Unavailable when the file can't be written; the old one is then untouched."""
        await asyncio.to_thread(self._write, text)

    def _read(self) -> str | None:
        try:
            return self._path.read_text("utf-8").strip() or None
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise AccountStopped("the token file holds no text", service=Service.VAULT) from None
        except (OSError, ValueError) as error:
            raise Unavailable(f"the token file can't be read ({type(error).__name__})") from error

    def _write(self, value: str) -> None:
        try:
            # mkstemp makes the file with mode 0600, in the same directory so that the replacement is atomic.
            handle, name = tempfile.mkstemp(prefix=".token-", dir=self._path.parent)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write(value)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(self._path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except (OSError, ValueError) as error:
            raise Unavailable(f"the token file can't be written ({type(error).__name__})") from error


class SecretManagerTokenStore:
    """A secret ``projects/P/secrets/S``; each save adds a version, the latest one counts.

    Needs ``secretmanager.versions.access`` and ``.add`` on that secret. Old versions are not destroyed here: that
    right would let this function erase the token.
    """

    def __init__(
        self, secret: str, *, make_client: "Callable[[], SecretManagerServiceAsyncClient] | None" = None
    ) -> None:
        if not re.fullmatch(r"projects/[^/\s]+/secrets/[^/\s]+", secret):
            raise Misconfigured("INSTAGRAM_TOKEN_SECRET must look like projects/PROJECT/secrets/NAME")
        self._secret = secret
        self._make_client = make_client or _default_client
        self._client: SecretManagerServiceAsyncClient | None = None

    async def load(self) -> str | None:
        """The latest version, or None when there is none or it was disabled.

        One attempt. Raises Unavailable, or AccountStopped when only a person can mend it (the function's rights).
        """
        from google.api_core.exceptions import FailedPrecondition, GoogleAPIError, NotFound

        try:
            answer = await self._connected().access_secret_version(  # pyright: ignore[reportUnknownMemberType]
                name=f"{self._secret}/versions/latest", timeout=TIMEOUT_SECONDS, retry=None
            )
        except (NotFound, FailedPrecondition):
            return None
        except GoogleAPIError as error:
            raise _owned("the token secret can't be read", error) from error
        return answer.payload.data.decode("utf-8", "replace").strip() or None

    async def save(self, text: str) -> None:
        """Add a version. Raises Unavailable when it is not sure that it was added, else as ``load``."""
        from google.api_core.exceptions import GoogleAPIError
        from google.cloud.secretmanager_v1 import SecretPayload

        try:
            await self._connected().add_secret_version(  # pyright: ignore[reportUnknownMemberType]
                parent=self._secret,
                payload=SecretPayload(data=text.encode()),
                timeout=TIMEOUT_SECONDS,
                retry=None,
            )
        except GoogleAPIError as error:
            raise _owned("the token secret can't be written", error) from error

    async def close(self) -> None:
        """Release the connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.transport.close()

    def _connected(self) -> "SecretManagerServiceAsyncClient":
        """Made on first use: a gRPC channel belongs to the loop it was made in."""
        if self._client is None:
            self._client = self._make_client()
        return self._client


def _owned(what: str, error: Exception) -> DmAgentError:
    """By the gRPC status (``clients.owners``)."""
    status: object = getattr(error, "grpc_status_code", None)
    text = f"{what} ({type(error).__name__})"
    if vault_owner(str(getattr(status, "name", ""))) is Owner.ACCOUNT:
        return AccountStopped(text, service=Service.VAULT, code=_number(status))
    return Unavailable(text)


def _number(status: object) -> int:
    """The number of a ``grpc.StatusCode``, whose value is that and its name in lower case."""
    match getattr(status, "value", None):
        case (int(number), *_):
            return number
        case _:
            return 0


def _default_client() -> "SecretManagerServiceAsyncClient":
    from google.cloud.secretmanager_v1 import SecretManagerServiceAsyncClient

    return SecretManagerServiceAsyncClient()
