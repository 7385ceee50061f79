"""Stores what a request brought and makes sure that each thread with a new DM will be woken.

All threads side by side, with a bound on the calls under way. The request has succeeded only when all of it has; what
failed is redelivered, and what was stored is then a duplicate.

    request ─┬─ thread A: record ‖ schedule, … ─┬─ 200, or 500 if anything failed
             ├─ thread B: …                     │
             └─ quarantine of each odd item ────┘
"""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dm_core.clock import Clock
from dm_core.durations import DAY_MS
from dm_core.queue.port import WakeUpQueue
from dm_core.store.port import EventStore
from dm_core.telemetry import hashed
from dm_core.webhook.automatic import AutomaticLearnt
from dm_core.webhook.batches import Batches, MessageFactory, ThreadBatch
from dm_core.webhook.events import Event
from dm_core.webhook.ingest import Ingest
from dm_core.webhook.store_clock import StoreClock
from dm_core.webhook.work import ReceiverPolicy, RequestWork

MAX_CALLS: Final = 64
"""Most remote calls one request has under way."""

MAX_THREADS: Final = 32
"""Most threads one request works on at a time: two calls each. A thread's wake-up is planned when its turn comes, so
that in a large request it has not fired before its messages are stored."""

_MAX_NAMED_THREADS: Final = 20


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a request: how many of each kind, and the errors that make it worth a redelivery.

    ``threads``: the first threads it touched, hashed, for the log.
    """

    counts: Counter[str]
    failures: tuple[BaseException, ...]
    threads: tuple[str, ...]


class Receiver:
    """Takes the events of a request; safe to call concurrently."""

    def __init__(
        self, store: EventStore, queue: WakeUpQueue, clock: Clock, policy: ReceiverPolicy, learnt: AutomaticLearnt
    ) -> None:
        self._learnt = learnt
        self._store = store
        self._queue = queue
        self._clock = clock
        self._planning = StoreClock(clock)
        self._policy = policy

    async def receive(self, events: Iterable[Event]) -> Receipt:
        """Store and schedule all of it. A failure of one thread leaves the others alone and is told in the receipt."""
        batches = Batches.of(events, self._policy.account_ids)
        now = self._clock()
        work = RequestWork(
            self._store,
            self._queue,
            self._policy,
            MessageFactory(now, now + self._policy.retention_days * DAY_MS),
            asyncio.Semaphore(MAX_CALLS),
            batches.counts,
            self._learnt,
            self._planning,
        )
        ingest = Ingest(work)
        turns = asyncio.Semaphore(MAX_THREADS)

        async def in_turn(batch: ThreadBatch) -> None:
            async with turns:
                await ingest.thread(batch)

        outcomes = await asyncio.gather(
            *(in_turn(batch) for batch in batches.threads.values()),
            *map(ingest.quarantine, batches.unknown.values()),
            return_exceptions=True,
        )
        failures = tuple(outcome for outcome in outcomes if outcome is not None)
        threads = tuple(hashed(thread_id) for thread_id in list(batches.threads)[:_MAX_NAMED_THREADS])
        return Receipt(batches.counts, failures, threads)
