"""A person is erased while a run is under way: before and after every call that the run makes, on both stores."""

import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random

import pytest

from dm_core.store.firestore import FirestoreStore
from dm_core.store.port import Deletion
from dm_core.store.sqlite import SqliteStore
from dm_sandbox.inprocess import CrashPoints, InProcess, MovableClock
from dm_sandbox.platforms.answers import call, turn

type AnyStore = FirestoreStore | SqliteStore
FAR = 10**15
CALLS = range(1, 13)
"""More than a run of two turns makes; a number beyond its last call strikes nothing, which the test notices."""


@pytest.fixture(params=["sqlite", "firestore"])
async def system(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[InProcess]:
    clock = MovableClock()
    store: AnyStore
    if request.param == "sqlite":
        store = SqliteStore(str(tmp_path / "threads.sqlite3"), clock)
    else:
        host = str(request.getfixturevalue("firestore_host"))
        store = FirestoreStore(f"test-{uuid.uuid4().hex[:20]}", "(default)", clock, host)
        await warmed(store)
    async with InProcess(store, clock=clock) as running:
        yield running
    await store.close()


async def warmed(store: AnyStore) -> None:
    """The emulator's first commit may take longer than a commit is waited for."""
    for _ in range(5):
        try:
            await store.put_document("maintenance", "warm", {})
        except Exception:  # noqa: S112
            continue
        return


def answers(system: InProcess) -> None:
    """A note and a look at the calendar, then a reply, a reaction and an alert."""
    first = turn(call("save_note", text="likes tea"), call("is_new_thread"))
    second = turn(
        call("send_instagram_message", text="Tuesday at six."),
        call("react_to_instagram_message", message_id="m1", reaction="love"),
        call("send_manager_notification", text="Mia asks.", urgency="urgent"),
    )
    system.gemini.script([first, second] * 10)


async def erased_in_the_middle(system: InProcess, at: int, when: str, erase: Callable[[str], object]) -> str | None:
    ana = system.person()
    await ana.says("When are nets?")
    answers(system)

    async def meanwhile() -> None:
        assert await system.store.erase_person(ana.user_id) == 1
        erase(ana.user_id)

    points = CrashPoints(at=at, when="after" if when == "after" else "before", meanwhile=meanwhile)
    status, _ = await system.task(ana.thread_id, app=system.instance(points))
    if points.struck is None:
        return None
    assert status in (200, 409)
    await left_nothing(system, ana.thread_id)
    return points.struck


async def left_nothing(system: InProcess, thread_id: str) -> None:
    """No thread, message, run, alert, note or allowance, whatever the run still does, and nobody is woken for it."""
    await system.task(thread_id, "again")
    assert await system.store.open(thread_id) is None
    assert await system.store.history(thread_id, 20) == ()
    alerts = await system.store.due_alerts(FAR, 50)
    assert [stored for stored in alerts if stored.alert.thread_id == thread_id] == []
    assert thread_id not in await system.store.overdue(FAR, 50)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", CALLS)
async def test_a_run_leaves_nothing_of_a_person_erased_in_the_middle(system: InProcess, at: int, when: str) -> None:
    erased: list[str] = []

    struck = await erased_in_the_middle(system, at, when, erased.append)

    assert bool(erased) == (struck is not None)
    if at <= 6:
        assert struck is not None, "a run makes at least these calls"


@pytest.mark.parametrize("seed", range(6))
async def test_the_sweep_erases_while_runs_echoes_and_dms_go_on(system: InProcess, seed: int) -> None:
    random = Random(seed)
    ana = system.person()
    await ana.says("When are nets?")
    answers(system)
    assert await system.store.create_deletion(Deletion("code", ana.user_id, system.clock()))
    strikes = sorted(random.sample(range(1, 9), 2))

    async def sweep() -> None:
        status, _ = await system.job("/sweep")
        assert status == 200

    for n, at in enumerate(strikes):
        points = CrashPoints(at=at, meanwhile=sweep)
        await system.task(ana.thread_id, f"task-{n}", system.instance(points))
    await sweep()

    record = await system.store.get_deletion("code")
    assert record is not None
    assert record.completed_at is not None
    assert record.threads == 1
    await left_nothing(system, ana.thread_id)

    system.clock.forward(60)
    await ana.says("It's me again.")
    snapshot = await system.store.open(ana.thread_id)
    assert snapshot is not None
    assert [message.content.text for message in snapshot.recent] == ["It's me again."]
    assert snapshot.thread.notes == ()
