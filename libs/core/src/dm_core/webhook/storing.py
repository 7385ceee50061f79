"""One thread's share of a request: what is stored, in which order, and when the thread will be woken.

    record ──────┐
    schedule ────┴─ again if too late ─ echoes ─ edits ─ unsends

Messages come first, so that an edit or an unsend finds what it is about even when both are in one request.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dm_core.clock import Clock
from dm_core.messages import Direction, Message, Status
from dm_core.queue.port import WakeUp, WakeUpQueue
from dm_core.queue.wakeup import plan
from dm_core.store.port import EventStore, ThreadEvents
from dm_core.telemetry import emit
from dm_core.webhook.batches import Scribe, ThreadBatch, ranks
from dm_core.webhook.echoes import Author, author_of
from dm_core.webhook.events import Edit, Unknown, Unsend

MAX_COMMIT: Final = 400
"""Most messages in one commit, so that with the thread it stays below 500 writes."""

_LATE_MS: Final = 1_000
_MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class ReceiverPolicy:
    """What the deployment decides. Delays in seconds."""

    debounce_min: float
    debounce_max: float
    takeover_minutes: float
    retention_days: int
    account_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Storing:
    """The work on one request. Every remote call takes one of its ``slots``; ``counts`` gets a word per outcome."""

    store: EventStore
    queue: WakeUpQueue
    clock: Clock
    policy: ReceiverPolicy
    scribe: Scribe
    slots: asyncio.Semaphore
    counts: Counter[str]

    async def thread(self, batch: ThreadBatch) -> None:
        """All of one thread. Raises Unavailable when some of it may not be stored or woken."""
        if batch.inbound:
            await self._inbound(batch)
        if batch.echoes:
            await self._echoes(batch)
        await _all([self._edit(message_id, edit) for message_id, edit in batch.edits.items()])
        await _all([self._unsend(message_id, unsend) for message_id, unsend in batch.unsends.items()])

    async def quarantine(self, item_id: str, item: Unknown) -> None:
        """Keep an item that was not understood, and say so loudly."""
        now, expire_at = self.scribe.now, self.scribe.expire_at
        await self._call(self.store.quarantine(item_id, item.raw, item.reason, now, expire_at))
        emit("item_quarantined", "ERROR", item=item_id[:12], reason=item.reason, chars=len(item.raw))

    async def _inbound(self, batch: ThreadBatch) -> None:
        came = zip(batch.inbound.items(), ranks(batch.inbound.values()), strict=True)
        messages = tuple(self.scribe.inbound(id_, event, rank) for (id_, event), rank in came)
        self._count("expired", sum(message.disposition == "expired" for message in messages))
        events = replace(
            self.scribe.events(batch.place), last_inbound_at=max(event.sent_at for event in batch.inbound.values())
        )
        if not any(message.status is Status.PENDING for message in messages):
            await self._record(events, messages)
            return
        wake_up = self._plan(batch)
        stored_at, _ = await _both(
            self._record(replace(events, due_at=wake_up.fire_at), messages), self._call(self.queue.schedule(wake_up))
        )
        if self._is_late(wake_up, stored_at):
            self._count("scheduled_again")
            await self._call(self.queue.schedule(self._plan(batch)))

    def _plan(self, batch: ThreadBatch) -> WakeUp:
        return plan(batch.place.thread_id, self.clock(), self.policy.debounce_min, self.policy.debounce_max)

    def _is_late(self, wake_up: WakeUp, stored_at: int) -> bool:
        """The wake-up may have fired before the messages were there to be seen.

        Half of the shortest delay keeps very short delays from doubling every task.
        """
        margin = min(_LATE_MS, round(self.policy.debounce_min * 1000 / 2))
        return stored_at >= wake_up.fire_at - margin

    async def _record(self, events: ThreadEvents, messages: Sequence[Message]) -> int:
        """One commit, or as few as its size allows; the time (ms since 1970) at which all was stored."""
        for start in range(0, len(messages), MAX_COMMIT):
            part = replace(events, messages=tuple(messages[start : start + MAX_COMMIT]))
            recorded = await self._call(self.store.record(part))
            self._count("duplicates", len(recorded.existing))
        return self.clock()

    async def _echoes(self, batch: ThreadBatch) -> None:
        """Look at all, then store all: the order within the thread is that of one commit."""
        authors = await self._authors(batch, tuple(batch.echoes))
        strangers = tuple(id_ for id_, author in authors.items() if author is Author.HUMAN)
        # A view is no snapshot: a finish between its two documents hides a reply of ours from both. Its message is
        # stored by then, so a second look finds it; a human's echo is rare enough to be looked at twice.
        authors |= await self._authors(batch, strangers)
        for author in Author:
            self._count(f"echo_{author.value}", sum(found is author for found in authors.values()))
        directions = {Author.OURS: Direction.OUTBOUND, Author.HUMAN: Direction.HUMAN}
        messages = [
            self.scribe.echo(id_, batch.echoes[id_], directions[authors[id_]], rank)
            for id_, rank in zip(batch.echoes, ranks(batch.echoes.values()), strict=True)
            if authors[id_] in directions
        ]
        ours = [message for message in messages if message.direction is Direction.OUTBOUND]
        human = [message for message in messages if message.direction is Direction.HUMAN]
        events = self.scribe.events(batch.place)
        if any(not batch.echoes[message.id].standby for message in human):
            paused_until = self.scribe.now + round(self.policy.takeover_minutes * _MINUTE_MS)
            await self._record(replace(events, paused_until=paused_until), human)
            emit("human_took_over", thread_id=batch.place.thread_id, paused_until=paused_until)
        else:
            await self._record(events, human)
        await self._record(replace(events, touch_thread=False), ours)

    async def _authors(self, batch: ThreadBatch, ids: Sequence[str]) -> dict[str, Author]:
        views = await _all([self._call(self.store.echo_view(batch.place.thread_id, id_)) for id_ in ids])
        return {id_: author_of(batch.echoes[id_], view) for id_, view in zip(ids, views, strict=True)}

    async def _edit(self, message_id: str, edit: Edit) -> None:
        """An edit that finds no pending message is only counted: it came too early or too late to matter.

        Too early is harmless: the platform's early ones (num_edit 0) carry no text.
        """
        now = self.scribe.now
        if not await self._call(self.store.edit(edit.place.thread_id, message_id, edit.text, now)):
            self._count("edit_without_effect")

    async def _unsend(self, message_id: str, unsend: Unsend) -> None:
        tombstone = self.scribe.tombstone(message_id, unsend)
        if not await self._call(self.store.unsend(self.scribe.events(unsend.place, (tombstone,)), message_id)):
            self._count("unsend_before_message")

    async def _call[T](self, call: Awaitable[T]) -> T:
        async with self.slots:
            return await call

    def _count(self, word: str, number: int = 1) -> None:
        if number:
            self.counts[word] += number


async def _both[A, B](first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Both to their end, side by side, even when one fails: what one did is worth keeping."""
    one, two = await asyncio.gather(first, second, return_exceptions=True)
    if isinstance(one, BaseException):
        raise one
    if isinstance(two, BaseException):
        raise two
    return one, two


async def _all[T](calls: Sequence[Awaitable[T]]) -> list[T]:
    """All to their end, side by side; then the first error, if any."""
    results: list[T] = []
    for result in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
        results.append(result)
    return results
