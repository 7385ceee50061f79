"""Everything of one simulation put together; ``play`` runs it."""

import asyncio
import json
from collections.abc import Callable
from random import Random
from typing import Final, cast

from dm_core.http import Answer, Request
from dm_core.messages import DAY_MS
from dm_core.queue.port import WakeUp
from dm_core.settings import RunLimits
from dm_sandbox.memory_database import MemoryDatabase
from dm_sandbox.platforms.meta import Mids
from dm_sandbox.simulation.cloud_tasks import SimulatedQueue
from dm_sandbox.simulation.fleet import ACCOUNT, Fleet, limits_of
from dm_sandbox.simulation.journal import EPOCH_MS, Journal
from dm_sandbox.simulation.loop import VirtualLoop
from dm_sandbox.simulation.meta import Meta
from dm_sandbox.simulation.model import Brain
from dm_sandbox.simulation.monitor import Monitor
from dm_sandbox.simulation.network import FaultyNetwork, Network
from dm_sandbox.simulation.people import Ledger, Person
from dm_sandbox.simulation.platforms import Effect, Platforms
from dm_sandbox.simulation.ports import Shared
from dm_sandbox.simulation.schedule import Schedule

BOUND: Final = 1_200.0
"""Seconds after the last fault within which everything must have ended: a lease (330), the sweeper's grace and minute
(120), a debounce (15), a queue's longest backoff (300) and a wait that a platform asked for (400), side by side or in a
row as far as one causes the next."""
SWEEP_SECONDS: Final = 60.0

NetworkOf = Callable[[Journal], Network]


class World:
    """Everything of one simulation. It is made inside its own loop's thread and used once."""

    def __init__(
        self,
        schedule: Schedule,
        loop: VirtualLoop,
        *,
        traced: bool,
        network: NetworkOf | None = None,
        limits: RunLimits | None = None,
    ) -> None:
        rng = Random(f"world {schedule.seed}")
        self.schedule, self.loop, self.rng = schedule, loop, rng
        self.is_calm = not schedule.faults
        self.epoch_ms = EPOCH_MS + rng.randrange(DAY_MS)
        self.journal = Journal(loop.time, traced)
        self.ledger = Ledger([Person(number, ACCOUNT, f"90{number}") for number in range(schedule.threads)])
        self.database = MemoryDatabase()
        self.monitor = Monitor(self.database, self.ledger, self.journal, self.epoch_ms)
        faulty = FaultyNetwork(loop, rng, self.journal, schedule.faults)
        self.network: Network = faulty if network is None else network(self.journal)
        self.mids = Mids(rng.randrange(10**9))
        self.platforms = Platforms(ACCOUNT, self.clock, self.mids, self.monitor, self._echo)
        brain = Brain(Random(rng.random()))
        self.queue = SimulatedQueue(loop, rng, self.journal, self._deliver, self.network.strike)
        self.queue.epoch_ms = self.epoch_ms
        self.shared = Shared(self.database, self.queue, self.platforms, brain, self.monitor, rng)
        numbers = iter(range(10**9))
        ids: Callable[[], str] = lambda: f"r{next(numbers)}"  # noqa: E731
        limits = limits or limits_of(schedule)
        self.fleet = Fleet(loop, rng, self.journal, self.network, self.shared, limits, self.clock, ids)
        self.meta = Meta(loop, rng, self.journal, self.fleet, self.network.strike, self.clock, ACCOUNT)

    def clock(self) -> int:
        """True time, in ms since 1970."""
        return self.epoch_ms + round(self.loop.time() * 1000)

    async def settle(self, start: float, end: float) -> None:
        """Sweep each minute, until everything rests (looked at from ``start`` on) or the bound has passed."""
        sweeps = asyncio.create_task(self._sweep())
        await asyncio.sleep(start)
        while self.loop.time() < end and not self.is_at_rest():  # noqa: ASYNC110 - rest is no event of anything
            await asyncio.sleep(10)
        sweeps.cancel()

    def is_at_rest(self) -> bool:
        """Nothing is under way, and nobody has to look at any thread any more."""
        idle = self.meta.is_idle and self.queue.is_idle and self.fleet.is_idle and not self.network.under_way
        return idle and all(stored.thread.due_at is None for stored in self.database.threads.values())

    async def _sweep(self) -> None:
        """The scheduler, each minute, whether or not the last sweep has ended."""
        running = dict[asyncio.Task[Answer | None], None]()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            work = self.loop.create_task(self.fleet.ask("processor", Request("POST", "/sweep"), 300))
            running[work] = None
            work.add_done_callback(self._swept)

    def _swept(self, work: asyncio.Task[Answer | None]) -> None:
        answer = None if work.cancelled() else work.result()
        overdue = _number(answer, "overdue")
        if overdue:
            self.journal.states["sweep:overdue"] += overdue
            if self.is_calm:
                self.journal.wrong("sweep", f"{overdue} threads were overdue although nothing had gone wrong")

    async def _deliver(self, wake_up: WakeUp, timeout: float) -> Answer | None:
        answer = await self.fleet.task(wake_up, timeout)
        word = _word(answer)
        self.journal.states[f"task:{word}"] += 1
        self.journal.note("queue", f"{wake_up.name[-12:]} → {answer.status if answer else '-'} {word}")
        return answer

    def _echo(self, effect: Effect) -> None:
        self.meta.echo(effect)


def _number(answer: Answer | None, name: str) -> int:
    value = _body(answer).get(name)
    return value if isinstance(value, int) else 0


def _word(answer: Answer | None) -> str:
    return str(_body(answer).get("status", "no answer"))


def _body(answer: Answer | None) -> dict[str, object]:
    if answer is None or not answer.body.startswith("{"):
        return {}
    return cast("dict[str, object]", json.loads(answer.body))
