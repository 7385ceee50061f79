"""One queue at work: waits for what is due and allowed, sends it, and settles what came back.

::

    add ──▶ [heap by schedule time] ──due, not paused, a token, a free slot──▶ attempt ──2xx──▶ ended, name reserved
                    ▲                                                             │
                    └────────────── backoff, or given up ◀────────────────────────┘ else

A task stays in ``tasks``, and in the journal, until it is done, given up, deleted or purged: a restart delivers what
was under way again.
"""

import asyncio
import contextlib
import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import httpx

from dm_core.clock import Clock
from dm_sandbox.cloud_tasks.delivery import Outcome, deliver
from dm_sandbox.cloud_tasks.journal import Journal
from dm_sandbox.cloud_tasks.limits import RateLimiter
from dm_sandbox.cloud_tasks.records import Attempt, Counters, EventKind, QueueConfig, QueueEvent, TaskRecord


@dataclass(slots=True)
class Shared:
    """What all queues of one emulator share. ``reserved`` maps full task names to when they are free again (ms)."""

    clock: Clock
    client: httpx.AsyncClient
    journal: Journal
    reserved: dict[str, int]
    counters: Counters
    on_event: Callable[[QueueEvent], None]
    doubles: int = 0
    doubles_together: bool = True


class QueueRunner:
    """The tasks of one queue. All methods belong to the event loop it was started in."""

    def __init__(self, name: str, config: QueueConfig, shared: Shared, *, paused: bool = False) -> None:
        self.name = name
        self.config = config
        self.paused = paused
        self.purged_at = 0
        self.tasks: dict[str, TaskRecord] = {}
        self.limiter = RateLimiter(config.max_dispatches_per_second, config.throttle_seconds)
        self._shared = shared
        self._heap: list[tuple[int, str]] = []
        self._due: dict[str, int] = {}
        self._attempts: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._loop = asyncio.create_task(self._run(), name=f"queue {name}")

    async def stop(self) -> None:
        """Drop every attempt under way, as a crash would; their tasks stay."""
        await asyncio.gather(*self.cancel(), return_exceptions=True)

    def cancel(self) -> list[asyncio.Task[None]]:
        """As ``stop``, without waiting for what it ends."""
        workers = [self._loop, *self._attempts]
        for worker in workers:
            worker.cancel()
        return workers

    def add(self, task: TaskRecord) -> None:
        """Take a task that the journal has; its name is free."""
        self.tasks[task.name] = task
        self._schedule(task)

    def redirect(self, base_url: str) -> None:
        """Every task that waits goes to this scheme, host and port."""
        scheme, host, *_ = urlsplit(base_url)
        for task in list(self.tasks.values()):
            moved = replace(task, url=urlsplit(task.url)._replace(scheme=scheme, netloc=host).geturl())
            self._shared.journal.put_task(moved)
            self.tasks[task.name] = moved

    def run_now(self, name: str) -> TaskRecord:
        """Send it at once: paused or not, limits or not (RunTask)."""
        self.tasks[name] = task = replace(self.tasks[name], schedule_at=self._shared.clock())
        self._start(task)
        return self.tasks[name]

    def look_again(self) -> None:
        """Don't trust the wait that was reckoned before."""
        self._changed.set()

    def delete(self, name: str) -> None:
        self._end(self.tasks[name])
        self.emit("deleted", self.name, name)

    def purge(self) -> None:
        """Drop every task; an attempt under way is not called back."""
        self.purged_at = self._shared.clock()
        for task in list(self.tasks.values()):
            self._end(task)
        self.emit("purged", self.name)

    def set_paused(self, paused: bool) -> None:
        self.paused = paused
        self._remember()
        self.emit("paused" if paused else "resumed", self.name)

    def configure(self, config: QueueConfig) -> None:
        self.config = config
        self.limiter = RateLimiter(config.max_dispatches_per_second, config.throttle_seconds)
        self._remember()

    def emit(self, kind: EventKind, queue: str, task: str = "", **detail: object) -> None:
        event = QueueEvent(kind, self._shared.clock(), queue.rpartition("/")[2], task.rpartition("/")[2], detail)
        self._shared.on_event(event)

    def _remember(self) -> None:
        self._shared.journal.put_queue(self.name, self.paused, self.config)
        self._changed.set()

    def _schedule(self, task: TaskRecord) -> None:
        self._due[task.name] = task.schedule_at
        heapq.heappush(self._heap, (task.schedule_at, task.name))
        self._changed.set()

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            wait = self._start_what_may_start()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()

    def _start_what_may_start(self) -> float | None:
        """Seconds until it is worth looking again; None until something changes."""
        while not self.paused and len(self._attempts) < self.config.max_concurrent_dispatches:
            task = self._first()
            if task is None:
                return None
            wait = max((task.schedule_at - self._shared.clock()) / 1000, self.limiter.wait_seconds())
            if wait > 0:
                return wait
            heapq.heappop(self._heap)
            self.limiter.take()
            self._start(task)
        return None

    def _first(self) -> TaskRecord | None:
        """The next task by schedule time. Heap entries of tasks that are gone, under way or scheduled anew are dropped:
        only the one that ``_due`` knows counts."""
        while self._heap:
            schedule_at, name = self._heap[0]
            if self._due.get(name) == schedule_at:
                return self.tasks[name]
            heapq.heappop(self._heap)
        return None

    def _start(self, task: TaskRecord) -> None:
        now = self._shared.clock()
        task = replace(task, dispatch_count=task.dispatch_count + 1, first_attempt_at=task.first_attempt_at or now)
        self.tasks[task.name] = task
        self._due.pop(task.name, None)
        self._shared.journal.put_task(task)
        attempt = asyncio.create_task(self._attempt(task, now), name=f"attempt {task.short_name}")
        self._attempts.add(attempt)
        attempt.add_done_callback(self._attempt_ended)

    def _attempt_ended(self, attempt: asyncio.Task[None]) -> None:
        self._attempts.discard(attempt)
        self._changed.set()
        if not attempt.cancelled():
            attempt.result()

    async def _attempt(self, task: TaskRecord, now: int) -> None:
        shared = self._shared
        double = shared.doubles > 0
        if double:
            shared.doubles -= 1
        if double and shared.doubles_together:
            outcome, _ = await asyncio.gather(self._deliver(task, now), self._deliver(task, now))
        else:
            outcome = await self._deliver(task, now)
            if double:
                await self._deliver(task, now)
        self._settle(task, now, outcome)

    async def _deliver(self, task: TaskRecord, now: int) -> Outcome:
        self._shared.counters.dispatched += 1
        self.emit("dispatched", self.name, task.name, attempt=task.dispatch_count, url=task.url)
        return await deliver(self._shared.client, task, now)

    def _settle(self, task: TaskRecord, dispatched_at: int, outcome: Outcome) -> None:
        """A task that was deleted meanwhile is gone, however its attempt ended."""
        shared, now = self._shared, self._shared.clock()
        detail = {"attempt": task.dispatch_count, "status": outcome.status, "ms": now - dispatched_at}
        if outcome.succeeded:
            shared.counters.succeeded += 1
            self.emit("succeeded", self.name, task.name, **detail)
            self._end(task)
            return
        shared.counters.failed += 1
        self.emit("failed", self.name, task.name, reason=outcome.reason, **detail)
        if outcome.throttles:
            self.limiter.throttle()
            self.emit("throttled", self.name, per_second=self.limiter.rate)
        current = self.tasks.get(task.name)
        if current is None:
            return
        attempt = Attempt(task.schedule_at, dispatched_at, now, outcome.code, outcome.status, outcome.reason)
        responses = current.response_count + (1 if outcome.status else 0)
        executions = current.execution_count + outcome.executed
        failed = replace(current, response_count=responses, execution_count=executions, last=attempt)
        self._retry(failed, now, outcome.retry_after)

    def _retry(self, task: TaskRecord, now: int, retry_after: float) -> None:
        if self.config.gives_up(task.dispatch_count, task.first_attempt_at, now):
            self._shared.counters.given_up += 1
            self.emit("given_up", self.name, task.name, attempt=task.dispatch_count)
            self._end(task)
            return
        wait = max(self.config.backoff(task.dispatch_count), retry_after)
        again = replace(task, schedule_at=now + round(wait * 1000))
        self._shared.journal.put_task(again)
        self.add(again)

    def _end(self, task: TaskRecord) -> None:
        """The task is gone for good; its name stays taken for a while."""
        if self.tasks.pop(task.name, None) is None:
            return
        self._due.pop(task.name, None)
        until = self._shared.clock() + round(self.config.reservation_seconds * 1000)
        self._shared.reserved[task.name] = until
        self._shared.journal.end_task(task.name, until)
