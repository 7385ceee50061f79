"""Echoes of one thread: whose words each repeats, and whether a human took the thread over.

look ─ strangers: look again, and at what is known of their text ─┬─ ours, automatic, reports: history
                                                                  └─ a human's: history and a pause
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dm_core.durations import DAY_MS, MINUTE_MS
from dm_core.messages import Direction, Disposition, Message
from dm_core.store.port import EchoView, ThreadEvents
from dm_core.telemetry import emit
from dm_core.webhook.automatic import (
    PROMPTLY_MS,
    Candidate,
    Pause,
    candidate,
    candidate_key,
    said,
    settled,
    sighted,
)
from dm_core.webhook.batches import ThreadBatch, ranks
from dm_core.webhook.echoes import Author, author_of
from dm_core.webhook.events import Echo
from dm_core.webhook.work import RequestWork, all_of

UNKNOWN_THREAD_MS: Final = DAY_MS
"""How long echoes of a thread without any DM are kept."""

LEARNT_MS: Final = 400 * DAY_MS
"""How long a learnt text is remembered: a year's welcome message, and no words of anybody."""

_DIRECTIONS: Final = {
    Author.OURS: Direction.OUTBOUND,
    Author.AUTOMATIC: Direction.OUTBOUND,
    Author.REPORT: Direction.HUMAN,
    Author.HUMAN: Direction.HUMAN,
}


async def store_echoes(work: RequestWork, batch: ThreadBatch) -> None:
    """Look at all, then store all: the order within the thread is that of one commit."""
    await _EchoStoring(work, batch).store()


@dataclass(frozen=True, slots=True)
class _Judged:
    author: Author
    view: EchoView


@dataclass(frozen=True, slots=True)
class _EchoStoring:
    work: RequestWork
    batch: ThreadBatch

    async def store(self) -> None:
        judged = await self._judge(tuple(self.batch.echoes))
        # A view is no snapshot: a finish between its two documents hides a reply of ours from both. Its message is
        # stored by then, so a second look finds it; a human's echo is rare enough to be looked at twice.
        judged |= await self._judge(_by(judged, Author.HUMAN))
        strangers = _by(judged, Author.HUMAN)
        for id_ in strangers:
            judged[id_] = replace(judged[id_], author=await self._told_apart(id_, judged[id_].view))
        for author in Author:
            self.work.count(f"echo_{author.value}", len(_by(judged, author)))
        await self._record(judged)

    async def _judge(self, ids: Sequence[str]) -> dict[str, _Judged]:
        thread_id, store, texts = self.batch.thread_key.thread_id, self.work.store, self.work.policy.automatic
        views = await all_of([self.work.call(store.echo_view(thread_id, id_)) for id_ in ids])
        return {
            id_: _Judged(author_of(self.batch.echoes[id_], view, texts), view)
            for id_, view in zip(ids, views, strict=True)
        }

    async def _record(self, judged: dict[str, _Judged]) -> None:
        lasting = any(each.view.last_inbound_at for each in judged.values())
        messages = [
            self._message(id_, judged[id_].author, rank, lasting=lasting)
            for id_, rank in zip(self.batch.echoes, ranks(self.batch.echoes.values()), strict=True)
            if judged[id_].author in _DIRECTIONS
        ]
        human = [message for message in messages if judged[message.id].author is Author.HUMAN]
        others = [message for message in messages if judged[message.id].author is not Author.HUMAN]
        # What was looked at still holds when it is stored, so that nothing is stored in a thread erased meanwhile.
        seen = [each.view.version for each in judged.values()][-1]
        events = replace(self.work.factory.events(self.batch.thread_key), lasting=lasting, seen=seen)
        await self.work.record(self._paused(events, human), human)
        await self.work.record(replace(events, touch_thread=False), others)

    def _message(self, id_: str, author: Author, rank: int, *, lasting: bool) -> Message:
        message = self.work.factory.echo(id_, self.batch.echoes[id_], _DIRECTIONS[author], rank)
        if author is Author.AUTOMATIC and not message.disposition:
            message = replace(message, disposition=Disposition.AUTOMATIC)
        return message if lasting else replace(message, expire_at=self.work.factory.now + UNKNOWN_THREAD_MS)

    def _paused(self, events: ThreadEvents, human: Iterable[Message]) -> ThreadEvents:
        if all(self.batch.echoes[message.id].standby for message in human):
            return events
        emit("human_took_over", thread_id=events.thread_id, paused_until=self._pause_end)
        # A late echo of what was written before a handover answers none.
        written = [self.batch.echoes[message.id].sent_at for message in human]
        return replace(events, paused_until=self._pause_end, human_at=min(max(written), events.now))

    @property
    def _pause_end(self) -> int:
        return self.work.factory.now + round(self.work.policy.takeover_minutes * MINUTE_MS)

    # -- the account's own automatic messages

    async def _told_apart(self, id_: str, view: EchoView) -> Author:
        """A human's, or a text that is known, or now becomes known, to be the account's own."""
        echo, work = self.batch.echoes[id_], self.work
        text = said(echo.content)
        if echo.standby or not text or text in work.policy.automatic.excluded:
            return Author.HUMAN
        key = candidate_key(echo.thread_key.account_id, text)
        kept = candidate(await work.call(work.store.get_document("automatic", key)) or {})
        if not kept.is_learnt and self._came_promptly(echo, view):
            kept = await self._sight(key, view)
        if not kept.is_learnt:
            return Author.HUMAN
        if kept.told_at is None:
            await self._learn(key, text, kept)
        return Author.AUTOMATIC

    def _came_promptly(self, echo: Echo, view: EchoView) -> bool:
        return bool(view.last_inbound_at) and 0 <= echo.sent_at - view.last_inbound_at <= PROMPTLY_MS

    async def _sight(self, key: str, view: EchoView) -> Candidate:
        now = self.work.factory.now
        before = view.paused_until if view.paused_until and view.paused_until > now else None
        pause = Pause(self.batch.thread_key.thread_id, self._pause_end, before)
        revised = self.work.store.revise_document(
            "automatic", key, lambda kept: sighted(kept, pause, now), self.work.factory.expire_at
        )
        return candidate(await self.work.call(revised))

    async def _learn(self, key: str, text: str, kept: Candidate) -> None:
        """Lift what the text caused, tell the manager, and remember both: repeated whole if any of it fails."""
        work, now = self.work, self.work.factory.now
        await asyncio.gather(*(self._lift(pause) for pause in kept.pauses))
        await work.learnt(key, self.batch.thread_key.account_id, text)
        settling = work.store.revise_document("automatic", key, lambda kept: settled(kept, now), now + LEARNT_MS)
        await work.call(settling)
        emit("automatic_message_learnt", "WARNING", key=key[:12], pauses=len(kept.pauses))

    async def _lift(self, pause: Pause) -> None:
        """End a pause, and wake its thread: what came in it can be answered now."""
        if pause.thread_id == self.batch.thread_key.thread_id:
            return  # it is not stored yet, and will not be
        lifted = self.work.store.lift_pause(pause.thread_id, pause.until, pause.before, self.work.factory.now)
        if await self.work.call(lifted):
            await self.work.call(self.work.queue.schedule(self.work.wake_up(pause.thread_id)))


def _by(judged: dict[str, _Judged], author: Author) -> tuple[str, ...]:
    return tuple(id_ for id_, each in judged.items() if each.author is author)
