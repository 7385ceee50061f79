"""The whole system in this process, with a clock that the test moves; the alerts' queue delivers when it is told to."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from dm_core.store.sqlite import SqliteStore
from dm_sandbox.inprocess import InProcess, MovableClock
from tests.integration.alerts.alert_stage import AlertStage


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[AlertStage]:
    clock = MovableClock()
    store = SqliteStore(str(tmp_path / "store.sqlite3"), clock)
    async with InProcess(store, clock=clock) as system:
        yield AlertStage(system)
    await store.close()
