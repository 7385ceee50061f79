"""What somebody writes is read in the order in which they wrote it, and a conversation gets it in that order.

Two messages within a second have a task each, and nothing keeps the second one's from being served first: *resume*
before *pause*, the text of an edit before the tap that asks for it, the end of a sentence before its beginning.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from dm_core.clock import Clock
from dm_core.durations import DAY_MS, MINUTE_MS
from dm_core.errors import RetryLater
from dm_core.outbox import OutboxItem, OutboxState
from dm_core.store.port import OutboxStore

PAUSES: Final = (0.2, 0.4, 0.8)
"""Seconds before it is looked again: what was written a moment ago is mostly read by then."""
UNREAD_MS: Final = 10 * MINUTE_MS
"""How long an unread message keeps later ones of its writer waiting: one that can't be read must not do it for ever."""
MAX_OPEN: Final = 50
"""Most open items looked at."""


@dataclass(frozen=True, slots=True)
class Order:
    """Lets an item wait for what comes before it."""

    store: OutboxStore
    clock: Clock

    async def wait(self, item: OutboxItem) -> None:
        """Until nothing comes first. Raises RetryLater where that takes longer than a moment, StoreUnavailable."""
        waited = (self.clock() - item.created_at) / 1000
        pauses = list(PAUSES) if waited < sum(PAUSES) else []
        while await self._is_preceded(item):
            if not pauses:
                raise RetryLater("an earlier message comes first", wait_seconds=min(max(1.0, waited / 2), 60.0))
            await asyncio.sleep(pauses.pop(0))

    async def _is_preceded(self, item: OutboxItem) -> bool:
        now = self.clock()
        for item_id in await self.store.due_outbox(now + DAY_MS, MAX_OPEN):
            found = None if item_id == item.id else await self.store.get_outbox(item_id)
            if found is not None and precedes(found.item, item, now):
                return True
        return False


def precedes(other: OutboxItem, item: OutboxItem, now: int) -> bool:
    """Whether an item must wait for this other one: unread for what its writer wrote before, to be sent for what goes
    to its conversation before it."""
    if (other.sent_at or other.created_at, other.created_at) >= (item.sent_at or item.created_at, item.created_at):
        return False
    if item.state is OutboxState.RECEIVED:
        same = (other.origin, other.sender) == (item.origin, item.sender)
        return same and other.state is OutboxState.RECEIVED and now - other.created_at < UNREAD_MS
    same = other.thread_id == item.thread_id
    return same and other.state is OutboxState.PLANNED and now - other.created_at < DAY_MS
