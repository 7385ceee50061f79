"""What the rest of the processor does with alerts: it stores them with its own commits, and announces them here.

run ── commit(alerts=…) ── announce ─▶ queue of ticks        best effort: a lost task is found by the sweep
wait ─ cause_alert ──────── announce ─▶       "
sweep ─────────────────────────────────▶       "             by each alert's own ``due_at``
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from dm_core import alerts
from dm_core.alerts import Alert, AlertCount, AlertLimits, AskedAlert
from dm_core.clock import Clock
from dm_core.durations import MINUTE_MS
from dm_core.errors import AccountStopped, QueueUnavailable, Service, StoreUnavailable, described
from dm_core.queue.port import AlertQueue
from dm_core.store.port import AlertStore
from dm_core.telemetry import emit

GRACE_MS: Final = MINUTE_MS
"""How long after ``due_at`` an alert counts as overdue."""
ANNOUNCE_SECONDS: Final = 2.0
"""Nothing waits longer than this for a tick to be made."""
TICKS_A_MINUTE: Final = 10
"""As many as the queue lets through: each takes the most urgent alert, so more would find nothing."""

_CAUSES: Final = {
    Service.MODEL: "The model can't be used",
    Service.INSTAGRAM: "Instagram refuses this account",
    Service.WHATSAPP: "WhatsApp refuses this account",
    Service.SPOND: "The Spond calendar can't be read",
    Service.VAULT: "The stored tokens can't be read",
    Service.STORE: "The database can't be used",
    Service.QUEUE: "The queue can't be used",
}


@dataclass(frozen=True, slots=True)
class Alerts:
    """Makes alerts known. ``limits`` are those of ``new_alerts``."""

    store: AlertStore
    queue: AlertQueue
    clock: Clock
    limits: AlertLimits

    def new(
        self, asked: Iterable[AskedAlert], thread_id: str, count: AlertCount
    ) -> tuple[tuple[Alert, ...], AlertCount]:
        """Alerts for a commit of this thread, and its new count; see ``dm_core.alerts.new_alerts``."""
        return alerts.new_alerts(asked, thread_id, count, self.clock(), self.limits)

    async def announce(self, stored: Iterable[Alert]) -> None:
        """Ask for a tick for each alert that was stored. Never raises: a lost one is found by the sweep."""
        await asyncio.gather(*(self._announce(alert) for alert in stored))

    async def _announce(self, alert: Alert) -> None:
        if alert.due_at is None:
            return
        try:
            async with asyncio.timeout(ANNOUNCE_SECONDS):
                await self.queue.schedule(alert.id, alert.due_at)
        except (QueueUnavailable, TimeoutError) as error:
            emit("tick_not_scheduled", "WARNING", alert=alert.id[:12], error=described(error))

    async def cause_alert(
        self, service: Service, account_id: str, code: str, day: str = "", text: str | None = None
    ) -> bool:
        """Tell the manager of a cause that a person must mend: once a service, account, code and day.

        ``day`` as ``2026-11-29``; today (UTC) where it is empty. False if it was told already. Raises
        StoreUnavailable: then it may not be stored, and the wait it is for must not begin.
        """
        now = self.clock()
        day = day or datetime.fromtimestamp(now / 1000, UTC).strftime("%Y-%m-%d")
        words = (
            text or f"{_CAUSES[service]} ({code}). Conversations wait until this is fixed; see docs/deploy.md#rotation."
        )
        key = alerts.cause_key(service, account_id, code, day)
        alert = alerts.cause_alert(AskedAlert(key, words, cause=f"{service}/{code}"[:100]), now, self.limits)
        created = await self.store.create_alert(alert)
        if created:
            await self.announce((alert,))
        return created

    async def calendar_stopped(self, error: AccountStopped) -> None:
        """Tell the manager, once a day, that only a person can mend the calendar. Never raises: nobody waits for it."""
        words = f"{error}. Until it is mended people are told that the schedule can't be looked up."
        with suppress(StoreUnavailable):  # the next question tells it
            if await self.cause_alert(Service.SPOND, "", str(error.code), text=words):
                emit("account_stopped", "ERROR", service=error.service, error=described(error))

    async def sweep(self) -> int:
        """Ask for ticks for what is overdue, the most urgent first; how many alerts are.

        Raises StoreUnavailable, QueueUnavailable.
        """
        now = self.clock()
        overdue = await self.store.due_alerts(now - GRACE_MS, TICKS_A_MINUTE)
        for stored in overdue[:TICKS_A_MINUTE]:
            await self.queue.schedule(stored.alert.id, now)
        return len(overdue)
