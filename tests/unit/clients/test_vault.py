"""Where tokens are kept: a file, Secret Manager behind a real local gRPC server, nowhere."""

import logging
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.cloud.secretmanager_v1 import (
    AccessSecretVersionRequest,
    AccessSecretVersionResponse,
    AddSecretVersionRequest,
    SecretManagerServiceAsyncClient,
    SecretPayload,
    SecretVersion,
)
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcAsyncIOTransport,
)

from dm_core.clients.vault import FileVault, NoVault, SecretManagerVault, token_vault
from dm_core.errors import Misconfigured, Unavailable
from dm_core.settings import InstagramSettings

TOKEN = "IGAAsecret"
SECRET = "projects/p/secrets/instagram-token"


def names(directory: Path) -> list[str]:
    return [file.name for file in directory.iterdir()]


async def test_a_file_that_was_never_written_holds_no_token(tmp_path: Path) -> None:
    assert await FileVault(tmp_path / "token").load() is None


async def test_a_file_keeps_the_newest_token_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "token"
    vault = FileVault(path)

    await vault.save("old")
    await vault.save(TOKEN)

    assert await FileVault(path).load() == "IGAAsecret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(tmp_path) == ["token"]


async def test_a_save_that_fails_leaves_the_old_token_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "token"
    vault = FileVault(path)
    await vault.save(TOKEN)

    with pytest.raises(Unavailable) as caught:
        await vault.save("\ud800")

    assert await vault.load() == "IGAAsecret"
    assert names(tmp_path) == ["token"]
    assert "ud800" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b" \n"])
async def test_an_empty_file_holds_no_token(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)

    assert await FileVault(tmp_path / "token").load() is None


async def test_an_unreadable_file_is_an_outage_not_an_absence(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe")

    for path in (tmp_path, tmp_path / "token"):
        with pytest.raises(Unavailable):
            await FileVault(path).load()
    with pytest.raises(Unavailable):
        await FileVault(tmp_path / "nowhere" / "token").save(TOKEN)


async def test_without_a_vault_a_save_says_what_to_set() -> None:
    assert await NoVault().load() is None
    with pytest.raises(Misconfigured, match="INSTAGRAM_TOKEN_SECRET"):
        await NoVault().save(TOKEN)


class SecretManager:
    """One secret and its versions; ``failure`` is answered instead."""

    def __init__(self) -> None:
        self.versions: list[bytes] = []
        self.failure: grpc.StatusCode | None = None
        self.names: list[str] = []
        self.address = ""

    def handler(self) -> grpc.GenericRpcHandler:
        methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "AccessSecretVersion": _method(AccessSecretVersionRequest, AccessSecretVersionResponse, self._access),
            "AddSecretVersion": _method(AddSecretVersionRequest, SecretVersion, self._add),
        }
        return grpc.method_handlers_generic_handler("google.cloud.secretmanager.v1.SecretManagerService", methods)

    def client(self) -> SecretManagerServiceAsyncClient:
        channel = grpc.aio.insecure_channel(self.address)
        return SecretManagerServiceAsyncClient(transport=SecretManagerServiceGrpcAsyncIOTransport(channel=channel))

    async def _access(self, request: AccessSecretVersionRequest, context: Any) -> AccessSecretVersionResponse:
        self.names.append(request.name)
        if self.failure is not None or not self.versions:
            await context.abort(self.failure or grpc.StatusCode.NOT_FOUND, "no such version")
        return AccessSecretVersionResponse(name=request.name, payload=SecretPayload(data=self.versions[-1]))

    async def _add(self, request: AddSecretVersionRequest, context: Any) -> SecretVersion:
        self.names.append(request.parent)
        if self.failure is not None:
            await context.abort(self.failure, "no")
        self.versions.append(request.payload.data)
        return SecretVersion(name=f"{request.parent}/versions/{len(self.versions)}")


def _method(request: Any, reply: Any, answer: Callable[[Any, Any], Any]) -> "grpc.RpcMethodHandler[Any, Any]":
    return grpc.unary_unary_rpc_method_handler(
        answer, request_deserializer=request.deserialize, response_serializer=reply.serialize
    )


@pytest.fixture
async def manager() -> AsyncIterator[SecretManager]:
    fake = SecretManager()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((fake.handler(),))
    fake.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield fake
    await server.stop(None)


@pytest.fixture
async def vault(manager: SecretManager) -> AsyncIterator[SecretManagerVault]:
    kept = SecretManagerVault(SECRET, make_client=manager.client)
    yield kept
    await kept.close()


async def test_a_saved_token_is_a_new_version_and_the_latest_counts(
    manager: SecretManager, vault: SecretManagerVault
) -> None:
    assert await vault.load() is None
    manager.versions.append(b"first\n")
    assert await vault.load() == "first"
    await vault.save(TOKEN)

    assert await vault.load() == "IGAAsecret"
    assert manager.versions == [b"first\n", b"IGAAsecret"]
    assert set(manager.names) == {SECRET, f"{SECRET}/versions/latest"}


@pytest.mark.parametrize("failure", [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION])
async def test_a_missing_or_disabled_version_is_no_token(
    manager: SecretManager, vault: SecretManagerVault, failure: grpc.StatusCode
) -> None:
    manager.failure = failure

    assert await vault.load() is None


async def test_a_vault_that_fails_is_an_outage_and_names_no_token(
    manager: SecretManager, vault: SecretManagerVault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    manager.failure = grpc.StatusCode.PERMISSION_DENIED

    with pytest.raises(Unavailable):
        await vault.load()
    with pytest.raises(Unavailable) as caught:
        await vault.save(TOKEN)

    assert TOKEN not in str(caught.value) + caplog.text


@pytest.mark.parametrize(
    "name", ["token", "projects/p/secrets/", "projects/p/secrets/s/versions/1", "projects/p/secrets/s\n"]
)
def test_a_malformed_secret_name_is_told_at_once(name: str) -> None:
    with pytest.raises(Misconfigured, match="INSTAGRAM_TOKEN_SECRET"):
        SecretManagerVault(name)


@pytest.mark.parametrize(
    ("secret", "file", "kind"),
    [(SECRET, "/x", SecretManagerVault), (None, "/x", FileVault), (None, None, NoVault)],
)
def test_the_settings_name_the_vault(secret: str | None, file: str | None, kind: type[object]) -> None:
    settings = InstagramSettings("instagram", "https://x.test", "v26.0", "1", "t", secret, file)

    assert type(token_vault(settings)) is kind
