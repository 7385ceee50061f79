"""What storing one request needs, and the calls it makes: each takes a slot, each outcome is counted."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dm_core.messages import Message
from dm_core.queue.port import WakeUp, WakeUpQueue
from dm_core.queue.wakeup import plan_wake_up
from dm_core.store.port import EventStore, ThreadEvents
from dm_core.webhook.automatic import NOTHING_LISTED, AutomaticLearnt, AutomaticTexts
from dm_core.webhook.batches import MessageFactory
from dm_core.webhook.store_clock import StoreClock

MAX_COMMIT: Final = 400
"""Most messages in one commit, so that with the thread it stays below 500 writes."""


@dataclass(frozen=True, slots=True)
class ReceiverPolicy:
    """What the deployment decides. Delays in seconds."""

    debounce_min: float
    debounce_max: float
    takeover_minutes: float
    retention_days: int
    account_ids: frozenset[str] = frozenset()
    automatic: AutomaticTexts = NOTHING_LISTED


@dataclass(frozen=True, slots=True)
class RequestWork:
    """The work on one request. Every remote call takes one of its ``slots``; ``counts`` gets a word per outcome;
    ``planning`` is the clock of wake-ups."""

    store: EventStore
    queue: WakeUpQueue
    policy: ReceiverPolicy
    factory: MessageFactory
    slots: asyncio.Semaphore
    counts: Counter[str]
    learnt: AutomaticLearnt
    planning: StoreClock

    async def call[T](self, call: Awaitable[T]) -> T:
        """A remote call, as soon as a slot is free."""
        async with self.slots:
            return await call

    def count(self, word: str, number: int = 1) -> None:
        """So many more of a kind, for the log."""
        if number:
            self.counts[word] += number

    def wake_up(self, thread_id: str) -> WakeUp:
        """The wake-up that will process what is stored now."""
        return plan_wake_up(thread_id, self.planning(), self.policy.debounce_min, self.policy.debounce_max)

    async def record(self, events: ThreadEvents, messages: Sequence[Message]) -> int:
        """One commit, or as few as its size allows; the time (``planning``) at which all was stored."""
        for start in range(0, len(messages), MAX_COMMIT):
            part = replace(events, messages=tuple(messages[start : start + MAX_COMMIT]))
            before = self.planning.own
            recorded = await self.call(self.store.record(part))
            self.planning.heard(before, recorded.at)
            self.count("duplicates", len(recorded.existing))
        return self.planning()


async def both[A, B](first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Both to their end, side by side, even when one fails: what one did is worth keeping."""
    one, two = await asyncio.gather(first, second, return_exceptions=True)
    if isinstance(one, BaseException):
        raise one
    if isinstance(two, BaseException):
        raise two
    return one, two


async def all_of[T](calls: Sequence[Awaitable[T]]) -> list[T]:
    """All to their end, side by side; then the first error, if any."""
    results: list[T] = []
    for result in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
        results.append(result)
    return results
