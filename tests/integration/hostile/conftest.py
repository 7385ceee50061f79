"""Both functions in this process over a store in memory, whose archived runs say which guard acted."""

from collections.abc import AsyncIterator

import pytest

from dm_sandbox.inprocess import InProcess, MovableClock
from dm_sandbox.memory_store import MemoryStore


@pytest.fixture
async def system() -> AsyncIterator[InProcess]:
    clock = MovableClock()
    extra = {"MAX_RUNS_PER_HOUR": "5", "DEBOUNCE_MIN_SECONDS": "0", "DEBOUNCE_MAX_SECONDS": "1"}
    async with InProcess(MemoryStore(clock=clock), clock=clock, extra=extra) as running:
        yield running
