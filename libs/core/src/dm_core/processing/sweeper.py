"""The sweep: every overdue thread gets a wake-up, so does what humans wrote, overdue alerts get ticks, and open
deletions go on."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from dm_core.clock import Clock
from dm_core.durations import MINUTE_MS
from dm_core.erasing.eraser import Eraser
from dm_core.errors import QueueUnavailable, described
from dm_core.processing.alerts import Alerts
from dm_core.processing.timing import Timing
from dm_core.queue.port import WakeUp, WakeUpQueue
from dm_core.queue.wakeup import plan_outbox
from dm_core.store.port import Store
from dm_core.telemetry import emit

GRACE_MS = MINUTE_MS
"""How long after ``due_at`` a thread counts as overdue."""
BATCH = 500
CONCURRENCY = 20


@dataclass(frozen=True, slots=True)
class Sweeper:
    """What the scheduler calls each minute."""

    store: Store
    queue: WakeUpQueue
    clock: Clock
    timing: Timing
    alerts: Alerts
    eraser: Eraser

    async def sweep(self) -> dict[str, object]:
        """Re-schedule overdue threads, outbox items and alerts, go on with open deletions; the counts.

        One kind that fails keeps no other from being looked at. Raises StoreUnavailable, QueueUnavailable if any is
        left.
        """
        jobs = self._threads(), self.alerts.sweep(), self._outbox()
        threads, alerts, outbox = found = await asyncio.gather(*jobs, return_exceptions=True)
        erased = await self.eraser.go_on()
        for failure in found:
            if isinstance(failure, BaseException):
                raise failure
        late = any(found)
        counts = {
            "overdue": threads,
            "overdueAlerts": alerts,
            "overdueOutbox": outbox,
            "deletions": erased.completed,
            "erasedThreads": erased.threads,
            "stuckDeletions": erased.stuck,
        }
        emit("swept", "WARNING" if late else "INFO", thread_id=None, **counts)
        return {"status": "swept", **counts}

    async def _threads(self) -> int:
        """Wake every overdue thread; how many."""
        now = self.clock()
        overdue = await self.store.overdue(now - GRACE_MS, BATCH)
        return await self._schedule([self.timing.wake_up(each, now) for each in overdue])

    async def _outbox(self) -> int:
        """Have what humans wrote seen to; how many items."""
        now = self.clock()
        overdue = await self.store.due_outbox(now - GRACE_MS, BATCH)
        return await self._schedule([plan_outbox(each, now) for each in overdue])

    async def _schedule(self, overdue: Sequence[WakeUp]) -> int:
        gate = asyncio.Semaphore(CONCURRENCY)

        async def wake(wake_up: WakeUp) -> None:
            async with gate:
                await self.queue.schedule(wake_up)

        results = await asyncio.gather(*map(wake, overdue), return_exceptions=True)
        failures = [result for result in results if isinstance(result, BaseException)]
        if failures:
            what = f"{len(failures)} of {len(overdue)} overdue tasks could not be scheduled"
            raise QueueUnavailable(f"{what}: {described(failures[0])}") from failures[0]
        return len(overdue)
