"""The account's own automatic messages: listed, learnt, and never mistaken for a human for long."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dm_core.errors import Misconfigured, StoreUnavailable
from dm_core.messages import Direction, Disposition, Status
from dm_core.same_text import normal_form
from dm_core.store.sqlite import SqliteStore
from dm_core.webhook.automatic import AutomaticTexts, candidate_key, load_automatic_texts
from tests.unit.webhook.webhook_stage import ACCOUNT, NOW, Json, Stage, dm, echo, inbound

WELCOME = "Thanks for writing! Nets are on Tuesdays &amp; Thursdays."
_HOUR = 3_600_000


@pytest.fixture
async def listing(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage whose deployer has listed the welcome message."""
    stage = Stage.build(tmp_path / "listing.db", AutomaticTexts(frozenset({normal_form(WELCOME)})))
    yield stage
    await stage.store.close()


def _tap(person: str, at: int = NOW - 70_000) -> Json:
    return inbound(person, at, postback={"mid": f"tap-{person}", "title": "When are nets?", "payload": "NETS"})


async def _greeted(stage: Stage, person: str, text: str = WELCOME, after_ms: int = 900) -> None:
    """A person writes, and after that long the account's text comes."""
    await stage.deliver(_tap(person))
    await stage.deliver(echo(f"welcome-{person}", text, NOW - 70_000 + after_ms, person))


async def _pause(stage: Stage, person: str) -> int | None:
    return (await stage.snapshot(f"{ACCOUNT}_{person}")).thread.paused_until


async def test_a_listed_text_takes_nothing_over(listing: Stage) -> None:
    await _greeted(listing, "9001", normal_form(WELCOME))

    snapshot = await listing.snapshot()
    tap, welcome = snapshot.recent
    assert snapshot.thread.paused_until is None
    assert (tap.status, welcome.status) == (Status.PENDING, Status.PROCESSED)
    assert (welcome.direction, welcome.disposition) == (Direction.OUTBOUND, Disposition.AUTOMATIC)
    assert snapshot.thread.revision == 1


async def test_a_text_is_learnt_in_the_third_thread_and_its_pauses_are_lifted(stage: Stage) -> None:
    await _greeted(stage, "1")
    await _greeted(stage, "2")
    assert [await _pause(stage, person) for person in "12"] == [NOW + _HOUR] * 2
    woken = len(stage.queue.wake_ups)

    await _greeted(stage, "3")

    assert [await _pause(stage, person) for person in "123"] == [None] * 3
    assert {wake_up.thread_id for wake_up in stage.queue.wake_ups[woken:]} == {f"{ACCOUNT}_{n}" for n in "123"}
    await _greeted(stage, "4", after_ms=60_000)
    assert await _pause(stage, "4") is None


async def test_the_manager_is_told_once_and_how_to_undo_it(stage: Stage) -> None:
    for person in "12345":
        await _greeted(stage, person)

    (alert,) = await stage.store.due_alerts(NOW + 1, 9)
    assert normal_form(WELCOME) in alert.alert.text
    assert "not_automatic" in alert.alert.text
    assert (alert.alert.thread_id, alert.alert.urgency) == ("", "normal")


async def test_the_same_thread_three_times_is_one_thread(stage: Stage) -> None:
    for n in range(4):
        at = NOW - 1_000 + n
        await stage.deliver(dm(f"m{n}", person="1", at=at), echo(f"e{n}", WELCOME, at + 5, "1"))

    assert await _pause(stage, "1") == NOW + _HOUR


@pytest.mark.parametrize("after_ms", [-1, 5_001, 60_000])
async def test_a_humans_copy_pasted_answer_stays_a_humans(stage: Stage, after_ms: int) -> None:
    for person in "1234":
        await _greeted(stage, person, after_ms=after_ms)

    assert [await _pause(stage, person) for person in "1234"] == [NOW + _HOUR] * 4
    assert not await stage.store.due_alerts(NOW + 1, 9)


async def test_the_limit_itself_is_prompt(stage: Stage) -> None:
    for person in "123":
        await _greeted(stage, person, after_ms=5_000)

    assert await _pause(stage, "3") is None


async def test_different_texts_are_not_one(stage: Stage) -> None:
    for person in "1234":
        await _greeted(stage, person, f"Hello {person}")

    assert [await _pause(stage, person) for person in "1234"] == [NOW + _HOUR] * 4


async def test_a_text_the_deployer_excludes_is_never_learnt(tmp_path: Path) -> None:
    stage = Stage.build(tmp_path / "excluded.db", AutomaticTexts(excluded=frozenset({normal_form(WELCOME)})))

    for person in "1234":
        await _greeted(stage, person)

    assert [await _pause(stage, person) for person in "1234"] == [NOW + _HOUR] * 4
    await stage.store.close()


async def test_a_humans_own_pause_survives_the_lifting(stage: Stage) -> None:
    await stage.deliver(dm("m1", person="1", at=NOW - 1_000), echo("h1", "Anna here", NOW - 900, "1"))
    stage.clock.now += 10
    await stage.deliver(dm("m2", person="1", at=NOW), echo("e1", WELCOME, NOW + 5, "1"))
    await _greeted(stage, "2")
    stage.clock.now += 10
    await stage.deliver(echo("h2", "Bob here, one moment", NOW + 15, "2"))

    await _greeted(stage, "3")

    assert [await _pause(stage, person) for person in "123"] == [NOW + _HOUR, NOW + 20 + _HOUR, None]


async def test_learning_is_repeated_when_it_broke_off(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await _greeted(stage, "1")
    await _greeted(stage, "2")
    await stage.deliver(_tap("3"))

    async def down(*_: object) -> bool:
        raise StoreUnavailable

    with monkeypatch.context() as broken:
        broken.setattr(SqliteStore, "create_alert", down)
        with pytest.raises(AssertionError):
            await stage.deliver(echo("welcome-3", WELCOME, NOW - 69_500, "3"))
    await stage.deliver(echo("welcome-3", WELCOME, NOW - 69_500, "3"))

    assert [await _pause(stage, person) for person in "123"] == [None] * 3
    assert len(await stage.store.due_alerts(NOW + 1, 9)) == 1


async def test_neither_words_nor_people_stay_with_what_was_learnt(stage: Stage) -> None:
    for person in ("5550001", "5550002", "5550003"):
        await _greeted(stage, person)

    kept = await stage.store.get_document("automatic", candidate_key(ACCOUNT, normal_form(WELCOME)))

    assert kept is not None
    assert not any(word in str(kept) for word in ("5550001", "5550002", "5550003", "Thanks"))


async def test_a_mention_in_the_clubs_story_is_no_takeover(stage: Stage) -> None:
    await stage.deliver(dm("m"))
    attachment: dict[str, object] = {"type": "story_mention", "payload": {}}
    message: dict[str, object] = {"mid": "e", "is_echo": True, "attachments": [attachment]}
    await stage.deliver({**echo("e"), "message": message})

    snapshot = await stage.snapshot()
    assert snapshot.thread.paused_until is None
    assert [message.status for message in snapshot.recent] == [Status.PENDING, Status.PROCESSED]


def test_the_file_lists_both_kinds_in_normal_form(tmp_path: Path) -> None:
    (tmp_path / "automatic_messages.toml").write_text('texts = [" a &amp; b "]\nnot_automatic = ["""c\r\nd"""]')

    assert load_automatic_texts(tmp_path) == AutomaticTexts(frozenset({"a & b"}), frozenset({"c\nd"}))


def test_without_the_file_nothing_is_listed(tmp_path: Path) -> None:
    assert load_automatic_texts(tmp_path) == AutomaticTexts()


def test_the_shipped_file_lists_nothing() -> None:
    folder = Path(__file__).parents[3] / "functions" / "processor" / "profile"

    assert (folder / "automatic_messages.toml").is_file()
    assert load_automatic_texts(folder) == AutomaticTexts()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("texts = 5", "texts must be a list"),
        ("texts = [5]", "texts must be a list"),
        ('not_automatic = [" "]', "not_automatic must be a list"),
        ("text = []", "text is unknown"),
        ("texts = [", "not valid TOML"),
        ('texts = ["a"]\nnot_automatic = ["a "]', "both in texts and in not_automatic"),
    ],
)
def test_a_mistake_in_the_file_stops_the_start_in_one_line(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "automatic_messages.toml").write_text(content)

    with pytest.raises(Misconfigured, match=problem) as raised:
        load_automatic_texts(tmp_path)
    assert "\n" not in str(raised.value)
