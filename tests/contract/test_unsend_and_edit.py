"""A person changes their mind: unsends before, during and after; edits at any time."""

from dataclasses import replace
from itertools import permutations

import pytest

from dm_core.messages import Content, Disposition, EventKind, Message, Status
from dm_core.store.firestore import FirestoreStore
from dm_core.store.port import BRIEF_MS, CONFLICT, NewText, Recorded, Version
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
    assert await store.history(THREAD, 5) == (replace(mark, expire_at=NOW + BRIEF_MS),)


async def test_a_tombstone_moves_the_version_of_a_thread_that_exists(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None

    await store.unsend(events(tombstone(dm(2))), dm(2).id)

    assert await store.commit(claim(snapshot, "r1")) is CONFLICT


async def text_of(store: AnyStore, message: Message) -> str | None:
    (found,) = [each for each in await store.history(THREAD, 50) if each.id == message.id]
    return found.content.text


async def test_a_pending_message_is_edited_and_version_and_revision_move(store: AnyStore) -> None:
    came = replace(full_message(), unsent_at=None)
    await store.record(events(came))
    before = await store.open(THREAD)
    assert before is not None
    new = NewText("new \ud800", came.edit_number + 1, NOW + 5)

    assert await store.edit(events(now=NOW + 6), came.id, new)

    after = await store.open(THREAD)
    assert after is not None
    content = replace(came.content, text="new \ufffd", unsupported=False)
    edited = {"edited_at": NOW + 5, "edit_number": new.number, "updated_at": NOW + 6}
    assert after.recent == (replace(came, content=content, **edited),)
    assert after.thread.revision == before.thread.revision + 1
    assert await store.commit(claim(before, "r1")) is CONFLICT


@pytest.mark.parametrize("status", [Status.PROCESSING, Status.PROCESSED, Status.FAILED])
async def test_what_a_run_has_or_had_is_corrected_and_keeps_its_status(store: AnyStore, status: Status) -> None:
    await store.record(events(replace(closed(dm(1)), status=status)))
    before = await store.open(THREAD)
    assert before is not None

    assert await store.edit(events(), dm(1).id, NewText("new", 1, NOW))

    after = await store.open(THREAD)
    assert after is not None
    assert (after.recent[0].content.text, after.recent[0].status) == ("new", status)
    assert (after.thread.pending_count, after.thread.due_at) == (before.thread.pending_count, before.thread.due_at)
    assert after.thread.revision == before.thread.revision + 1


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
async def test_the_newest_edit_counts_in_any_order_before_and_after_its_message(
    store: AnyStore, order: tuple[int, ...]
) -> None:
    edits = [NewText(f"edit {number}", number, NOW + 10 - number) for number in order]

    await store.edit(events(), dm(1).id, edits[0])
    await store.record(events(dm(1)))
    for edit in edits[1:]:
        await store.edit(events(), dm(1).id, edit)

    found = await store.open(THREAD)
    assert found is not None
    (message,) = found.unprocessed
    assert (message.content.text, message.edit_number, message.status) == ("edit 3", 3, Status.PENDING)


async def test_of_edits_with_one_number_the_later_counts(store: AnyStore) -> None:
    await store.record(events(dm(1)))

    await store.edit(events(), dm(1).id, NewText("late", 1, NOW + 2))
    await store.edit(events(), dm(1).id, NewText("early", 1, NOW + 1))

    assert await text_of(store, dm(1)) == "late"


async def test_an_edit_before_its_message_is_not_shown_and_then_is_the_message(store: AnyStore) -> None:
    assert not await store.edit(events(), dm(1).id, NewText("edited", 2, NOW - 5))

    waiting = await store.open(THREAD)
    assert waiting is not None
    assert (waiting.recent, waiting.unprocessed, waiting.thread.due_at) == ((), (), None)
    assert not (await store.echo_view(THREAD, dm(1).id)).known
    assert await store.record(events(dm(1))) == Recorded((dm(1).id,), {})
    found = await store.open(THREAD)
    assert found is not None
    content = replace(dm(1).content, text="edited")
    assert found.unprocessed == (replace(dm(1), content=content, edited_at=NOW - 5, edit_number=2),)
    assert found.thread.pending_count == 1
    assert (await store.record(events(dm(1)))).existing == {dm(1).id: Status.PENDING}


async def test_an_edit_beside_other_messages_stays_with_its_own(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    await store.edit(events(), dm(2).id, NewText("edited", 1, NOW))

    answer = await store.record(events(dm(1), dm(2), dm(3)))

    assert answer == Recorded((dm(2).id, dm(3).id), {dm(1).id: Status.PENDING})
    texts = [message.content.text for message in await store.history(THREAD, 5)]
    assert texts == ["text 1", "edited", "text 3"]


@pytest.mark.parametrize("known", [True, False])
async def test_no_edit_brings_back_what_was_unsent(store: AnyStore, known: bool) -> None:
    if known:
        await store.record(events(dm(1)))
    await store.unsend(events(tombstone(dm(1))), dm(1).id)

    await store.edit(events(), dm(1).id, NewText("back again", 9, NOW + 9))
    await store.record(events(dm(1)))

    (left,) = await store.history(THREAD, 5)
    assert left.content.is_empty


async def test_an_unsend_after_an_early_edit_leaves_nothing_of_either(store: AnyStore) -> None:
    await store.edit(events(), dm(1).id, NewText("secret", 1, NOW))

    assert not await store.unsend(events(tombstone(dm(1))), dm(1).id)

    await store.record(events(dm(1)))
    (left,) = await store.history(THREAD, 5)
    assert left == replace(tombstone(dm(1)), expire_at=NOW + BRIEF_MS)


async def test_an_early_edit_is_erased_with_its_person(store: AnyStore) -> None:
    await store.edit(events(), dm(1).id, NewText("secret", 1, NOW))

    assert await store.erase_person("5550001") == 1

    await store.record(events(dm(1)))
    assert await text_of(store, dm(1)) == "text 1"
