"""What an operator's tool reads: each query finds the same in every store, and each change brings its audit line."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dm_admin import reads as reading
from dm_admin.reads import Reads
from dm_core.alerts import AlertCount, AlertLimits, AskedAlert, new_alerts
from dm_core.durations import DAY_MS
from dm_core.messages import Status
from dm_core.outbox import AuditLine, OutboxItem, outbox_id
from dm_core.runs import Run
from dm_core.steering import Handover, Mode, Pause, Steering
from dm_core.store.firestore import client
from dm_core.store.port import Conflict, Deletion, ThreadChange, ThreadEvents, Version
from dm_core.threads import Profile, Thread
from dm_core.usage import Spent
from dm_sandbox.examples import NOW, dm, events

if TYPE_CHECKING:
    from conftest import AnyStore

ACCOUNT = "17840000000000001"
LINE = AuditLine("line-1", NOW, "admin:tom", "pause", NOW + DAY_MS, "asked by phone", f"{ACCOUNT}_1")
ITEM = OutboxItem(outbox_id("admin", "key"), "tom", "Hi", NOW, NOW + DAY_MS, origin="admin", thread_id=f"{ACCOUNT}_1")


async def made(store: "AnyStore", user_id: str, number: int = 0, **change: object) -> str:
    """A thread with one DM, changed so; its id."""
    thread_id = f"{ACCOUNT}_{user_id}"
    message = dm(number, thread_id)
    came = ThreadEvents(thread_id, ACCOUNT, user_id, NOW, (message,), last_inbound_at=NOW + number, due_at=NOW + number)
    await store.record(came)
    snapshot = await store.open(thread_id)
    assert snapshot is not None
    written = replace(ThreadChange(thread_id, snapshot.version, "token", NOW), **change)
    assert not isinstance(await store.commit(written), Conflict)
    return thread_id


def ids(threads: tuple[Thread, ...]) -> list[str]:
    return [thread.user_id for thread in threads]


async def test_threads_are_found_by_what_was_decided_of_them(store: "AnyStore") -> None:
    await made(store, "1", due_at=None)
    await made(store, "2", due_at=None, steering=Steering(handover=Handover("k", NOW - 5)))
    await made(store, "3", due_at=None, steering=Steering(handover=Handover("k", NOW), mode=Mode.AUTO))
    await made(store, "4", due_at=None, steering=Steering(pause=Pause("admin", NOW)))
    await made(store, "5", due_at=None, paused_until=NOW + 1)
    await made(store, "6", due_at=None, paused_until=NOW, steering=Steering(mode=Mode.OFF))
    await made(store, "7", steering=Steering(mode=Mode.DRAFT, stopped_at=NOW))
    reads = Reads(store)

    assert ids(await reads.handed_over(9)) == ["3", "2"]
    assert ids(await reads.handed_over(1)) == ["3"]
    assert sorted(ids(await reads.paused(NOW, 9))) == ["4", "5"]
    assert sorted(ids(await reads.off_or_draft(9))) == ["6", "7"]
    assert ids(await reads.stopped(9)) == ["7"]
    assert ids(await reads.waiting(9)) == ["7"]


async def test_a_thread_is_found_by_its_username_in_any_letter_case(store: "AnyStore") -> None:
    await made(store, "1", profile=Profile("Ana", "Ana.Bowls", NOW))
    await made(store, "2", profile=Profile("Bea", None, NOW))
    reads = Reads(store)

    assert ids(await reads.named("@ana.BOWLS")) == ["1"]
    assert ids(await reads.named("@ana")) == []
    assert ids(await reads.of_person("2")) == ["2"]
    assert await reads.is_account(ACCOUNT)
    assert not await reads.is_account("1")


@pytest.mark.parametrize("page", [2, 3, 500])
async def test_all_threads_active_since_then_come_the_latest_first(
    store: "AnyStore", monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(reading, "PAGE", page)
    for user_id, number in (("1", 0), ("2", 1), ("3", 2), ("4", 2), ("5", 3), ("6", 4)):
        await made(store, user_id, number)
    found = ids(await Reads(store).active(NOW + 1))

    assert (found[:2], sorted(found[2:4]), found[4:]) == (["6", "5"], ["3", "4"], ["2"])


async def test_a_message_is_found_in_any_thread(store: "AnyStore") -> None:
    for user_id in ("1", "2"):
        await made(store, user_id, 7)
    wanted, other = dm(7, f"{ACCOUNT}_1"), dm(7, f"{ACCOUNT}_2")
    reads = Reads(store)

    assert [m.id for m in await reads.messages(wanted.id)] == [wanted.id]
    assert [m.thread_id for m in await reads.messages(other.id[:12])] == [f"{ACCOUNT}_2"]
    assert [m.id for m in await reads.messages(wanted.mid)] == [wanted.id]
    assert await reads.messages("nobody-knows") == ()
    assert await reads.messages("ffffffff") == ()


async def test_failed_messages_and_those_since_then(store: "AnyStore") -> None:
    thread_id = await made(store, "1")
    given_up = replace(dm(2, thread_id), status=Status.FAILED, error="ValueError")
    await store.record(events(dm(1, thread_id), given_up, thread_id=thread_id))
    for number, cause in enumerate(("failed", "failed", "model", "expired")):
        asked = AskedAlert(f"k{number}", cause, cause)
        ((alert,), _) = new_alerts([asked], f"{thread_id}{number or ''}", AlertCount(), NOW - number, AlertLimits())
        await store.create_alert(alert)
    reads = Reads(store)

    assert [m.id for m in await reads.failed_messages(thread_id)] == [given_up.id]
    assert ids(await reads.failed(9)) == ids(await reads.failed(1)) == ["1"]
    assert [m.id for m in await reads.messages_since(thread_id, NOW + 1)] == [dm(1, thread_id).id, given_up.id]


async def test_archived_runs_are_read_by_id_and_since_then(store: "AnyStore") -> None:
    runs = [Run(f"r{n}", "t", NOW + n, (), "hash", spent=Spent(1, 10, 0, 5, 0, 0.5)) for n in range(3)]
    thread_id = f"{ACCOUNT}_1"
    for run in runs:
        await made(store, "1", archive=run, archive_expire_at=NOW + DAY_MS)
    reads = Reads(store)

    assert [each.run.id for each in await reads.runs_since(thread_id, NOW + 1)] == ["r2", "r1"]
    found = await reads.run(thread_id, "r1")
    assert found is not None
    assert (found.run.spent, found.ended_at) == (runs[1].spent, NOW)
    assert await reads.run(thread_id, "nobody/knows") is None
    assert await reads.run("no thread", "r1") is None


async def test_alerts_and_the_audit_of_a_thread(store: "AnyStore") -> None:
    thread_id = await made(store, "1", audit=(LINE,))
    for number in range(3):
        asked = AskedAlert(f"k{number}", "ring")
        ((alert,), _) = new_alerts([asked], thread_id, AlertCount(), NOW + number, AlertLimits())
        await store.create_alert(alert)
    reads = Reads(store)

    assert [alert.created_at - NOW for alert in await reads.newest_alerts(2)] == [2, 1]
    assert [alert.created_at - NOW for alert in await reads.alerts_of(thread_id)] == [0, 1, 2]
    assert await reads.audit_of(thread_id) == (LINE,)


async def test_a_quarantined_item_goes_with_its_line_of_the_audit_once(store: "AnyStore") -> None:
    await store.quarantine("q1", '{"a": 1}', "why", NOW, NOW + DAY_MS, ("1",))
    await store.quarantine("q2", "{}", "why", NOW + 1, NOW + DAY_MS)
    reads = Reads(store)
    found = await reads.quarantined("q1")
    assert found is not None
    assert [item.id for item in await reads.newest_quarantined(9)] == ["q2", "q1"]
    assert (found.raw, found.reason, found.user_ids, found.created_at) == ('{"a": 1}', "why", ("1",), NOW)

    assert not await store.drop_quarantined("q1", Version(None), (LINE,))
    assert await reads.audit_of(LINE.thread_id) == ()
    assert await store.drop_quarantined("q1", found.version, (LINE,))
    assert not await store.drop_quarantined("q1", found.version, (replace(LINE, id="again"),))

    assert await reads.quarantined("q1") is None
    assert await reads.audit_of(LINE.thread_id) == (LINE,)


async def test_what_is_created_or_revised_brings_its_line_and_what_is_there_already_none(store: "AnyStore") -> None:
    reads, lines = Reads(store), [replace(LINE, id=f"line-{n}", at=NOW + n) for n in range(6)]

    assert await store.create_outbox(ITEM, (lines[0],))
    assert not await store.create_outbox(ITEM, (lines[1],))
    assert await store.create_deletion(Deletion("code", "1", NOW), (lines[2],))
    assert not await store.create_deletion(Deletion("code", "1", NOW), (lines[3],))
    await store.revise_document("maintenance", "switches", lambda old: {**old, "mode": "off"}, None, (lines[4],))
    await store.revise_document("maintenance", "switches", lambda _: None, None, (lines[5],))

    assert await reads.audit_of(LINE.thread_id) == (lines[0], lines[2], lines[4])
    assert await store.get_document("maintenance", "switches") == {"mode": "off"}
    stored = await store.documents.get("maintenance", "switches")
    assert stored is not None
    assert "expireAt" not in stored.doc


async def test_everything_of_a_person_is_what_an_erasure_deletes(
    store: "AnyStore", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PAGE", 2)
    thread_id = await made(store, "1", archive=Run("r", "t", NOW, (), "h"), audit=(LINE,))
    await made(store, "2")
    await store.record(events(*(dm(n, thread_id) for n in range(1, 6)), thread_id=thread_id))
    await store.create_outbox(ITEM)
    await store.quarantine("q1", "{}", "why", NOW, NOW + DAY_MS, ("1",))
    for key, paused in (("a1", [thread_id]), ("a2", ["178414_2"])):
        await store.revise_document("automatic", key, lambda _, paused=paused: {"threadIds": paused}, NOW + DAY_MS)
    reads = Reads(store)

    found = await reads.everything_of("1")
    assert {collection: len(documents) for collection, documents in found.items()} == {
        "conversations": 1,
        "messages": 6,
        "runs": 1,
        "alerts": 0,
        "outbox": 1,
        "audit": 1,
        "automatic": 1,
        "quarantine": 1,
        "limits": 0,
    }
    assert len({document["id"] for document in found["messages"]}) == 6
    await store.erase_person("1")

    assert not any((await reads.everything_of("1", [thread_id])).values())
    assert await store.get_document("automatic", "a2") is not None
    assert len((await reads.everything_of("2"))["messages"]) == 1
