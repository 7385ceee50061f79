"""What this process holds right now, so that a crowd of tasks for one thread need not all ask the store.

Only a shortcut: the store decides. A thread is in here from its claim until just before the commit that frees it, and
only as long as its lease lives, so "busy" is said exactly when a read would have said it. Claims of one thread take
turns, because those who wait for the first to be told need no claim of their own.

    task 1  ── claim ──────────── run ─────────────┤leave├─ finish ─▶
    task 2      └ waits ┘ busy                            └ asks the store
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from dm_core.processing.task_result import ExecutionResult, RunStatus
from dm_core.threads import Lease


class LocalLeases:
    """Leases this process holds, by thread."""

    def __init__(self) -> None:
        self._leases: dict[str, Lease] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def serialize(self, thread_id: str) -> AsyncGenerator[None]:
        """One claim of a thread at a time."""
        lock = self._locks.get(thread_id)
        if lock is None:
            lock = self._locks[thread_id] = asyncio.Lock()
        async with lock:
            yield

    def known_answer(self, thread_id: str, task_name: str, now: int) -> ExecutionResult | None:
        """What to tell a task of a thread that this process runs; None if the store must be asked."""
        lease = self._leases.get(thread_id)
        if lease is None or not lease.is_live(now):
            return None
        return ExecutionResult(RunStatus.CONFLICT if lease.is_of(task_name) else RunStatus.BUSY, thread_id)

    def add(self, thread_id: str, lease: Lease) -> None:
        self._leases[thread_id] = lease

    def remove(self, thread_id: str, lease: Lease) -> None:
        """Forget this lease; a newer one of the same thread stays."""
        if self._leases.get(thread_id) == lease:
            del self._leases[thread_id]
