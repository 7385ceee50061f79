"""What humans send and change: stored once, saved on its own version, gone with its person; steering and its audit."""

from dataclasses import replace
from typing import TYPE_CHECKING

from dm_core.alerts import AlertCount, AlertLimits, AskedAlert, new_alerts
from dm_core.durations import DAY_MS
from dm_core.outbox import AuditLine, OutboxItem, OutboxState, outbox_id
from dm_core.runs import Action, ActionKind, ActionState
from dm_core.steering import Handover, Mode, Pause, Steering
from dm_core.store.port import CONFLICT, Conflict, ThreadChange, Version
from dm_sandbox.examples import NOW, THREAD, dm, events

if TYPE_CHECKING:
    from conftest import AnyStore

ITEM = OutboxItem(outbox_id("whatsapp", "wamid.1"), "447700900123", "Hi Ana", NOW, NOW + DAY_MS, quoted="wamid.0")
SENT = Action("o/0/0", ActionKind.SEND, "Hi Ana", 0, 0, state=ActionState.DONE, started_at=NOW, platform_id="mid.9")
STEERING = Steering(Mode.DRAFT, Pause("admin", NOW), Handover("r/0/0", NOW, NOW + 1), NOW + 2, NOW + 3, Mode.AUTO)


async def test_an_item_is_created_once_and_read_as_it_was(store: "AnyStore") -> None:
    assert await store.create_outbox(ITEM)
    assert not await store.create_outbox(replace(ITEM, text="other"))
    found = await store.get_outbox(ITEM.id)

    assert found is not None
    assert found.item == ITEM
    assert await store.get_outbox("nobody/knows") is None


async def test_a_save_names_the_version_it_was_made_from(store: "AnyStore") -> None:
    await store.create_outbox(ITEM)
    first = await store.get_outbox(ITEM.id)
    assert first is not None
    planned = replace(ITEM, state=OutboxState.DONE, actions=(SENT,), thread_id=THREAD, claim_until=NOW + 5)
    version = await store.save_outbox(planned, first.version)

    assert not isinstance(version, Conflict)
    assert await store.save_outbox(ITEM, first.version) is CONFLICT
    assert await store.save_outbox(ITEM, Version(None)) is CONFLICT
    found = await store.get_outbox(ITEM.id)
    assert found is not None
    assert (found.item, found.version) == (planned, version)


async def test_what_nobody_has_seen_to_is_found_the_longest_due_first(store: "AnyStore") -> None:
    waiting, told = replace(ITEM, id="b" * 64, claim_until=NOW + 50), replace(ITEM, id="c" * 64)
    for item in (waiting, ITEM, replace(told, state=OutboxState.DONE, answer="Sent.", told_at=NOW)):
        await store.create_outbox(item)
    untold = replace(ITEM, id="d" * 64, created_at=NOW - 5, state=OutboxState.REFUSED, answer="No.")
    await store.create_outbox(untold)

    assert await store.due_outbox(NOW + 1, 5) == (untold.id, ITEM.id)
    assert await store.due_outbox(NOW + 51, 5) == (untold.id, ITEM.id, waiting.id)
    assert await store.due_outbox(NOW + 51, 1) == (untold.id,)


async def test_an_erased_persons_items_are_gone_and_stay_gone(store: "AnyStore") -> None:
    await store.record(events(dm(1)))
    await store.create_outbox(replace(ITEM, thread_id=THREAD))
    stored = await store.get_outbox(ITEM.id)
    assert stored is not None
    await store.erase_person(THREAD.partition("_")[2])

    assert await store.get_outbox(ITEM.id) is None
    assert await store.save_outbox(stored.item, stored.version) is CONFLICT


async def test_steering_is_written_and_read_with_its_line_of_the_audit(store: "AnyStore") -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    line = AuditLine("a1", NOW, "admin", "pause", NOW + DAY_MS, "asked by Ana", THREAD)
    change = ThreadChange(THREAD, snapshot.version, "t", NOW, steering=STEERING, audit=(line,))

    assert not isinstance(await store.commit(change), Conflict)
    assert await store.commit(change) is CONFLICT
    thread = await store.get_thread(THREAD)
    assert thread is not None
    assert thread.steering == STEERING
    await store.add_audit(replace(line, id="a2", thread_id=""))


async def test_a_humans_reply_is_remembered_with_its_pause(store: "AnyStore") -> None:
    await store.record(events(dm(1)))
    await store.record(replace(events(dm(2)), paused_until=NOW + 60_000, human_at=NOW))
    await store.record(replace(events(dm(3)), human_at=NOW - 9_000))  # a late echo
    thread = await store.get_thread(THREAD)

    assert thread is not None
    assert (thread.paused_until, thread.human_at) == (NOW + 60_000, NOW)
    assert await store.get_thread("178_nobody") is None


async def test_an_alert_is_found_by_the_message_it_went_out_as(store: "AnyStore") -> None:
    ((made,), _) = new_alerts([AskedAlert("r/0", "ring")], THREAD, AlertCount(), NOW, AlertLimits())
    await store.create_alert(replace(made, wamids=("wamid.1", "wamid.2")))
    found = await store.alert_of_message("wamid.2")

    assert found is not None
    assert found.id == made.id
    assert await store.alert_of_message("wamid.3") is None


async def test_threads_come_by_their_newest_dm(store: "AnyStore") -> None:
    for number, person in enumerate(("1", "2", "3")):
        of_person = replace(
            events(dm(number)), thread_id=f"178_{person}", account_id="178", user_id=person, messages=()
        )
        await store.record(replace(of_person, last_inbound_at=NOW + number))

    assert [thread.user_id for thread in await store.newest_threads(2)] == ["3", "2"]
    assert [thread.user_id for thread in await store.newest_threads(5, before=NOW + 2)] == ["2", "1"]
