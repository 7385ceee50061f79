"""What this process holds right now, so that a crowd of tasks for one thread need not all ask the store.

Only a shortcut: the store decides. A thread is in here from its claim until just before the commit that frees it, and
only as long as its lease lives, so "busy" is said exactly when a read would have said it. Claims of one thread take
turns, because those who wait for the first to be told need no claim of their own.

    task 1  ── claim ──────────── run ─────────────┤leave├─ finish ─▶
    task 2      └ waits ┘ busy                            └ asks the store

A lease that could not be given back, because the store was down, is ``stranded``: nobody runs the thread, and this
process knows it. A task that comes here again need not wait for the lease's end, nor pay for an outage with an attempt.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from dm_core.messages import Message, Status
from dm_core.processing.saves import Unsettled
from dm_core.processing.task_result import ExecutionResult, RunStatus
from dm_core.store.port import Snapshot
from dm_core.threads import Lease


@dataclass(frozen=True, slots=True)
class _Stranded:
    """``own_fault``: the run had failed on its DMs before the store did, which is one of their attempts."""

    lease: Lease
    own_fault: bool


class LocalLeases:
    """Leases this process holds, by thread."""

    def __init__(self) -> None:
        self._leases: dict[str, Lease] = {}
        self._stranded = Unsettled[_Stranded]()
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
        self._stranded.forget(thread_id)

    def strand(self, thread_id: str, lease: Lease, now: int, *, own_fault: bool = False) -> None:
        """The run of this lease is over here, or never began, and the store may say for long that it is held."""
        self._stranded.keep(thread_id, _Stranded(lease, own_fault), lease.expires_at, now)

    def without_stranded(self, snapshot: Snapshot) -> Snapshot:
        """A thread as it would be, had its lease been given back.

        What the run still has on its way to the store depends on the version that the next claim moves.
        """
        stranded = self._stranded.get(snapshot.thread.id)
        if stranded is None or snapshot.thread.lease != stranded.lease:
            return snapshot
        messages = snapshot.unprocessed
        if not stranded.own_fault:
            messages = tuple(_given_back(message, stranded.lease.run_id) for message in messages)
        return replace(snapshot, thread=replace(snapshot.thread, lease=None), unprocessed=messages)

    def remove(self, thread_id: str, lease: Lease) -> None:
        """Forget this lease; a newer one of the same thread stays."""
        if self._leases.get(thread_id) == lease:
            del self._leases[thread_id]


def _given_back(message: Message, run_id: str) -> Message:
    """Its attempt is none."""
    if message.status is not Status.PROCESSING or message.run_id != run_id:
        return message
    return replace(message, attempts=max(0, message.attempts - 1))
