"""Several accounts in one deployment: each is answered with its own token, and one's trouble is not the other's."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dm_core.instagram_tokens import parse_tokens
from dm_core.messages import Status
from dm_core.store.sqlite import SqliteStore
from dm_sandbox.inprocess import InProcess, MovableClock
from dm_sandbox.person import Person
from dm_sandbox.platforms.instagram import Instagram
from dm_sandbox.platforms.instagram_accounts import InstagramAccounts
from tests.integration.processing.schedule import Deliveries

SECOND, THIRD = "17841472020050002", "17841472020050003"


@dataclass
class Clubs:
    """``system`` serves two accounts and lets a third in that has no token."""

    system: InProcess
    second: Instagram
    token_file: Path

    @property
    def first(self) -> Instagram:
        return self.system.instagram

    def person(self, account: Instagram, user_id: str) -> Person:
        """Somebody who writes to this account."""
        return self.system.person(user_id, account=account)


@pytest.fixture
async def clubs(tmp_path: Path) -> AsyncIterator[Clubs]:
    clock = MovableClock()
    store = SqliteStore(str(tmp_path / "threads.sqlite3"), clock)
    first_id = Instagram().account_id
    extra = {"INSTAGRAM_ACCOUNT_IDS": f"{first_id},{SECOND},{THIRD}"}
    second = Instagram(SECOND, token="IGAA-second-token", clock=clock)
    async with InstagramAccounts(clock=clock) as host, InProcess(store, extra, clock=clock) as system:
        host.accounts += [system.instagram, second]
        system.env |= {
            "INSTAGRAM_API_BASE_URL": host.base_url,
            "INSTAGRAM_ACCESS_TOKEN": f"{first_id}={system.instagram.tokens[0]}, {SECOND}={second.tokens[0]}",
            "INSTAGRAM_TOKEN_FILE": str(tmp_path / "tokens"),
        }
        yield Clubs(system, second, tmp_path / "tokens")
    await store.close()


async def test_each_account_answers_with_its_own_token(clubs: Clubs) -> None:
    ana, ben = clubs.person(clubs.first, "9001"), clubs.person(clubs.second, "9002")
    app = clubs.system.instance()
    for person in (ana, ben):
        await person.says("hi")

        assert (await clubs.system.task(person.thread_id, app=app))[1]["ending"] == "answered"

    assert (len(clubs.first.sent_to("9001")), len(clubs.first.sent)) == (1, 1)
    assert (len(clubs.second.sent_to("9002")), len(clubs.second.sent)) == (1, 1)


async def test_one_person_at_two_accounts_is_two_threads(clubs: Clubs) -> None:
    """Meta gives a person another id at each account; even with one id nothing would cross."""
    for account in (clubs.first, clubs.second):
        person = clubs.person(account, "9001")
        await person.says("hi")
        await clubs.system.task(person.thread_id)

    assert (len(clubs.first.sent), len(clubs.second.sent)) == (1, 1)


async def test_a_dm_to_an_account_without_a_token_waits_and_the_manager_is_told(clubs: Clubs) -> None:
    third = Instagram(THIRD, clock=clubs.system.clock)
    cleo = clubs.person(third, "9003")
    await cleo.says("hi")

    _, result = await clubs.system.task(cleo.thread_id)

    assert result["status"] == "retry_later"
    assert [message.status for message in await clubs.system.store.history(cleo.thread_id, 5)] == [Status.PENDING]
    assert len(await clubs.system.told()) == 1
    assert clubs.first.sent == clubs.second.sent == []


async def test_a_refresh_that_fails_for_one_account_keeps_the_other_s_new_token(clubs: Clubs) -> None:
    clubs.second.token_age_hours = 3
    old_first, old_second = clubs.first.tokens[0], clubs.second.tokens[0]

    status, _ = await clubs.system.job("/maintenance/refresh-token")

    assert status == 500
    kept = parse_tokens(clubs.token_file.read_text(), "")
    assert kept == {clubs.first.account_id: clubs.first.tokens[1], SECOND: old_second}
    clubs.first.tokens.remove(old_first)  # as 60 days later
    for account, user_id in ((clubs.first, "9001"), (clubs.second, "9002")):
        person = clubs.person(account, user_id)
        await person.says("hi")
        assert (await clubs.system.task(person.thread_id))[1]["ending"] == "answered"


async def test_a_second_refresh_keeps_what_the_first_one_got(clubs: Clubs) -> None:
    """The account that fails now was refreshed last week: its kept token counts, not the configured one."""
    assert (await clubs.system.job("/maintenance/refresh-token"))[0] == 200
    newest = clubs.second.tokens[-1]
    clubs.second.token_age_hours = 3

    assert (await clubs.system.job("/maintenance/refresh-token"))[0] == 500

    assert parse_tokens(clubs.token_file.read_text(), "")[SECOND] == newest


async def test_the_token_kept_from_the_time_of_one_account_stays_that_account_s(clubs: Clubs) -> None:
    newer = "IGAA-newer"
    clubs.token_file.write_text(newer)
    clubs.first.tokens[:] = [newer]
    for account, user_id in ((clubs.first, "9001"), (clubs.second, "9002")):
        person = clubs.person(account, user_id)
        await person.says("hi")

        assert (await clubs.system.task(person.thread_id))[1]["ending"] == "answered"


async def test_the_check_names_the_account_whose_trouble_it_is(clubs: Clubs) -> None:
    clubs.first.subscribed = ("messages", "message_echoes")
    clubs.second.subscribed = ("message_echoes",)
    ends_at = clubs.system.clock() + 5 * 86_400_000 + 60_000
    await clubs.system.store.put_document("maintenance", f"token-{clubs.first.account_id}", {"expiresAt": ends_at})

    _, result = await clubs.system.job("/maintenance/check")

    assert result["problems"] == [
        f"account {clubs.first.account_id}: the Instagram token ends in 5 days",
        f"account {SECOND}: the account is not subscribed to: messages",
    ]
    assert (result["subscribedFields"], result["tokenExpiresAt"]) == (["message_echoes"], ends_at)


async def test_a_refresh_ends_with_the_token_that_ends_first(clubs: Clubs) -> None:
    _, refreshed = await clubs.system.job("/maintenance/refresh-token")
    _, checked = await clubs.system.job("/maintenance/check")

    assert refreshed["status"] == "refreshed"
    assert checked["tokenExpiresAt"] == refreshed["expiresAt"]


@pytest.mark.parametrize(("code", "subcode", "status"), [(2, 0, 503), (190, 463, 401), (80002, 2446079, 400)])
async def test_an_account_in_trouble_leaves_the_people_of_the_other_alone(
    clubs: Clubs, code: int, subcode: int, status: int
) -> None:
    mine = [clubs.person(clubs.first, f"900{n}") for n in range(3)]
    others = [clubs.person(clubs.second, f"901{n}") for n in range(3)]
    queue = Deliveries(clubs.system, clubs.system.instance())
    for operation in ("send", "typing_on", "mark_seen"):
        clubs.first.faults.add("error", operation, times=10_000, code=code, subcode=subcode, status=status)
    for pair in zip(mine, others, strict=True):
        for person in pair:
            await person.says("hi")

    await queue.pass_time(30)

    assert [len(clubs.second.sent_to(person.user_id)) for person in others] == [1, 1, 1]
    assert clubs.first.sent == []
    clubs.first.faults.clear()
    await queue.pass_time(400)
    answered = sum(len(clubs.first.sent_to(person.user_id)) for person in mine)
    assert answered == (1 if code == 2 else 3)
