"""The webhook's blind writes: one commit, duplicates, concurrency, and answers that were lost."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from dm_core.messages import Content, Disposition, Status
from dm_core.store.firestore import FirestoreStore
from dm_core.store.port import CONFLICT, NewText, Recorded, Snapshot, Version
from dm_core.store.sqlite import SqliteStore
from dm_sandbox.examples import EXPIRES, NOW, THREAD, claim, closed, dm, events, full_message

type AnyStore = FirestoreStore | SqliteStore


async def test_a_dm_is_stored_with_its_thread_in_one_call(store: AnyStore) -> None:
    answer = await store.record(events(full_message()))

    assert answer == Recorded((full_message().id,), {})
    assert store.usage.calls == 1
    found = await store.open(THREAD)
    assert found is not None
    assert found.unprocessed == found.recent == (full_message(),)
    thread = found.thread
    assert (thread.account_id, thread.user_id) == ("17840000000000001", "5550001")
    assert (thread.created_at, thread.last_inbound_at) == (NOW, full_message().sent_at)
    assert (thread.due_at, thread.pending_count, thread.paused_until) == (NOW + 10_000, 1, None)


async def test_the_stores_own_clock_says_when(store: AnyStore) -> None:
    """That of a store on this machine is the one that it was given."""
    before = time.time() * 1000 - 1

    first, again = await store.record(events(dm(1))), await store.record(events(dm(1)))

    assert before <= (first.at or 0) <= time.time() * 1000 if isinstance(store, FirestoreStore) else first.at == NOW
    assert again.at is None


async def test_a_duplicate_is_reported_and_not_rewritten(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    assert isinstance(await store.commit(claim(snapshot, "r1")), Version)
    before = await store.open(THREAD)
    assert before is not None

    answer = await store.record(events(replace(dm(1), attempts=77), now=NOW + 60_000))

    assert answer == Recorded((), {dm(1).id: Status.PROCESSING})
    after = await store.open(THREAD)
    assert after == before


async def test_of_a_mixed_request_only_the_new_is_created(store: AnyStore) -> None:
    await store.record(events(dm(1)))

    answer = await store.record(events(dm(1), dm(2), dm(2), dm(3)))

    assert answer == Recorded((dm(2).id, dm(3).id), {dm(1).id: Status.PENDING})
    found = await store.open(THREAD)
    assert found is not None
    assert found.thread.pending_count == 3
    assert [message.id for message in found.unprocessed] == [dm(1).id, dm(2).id, dm(3).id]


async def test_a_duplicate_still_renews_a_pause_but_wakes_nobody(store: AnyStore) -> None:
    human = closed(dm(1))
    await store.record(replace(events(human), due_at=None, paused_until=NOW + 1))

    await store.record(replace(events(human), due_at=NOW + 5, paused_until=NOW + 2))

    found = await store.open(THREAD)
    assert found is not None
    assert found.thread.paused_until == NOW + 2
    assert found.thread.due_at is None


async def test_the_last_inbound_time_only_grows_and_the_first_contact_stays(store: AnyStore) -> None:
    await store.record(events(dm(5), now=NOW))
    await store.record(events(dm(1), now=NOW + 100))

    found = await store.open(THREAD)

    assert found is not None
    assert found.thread.last_inbound_at == dm(5).sent_at
    assert found.thread.created_at == NOW


async def test_messages_are_ordered_by_platform_time_then_arrival(store: AnyStore) -> None:
    late = dm(1, sent_at=NOW - 500, created_at=NOW + 30)
    first = dm(2, sent_at=NOW - 900, created_at=NOW + 20)
    second = dm(3, sent_at=NOW - 500, created_at=NOW + 10)
    for message in (late, first, second):
        await store.record(events(message))

    found = await store.open(THREAD)

    assert found is not None
    assert found.unprocessed == found.recent == (first, second, late)
    assert await store.history(THREAD, 2) == (first, late)


async def test_history_of_a_closed_message_is_not_pending(store: AnyStore) -> None:
    await store.record(events(closed(dm(1))))

    found = await store.open(THREAD)

    assert found is not None
    assert found.unprocessed == ()
    assert found.thread.pending_count == 0


async def test_a_thousand_messages_of_one_request_are_all_stored(store: AnyStore) -> None:
    messages = tuple(dm(n) for n in range(1_000))

    answer = await store.record(events(*messages))

    assert len(answer.created) == 1_000
    found = await store.open(THREAD)
    assert found is not None
    assert found.thread.pending_count == 1_000
    assert len(found.unprocessed) == 400
    assert found.unprocessed[0] == messages[0]


async def test_fifty_requests_at_once_lose_nothing(new_store: Callable[[], AnyStore]) -> None:
    stores = [new_store() for _ in range(3)]

    answers = await asyncio.gather(*(stores[n % 3].record(events(dm(n))) for n in range(50)))

    assert [answer.created for answer in answers] == [(dm(n).id,) for n in range(50)]
    found = await stores[0].open(THREAD)
    assert found is not None
    assert found.thread.pending_count == 50
    assert [message.id for message in found.unprocessed] == [dm(n).id for n in range(50)]


async def test_one_dm_delivered_twenty_times_at_once_is_created_once(store: AnyStore) -> None:
    answers = await asyncio.gather(*(store.record(events(dm(1))) for _ in range(20)))

    assert sorted(len(answer.created) for answer in answers) == [0] * 19 + [1]
    assert all(answer.existing == {dm(1).id: Status.PENDING} for answer in answers if not answer.created)
    found = await store.open(THREAD)
    assert found is not None
    assert found.thread.pending_count == 1


async def test_a_thousand_dms_to_one_thread_are_stored_in_seconds(store: AnyStore) -> None:
    await _record_all(store, [THREAD] * 1_000)

    found = await store.open(THREAD)
    assert found is not None
    assert found.thread.pending_count == 1_000


async def test_a_thousand_dms_to_a_thousand_threads_are_stored_in_seconds(store: AnyStore) -> None:
    await _record_all(store, [f"17840000000000001_{n}" for n in range(1_000)])

    assert len(await store.overdue(NOW + 20_000, 2_000)) == 1_000


async def _record_all(store: AnyStore, threads: list[str]) -> None:
    """Record a DM for each, 50 at a time, within a minute: an idle machine takes a few seconds, and calls that take
    turns over each conflict take minutes."""
    gate = asyncio.Semaphore(50)
    started = time.monotonic()

    async def one(number: int, thread_id: str) -> None:
        async with gate:
            await store.record(events(dm(number, thread_id), thread_id=thread_id))

    await asyncio.gather(*(one(number, thread_id) for number, thread_id in enumerate(threads)))
    assert time.monotonic() - started < 60


async def test_revision_counts_what_came_and_never_our_own_commits_and_echoes(store: AnyStore) -> None:
    seen: list[int] = []

    async def look() -> Snapshot:
        found = await store.open(THREAD)
        assert found is not None
        seen.append(found.thread.revision)
        return found

    await store.record(events(dm(1)))
    await look()
    await store.record(replace(events(closed(dm(2))), due_at=None, paused_until=NOW + 1))
    await look()
    await store.edit(events(), dm(1).id, NewText("new", 1, NOW))
    await look()
    await store.unsend(events(), dm(1).id)
    counted = await look()

    assert isinstance(await store.commit(claim(counted, "r1")), Version)
    await store.record(replace(events(closed(dm(3))), touch_thread=False))
    await store.record(events(dm(1)))
    await look()

    assert seen == [1, 2, 3, 4, 4]


@pytest.mark.parametrize("edited", [False, True])
async def test_a_message_takes_over_its_standby_copy(store: AnyStore, edited: bool) -> None:
    came = dm(1)
    copy = replace(closed(came), disposition=Disposition.STANDBY, content=Content(text="without its payload"))
    await store.record(events(copy))
    if edited:
        await store.edit(events(), came.id, NewText("edited", 1, NOW))

    answer = await store.record(events(came, now=NOW + 50))

    assert answer == Recorded((came.id,), {})
    found = await store.open(THREAD)
    assert found is not None
    (taken,) = found.unprocessed
    assert (taken.status, taken.disposition, taken.processed_at) == (Status.PENDING, None, None)
    assert taken.content.text == ("edited" if edited else "text 1")
    assert found.thread.pending_count == 1
    assert found.thread.due_at == NOW + 50 + 10_000
    assert (await store.record(events(copy))).existing == {came.id: Status.PENDING}


async def test_an_unsent_standby_copy_stays_unsent(store: AnyStore) -> None:
    await store.record(events(replace(closed(dm(1)), disposition=Disposition.STANDBY)))
    await store.unsend(events(), dm(1).id)

    assert (await store.record(events(dm(1)))).existing == {dm(1).id: Status.PROCESSED}

    found = await store.open(THREAD)
    assert found is not None
    assert found.unprocessed == ()


async def test_a_pause_is_lifted_only_while_it_is_the_one_meant(store: AnyStore) -> None:
    await store.record(replace(events(closed(dm(1))), due_at=None, paused_until=NOW + 9))
    before = await store.open(THREAD)
    assert before is not None

    assert not await store.lift_pause(THREAD, NOW + 8, None, NOW)
    assert not await store.lift_pause("1_2", NOW + 9, None, NOW)
    assert await store.open(THREAD) == before
    assert await store.lift_pause(THREAD, NOW + 9, NOW + 3, NOW)
    assert not await store.lift_pause(THREAD, NOW + 9, None, NOW)

    after = await store.open(THREAD)
    assert after is not None
    assert (after.thread.paused_until, after.thread.revision) == (NOW + 3, before.thread.revision + 1)
    assert await store.commit(claim(before, "r1")) is CONFLICT


async def test_a_document_is_revised_by_two_at_once_without_a_loss(store: AnyStore) -> None:
    def more(kept: Mapping[str, object]) -> Mapping[str, object]:
        count = kept.get("count", 0)
        return {"count": count + 1 if isinstance(count, int) else 0}

    for _ in range(4):
        await asyncio.gather(*(store.revise_document("automatic", "key", more, EXPIRES) for _ in range(2)))

    assert await store.revise_document("automatic", "key", lambda _: None, EXPIRES) == {"count": 8}
    assert await store.get_document("automatic", "key") == {"count": 8}
