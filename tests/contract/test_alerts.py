"""The outbox to the manager: stored with what causes it, claimed on its own version, told of by its own fields."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dm_core.alerts import (
    Alert,
    AlertCount,
    AlertLimits,
    AlertState,
    AlertStatus,
    AskedAlert,
    ManagerContact,
    alert_id,
    new_alerts,
)
from dm_core.durations import DAY_MS, HOUR_MS
from dm_core.store.port import CONFLICT, Conflict, StoredAlert, Version
from dm_core.threads import Profile
from dm_sandbox.examples import NOW, THREAD, claim, dm, events

if TYPE_CHECKING:
    from conftest import AnyStore

LIMITS = AlertLimits(3, 90 * DAY_MS)


def alert(key: str = "r1/0/0", text: str = "ring Ana", urgency: str = "normal", thread: str = THREAD) -> Alert:
    asked = AskedAlert(key, text, urgency="urgent" if urgency == "urgent" else "normal")
    ((made,), _) = new_alerts([asked], thread, AlertCount(), NOW, LIMITS)
    return made


async def stored(store: "AnyStore", made: Alert) -> StoredAlert:
    assert await store.create_alert(made)
    found = await store.get_alert(made.id)
    assert found is not None
    return found


async def test_an_alert_is_read_as_it_was_stored(store: "AnyStore") -> None:
    full = replace(
        alert(text="\u202eæøå \U0001f600"),
        state=AlertState.UNCERTAIN,
        calls=2,
        used_template=True,
        template_next=True,
        not_before=NOW + 1,
        wamids=("wamid.1", "wamid.2"),
        handled_wamids=("wamid.1",),
        claim_until=NOW + 2,
        called_at=NOW + 3,
        sent_at=NOW + 4,
        delivered_at=NOW + 5,
        read_at=NOW + 6,
        failed_at=NOW + 7,
        failed_code=131047,
        failed_wamid="wamid.1",
        alarmed_at=NOW + 8,
        digest_id="d" * 64,
    )

    assert (await stored(store, full)).alert == full
    assert await store.get_alert(alert_id("another")) is None


@pytest.mark.parametrize("key", ["", "a/b", "..", "__x__", "\ud800", "y" * 5_000])
async def test_an_id_that_can_be_none_is_none(store: "AnyStore", key: str) -> None:
    assert await store.get_alert(key) is None
    assert await store.record_status(AlertStatus(key, "sent", NOW)) is False


async def test_the_same_alert_twice_is_one_and_keeps_its_story(store: "AnyStore") -> None:
    first = await stored(store, alert())
    await store.save_alert(replace(first.alert, state=AlertState.SENT, due_at=None), first.version)

    assert await store.create_alert(alert()) is False

    again = await store.get_alert(alert().id)
    assert again is not None
    assert again.alert.state is AlertState.SENT


async def test_alerts_are_stored_with_the_commit_that_causes_them(store: "AnyStore") -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    made = alert()
    change = replace(claim(snapshot, "r1"), alerts=(made,), alert_count=AlertCount(NOW, 1))

    assert isinstance(await store.commit(change), Version)

    found, again = await store.get_alert(made.id), await store.open(THREAD)
    assert found is not None
    assert found.alert == made
    assert again is not None
    assert again.thread.alert_count == AlertCount(NOW, 1)


async def test_a_lost_commit_stores_no_alert(store: "AnyStore") -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    await store.record(events(dm(2)))

    assert await store.commit(replace(claim(snapshot, "r1"), alerts=(alert(),))) is CONFLICT

    assert await store.get_alert(alert().id) is None


async def test_an_alert_that_is_there_already_stops_no_commit_and_is_not_reset(store: "AnyStore") -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    first = await stored(store, alert("r1/0/0"))
    await store.save_alert(replace(first.alert, state=AlertState.DELIVERED, due_at=None), first.version)
    change = replace(claim(snapshot, "r1"), alerts=(alert("r1/0/0"), alert("r1/0/1", "another")))

    version = await store.commit(change)

    assert isinstance(version, Version)
    kept, new = await store.get_alert(alert("r1/0/0").id), await store.get_alert(alert("r1/0/1").id)
    assert kept is not None
    assert kept.alert.state is AlertState.DELIVERED
    assert new is not None
    assert isinstance(await store.commit(replace(change, version=version, alerts=(), messages=())), Version)


async def test_due_alerts_come_most_urgent_first(store: "AnyStore") -> None:
    for number, (urgency, due_at) in enumerate(
        [("normal", NOW - 9), ("normal", NOW - 8), ("urgent", NOW - 1), ("urgent", NOW - 2), ("urgent", NOW + 5)]
    ):
        await store.create_alert(replace(alert(f"r1/0/{number}", str(number), urgency), due_at=due_at))
    done = await stored(store, alert("r1/0/9", "9", "urgent"))
    await store.save_alert(replace(done.alert, due_at=None), done.version)

    assert [found.alert.text for found in await store.due_alerts(NOW, 10)] == ["3", "2", "0", "1"]
    assert [found.alert.text for found in await store.due_alerts(NOW, 1)] == ["3", "0"]


async def test_of_claims_at_once_one_wins(store: "AnyStore", new_store: Callable[[], "AnyStore"]) -> None:
    found = await stored(store, alert())
    claims = [replace(found.alert, state=AlertState.SENDING, claim_until=NOW + n) for n in range(1, 9)]

    outcomes = await asyncio.gather(*(new_store().save_alert(each, found.version) for each in claims))

    assert sum(isinstance(outcome, Version) for outcome in outcomes) == 1
    winner = next(n for n, outcome in enumerate(outcomes, 1) if not isinstance(outcome, Conflict))
    held = await store.get_alert(alert().id)
    assert held is not None
    assert held.alert.claim_until == NOW + winner


async def test_statuses_write_their_own_fields_in_any_order(store: "AnyStore") -> None:
    found = await stored(store, alert())

    for kind, at in (("read", NOW + 3), ("failed", NOW + 4), ("sent", NOW + 1), ("delivered", NOW + 2)):
        status = AlertStatus(found.alert.id, kind, at, "wamid.1", 131047)  # pyright: ignore[reportArgumentType]
        assert await store.record_status(status)

    told = await store.get_alert(found.alert.id)
    assert told is not None
    assert told.alert == replace(
        found.alert,
        sent_at=NOW + 1,
        delivered_at=NOW + 2,
        read_at=NOW + 3,
        failed_at=NOW + 4,
        failed_code=131047,
        failed_wamid="wamid.1",
        due_at=NOW + 4,
    )


async def test_a_status_of_no_alert_makes_none(store: "AnyStore") -> None:
    assert await store.record_status(AlertStatus(alert().id, "delivered", NOW)) is False

    assert await store.get_alert(alert().id) is None


async def test_a_status_moves_the_version_so_that_the_sender_learns_of_it(store: "AnyStore") -> None:
    found = await stored(store, alert())
    await store.record_status(AlertStatus(found.alert.id, "sent", NOW))

    assert await store.save_alert(found.alert, found.version) is CONFLICT


async def test_a_digest_takes_its_members_all_or_none(store: "AnyStore") -> None:
    members = [await stored(store, alert(f"r1/0/{n}", str(n))) for n in range(3)]
    digest = replace(alert("digest", "3 alerts", thread=""), cause="digest")
    joined = [
        replace(m, alert=replace(m.alert, state=AlertState.DIGESTED, digest_id=digest.id, due_at=None)) for m in members
    ]
    await store.record_status(AlertStatus(members[1].alert.id, "sent", NOW))

    assert await store.create_digest(digest, joined) is CONFLICT
    assert await store.get_alert(digest.id) is None
    assert len(await store.due_alerts(NOW + 1, 10)) == 3

    again = await store.get_alert(members[1].alert.id)
    assert again is not None
    joined[1] = replace(joined[1], version=again.version)
    version = await store.create_digest(digest, joined)
    assert isinstance(version, Version)
    assert [m.alert.text for m in await store.digest_members(digest.id)] == ["0", "1", "2"]
    assert [due.alert.id for due in await store.due_alerts(NOW + 1, 10)] == [digest.id]
    assert await store.create_digest(digest, []) is CONFLICT


async def test_a_digest_is_dissolved_with_its_members(store: "AnyStore") -> None:
    members = [await stored(store, alert(f"r1/0/{n}", str(n))) for n in range(2)]
    digest = replace(alert("digest", "2 alerts", thread=""), cause="digest")
    joined = [replace(m, alert=replace(m.alert, digest_id=digest.id, due_at=None)) for m in members]
    await store.create_digest(digest, joined)
    made, inside = await store.get_alert(digest.id), await store.digest_members(digest.id)
    assert made is not None

    free = [replace(m, alert=replace(m.alert, digest_id=None, due_at=NOW)) for m in inside]
    over = replace(made, alert=replace(made.alert, state=AlertState.DISSOLVED, due_at=None))

    assert isinstance(await store.dissolve_digest(over, free), Version)
    assert await store.digest_members(digest.id) == ()
    assert {due.alert.text for due in await store.due_alerts(NOW + 1, 10)} == {"0", "1"}
    assert await store.dissolve_digest(over, free) is CONFLICT


async def test_erasing_a_person_erases_their_alerts_and_no_others(store: "AnyStore") -> None:
    await store.record(events(dm(1)))
    mine, cause = alert("r1/0/0"), alert("cause", thread="")
    other = alert("r2/0/0", thread="17840000000000001_5550002")
    for each in (mine, cause, other):
        await store.create_alert(each)

    await store.erase_person("5550001")

    assert await store.get_alert(mine.id) is None
    assert await store.get_alert(cause.id) is not None
    assert await store.get_alert(other.id) is not None


async def test_the_managers_times_only_go_forward(store: "AnyStore") -> None:
    assert await store.manager_contact() == ManagerContact()

    await store.note_manager_contact(ManagerContact(last_inbound_at=NOW))
    await store.note_manager_contact(ManagerContact(last_inbound_at=NOW - 5, status_seen_at=NOW + 1))
    await store.note_manager_contact(ManagerContact(closed_at=NOW + 2))

    assert await store.manager_contact() == ManagerContact(NOW, NOW + 2, NOW + 1)


async def test_a_threads_profile_is_one_read(store: "AnyStore") -> None:
    assert await store.thread_profile(THREAD) is None
    await store.record(events(dm(1)))
    assert await store.thread_profile(THREAD) is None
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    await store.commit(replace(claim(snapshot, "r1"), profile=Profile("Ana", "ana.bowls", NOW)))
    reads, calls = store.usage.reads, store.usage.calls

    assert await store.thread_profile(THREAD) == Profile("Ana", "ana.bowls", NOW)

    assert (store.usage.reads - reads, store.usage.calls - calls) == (1, 1)


def test_the_limit_of_an_hour_holds_ordinary_alerts_back_and_loses_none() -> None:
    asked = [AskedAlert(f"r/{n}", str(n), urgency="urgent" if n == 4 else "normal") for n in range(6)]

    made, count = new_alerts(asked, THREAD, AlertCount(NOW - 1_000, 1), NOW, LIMITS)

    end = NOW - 1_000 + HOUR_MS
    assert [each.due_at for each in made] == [NOW, NOW, end, end, NOW, end]
    assert count == AlertCount(NOW - 1_000, 6)
    assert [each.held_back for each in made] == [False, False, True, True, False, True]
    (next_hour,), fresh = new_alerts(asked[:1], THREAD, count, end, LIMITS)
    assert (next_hour.due_at, fresh) == (end, AlertCount(end, 1))
