"""The tokens in use: one read that all wait for, an outage that is the vault's, and a second look when one is dead."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from dm_core.clients.http import HttpClient
from dm_core.clients.instagram_accounts import InstagramClients
from dm_core.clients.token_renewal import InstagramTokens, RenewedAccounts
from dm_core.clients.token_store import FileTokenStore, NoTokenStore, SecretManagerTokenStore
from dm_core.errors import AccountStopped, Misconfigured, RetryLater, Service
from dm_core.settings import InstagramSettings
from tests.unit.clients.secret_manager import SecretManager

if TYPE_CHECKING:
    from tests.unit.clients.conftest import Now, Platform

FIRST, SECOND = "178414", "178415"
OLD, NEW = "IGAA-old", "IGAA-new"
DEAD = {"error": {"message": "Session has expired", "code": 190, "error_subcode": 463}}


def configured(url: str, access_token: str = OLD) -> InstagramSettings:
    return InstagramSettings("instagram", url, "v26.0", FIRST, access_token, None, None)


@pytest.fixture
async def accounts(platform: "Platform", http: HttpClient, now: "Now") -> AsyncIterator[InstagramClients]:
    clients = InstagramClients(configured(platform.url), now, http=http)
    yield clients
    await clients.close()


@pytest.fixture
def tokens(platform: "Platform", accounts: InstagramClients, token_store: SecretManagerTokenStore) -> InstagramTokens:
    return InstagramTokens(accounts, token_store, configured(platform.url))


@pytest.fixture
def renewed(accounts: InstagramClients, tokens: InstagramTokens) -> RenewedAccounts:
    return RenewedAccounts(accounts, tokens)


def used(platform: "Platform") -> list[str]:
    """The tokens that requests came with."""
    return [request.headers["authorization"].removeprefix("Bearer ") for request in platform.requests]


async def test_all_that_wait_share_one_read_of_a_slow_vault(manager: SecretManager, tokens: InstagramTokens) -> None:
    manager.versions, manager.delay = [NEW.encode()], 0.2
    protected: list[str] = []
    tokens.protect = protected.append

    await asyncio.gather(*(tokens.ensure() for _ in range(20)))
    await tokens.ensure()

    assert len(manager.names) == 1
    assert tokens.used(FIRST) == NEW
    assert protected == [NEW]


async def test_who_gives_up_waiting_takes_nothing_from_the_others(
    manager: SecretManager, tokens: InstagramTokens
) -> None:
    manager.versions, manager.delay = [NEW.encode()], 0.3

    async def impatient() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await tokens.ensure()

    await asyncio.gather(impatient(), tokens.ensure())

    assert len(manager.names) == 1
    assert tokens.used(FIRST) == NEW


async def test_a_vault_that_fails_once_is_asked_again_by_the_next(
    manager: SecretManager, tokens: InstagramTokens, capsys: pytest.CaptureFixture[str]
) -> None:
    manager.versions, manager.failure = [NEW.encode()], grpc.StatusCode.UNAVAILABLE

    results = await asyncio.gather(tokens.ensure(), tokens.ensure(), return_exceptions=True)
    manager.failure = None
    await tokens.ensure()

    assert [(type(error), getattr(error, "service", "")) for error in results] == [(RetryLater, Service.VAULT)] * 2
    assert len(manager.names) == 2
    assert tokens.used(FIRST) == NEW
    assert capsys.readouterr().out.count("token_load_failed") == 1


async def test_a_vault_that_never_answers_is_an_outage(
    manager: SecretManager, tokens: InstagramTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dm_core.clients.token_renewal.LOAD_SECONDS", 0.1)
    manager.versions, manager.delay = [NEW.encode()], 5

    with pytest.raises(RetryLater):
        await tokens.ensure()


@pytest.mark.parametrize(
    "kept", [b"two words", b"<html>no</html> x", "schlüssel".encode(), b"\xff\xfe", b"1=a,1=b", b"12=IGAA,no pair"]
)
async def test_a_text_that_is_no_tokens_stops_the_deployment(
    manager: SecretManager, tokens: InstagramTokens, kept: bytes
) -> None:
    manager.versions = [kept]

    with pytest.raises(AccountStopped) as caught:
        await tokens.ensure()

    assert caught.value.service is Service.VAULT
    assert tokens.used(FIRST) == OLD
    assert "IGAA" not in repr(caught.value)


async def test_an_empty_vault_leaves_the_configured_token(manager: SecretManager, tokens: InstagramTokens) -> None:
    await tokens.ensure()

    assert tokens.used(FIRST) == OLD
    assert tokens.used("an account that a plain token serves") == OLD


async def test_a_dead_token_is_replaced_by_the_vaults_and_the_call_repeated_once(
    platform: "Platform", manager: SecretManager, tokens: InstagramTokens, renewed: RenewedAccounts
) -> None:
    manager.versions = [OLD.encode()]
    await tokens.ensure()
    manager.versions = [NEW.encode()]
    platform.answers(DEAD, 400)
    platform.answers({"message_id": "aWd1"})

    assert await renewed.of(FIRST).send_text("9001", "Hi") == "aWd1"
    assert used(platform) == [OLD, NEW]


async def test_a_token_that_is_dead_in_the_vault_too_stops_the_account_after_one_call(
    platform: "Platform", manager: SecretManager, renewed: RenewedAccounts
) -> None:
    manager.versions = [OLD.encode()]
    platform.answers(DEAD, 400)

    with pytest.raises(AccountStopped) as caught:
        await renewed.of(FIRST).send_text("9001", "Hi")

    assert (caught.value.service, caught.value.code) == (Service.INSTAGRAM, 190)
    assert used(platform) == [OLD]
    assert len(manager.names) == 1


async def test_two_dead_tokens_end_the_call(
    platform: "Platform", manager: SecretManager, renewed: RenewedAccounts
) -> None:
    manager.versions = [NEW.encode()]
    platform.answers(DEAD, 400)

    with pytest.raises(AccountStopped):
        await renewed.of(FIRST).profile("9001", 0)

    assert used(platform) == [OLD, NEW]


async def test_threads_that_meet_a_dead_token_at_once_look_once(
    platform: "Platform", manager: SecretManager, renewed: RenewedAccounts
) -> None:
    manager.versions, manager.delay = [NEW.encode()], 0.1
    for _ in range(5):
        platform.answers(DEAD, 400)
    platform.answers({"message_id": "aWd1"})

    sent = await asyncio.gather(*(renewed.of(FIRST).send_text(f"900{n}", "Hi") for n in range(5)))

    assert sent == ["aWd1"] * 5
    assert sorted(used(platform)) == [NEW] * 5 + [OLD] * 5
    assert len(manager.names) == 1


async def test_a_vault_that_cannot_tell_makes_the_dead_token_an_outage(
    platform: "Platform", manager: SecretManager, renewed: RenewedAccounts
) -> None:
    manager.failure = grpc.StatusCode.UNAVAILABLE
    platform.answers(DEAD, 400)

    with pytest.raises(RetryLater) as caught:
        await renewed.of(FIRST).send_text("9001", "Hi")

    assert caught.value.service is Service.VAULT
    assert len(platform.requests) == 1


async def test_other_errors_ask_the_vault_nothing(
    platform: "Platform", manager: SecretManager, renewed: RenewedAccounts
) -> None:
    platform.answers({"error": {"code": 10}}, 400)

    with pytest.raises(AccountStopped):
        await renewed.of(FIRST).recent_messages("9001")

    assert manager.names == []


async def test_each_account_is_renewed_for_itself(
    platform: "Platform", http: HttpClient, now: "Now", tmp_path: Path
) -> None:
    settings = configured(platform.url, f"{FIRST}=IGAA-a,{SECOND}=IGAA-b")
    accounts = InstagramClients(settings, now, http=http)
    (tmp_path / "tokens").write_text(f"{SECOND}=IGAA-b2,{FIRST}=IGAA-a")
    tokens = InstagramTokens(accounts, FileTokenStore(tmp_path / "tokens"), settings)
    renewed = RenewedAccounts(accounts, tokens)
    platform.answers(DEAD, 400)
    platform.answers({"data": []})

    assert await renewed.each()[SECOND].subscribed_fields() == ()
    platform.forget()
    platform.answers(DEAD, 400)
    with pytest.raises(AccountStopped):
        await renewed.each()[FIRST].subscribed_fields()

    assert used(platform) == ["IGAA-b", "IGAA-b2", "IGAA-a"]


async def test_new_tokens_are_kept_beside_the_other_accounts(
    platform: "Platform", http: HttpClient, now: "Now", tmp_path: Path
) -> None:
    settings = configured(platform.url, f"{FIRST}=IGAA-a,{SECOND}=IGAA-b")
    accounts = InstagramClients(settings, now, http=http)
    token_store = FileTokenStore(tmp_path / "tokens")
    tokens = InstagramTokens(accounts, token_store, settings)

    await tokens.keep({FIRST: "IGAA-a2"})
    await tokens.keep({SECOND: "IGAA-b2"})

    assert await token_store.load() == f"{FIRST}=IGAA-a2,{SECOND}=IGAA-b2"
    assert (tokens.used(FIRST), tokens.used(SECOND)) == ("IGAA-a2", "IGAA-b2")


async def test_without_a_vault_the_settings_are_all_there_is(platform: "Platform", accounts: InstagramClients) -> None:
    tokens = InstagramTokens(accounts, NoTokenStore(), configured(platform.url))
    platform.answers(json.dumps(DEAD).encode(), 400)

    await tokens.ensure()
    with pytest.raises(AccountStopped):
        await RenewedAccounts(accounts, tokens).of(FIRST).send_text("9001", "Hi")
    with pytest.raises(Misconfigured):
        await tokens.keep({FIRST: NEW})

    assert tokens.used(FIRST) == OLD
