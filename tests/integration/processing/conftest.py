"""Both functions in this process, the simulators on real sockets, a SQLite file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dm_core.store.sqlite import SqliteStore
from dm_sandbox.inprocess import InProcess, MovableClock


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[InProcess]:
    clock = MovableClock()
    store = SqliteStore(str(tmp_path / "threads.sqlite3"), clock)
    async with InProcess(store, clock=clock) as running:
        yield running
    await store.close()
