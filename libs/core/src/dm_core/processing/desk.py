"""Where the manager's alerts are handed in: stored with the commit that causes them, then a tick is asked for."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dm_core.alerts import Alert, AlertLimits, AskedAlert, cause_alert, cause_key, new_alerts
from dm_core.clock import Clock, utc_day
from dm_core.errors import Owner, PlatformError, QueueUnavailable, Service, described
from dm_core.queue.port import AlertQueue
from dm_core.store.port import AlertStore, ThreadChange
from dm_core.telemetry import emit
from dm_core.threads import Thread

ANNOUNCE_SECONDS = 2.0
"""No run waits longer than this for a tick to be made: the sweeper looks at alerts by their own due time."""


@dataclass(frozen=True, slots=True)
class AlertDesk:
    """Turns what was asked for into alert documents."""

    store: AlertStore
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

    async def tell_cause(self, error: PlatformError, account_id: str) -> None:
        """One alert a day for what a person must mend, whichever thread met it first. Raises StoreUnavailable."""
        if error.owner is not Owner.ACCOUNT:
            return
        code = f"{error.code}/{error.subcode}" if error.subcode else str(error.code)
        account = "" if error.service is Service.MODEL else account_id
        key = cause_key(error.service, account, code, utc_day(self.clock()))
        text = f"I can't answer anybody just now: {error.service} refuses the account or its key ({described(error)})."
        alert = cause_alert(AskedAlert(key, text, "account", "urgent"), self.clock(), self.limits)
        if await self.store.create_alert(alert):
            emit("account_stopped", "ERROR", service=error.service, error=described(error))
            await self.announce((alert,))
