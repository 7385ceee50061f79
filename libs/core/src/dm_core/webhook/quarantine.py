"""What was authentic and not understood is kept for a person to look at, and said loudly."""

from typing import Final, Protocol

from dm_core.telemetry import emit
from dm_core.webhook.events import Unknown

MAX_QUARANTINED: Final = 1_000
"""Most single items one request may put into quarantine; a real one holds at most 1,000 in all."""


class QuarantineStore(Protocol):
    """The one method of the store that this needs."""

    async def quarantine(
        self, item_id: str, raw: str, reason: str, now: int, expire_at: int, user_ids: tuple[str, ...] = ()
    ) -> None: ...


async def quarantined(store: QuarantineStore, item: Unknown, now: int, expire_at: int) -> None:
    """Keep an item until ``expire_at`` (ms since 1970). Raises StoreUnavailable."""
    await store.quarantine(item.key, item.raw, item.reason, now, expire_at, item.user_ids)
    emit("item_quarantined", "ERROR", item=item.key[:12], reason=item.reason, chars=len(item.raw))
