"""The thread document decides: conditional commits, their tokens, and what moves a version."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from dm_core.durations import DAY_MS
from dm_core.messages import Direction, Disposition, Status
from dm_core.store.firestore import FirestoreStore
from dm_core.store.port import CONFLICT, UNKNOWN_VERSION, MessageChange, ThreadChange, Version
from dm_core.store.sqlite import SqliteStore
from dm_core.threads import Allowance, Note, Profile, Unconfirmed
from dm_core.usage import DayRuns, Spent, day_of
from dm_sandbox.examples import EXPIRES, LEASE_MS, NOW, THREAD, claim, dm, events, full_run

type AnyStore = FirestoreStore | SqliteStore


async def test_of_twenty_claims_at_once_exactly_one_wins(new_store: Callable[[], AnyStore]) -> None:
    stores = [new_store() for _ in range(4)]
    await stores[0].record(events(dm(1), dm(2)))
    snapshots = await asyncio.gather(*(stores[n % 4].open(THREAD) for n in range(20)))

    answers = await asyncio.gather(
        *(stores[n % 4].commit(claim(snapshot, f"r{n}")) for n, snapshot in enumerate(snapshots) if snapshot)
    )

    winners = [n for n, answer in enumerate(answers) if isinstance(answer, Version)]
    assert len(answers) == 20
    assert len(winners) == 1
    after = await stores[0].open(THREAD)
    assert after is not None
    assert after.thread.lease is not None
    assert after.thread.lease.run_id == f"r{winners[0]}"
    assert {(m.status, m.run_id, m.attempts) for m in after.unprocessed} == {(Status.PROCESSING, f"r{winners[0]}", 1)}


async def test_a_commit_whose_answer_was_lost_is_found_by_its_token(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    mine = claim(snapshot, "r1")
    await store.commit(mine)  # and the answer never came back

    again = await store.commit(mine)
    found = await store.open(THREAD)

    assert again is CONFLICT
    assert found is not None
    assert found.thread.commit_token == mine.token
    assert found.thread.run is not None
    assert found.thread.run.id == "r1"


async def test_a_commit_that_was_not_applied_leaves_no_token(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    await store.record(events(dm(2)))

    answer = await store.commit(claim(snapshot, "r1"))

    assert answer is CONFLICT
    found = await store.open(THREAD)
    assert found is not None
    assert found.thread.commit_token is None
    assert found.thread.lease is None
    assert all(message.status is Status.PENDING for message in found.unprocessed)


async def test_a_dm_that_arrives_during_a_run_makes_its_next_commit_conflict(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    version = await store.commit(claim(snapshot, "r1"))
    assert isinstance(version, Version)

    await store.record(events(dm(2)))
    answer = await store.commit(ThreadChange(THREAD, version, "finish", NOW, lease=None, run=None, due_at=None))

    assert answer is CONFLICT
    after = await store.open(THREAD)
    assert after is not None
    assert after.thread.lease is not None
    assert after.thread.due_at == NOW + LEASE_MS, "a DM never brings the time forward"
    assert [message.status for message in after.unprocessed] == [Status.PROCESSING, Status.PENDING]


async def test_even_an_event_that_changes_no_field_moves_the_version(store: AnyStore) -> None:
    same = events()
    await store.record(same)
    snapshot = await store.open(THREAD)
    assert snapshot is not None

    await store.record(same)

    assert await store.commit(claim(snapshot, "r1")) is CONFLICT


async def test_a_message_stored_alone_moves_no_version(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None

    await store.record(replace(events(replace(dm(2), status=Status.PROCESSED)), touch_thread=False))

    assert await store.commit(claim(snapshot, "r1")) is not CONFLICT


async def test_the_version_a_commit_returns_is_the_one_to_continue_from(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None

    first = await store.commit(claim(snapshot, "r1"))
    assert isinstance(first, Version)
    second = await store.commit(ThreadChange(THREAD, first, "checkpoint", NOW))
    assert isinstance(second, Version)
    stale = await store.commit(ThreadChange(THREAD, first, "late", NOW))

    assert stale is CONFLICT
    found = await store.open(THREAD)
    assert found is not None
    assert found.version == second


async def test_an_unknown_version_is_a_conflict_without_asking_the_database(store: AnyStore) -> None:
    answer = await store.commit(ThreadChange(THREAD, UNKNOWN_VERSION, "t", NOW))

    assert answer is CONFLICT
    assert store.usage.calls == 0


async def test_what_a_thread_has_cost_is_kept_until_a_commit_says_otherwise(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    spent = Spent(3, 1_200, 100, 40, 7, usd=0.00123)
    first = await store.commit(replace(claim(snapshot, "r1"), spent=spent))
    assert isinstance(first, Version)
    await store.commit(ThreadChange(THREAD, first, "finish", NOW, lease=None, run=None, archive=full_run("r1")))

    found = await store.open(THREAD)

    assert (snapshot.thread.spent, found and found.thread.spent) == (Spent(), spent)


async def test_of_claims_at_once_in_many_threads_every_run_is_counted(new_store: Callable[[], AnyStore]) -> None:
    stores, threads = [new_store() for _ in range(3)], [f"17840000000000001_{n}" for n in range(9)]
    for thread_id in threads:
        await stores[0].record(events(dm(1, thread_id), thread_id=thread_id))
    snapshots = await asyncio.gather(*(stores[0].open(thread_id) for thread_id in threads))
    claims = [replace(claim(snapshot, f"r{n}"), counts_run=True) for n, snapshot in enumerate(snapshots) if snapshot]

    await asyncio.gather(*(stores[n % 3].commit(change) for n, change in enumerate(claims)))
    again = await stores[0].commit(claims[0])

    assert (len(claims), again) == (9, CONFLICT)
    assert await stores[1].day_runs(day_of(NOW)) == DayRuns(day_of(NOW), 9)


async def test_a_day_is_counted_by_itself_and_reading_it_is_one_call(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    today, tomorrow = day_of(NOW), day_of(NOW) + DAY_MS
    first = await store.commit(replace(claim(snapshot, "r1"), counts_run=True))
    assert isinstance(first, Version)
    await store.commit(ThreadChange(THREAD, first, "later", tomorrow + 5, counts_run=True))
    reads, calls = store.usage.reads, store.usage.calls

    counted = [await store.day_runs(day) for day in (today, tomorrow, tomorrow + DAY_MS)]

    assert [day.runs for day in counted] == [1, 1, 0]
    assert (store.usage.reads - reads, store.usage.calls - calls) == (3, 3)


async def test_a_commit_on_a_message_that_is_gone_writes_nothing(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    gone = MessageChange("0" * 64, Status.PROCESSED, NOW)

    answer = await store.commit(replace(claim(snapshot, "r1"), messages=(gone,), upserts=(dm(5),)))

    assert answer is CONFLICT
    after = await store.open(THREAD)
    assert after is not None
    assert after.version == snapshot.version
    assert [message.id for message in after.recent] == [dm(1).id]


async def test_a_finish_writes_thread_messages_replies_archive_and_allowance_together(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    version = await store.commit(claim(snapshot, "r1"))
    assert isinstance(version, Version)
    reply = replace(dm(9), direction=Direction.OUTBOUND, status=Status.PROCESSED, run_id="r1")
    finish = ThreadChange(
        THREAD,
        version,
        "finish",
        NOW + 5,
        lease=None,
        run=None,
        due_at=None,
        paused_until=NOW + 7,
        pending_count=0,
        profile=Profile("Ann", None, NOW),
        notes=(Note("likes tennis", NOW),),
        unconfirmed=(Unconfirmed("Hi", NOW),),
        messages=(
            MessageChange(
                dm(1).id, Status.PROCESSED, NOW + 5, processed_at=NOW + 5, error=None, disposition=Disposition.NO_REPLY
            ),
        ),
        upserts=(reply,),
        archive=full_run("r1"),
        archive_expire_at=EXPIRES,
        allowance=Allowance(NOW, 3, NOW, 9),
    )

    assert isinstance(await store.commit(finish), Version)

    after = await store.open(THREAD)
    assert after is not None
    thread = after.thread
    assert (thread.lease, thread.run, thread.due_at, thread.pending_count) == (None, None, None, 0)
    assert thread.paused_until == NOW + 7
    assert thread.profile == Profile("Ann", None, NOW)
    assert thread.notes == (Note("likes tennis", NOW),)
    assert thread.unconfirmed == (Unconfirmed("Hi", NOW),)
    assert after.allowance == Allowance(NOW, 3, NOW, 9)
    assert after.unprocessed == ()
    done = replace(
        dm(1),
        status=Status.PROCESSED,
        updated_at=NOW + 5,
        processed_at=NOW + 5,
        disposition=Disposition.NO_REPLY,
        attempts=1,
        run_id="r1",
    )
    assert after.recent == (done, reply)


async def test_the_live_run_comes_back_as_it_was_written(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None

    await store.commit(replace(claim(snapshot, "r1"), run=full_run()))

    found = await store.open(THREAD)
    assert found is not None
    assert found.thread.run == full_run()


async def test_what_the_model_wrote_can_never_make_a_write_fail(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    odd = "\ud800 \x00 \U0001f600 \udfff"
    run = replace(full_run(), ending=odd, error=odd, notes=(odd,), handles={odd: odd}, timings={"a": 2**70})

    answer = await store.commit(replace(claim(snapshot, "r1"), run=run))

    assert isinstance(answer, Version)
    found = await store.open(THREAD)
    assert found is not None
    assert found.thread.run is not None
    assert found.thread.run.ending == "\ufffd \x00 \U0001f600 \ufffd"


async def test_erasing_during_a_run_makes_its_commits_conflict_and_nothing_comes_back(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    snapshot = await store.open(THREAD)
    assert snapshot is not None
    version = await store.commit(claim(snapshot, "r1"))
    assert isinstance(version, Version)
    await store.erase_person("5550001")
    finish = ThreadChange(
        THREAD, version, "finish", NOW, run=None, upserts=(dm(9),), archive=full_run(), allowance=Allowance(1, 1, 1, 1)
    )

    answer = await store.commit(finish)

    assert answer is CONFLICT
    assert await store.open(THREAD) is None
    assert await store.history(THREAD, 10) == ()


async def test_a_thread_made_anew_never_repeats_a_version_of_the_erased_one(store: AnyStore) -> None:
    await store.record(events(dm(1)))
    old = await store.open(THREAD)
    assert old is not None
    await store.erase_person("5550001")
    await store.record(events(dm(1)))

    assert await store.commit(claim(old, "r1")) is CONFLICT
