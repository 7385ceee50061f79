"""The sweep: every overdue thread gets a wake-up, overdue alerts get ticks, and open deletions go on."""

import asyncio
from dataclasses import dataclass

from dm_core.clock import Clock
from dm_core.erasing.eraser import Eraser
from dm_core.errors import QueueUnavailable
from dm_core.processing.alerts import Alerts
from dm_core.processing.timing import Timing
from dm_core.queue.port import WakeUpQueue
from dm_core.queue.wakeup import plan
from dm_core.store.port import Store
from dm_core.telemetry import emit

GRACE_MS = 60_000
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
        """Re-schedule overdue threads and alerts, go on with open deletions; the counts.

        One kind that fails keeps no other from being looked at. Raises StoreUnavailable, QueueUnavailable if any is
        left.
        """
        threads, alerts = await asyncio.gather(self._threads(), self.alerts.sweep(), return_exceptions=True)
        erased = await self.eraser.go_on()
        for failure in (threads, alerts):
            if isinstance(failure, BaseException):
                raise failure
        late = bool(threads or alerts)
        counts = {
            "overdue": threads,
            "overdueAlerts": alerts,
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
        gate = asyncio.Semaphore(CONCURRENCY)

        async def wake(thread_id: str) -> None:
            async with gate:
                await self.queue.schedule(plan(thread_id, now, self.timing.debounce_min, self.timing.debounce_max))

        results = await asyncio.gather(*(wake(thread_id) for thread_id in overdue), return_exceptions=True)
        failed = sum(isinstance(result, BaseException) for result in results)
        if failed:
            raise QueueUnavailable(f"{failed} of {len(overdue)} overdue threads could not be scheduled")
        return len(overdue)
