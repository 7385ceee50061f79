"""Cloud Tasks in virtual time: named tasks, reserved names, a schedule time, at-least-once delivery, retries.

A task whose answer is not 2xx, or does not come before the dispatch deadline, is delivered again after a backoff,
whether or not the first delivery still runs. Faults of the site ``queue.deliver``: late, a second delivery although
all went well, or none at all.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from dm_core.http import Response
from dm_core.queue.port import WakeUp
from dm_sandbox.cloud_tasks.records import QueueConfig
from dm_sandbox.simulation.journal import EPOCH_MS, Journal
from dm_sandbox.simulation.schedule import Fault, FaultKind

CONFIG: Final = QueueConfig(min_backoff=5.0, max_backoff=300.0, max_doublings=6)
DISPATCH_DEADLINE: Final = 305.0
DISPATCH_JITTER: Final = 1.5
"""How much later than its schedule time a task is usually delivered at most, in s."""

Deliver = Callable[[WakeUp, float], Awaitable[Response | None]]
"""Deliver a task once, waiting at most some seconds; None when there was no answer."""


@dataclass(slots=True, eq=False)
class Task:
    """One task. Times in s from the start; ``delivered_at`` are the moments its deliveries began."""

    wake_up: WakeUp
    created_at: float
    fires_at: float
    delivered_at: list[float] = field(default_factory=list[float])
    done: bool = False


@dataclass(slots=True)
class SimulatedQueue:
    """``tasks`` by name; a name stays taken (24 h in truth, for ever here). ``forgotten``: threads that lost a task."""

    loop: asyncio.AbstractEventLoop
    rng: Random
    journal: Journal
    deliver: Deliver
    strike: Callable[[str], Fault | None]
    tasks: dict[str, Task] = field(default_factory=dict[str, Task])
    forgotten: set[str] = field(default_factory=set[str])
    epoch_ms: int = EPOCH_MS
    _running: dict[asyncio.Task[None], None] = field(default_factory=dict[asyncio.Task[None], None])

    def create(self, wake_up: WakeUp) -> bool:
        """False if a task of this name exists or existed."""
        if wake_up.name in self.tasks:
            self.journal.states["wake_up:shared"] += 1
            return False
        now = self.loop.time()
        task = Task(wake_up, now, max(now, (wake_up.fire_at - self.epoch_ms) / 1000))
        self.tasks[wake_up.name] = task
        self.loop.call_later(task.fires_at - now + self.rng.uniform(0, DISPATCH_JITTER), self._dispatch, task)
        return True

    def waiting(self, thread_id: str) -> list[Task]:
        """Tasks of a thread that are not done."""
        return [task for task in self.tasks.values() if task.wake_up.thread_id == thread_id and not task.done]

    @property
    def is_idle(self) -> bool:
        return not self._running and all(task.done for task in self.tasks.values())

    def deliver_now(self, wake_up: WakeUp) -> None:
        """A task that fires this very moment."""
        task = self.tasks[wake_up.name] = Task(wake_up, self.loop.time(), self.loop.time())
        self._begin(task, 0.0)

    def _dispatch(self, task: Task) -> None:
        fault = self.strike("queue.deliver")
        if fault and fault.kind is FaultKind.LOST:
            self.journal.note("queue", f"{task.wake_up.name[-12:]} is lost")
            task.done = True
            self.forgotten.add(task.wake_up.thread_id)
            return
        seconds = fault.seconds if fault else 0.0
        self._begin(task, seconds if fault and fault.kind is FaultKind.DELAY else 0.0)
        if fault and fault.kind is FaultKind.TWICE:
            self._begin(task, seconds)

    def _begin(self, task: Task, delay: float) -> None:
        work = self.loop.create_task(self._attempts(task, delay))
        self._running[work] = None
        work.add_done_callback(lambda done: self._running.pop(done))

    async def _attempts(self, task: Task, delay: float) -> None:
        await asyncio.sleep(delay)
        failures = 0
        while True:
            task.delivered_at.append(self.loop.time())
            answer = await self.deliver(task.wake_up, DISPATCH_DEADLINE)
            if answer is not None and 200 <= answer.status < 300:
                break
            failures += 1
            self.journal.states[f"task:retried {answer.status if answer else 'no answer'}"] += 1
            await asyncio.sleep(CONFIG.backoff(failures))
        task.done = True


def task_body(wake_up: WakeUp) -> bytes:
    """What the task carries."""
    body = {"outboxId": wake_up.outbox_id} if wake_up.outbox_id else {"threadId": wake_up.thread_id}
    return json.dumps(body).encode()
