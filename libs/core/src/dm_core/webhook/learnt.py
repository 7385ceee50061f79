"""Tells the manager that a text was learnt to be the account's own, and how to undo it."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from dm_core.alerts import AlertLimits, AskedAlert, cause_alert
from dm_core.clock import Clock
from dm_core.durations import DAY_MS
from dm_core.errors import QueueUnavailable
from dm_core.queue.port import AlertQueue
from dm_core.store.port import AlertStore
from dm_core.webhook.automatic import FILE

_MAX_QUOTED_CHARS: Final = 500


@dataclass(frozen=True, slots=True)
class LearntAlerts:
    """Keeps ``AutomaticLearnt``: one alert for each text."""

    store: AlertStore
    queue: AlertQueue
    clock: Clock
    retention_days: int

    async def __call__(self, key: str, account_id: str, text: str) -> None:
        """Raises StoreUnavailable; a second alert of the same text is not stored."""
        quoted = text if len(text) <= _MAX_QUOTED_CHARS else text[: _MAX_QUOTED_CHARS - 1] + "…"
        words = (
            f"Instagram (account {account_id}) sends this text to people by itself:\n\n{quoted}\n\n"
            "From now on it does not count as an answer of yours, and the assistant goes on answering after it. "
            f"If you do write it yourself, have it listed under not_automatic in {FILE}."
        )
        limits = AlertLimits(retention_ms=self.retention_days * DAY_MS)
        asked = AskedAlert(f"automatic/{key}", words, "automatic_learnt")
        alert = cause_alert(asked, self.clock(), limits)
        await self.store.create_alert(alert)
        with suppress(QueueUnavailable):  # the sweep finds it
            await self.queue.schedule(alert.id, self.clock())
