"""Erasure that stays: what goes, what a live run may still do, what an echo, an unsend or a DM meets afterwards."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from random import Random

import pytest

from dm_core.alerts import Alert, AlertCount, AlertLimits, AlertStatus, AskedAlert, new_alerts
from dm_core.durations import DAY_MS
from dm_core.errors import StoreUnavailable
from dm_core.messages import Content, Direction, Disposition, Message
from dm_core.runs import Run
from dm_core.store.firestore import FirestoreStore
from dm_core.store.port import BRIEF_MS, CONFLICT, Conflict, Deletion, NewText, Snapshot, ThreadChange, ThreadEvents
from dm_core.store.sqlite import SqliteStore
from dm_core.threads import Allowance, Note, Unconfirmed
from dm_sandbox.examples import EXPIRES, NOW, THREAD, claim, closed, dm, events, full_run
from dm_sandbox.memory_store import MemoryStore

type AnyStore = FirestoreStore | SqliteStore | MemoryStore

PERSON = THREAD.partition("_")[2]
SENT_LATER = NOW + 60_000
"""After the erasure, which the stores' clock puts at NOW."""


def alert(key: str, thread_id: str = THREAD) -> Alert:
    (made,), _ = new_alerts([AskedAlert(key, "Call Mia")], thread_id, AlertCount(), NOW, AlertLimits())
    return made


def reply(number: int, sent_at: int = SENT_LATER) -> Message:
    """Something the account wrote."""
    return replace(closed(dm(number)), direction=Direction.OUTBOUND, sent_at=sent_at)


def echoes(*messages: Message, paused_until: int | None = None, touch: bool = True) -> ThreadEvents:
    """What the webhook stores of echoes: nothing that a person wrote."""
    account_id, user_id = THREAD.split("_")
    return ThreadEvents(THREAD, account_id, user_id, NOW, messages, paused_until=paused_until, touch_thread=touch)


def unsent(message: Message) -> Message:
    """The tombstone of a message that is not known."""
    return replace(closed(message), content=Content(), disposition=Disposition.UNSENT, unsent_at=NOW)


async def opened(store: AnyStore) -> Snapshot:
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    return snapshot


async def claimed(store: AnyStore, run_id: str = "r1") -> Snapshot:
    snapshot = await opened(store)
    assert not isinstance(await store.commit(claim(snapshot, run_id)), Conflict)
    return await opened(store)


def everything(snapshot: Snapshot, run_id: str = "r1") -> ThreadChange:
    """A finish with all that a run can write."""
    return ThreadChange(
        *(THREAD, snapshot.version, f"{run_id}-finish", NOW),
        lease=None,
        run=None,
        notes=(Note("likes tea", NOW, run_id),),
        unconfirmed=(Unconfirmed("Hi", NOW),),
        upserts=(reply(90),),
        archive=full_run(run_id),
        archive_expire_at=EXPIRES,
        allowance=Allowance(NOW, 1, NOW, 1),
        alerts=(alert(f"{run_id}/0/1"),),
        alert_count=AlertCount(NOW, 1),
    )


async def nothing_left(store: AnyStore, run_id: str = "r1") -> bool:
    """No trace of the thread: nothing to open, no message, run, alert or allowance."""
    traces = (
        await store.open(THREAD),
        await store.history(THREAD, 20) or None,
        await store.get_alert(alert(f"{run_id}/0/1").id),
        await store.thread_profile(THREAD),
    )
    await store.record(events(dm(77)))
    fresh = await opened(store)
    facts = fresh.thread
    unset = (facts.lease, facts.run, facts.paused_until, facts.profile, facts.not_before, facts.commit_token)
    empty = (facts.notes, facts.unconfirmed, facts.wait_count)
    return (
        traces == (None,) * 4
        and unset == (None,) * 6
        and empty == ((), (), 0)
        and fresh.allowance == Allowance()
        and [message.id for message in fresh.recent] == [dm(77).id]
    )


# -- a run that is under way


async def test_a_live_run_loses_its_next_commit_for_good(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    snapshot = await claimed(store)

    assert await store.erase_person(PERSON) == 1

    assert await store.commit(everything(snapshot)) is CONFLICT
    assert await store.open(THREAD) is None
    assert await nothing_left(store)


async def test_a_run_can_not_come_back_through_a_fresh_thread(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    snapshot = await claimed(store)
    await store.erase_person(PERSON)
    await store.record(events(dm(2)))

    assert await store.commit(everything(snapshot)) is CONFLICT

    fresh = await opened(store)
    assert [message.id for message in fresh.recent] == [dm(2).id]
    assert fresh.thread.lease is None
    assert await store.get_alert(alert("r1/0/1").id) is None


@pytest.mark.parametrize("seed", range(12))
async def test_an_erasure_in_the_middle_of_anything_leaves_nothing_behind(
    new_store: Callable[[], AnyStore], seed: int
) -> None:
    """A run, an echo, a human, an unsend, an edit and a status, all at once with the erasure, in an order that the seed
    and the store decide."""
    random = Random(seed)
    store, eraser = new_store(), new_store()
    await store.record(events(dm(1), dm(2)))

    async def run() -> None:
        snapshot = await store.open(THREAD)
        if snapshot is None or isinstance(await store.commit(claim(snapshot, "r1")), Conflict):
            return
        for attempt in range(4):
            current = await store.open(THREAD)
            if current is None or current.thread.lease is None:
                return
            change = everything(current) if attempt > 1 else replace(claim(current, "r1"), messages=())
            await store.commit(change)

    async def write(message: Message, *, human: bool) -> None:
        view = await store.echo_view(THREAD, message.id)
        if not view.known:
            paused = NOW + DAY_MS if human else None
            echo = replace(echoes(message, paused_until=paused, touch=human), seen=view.version)
            await store.record(echo)

    async def erase() -> None:
        assert await eraser.erase_person(PERSON) <= 1

    early = (reply(n, NOW - 1) for n in range(10, 14))
    acts: list[Callable[[], Awaitable[object]]] = [
        run,
        *(lambda m=message: write(m, human=bool(m.sent_at % 2)) for message in early),
        lambda: store.unsend(echoes(unsent(dm(1))), dm(1).id),
        lambda: store.unsend(echoes(unsent(dm(30))), dm(30).id),
        lambda: store.edit(echoes(), dm(31).id, NewText("new", 1, NOW)),
        lambda: store.record_status(AlertStatus(alert("r1/0/1").id, "delivered", NOW)),
        erase,
    ]
    random.shuffle(acts)

    async def later(act: Callable[[], Awaitable[object]]) -> None:
        for _ in range(random.randrange(6)):
            await asyncio.sleep(0)
        await act()

    await asyncio.gather(*(later(act) for act in acts))

    assert await nothing_left(store)


# -- what meets the tombstone


async def test_an_echo_after_an_erasure_writes_nothing(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    before = await store.echo_view(THREAD, reply(9).id)
    await store.erase_person(PERSON)

    assert (await store.echo_view(THREAD, reply(9).id)).known
    for seen in (None, before.version):
        for touch in (True, False):
            late = replace(echoes(reply(9), paused_until=NOW + DAY_MS, touch=touch), seen=seen)
            assert (await store.record(late)).created == ()

    assert await nothing_left(store)


async def test_an_unsend_or_an_edit_after_an_erasure_writes_nothing(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    await store.erase_person(PERSON)

    assert not await store.unsend(echoes(unsent(dm(1))), dm(1).id)
    assert not await store.edit(echoes(), dm(2).id, NewText("new", 1, NOW))

    assert await nothing_left(store)


async def test_a_status_after_an_erasure_writes_nothing(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    await store.commit(everything(await claimed(store)))
    kept = await store.get_alert(alert("r1/0/1").id)
    assert kept is not None
    await store.create_alert(alert("other", "178_2"))
    await store.erase_person(PERSON)

    assert not await store.record_status(AlertStatus(kept.alert.id, "delivered", NOW))
    assert await store.save_alert(kept.alert, kept.version) is CONFLICT
    assert await store.get_alert(kept.alert.id) is None
    assert await store.get_alert(alert("other", "178_2").id) is not None


async def test_a_new_dm_starts_afresh_with_ordinary_retention(store: AnyStore) -> None:
    await store.record(replace(events(dm(1)), paused_until=NOW + DAY_MS))
    await store.commit(everything(await claimed(store)))
    await store.erase_person(PERSON)

    fresh_dm = replace(dm(5), sent_at=SENT_LATER, created_at=SENT_LATER)
    await store.record(events(fresh_dm, now=SENT_LATER))

    fresh = await opened(store)
    assert fresh.thread.created_at == SENT_LATER
    assert fresh.thread.pending_count == 1
    assert (fresh.thread.account_id, fresh.thread.user_id) == tuple(THREAD.split("_"))
    assert fresh.recent == (fresh_dm,)
    assert await store.erase_person(PERSON) == 1, "and can be erased again"


async def test_a_late_echo_of_before_is_not_stored_in_a_fresh_thread(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    view = await store.echo_view(THREAD, reply(9).id)
    await store.erase_person(PERSON)
    await store.record(events(dm(2)))

    late = replace(echoes(reply(9, NOW - 1), paused_until=NOW + DAY_MS), seen=view.version)
    assert (await store.record(late)).created == ()
    assert (await opened(store)).thread.paused_until is None
    assert (await store.record(echoes(reply(10), paused_until=NOW + DAY_MS))).created == (reply(10).id,)

    assert (await opened(store)).thread.paused_until == NOW + DAY_MS


# -- what comes for a thread that never was


async def test_an_unsend_or_an_echo_for_an_unknown_thread_is_kept_for_a_day_and_can_be_erased(store: AnyStore) -> None:
    assert not await store.unsend(echoes(unsent(dm(1))), dm(1).id)
    await store.record(replace(echoes(reply(2)), lasting=False))

    kept = await store.history(THREAD, 5)
    assert sorted(message.id for message in kept) == sorted((dm(1).id, dm(2).id))
    assert {message.expire_at for message in kept} == {NOW + BRIEF_MS}

    assert await store.erase_person(PERSON) == 1
    assert await store.history(THREAD, 5) == ()


async def test_the_next_dm_gives_an_unknown_thread_its_ordinary_life(store: AnyStore) -> None:
    await store.unsend(echoes(unsent(dm(1))), dm(1).id)

    assert (await store.record(events(dm(1)))).created == ()
    await store.record(events(dm(2)))
    assert not await store.unsend(echoes(unsent(dm(3))), dm(3).id)

    ends = {message.id: message.expire_at for message in await store.history(THREAD, 5)}
    assert ends == {dm(1).id: NOW + BRIEF_MS, dm(2).id: EXPIRES, dm(3).id: EXPIRES}


# -- many threads, and their count


async def test_a_request_erases_some_threads_at_a_time_and_counts_them_all(store: AnyStore) -> None:
    for n in range(7):
        await store.record(events(dm(1, f"1_{n}"), thread_id=f"1_{n}"))
    assert await store.create_deletion(Deletion("c", "1", NOW))

    assert [await store.erase_person("1", 3, "c") for _ in range(4)] == [3, 3, 1, 0]

    record = await store.get_deletion("c")
    assert record == Deletion("c", "1", NOW, threads=7)


async def test_two_sweeps_at_once_count_each_thread_once(new_store: Callable[[], AnyStore]) -> None:
    one, other = new_store(), new_store()
    for n in range(6):
        await one.record(events(dm(1, f"1_{n}"), thread_id=f"1_{n}"))
    await one.create_deletion(Deletion("c", "1", NOW))

    async def sweep(store: AnyStore) -> None:
        while await store.erase_person("1", 2, "c"):
            pass

    results = await asyncio.gather(sweep(one), sweep(other), return_exceptions=True)
    assert all(result is None or isinstance(result, StoreUnavailable) for result in results)
    await sweep(one)

    record = await one.get_deletion("c")
    assert record is not None
    assert record.threads == 6


async def test_a_record_is_made_once(store: AnyStore) -> None:
    first = Deletion("c", "1", NOW)
    assert await store.create_deletion(first)
    done = replace(first, completed_at=NOW + 5, threads=2, expire_at=EXPIRES)
    await store.put_deletion(done)

    assert not await store.create_deletion(replace(first, requested_at=NOW + 9))

    assert await store.get_deletion("c") == done
    assert await store.open_deletions(5) == ()


# -- an unsend reaches the runs


def run_shown(run_id: str, *mids: str) -> Run:
    return replace(full_run(run_id), handles={f"m{n}": mid for n, mid in enumerate(mids, 1)}, notes=(f"of {run_id}",))


async def archive(store: AnyStore, run_id: str, *mids: str) -> None:
    current = await opened(store)
    notes = (*current.thread.notes, Note(f"of {run_id}", NOW, run_id))
    change = ThreadChange(
        *(THREAD, current.version, run_id, NOW),
        archive=run_shown(run_id, *mids),
        archive_expire_at=EXPIRES,
        notes=notes,
    )
    assert not isinstance(await store.commit(change), Conflict)


async def test_an_unsend_deletes_the_notes_of_runs_that_were_shown_the_message(store: AnyStore) -> None:
    await store.record(events(dm(1), dm(2)))
    await archive(store, "r1", dm(1).mid)
    await archive(store, "r2", dm(2).mid)
    await archive(store, "r3", dm(2).mid, dm(1).mid)

    assert await store.unsend(events(), dm(1).id)

    assert [note.text for note in (await opened(store)).thread.notes] == ["of r2"]


async def test_notes_that_do_not_say_their_run_are_told_by_their_text(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    await archive(store, "r1", dm(1).mid)
    current = await opened(store)
    old = (Note("of r1", NOW), Note("older", NOW))
    await store.commit(ThreadChange(THREAD, current.version, "t", NOW, notes=old))

    await store.unsend(events(), dm(1).id)

    assert [note.text for note in (await opened(store)).thread.notes] == ["older"]


@pytest.mark.parametrize("known", [True, False])
async def test_an_unsend_deletes_what_was_quarantined_of_the_message(store: AnyStore, *, known: bool) -> None:
    message = dm(1)
    raw = {"message": {"mid": message.mid, "text": ["my secret"]}}
    if known:
        await store.record(events(message))
    await store.quarantine("q1", json.dumps(raw), "why", NOW, EXPIRES, (PERSON,))
    await store.quarantine("q2", json.dumps({"mid": f"{message.mid}9"}), "why", NOW, EXPIRES, (PERSON,))
    await store.quarantine("q3", json.dumps(raw), "why", NOW, EXPIRES, ("9002",))

    await store.unsend(events(unsent(message)), message.id)

    left = [await store.documents.get("quarantine", key) is not None for key in ("q1", "q2", "q3")]
    assert left == [False, True, True]


async def test_an_unsend_that_comes_twice_goes_on(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    await store.unsend(events(), dm(1).id)
    await archive(store, "late", dm(1).mid)

    assert await store.unsend(events(), dm(1).id)

    assert (await opened(store)).thread.notes == ()
