"""Echo views, quarantine, deletion requests, erasure, and the documents beside the threads."""

from dataclasses import replace

import pytest

from dm_core.runs import Action, ActionKind, ActionState
from dm_core.store.firestore import FirestoreStore
from dm_core.store.port import Deletion, EchoView, Version
from dm_core.store.sqlite import SqliteStore
from dm_core.threads import Allowance, Unconfirmed
from dm_sandbox.examples import EXPIRES, NOW, THREAD, claim, closed, dm, events, full_run

type AnyStore = FirestoreStore | SqliteStore


async def test_an_echo_of_an_unknown_thread_is_not_ours(store: AnyStore) -> None:
    assert await store.echo_view(THREAD, "0" * 64) == EchoView(known=False, ours=(), mids=())


async def test_an_echo_is_judged_by_one_read_of_two_documents(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    states = (ActionState.PLANNED, ActionState.DONE, ActionState.UNCERTAIN, ActionState.REFUSED, ActionState.DROPPED)
    actions = tuple(
        Action(f"r1/0/{n}", ActionKind.SEND, f"reply {n}", n, 0, state=state) for n, state in enumerate(states)
    )
    told = Action("r1/0/9", ActionKind.NOTIFY, "to the manager", 9, 0)
    sent = replace(actions[1], platform_id="mid.1")
    run = replace(full_run(), actions=(actions[0], sent, *actions[2:], told))
    change = replace(claim(snapshot, "r1"), run=run, unconfirmed=(Unconfirmed("an older one", NOW),))
    assert isinstance(await store.commit(change), Version)
    reads, calls = store.usage.reads, store.usage.calls

    view = await store.echo_view(THREAD, dm(1).id)

    ours = ("reply 0", "reply 1", "reply 2", "reply 3", "an older one")
    assert view == EchoView(known=True, ours=ours, mids=("mid.1",), last_inbound_at=dm(1).sent_at)
    assert (store.usage.reads - reads, store.usage.calls - calls) == (2, 1)


async def test_the_same_poison_item_twice_is_no_error(store: AnyStore) -> None:
    for _ in range(2):
        await store.quarantine("a" * 64, "\ud800" + "x" * 1_500_000, "not understood", NOW, EXPIRES)


async def test_a_deletion_request_is_kept_until_it_is_completed(store: AnyStore) -> None:
    request = Deletion("code1", "5550001", NOW)
    await store.put_deletion(request)
    await store.put_deletion(Deletion("code2", "5550002", NOW, NOW + 1, 3))

    assert await store.get_deletion("code1") == request
    assert await store.get_deletion("code2") == Deletion("code2", "5550002", NOW, NOW + 1, 3)
    assert await store.open_deletions(10) == (request,)

    done = replace(request, completed_at=NOW + 9, threads=1)
    await store.put_deletion(done)

    assert await store.get_deletion("code1") == done
    assert await store.open_deletions(10) == ()


@pytest.mark.parametrize("code", ["", "unknown", "a/b", ".", "..", "__x__", "\ud800", "y" * 5_000])
async def test_a_code_nobody_was_given_is_none(store: AnyStore, code: str) -> None:
    assert await store.get_deletion(code) is None


async def test_erasing_a_person_leaves_the_others_and_can_be_repeated(store: AnyStore) -> None:
    other = "17840000000000001_5550002"
    await store.record(events(*(dm(n) for n in range(900))))
    await store.record(events(dm(1, "999_5550001"), thread_id="999_5550001"))
    await store.record(events(dm(1, other), thread_id=other))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    change = replace(
        claim(snapshot, "r1"), archive=full_run(), archive_expire_at=EXPIRES, allowance=Allowance(1, 2, 3, 4)
    )
    assert isinstance(await store.commit(change), Version)

    assert await store.erase_person("5550001") == 2

    assert await store.open(THREAD) is None
    assert await store.history(THREAD, 5) == ()
    assert await store.history("999_5550001", 5) == ()
    assert len(await store.history(other, 5)) == 1
    assert await store.erase_person("5550001") == 0
    await store.record(events(dm(1)))
    again = await store.open(THREAD)
    assert again is not None
    assert again.allowance == Allowance()


async def test_erasing_an_account_erases_all_its_threads(store: AnyStore) -> None:
    for n in range(45):
        await store.record(events(dm(1, f"1_{n}"), thread_id=f"1_{n}"))
    await store.record(events(dm(1, "2_1"), thread_id="2_1"))

    assert await store.erase_person("1") == 46

    assert await store.open("1_7") is None
    assert await store.open("2_1") is None


async def test_messages_stored_without_touching_a_thread_are_erased_too(store: AnyStore) -> None:
    await store.record(replace(events(closed(dm(1))), touch_thread=False))
    assert len(await store.history(THREAD, 5)) == 1

    assert await store.erase_person("5550001") == 1

    assert await store.history(THREAD, 5) == ()


async def test_a_strange_person_id_erases_nothing(store: AnyStore) -> None:
    for user_id in ("", "a/b", "..", "\ud800"):
        assert await store.erase_person(user_id) == 0


async def test_a_document_of_any_json_comes_back_as_it_was(store: AnyStore) -> None:
    value: dict[str, object] = {"": [[1, [2.5, None]], {"__x__": True}], "a.b": "\U0001f600", "big": 2**60}

    assert await store.get_document("schedule", "G1") is None
    await store.put_document("schedule", "G1", {"old": 1})
    await store.put_document("schedule", "G1", value)

    assert await store.get_document("schedule", "G1") == value
    assert await store.get_document("maintenance", "G1") is None


async def test_a_document_ends_when_it_is_told_to_or_never(store: AnyStore) -> None:
    await store.put_document("schedule", "G1", {"a": 1}, EXPIRES)
    await store.put_document("schedule", "G2", {"a": 1})

    ending, lasting = [await store.documents.get("schedule", key) for key in ("G1", "G2")]
    assert await store.get_document("schedule", "G1") == {"a": 1}
    assert ending is not None and ending.doc["expireAt"] == EXPIRES
    assert lasting is not None and "expireAt" not in lasting.doc
