"""Where tokens are kept: a file, Secret Manager behind a real local gRPC server, nowhere."""

import logging
import stat
from pathlib import Path

import grpc
import pytest

from dm_core.clients.token_store import FileTokenStore, NoTokenStore, SecretManagerTokenStore, open_token_store
from dm_core.errors import AccountStopped, Misconfigured, Service, Unavailable
from dm_core.settings import InstagramSettings
from tests.unit.clients.secret_manager import SECRET, SecretManager

TOKEN = "IGAAsecret"


def names(directory: Path) -> list[str]:
    return [file.name for file in directory.iterdir()]


async def test_a_file_that_was_never_written_holds_no_token(tmp_path: Path) -> None:
    assert await FileTokenStore(tmp_path / "token").load() is None


async def test_a_file_keeps_the_newest_token_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token_store = FileTokenStore(path)

    await token_store.save("old")
    await token_store.save(TOKEN)

    assert await FileTokenStore(path).load() == "IGAAsecret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(tmp_path) == ["token"]


async def test_a_save_that_fails_leaves_the_old_token_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token_store = FileTokenStore(path)
    await token_store.save(TOKEN)

    with pytest.raises(Unavailable) as caught:
        await token_store.save("\ud800")

    assert await token_store.load() == "IGAAsecret"
    assert names(tmp_path) == ["token"]
    assert "ud800" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b" \n"])
async def test_an_empty_file_holds_no_token(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)

    assert await FileTokenStore(tmp_path / "token").load() is None


async def test_an_unreadable_file_is_an_outage_not_an_absence(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe")

    with pytest.raises(Unavailable):
        await FileTokenStore(tmp_path).load()
    with pytest.raises(AccountStopped):
        await FileTokenStore(tmp_path / "token").load()
    with pytest.raises(Unavailable):
        await FileTokenStore(tmp_path / "nowhere" / "token").save(TOKEN)


async def test_without_a_vault_a_save_says_what_to_set() -> None:
    assert await NoTokenStore().load() is None
    with pytest.raises(Misconfigured, match="INSTAGRAM_TOKEN_SECRET"):
        await NoTokenStore().save(TOKEN)


async def test_a_saved_token_is_a_new_version_and_the_latest_counts(
    manager: SecretManager, token_store: SecretManagerTokenStore
) -> None:
    assert await token_store.load() is None
    manager.versions.append(b"first\n")
    assert await token_store.load() == "first"
    await token_store.save(TOKEN)

    assert await token_store.load() == "IGAAsecret"
    assert manager.versions == [b"first\n", b"IGAAsecret"]
    assert set(manager.names) == {SECRET, f"{SECRET}/versions/latest"}


@pytest.mark.parametrize("failure", [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION])
async def test_a_missing_or_disabled_version_is_no_token(
    manager: SecretManager, token_store: SecretManagerTokenStore, failure: grpc.StatusCode
) -> None:
    manager.failure = failure

    assert await token_store.load() is None


async def test_a_vault_that_fails_is_an_outage_and_names_no_token(
    manager: SecretManager, token_store: SecretManagerTokenStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    manager.failure = grpc.StatusCode.UNAVAILABLE

    with pytest.raises(Unavailable):
        await token_store.load()
    with pytest.raises(Unavailable) as caught:
        await token_store.save(TOKEN)

    assert TOKEN not in str(caught.value) + caplog.text


@pytest.mark.parametrize(
    "failure",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.UNKNOWN,
    ],
)
async def test_an_outage_of_the_vault_costs_one_call(
    manager: SecretManager, token_store: SecretManagerTokenStore, failure: grpc.StatusCode
) -> None:
    manager.failure = failure

    with pytest.raises(Unavailable):
        await token_store.load()

    assert len(manager.names) == 1


@pytest.mark.parametrize("failure", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED])
async def test_a_right_that_is_missing_is_the_deployments(
    manager: SecretManager, token_store: SecretManagerTokenStore, failure: grpc.StatusCode
) -> None:
    manager.failure = failure

    for call in (token_store.load(), token_store.save(TOKEN)):
        with pytest.raises(AccountStopped) as caught:
            await call
        assert (caught.value.service, caught.value.code) == (Service.VAULT, failure.value[0])


@pytest.mark.parametrize(
    "name", ["token", "projects/p/secrets/", "projects/p/secrets/s/versions/1", "projects/p/secrets/s\n"]
)
def test_a_malformed_secret_name_is_told_at_once(name: str) -> None:
    with pytest.raises(Misconfigured, match="INSTAGRAM_TOKEN_SECRET"):
        SecretManagerTokenStore(name)


@pytest.mark.parametrize(
    ("secret", "file", "kind"),
    [(SECRET, "/x", SecretManagerTokenStore), (None, "/x", FileTokenStore), (None, None, NoTokenStore)],
)
def test_the_settings_name_the_vault(secret: str | None, file: str | None, kind: type[object]) -> None:
    settings = InstagramSettings("instagram", "https://x.test", "v26.0", "1", "t", secret, file)

    assert type(open_token_store(settings)) is kind
