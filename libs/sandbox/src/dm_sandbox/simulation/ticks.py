"""The alerts' queue in virtual time: one tick at a time, six seconds apart, tried again until it is answered with 2xx.

Faults of the site ``ticks.deliver``: late, a second delivery although all went well, or none at all.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from dm_core.http import Response
from dm_sandbox.cloud_tasks.records import QueueConfig
from dm_sandbox.simulation.journal import EPOCH_MS, Journal
from dm_sandbox.simulation.schedule import Fault, FaultKind

CONFIG: Final = QueueConfig(min_backoff=5.0, max_backoff=300.0, max_doublings=6)
SPACING: Final = 6.0
"""WhatsApp's limit for one pair of numbers, kept by the queue's rate."""
DEADLINE: Final = 30.0

Deliver = Callable[[str, float], Awaitable[Response | None]]
"""Deliver a tick once, waiting at most some seconds; None when there was no answer."""


@dataclass(slots=True)
class TickQueue:
    """``made``: the names of all ticks ever made. Times in s from the start."""

    loop: asyncio.AbstractEventLoop
    journal: Journal
    deliver: Deliver
    strike: Callable[[str], Fault | None]
    epoch_ms: int = EPOCH_MS
    made: dict[tuple[str, int], None] = field(default_factory=dict[tuple[str, int], None])
    delivered: int = 0
    _open: int = 0
    _free_at: float = 0.0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _running: dict[asyncio.Task[None], None] = field(default_factory=dict[asyncio.Task[None], None])

    @property
    def is_idle(self) -> bool:
        return not self._open

    def create(self, alert_id: str, not_before: int) -> bool:
        """False if there is one for this alert and time."""
        if (alert_id, not_before) in self.made:
            return False
        self.made[alert_id, not_before] = None
        self._open += 1
        wait = max(0.0, (not_before - self.epoch_ms) / 1000 - self.loop.time())
        self.loop.call_later(wait, self._due, alert_id)
        return True

    def _due(self, alert_id: str) -> None:
        fault = self.strike("ticks.deliver")
        if fault is not None and fault.kind is FaultKind.LOST:
            self.journal.note("ticks", f"{alert_id[:12]} is lost")
            self._open -= 1
            return
        self._begin(alert_id, fault.seconds if fault and fault.kind is FaultKind.DELAY else 0.0)
        if fault is not None and fault.kind is FaultKind.TWICE:
            self._open += 1
            self._begin(alert_id, fault.seconds)

    def _begin(self, alert_id: str, delay: float) -> None:
        work = self.loop.create_task(self._attempts(alert_id, delay))
        self._running[work] = None
        work.add_done_callback(lambda done: self._running.pop(done))

    async def _attempts(self, alert_id: str, delay: float) -> None:
        await asyncio.sleep(delay)
        failures = 0
        while not await self._attempt(alert_id):
            failures += 1
            await asyncio.sleep(CONFIG.backoff(failures))
        self._open -= 1

    async def _attempt(self, alert_id: str) -> bool:
        """One dispatch, in its turn."""
        async with self._turn:
            await asyncio.sleep(max(0.0, self._free_at - self.loop.time()))
            self._free_at = self.loop.time() + SPACING
            self.delivered += 1
            answer = await self.deliver(alert_id, DEADLINE)
        return answer is not None and 200 <= answer.status < 300
