"""Reading a thread: what one page shows, what it costs, and that version and messages belong together."""

import asyncio
from dataclasses import replace

from dm_core.messages import Status
from dm_core.store.firestore import FirestoreStore
from dm_core.store.port import PAGE_SIZE
from dm_core.store.sqlite import SqliteStore
from dm_sandbox.examples import NOW, THREAD, closed, dm, events

type AnyStore = FirestoreStore | SqliteStore


async def test_an_unknown_or_malformed_thread_is_none(store: AnyStore) -> None:
    for thread_id in (THREAD, "", "a", "a_", "_b", "a_b_c", "a/b_c", "a_..", "\ud800_b", "x" * 2_000 + "_b"):
        assert await store.open(thread_id) is None
        assert await store.history(thread_id, 5) == ()


async def test_a_thread_of_ten_thousand_messages_costs_what_one_page_costs(store: AnyStore) -> None:
    for start in range(0, 10_000, 450):
        await store.record(events(*(closed(dm(n)) for n in range(start, min(start + 450, 10_000)))))
    await store.record(events(dm(10_000)))
    reads, calls = store.usage.reads, store.usage.calls

    found = await store.open(THREAD)

    assert found is not None
    assert store.usage.reads - reads == PAGE_SIZE + 2
    assert store.usage.calls - calls <= 2
    assert [message.id for message in found.unprocessed] == [dm(10_000).id]
    assert [message.id for message in found.recent] == [dm(n).id for n in range(10_001 - PAGE_SIZE, 10_001)]


async def test_a_pending_message_older_than_the_page_is_found(store: AnyStore) -> None:
    await store.record(events(dm(0)))
    await store.record(events(*(closed(dm(n)) for n in range(1, 60))))

    found = await store.open(THREAD)

    assert found is not None
    assert found.unprocessed == (dm(0),)
    assert dm(0) not in found.recent


async def test_a_count_left_too_high_by_an_unsend_does_no_harm(store: AnyStore) -> None:
    await store.record(events(dm(0), *(closed(dm(n)) for n in range(1, 60))))
    await store.unsend(events(), dm(0).id)

    found = await store.open(THREAD)

    assert found is not None
    assert found.thread.pending_count == 1
    assert found.unprocessed == ()


async def test_a_version_never_covers_an_event_the_snapshot_lacks(store: AnyStore) -> None:
    """Readers race one writer: at every version, the messages that made it must be there."""
    done = asyncio.Event()

    async def write() -> None:
        for number in range(PAGE_SIZE):
            await store.record(events(dm(number)))
        done.set()

    async def read() -> int:
        seen = 0
        while not done.is_set():
            found = await store.open(THREAD)
            if found is not None:
                seen += 1
                assert len(found.unprocessed) >= found.thread.pending_count
        return seen

    _, *seen = await asyncio.gather(write(), read(), read(), read())

    assert all(seen)


async def test_overdue_threads_come_longest_overdue_first(store: AnyStore) -> None:
    for number, due_at in enumerate((NOW + 3, NOW + 1, None, NOW + 2)):
        thread_id = f"1_{number}"
        await store.record(replace(events(dm(1, thread_id), thread_id=thread_id), due_at=due_at))

    assert await store.overdue(NOW + 3, 10) == ("1_1", "1_3")
    assert await store.overdue(NOW + 9, 2) == ("1_1", "1_3")


async def test_the_newest_dm_of_any_thread_is_known(store: AnyStore) -> None:
    assert await store.last_inbound_at() is None

    await store.record(events(dm(1, "1_1"), thread_id="1_1"))
    await store.record(events(dm(5, "1_2"), thread_id="1_2"))
    await store.record(replace(events(closed(dm(9, "1_3")), thread_id="1_3"), last_inbound_at=None))

    assert await store.last_inbound_at() == dm(5).sent_at


async def test_processing_messages_are_still_unprocessed(store: AnyStore) -> None:
    await store.record(events(replace(dm(1), status=Status.PROCESSING), replace(dm(2), status=Status.FAILED)))

    found = await store.open(THREAD)

    assert found is not None
    assert [message.id for message in found.unprocessed] == [dm(1).id]
