"""The sweep's share of a deletion: fifty threads, one after another in turn, and none that holds up the others."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dm_core.durations import DAY_MS
from dm_core.erasing.eraser import MAX_THREADS, Eraser, Progress
from dm_core.erasing.requests import in_turn
from dm_core.errors import StoreUnavailable
from dm_core.store.port import Deletion
from dm_core.store.sqlite import SqliteStore
from dm_sandbox.examples import NOW, dm, events


class FaultyStore(SqliteStore):
    """The real store, in which some people can't be erased: their deletion fails, or never ends."""

    def __init__(self, path: str) -> None:
        super().__init__(path, lambda: NOW)
        self.refused: set[str] = set()
        self.hanging: set[str] = set()
        self.tried: list[str] = []

    async def erase_person(self, user_id: str, limit: int | None = None, code: str = "") -> int:
        self.tried.append(user_id)
        if user_id in self.refused:
            raise StoreUnavailable
        if user_id in self.hanging:
            await asyncio.Event().wait()
        return await super().erase_person(user_id, limit, code)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FaultyStore]:
    store = FaultyStore(str(tmp_path / "store.db"))
    yield store
    await store.close()


class Minutes:
    """A clock that is moved by the minute."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


def eraser(store: FaultyStore, clock: Minutes) -> Eraser:
    return Eraser(store, clock, 90 * DAY_MS, page_seconds=0.5)


async def wrote(store: FaultyStore, account_id: str, people: int) -> None:
    for n in range(people):
        thread_id = f"{account_id}_{n}"
        await store.record(events(dm(1, thread_id), thread_id=thread_id))


async def asked(store: FaultyStore, *user_ids: str) -> None:
    for n, user_id in enumerate(user_ids):
        assert await store.create_deletion(Deletion(f"code-{user_id}", user_id, NOW + n))


async def test_an_account_of_many_threads_takes_several_sweeps_and_is_counted_whole(store: FaultyStore) -> None:
    clock = Minutes()
    await wrote(store, "77", 2 * MAX_THREADS + 20)
    await asked(store, "77")

    goes = [await eraser(store, clock).go_on() for _ in range(4)]

    assert goes == [Progress(50), Progress(50), Progress(20, completed=1), Progress()]
    record = await store.get_deletion("code-77")
    assert record is not None
    assert (record.threads, record.completed_at, record.expire_at) == (120, NOW, NOW + 90 * DAY_MS)


async def test_fifty_threads_are_the_limit_of_a_sweep_over_all_its_deletions(store: FaultyStore) -> None:
    await wrote(store, "77", 30)
    await wrote(store, "88", 30)
    await asked(store, "77", "88")

    first = await eraser(store, Minutes()).go_on()

    assert (first.threads, first.completed) == (50, 1)
    assert len(await store.open_deletions(5)) == 1


@pytest.mark.parametrize("kind", ["refused", "hanging"])
async def test_a_stuck_deletion_keeps_no_other_from_its_turn(
    store: FaultyStore, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Minutes()
    await wrote(store, "88", 3)
    await asked(store, "bad-1", "bad-2", "88", "bad-3")
    getattr(store, kind).update(("bad-1", "bad-2", "bad-3"))

    goes: list[Progress] = []
    for _ in range(4):
        goes.append(await eraser(store, clock).go_on())
        clock.now += 60_000

    assert sorted(go.completed for go in goes) == [0, 0, 0, 1]
    assert [go.stuck for go in goes] == [3] * 4
    done = await store.get_deletion("code-88")
    assert done is not None
    assert done.threads == 3
    assert {deletion.user_id for deletion in await store.open_deletions(9)} == {"bad-1", "bad-2", "bad-3"}
    assert "deletion_stuck" in capsys.readouterr().out


async def test_what_was_stuck_is_gone_on_with_once_it_can_be(store: FaultyStore) -> None:
    await wrote(store, "88", 3)
    await asked(store, "88")
    store.refused.add("88")
    assert await eraser(store, Minutes()).go_on() == Progress(stuck=1)
    store.refused.clear()

    assert await eraser(store, Minutes()).go_on() == Progress(3, completed=1)


async def test_each_comes_first_in_its_turn(store: FaultyStore) -> None:
    clock = Minutes()
    await asked(store, "a", "b", "c")
    store.refused.update(("a", "b", "c"))
    firsts: set[str] = set()

    for _ in range(3):
        store.tried.clear()
        await eraser(store, clock).go_on()
        firsts.add(store.tried[0])
        clock.now += 60_000

    assert firsts == {"a", "b", "c"}
    assert in_turn([], NOW) == []
