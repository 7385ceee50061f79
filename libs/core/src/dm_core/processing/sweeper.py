"""The sweep: every thread that is overdue gets a wake-up; every deletion that was cut short is completed."""

import asyncio
from dataclasses import dataclass

from dm_core.clock import Clock
from dm_core.errors import QueueUnavailable
from dm_core.processing.closing import Timing
from dm_core.queue.port import WakeUpQueue
from dm_core.queue.wakeup import plan
from dm_core.store.port import Store
from dm_core.telemetry import emit
from dm_core.webhook.compliance import complete_open_deletions

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

    async def sweep(self) -> dict[str, object]:
        """Re-schedule overdue threads; the counts. Raises StoreUnavailable, QueueUnavailable if any is left."""
        now = self.clock()
        overdue = await self.store.overdue(now - GRACE_MS, BATCH)
        gate = asyncio.Semaphore(CONCURRENCY)

        async def wake(thread_id: str) -> None:
            async with gate:
                await self.queue.schedule(plan(thread_id, now, self.timing.debounce_min, self.timing.debounce_max))

        results = await asyncio.gather(*(wake(thread_id) for thread_id in overdue), return_exceptions=True)
        failed = sum(isinstance(result, BaseException) for result in results)
        deletions = await complete_open_deletions(self.store, self.clock)
        emit("swept", "WARNING" if overdue else "INFO", overdue=len(overdue), failed=failed, deletions=deletions)
        if failed:
            raise QueueUnavailable(f"{failed} of {len(overdue)} overdue threads could not be scheduled")
        return {"status": "swept", "overdue": len(overdue), "deletions": deletions}
