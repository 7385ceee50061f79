"""Where a run hands in what the manager must know: stored with the commit that causes it, then a tick asked for."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dm_core.alerts import Alert, AlertLimits, AskedAlert, new_alerts
from dm_core.clock import Clock
from dm_core.errors import QueueUnavailable, described
from dm_core.queue.port import AlertQueue
from dm_core.store.port import ThreadChange
from dm_core.telemetry import emit
from dm_core.threads import Thread

ANNOUNCE_SECONDS = 2.0
"""No run waits longer than this for a tick to be made: the sweeper looks at alerts by their own due time."""


@dataclass(frozen=True, slots=True)
class AlertDesk:
    """Turns what was asked for into alert documents."""

    queue: AlertQueue
    limits: AlertLimits
    clock: Clock

    def stored_with(self, change: ThreadChange, thread: Thread, asked: Sequence[AskedAlert]) -> ThreadChange:
        """The change that creates these alerts too; the same alert in a repeated commit is one document."""
        if not asked:
            return change
        alerts, count = new_alerts(asked, thread.id, thread.alert_count, self.clock(), self.limits)
        return replace(change, alerts=alerts, alert_count=count)

    async def announce(self, alerts: Sequence[Alert]) -> None:
        """Ask for their ticks, best effort."""
        for alert in alerts:
            try:
                async with asyncio.timeout(ANNOUNCE_SECONDS):
                    await self.queue.schedule(alert.id, alert.due_at or self.clock())
            except (QueueUnavailable, TimeoutError) as error:
                emit("tick_failed", "WARNING", alert=alert.id[:12], error=described(error))
