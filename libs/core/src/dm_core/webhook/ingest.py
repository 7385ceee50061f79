"""One thread's share of a request: what is stored, in which order, and when the thread will be woken.

    record ──────┐
    schedule ────┴─ again if too late ─ echoes ─ edits ─ unsends

Messages come first, so that an edit or an unsend finds what it is about even when both are in one request.
"""

from dataclasses import dataclass, replace
from typing import Final

from dm_core.messages import Status
from dm_core.queue.port import WakeUp
from dm_core.store.port import NewText
from dm_core.webhook.batches import ThreadBatch, ranks
from dm_core.webhook.events import Edit, Unknown, Unsend
from dm_core.webhook.quarantine import quarantined
from dm_core.webhook.takeover import store_echoes
from dm_core.webhook.work import RequestWork, all_of, both

_LATE_MS: Final = 1_000
_EARLY_MS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Ingest:
    """Stores the threads and the odd items of one request."""

    work: RequestWork

    async def thread(self, batch: ThreadBatch) -> None:
        """All of one thread. Raises Unavailable when some of it may not be stored or woken."""
        if batch.inbound:
            await self._inbound(batch)
        if batch.echoes:
            await store_echoes(self.work, batch)
        await all_of([self._edit(message_id, edit) for message_id, edit in batch.edits.items()])
        await all_of([self._unsend(message_id, unsend) for message_id, unsend in batch.unsends.items()])

    async def quarantine(self, item: Unknown) -> None:
        """Keep an item that was not understood, and say so loudly."""
        factory = self.work.factory
        await self.work.call(quarantined(self.work.store, item, factory.now, factory.expire_at))

    async def _inbound(self, batch: ThreadBatch) -> None:
        work, thread_id = self.work, batch.thread_key.thread_id
        came = zip(batch.inbound.items(), ranks(batch.inbound.values()), strict=True)
        messages = tuple(work.factory.inbound(id_, event, rank) for (id_, event), rank in came)
        work.count("expired", sum(message.disposition == "expired" for message in messages))
        events = replace(
            work.factory.events(batch.thread_key),
            last_inbound_at=max(event.sent_at for event in batch.inbound.values()),
        )
        if not any(message.status is Status.PENDING for message in messages):
            await work.record(events, messages)
            return
        wake_up = work.wake_up(thread_id)
        stored_at, _ = await both(
            work.record(replace(events, due_at=wake_up.fire_at), messages), work.call(work.queue.schedule(wake_up))
        )
        if self._is_off(wake_up, stored_at):
            work.count("scheduled_again")
            await work.call(work.queue.schedule(work.wake_up(thread_id)))

    def _is_off(self, wake_up: WakeUp, stored_at: int) -> bool:
        """The wake-up may have fired before the messages were there to be seen, or a clock ahead planned it.

        Half of the shortest delay keeps very short delays from doubling every task.
        """
        policy, ahead = self.work.policy, wake_up.fire_at - stored_at
        margin = min(_LATE_MS, round(policy.debounce_min * 1000 / 2))
        return ahead <= margin or ahead > round(policy.debounce_max * 1000) + _EARLY_MS

    async def _edit(self, message_id: str, edit: Edit) -> None:
        """The newest words count whenever they come; the store keeps those that come before their message."""
        new = NewText(edit.text, edit.number, edit.sent_at)
        if not await self.work.call(self.work.store.edit(self.work.factory.events(edit.thread_key), message_id, new)):
            self.work.count("edit_before_message")

    async def _unsend(self, message_id: str, unsend: Unsend) -> None:
        tombstone = self.work.factory.tombstone(message_id, unsend)
        events = self.work.factory.events(unsend.thread_key, (tombstone,))
        if not await self.work.call(self.work.store.unsend(events, message_id)):
            self.work.count("unsend_before_message")
