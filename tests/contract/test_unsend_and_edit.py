"""A person changes their mind: unsends before, during and after; edits only what no run has taken."""

from dataclasses import replace

from dm_core.messages import Content, Disposition, EventKind, Message, Status
from dm_core.store.firestore import FirestoreStore
from dm_core.store.port import CONFLICT, Recorded, Version
from dm_core.store.sqlite import SqliteStore
from dm_sandbox.examples import NOW, THREAD, claim, closed, dm, events, full_message

type AnyStore = FirestoreStore | SqliteStore


def tombstone(message: Message) -> Message:
    """What is left of a message that was taken back before it came."""
    return replace(closed(message), content=Content(), disposition=Disposition.UNSENT, unsent_at=NOW)


async def test_a_pending_message_is_emptied_and_closed(store: AnyStore) -> None:
    await store.record(events(full_message()))
    before = await store.open(THREAD)
    assert before is not None

    known = await store.unsend(replace(events(), now=NOW + 9), full_message().id)

    assert known
    after = await store.open(THREAD)
    assert after is not None
    assert after.unprocessed == ()
    (left,) = after.recent
    assert left.content == Content(kind=EventKind.POSTBACK)
    assert (left.status, left.disposition) == (Status.PROCESSED, Disposition.UNSENT)
    assert (left.unsent_at, left.processed_at) == (NOW + 9, NOW + 9)
    assert await store.commit(claim(before, "r1")) is CONFLICT


async def test_a_message_a_run_has_taken_is_emptied_and_left_to_it(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    assert isinstance(await store.commit(claim(snapshot, "r1")), Version)

    assert await store.unsend(events(), dm(1).id)

    after = await store.open(THREAD)
    assert after is not None
    (left,) = after.unprocessed
    assert left.content.is_empty
    assert (left.status, left.disposition) == (Status.PROCESSING, None)


async def test_a_processed_message_is_emptied_and_keeps_its_end(store: AnyStore) -> None:
    await store.record(events(replace(closed(dm(1)), disposition=Disposition.HUMAN)))

    assert await store.unsend(events(), dm(1).id)

    (left,) = await store.history(THREAD, 5)
    assert left.content.is_empty
    assert left.disposition is Disposition.HUMAN


async def test_an_unsend_before_its_message_leaves_a_tombstone_that_wins(store: AnyStore) -> None:
    mark = tombstone(dm(1))

    known = await store.unsend(events(mark), mark.id)
    late = await store.record(events(dm(1)))

    assert not known
    assert late == Recorded((), {dm(1).id: Status.PROCESSED})
    assert await store.history(THREAD, 5) == (mark,)


async def test_a_tombstone_moves_the_version_of_a_thread_that_exists(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None

    await store.unsend(events(tombstone(dm(2))), dm(2).id)

    assert await store.commit(claim(snapshot, "r1")) is CONFLICT


async def test_a_pending_message_is_edited_and_the_version_moves(store: AnyStore) -> None:
    await store.record(events(full_message()))
    before = await store.open(THREAD)
    assert before is not None

    assert await store.edit(THREAD, full_message().id, "new \ud800", NOW + 5)

    after = await store.open(THREAD)
    assert after is not None
    content = replace(full_message().content, text="new \ufffd")
    assert after.recent == (replace(full_message(), content=content, edited_at=NOW + 5, updated_at=NOW + 5),)
    assert await store.commit(claim(before, "r1")) is CONFLICT


async def test_only_what_is_pending_can_be_edited(store: AnyStore) -> None:
    await store.record(events(closed(dm(1)), replace(dm(2), status=Status.PROCESSING)))

    assert not await store.edit(THREAD, dm(1).id, "new", NOW)
    assert not await store.edit(THREAD, dm(2).id, "new", NOW)
    assert not await store.edit(THREAD, dm(3).id, "new", NOW)

    assert [message.content.text for message in await store.history(THREAD, 5)] == ["text 1", "text 2"]
