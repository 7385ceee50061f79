"""A thread lived through by both functions in this process, in a SQLite file; and a runtime to play it again."""

from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

import pytest

from dm_core.store.sqlite import SqliteStore
from dm_evals.replay.runner import RuntimePool
from dm_sandbox.inprocess import InProcess, MovableClock


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[InProcess]:
    clock = MovableClock()
    store = SqliteStore(str(tmp_path / "threads.sqlite3"), clock)
    async with InProcess(store, clock=clock) as running:
        yield running
    await store.close()


@pytest.fixture
async def runtimes() -> AsyncGenerator[RuntimePool]:
    async with RuntimePool(1) as opened:
        yield opened
