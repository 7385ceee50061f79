"""Everything of one simulation put together; ``play`` runs it."""

import asyncio
import json
from collections.abc import Callable
from random import Random
from typing import Final, cast

from dm_core.alerts import Alert
from dm_core.durations import DAY_MS
from dm_core.http import Request, Response
from dm_core.processing.drafts import is_shown_in
from dm_core.processing.sweeper import GRACE_MS
from dm_core.processing.switches import document as switches_document
from dm_core.queue.port import WakeUp
from dm_core.settings import RunLimits
from dm_core.steering import Mode, Switches
from dm_core.store.document_values import to_json
from dm_sandbox.memory_database import MemoryDatabase
from dm_sandbox.platforms.meta import Mids
from dm_sandbox.simulation.cloud_tasks import SimulatedQueue
from dm_sandbox.simulation.instances import ACCOUNT, Instances, limits_of
from dm_sandbox.simulation.journal import EPOCH_MS, Journal
from dm_sandbox.simulation.loop import VirtualLoop
from dm_sandbox.simulation.manager import Manager
from dm_sandbox.simulation.meta import Meta
from dm_sandbox.simulation.model import ScriptedModel
from dm_sandbox.simulation.monitor import SKEW_MS, Monitor, current_execution
from dm_sandbox.simulation.network import FaultyNetwork, Network
from dm_sandbox.simulation.outbox import Outbox
from dm_sandbox.simulation.people import Ledger, Person
from dm_sandbox.simulation.phone import Phone, PhoneStatus
from dm_sandbox.simulation.platforms import Effect, Platforms
from dm_sandbox.simulation.schedule import Schedule
from dm_sandbox.simulation.ticks import TickQueue
from dm_sandbox.simulation.wire import Shared

BOUND: Final = 1_200.0
"""Seconds after the last fault within which every thread must have come to rest: a lease (330), the sweeper's grace and
minute (120), a debounce (15), a queue's longest backoff (300), a wait of our own (240) and the second look for a send
in doubt (60), side by side or in a row as far as one causes the next. What a platform asks for comes on top."""
DRAFT_BOUND: Final = 86_400.0 + 3_600.0
"""Seconds more where drafts wait for a word: a person's window, and a look of the hour."""
ALERT_BOUND: Final = 3_600.0 + 900.0
"""Seconds after that within which every alert must have: a person's hour, the alarm's time, a claim, two sweeps."""
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
        self.is_calm = not schedule.faults and not schedule.outages
        self.epoch_ms = EPOCH_MS + rng.randrange(DAY_MS)
        self.journal = Journal(loop.time, traced)
        self.ledger = Ledger([Person(number, ACCOUNT, f"90{number}") for number in range(schedule.threads)])
        self.database = MemoryDatabase()
        self.outbox = Outbox(self.journal)
        self.monitor = Monitor(self.database, self.ledger, self.journal, self.epoch_ms, self.outbox)
        self.monitor.repeats = 1 if schedule.uncertain_sends == "resend" else 0
        told = self._caller, self._troubled, self._dragged
        faulty = FaultyNetwork(loop, rng, self.journal, schedule.faults, schedule.outages, *told)
        self.vain = faulty.vain
        self.network: Network = faulty if network is None else network(self.journal)
        self.mids = Mids(rng.randrange(10**9))
        self.platforms = Platforms(ACCOUNT, self.clock, self.mids, self.monitor, self._echo)
        model = ScriptedModel(Random(rng.random()), schedule.manner)
        self.queue = SimulatedQueue(loop, rng, self.journal, self._deliver, self.network.strike)
        self.queue.epoch_ms = self.epoch_ms
        self.monitor.wakes = lambda thread_id, at: any(t.wake_up.fire_at >= at for t in self.queue.waiting(thread_id))
        self.ticks = TickQueue(loop, self.journal, self._tick, self.network.strike, self.epoch_ms)
        self.phone = Phone(self.clock, rng, self._status, schedule.window)
        self.shared = Shared(
            self.database, self.queue, self.ticks, self.platforms, self.phone, model, self.monitor, rng
        )
        numbers = iter(range(10**9))
        ids: Callable[[], str] = lambda: f"r{next(numbers)}"  # noqa: E731
        limits = limits or limits_of(schedule)
        self.instances = Instances(loop, rng, self.journal, self.network, self.shared, limits, self.clock, ids)
        self.meta = Meta(loop, rng, self.journal, self.instances, self.network.strike, self.clock, ACCOUNT)
        own = Random(f"manager's choices {schedule.seed}")
        people = self.ledger, self.outbox, self.phone
        self.manager = Manager(loop, own, self.clock, self.journal, *people, self.meta.manager)
        self.phone.sees = self.manager.sees
        self.monitor.released = self.manager.released
        if schedule.mode is not Mode.AUTO:
            document = switches_document(Switches(schedule.mode))
            self.monitor.write(
                "put_document", lambda tx: tx.put("maintenance", "switches", {"json": to_json(document)})
            )

    def clock(self) -> int:
        """True time, in ms since 1970."""
        return self.epoch_ms + round(self.loop.time() * 1000)

    async def settle(self, start: float, end: float) -> None:
        """Sweep each minute, until everything rests (looked at from ``start`` on) or the bound has passed.

        Threads first, by ``end``; the alerts they caused may take their own time after that, and so may a webhook
        instance that slept: it may store a DM when all else rests.
        """
        sweeps = asyncio.create_task(self._sweep())
        await asyncio.sleep(start)
        while self.loop.time() < end and not self.is_at_rest():  # noqa: ASYNC110 - nothing signals that it rests
            await asyncio.sleep(10)
        if not self.is_at_rest():
            self.journal.wrong("rest", f"threads are not at rest at {self.loop.time():.0f} s: {self._restless()}")
        while self.loop.time() < end + ALERT_BOUND and not (self._alerts_rest() and self.is_at_rest()):  # noqa: ASYNC110
            await asyncio.sleep(10)
        sweeps.cancel()

    def is_at_rest(self) -> bool:
        """Nothing of a thread is under way, nobody has to look at any thread any more, or at what the manager wrote."""
        return self.meta.is_idle and self.queue.is_idle and self.manager.is_idle and not self._due()

    def is_shown_draft(self, alert: Alert) -> bool:
        """The alert's draft still waits."""
        return is_shown_in(alert, self.database.threads.get(alert.thread_id))

    def _due(self) -> list[str]:
        threads = [id_ for id_, thread in self.database.threads.items() if thread.due_at is not None]
        return [*threads, *(id_ for id_, item in self.database.outbox.items() if item.due_at is not None)]

    def _restless(self) -> str:
        idle = {"meta": self.meta.is_idle, "queue": self.queue.is_idle, "manager": self.manager.is_idle}
        return ", ".join([*(name for name, is_idle in idle.items() if not is_idle), *self._due()])

    def _alerts_rest(self) -> bool:
        """Nothing is under way at all, and nobody has to look at any alert any more."""
        idle = self.ticks.is_idle and self.meta.is_idle and self.instances.is_idle and not self.network.under_way
        return idle and all(stored.alert.due_at is None for stored in self.database.alerts.values())

    async def _sweep(self) -> None:
        """The scheduler, each minute, whether or not the last sweep has ended.

        A sweep that could find nothing is left out: it would only take time.
        """
        running = dict[asyncio.Task[Response | None], None]()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            if not self._could_find_something():
                continue
            work = self.loop.create_task(self.instances.ask("processor", Request("POST", "/sweep"), 300))
            running[work] = None
            work.add_done_callback(self._swept)

    def _could_find_something(self) -> bool:
        database, late = self.database, self.clock() - GRACE_MS + SKEW_MS
        threads = (thread.due_at for thread in database.threads.values())
        alerts = (stored.alert.due_at for stored in database.alerts.values())
        items = (item.due_at for item in database.outbox.values())
        overdue = any(at is not None and at < late for at in (*threads, *alerts, *items))
        return overdue or any(deletion.completed_at is None for deletion in database.deletions.values())

    def _swept(self, work: asyncio.Task[Response | None]) -> None:
        answer = None if work.cancelled() else work.result()
        overdue = _number(answer, "overdue")
        if overdue:
            self.journal.states["sweep:overdue"] += overdue
            if self.is_calm:
                self.journal.wrong("sweep", f"{overdue} threads were overdue although nothing had gone wrong")

    async def _deliver(self, wake_up: WakeUp, timeout: float) -> Response | None:
        answer = await self.instances.task(wake_up, timeout)
        word = _word(answer)
        self.journal.states[f"task:{word}"] += 1
        self.journal.note("queue", f"{wake_up.name[-12:]} → {answer.status if answer else '-'} {word}")
        if answer is not None and answer.status == 200 and word != "superseded":
            self._check_woken(wake_up)
        return answer

    def _check_woken(self, done: WakeUp) -> None:
        """A task that is over leaves no DM behind that nobody holds and no other task will see to."""
        thread, thread_id = self.database.threads.get(done.thread_id), done.thread_id
        if thread is not None and thread.run is not None and thread.run.waits_for_manager:
            return  # a wake-up is asked for, but the sweep would do
        if thread is None or thread.lease is not None or thread_id in self.queue.forgotten:
            return
        others = [task for task in self.queue.waiting(thread_id) if task.wake_up.name != done.name]
        for message in self.database.messages.get(thread_id, {}).values():
            written = self.ledger.by_id.get(message.id)
            if written is None or written.acknowledged_at is None:
                continue
            if message.is_unprocessed and not others:
                self.journal.wrong("wake_up", f"{written.token} is left open and nothing will wake its thread")

    async def _tick(self, alert_id: str, timeout: float) -> Response | None:
        answer = await self.instances.tick(alert_id, timeout)
        word = _word(answer)
        self.journal.states[f"tick:{word}"] += 1
        self.journal.note("ticks", f"{alert_id[:12]} → {answer.status if answer else '-'} {word}")
        return answer

    def _status(self, status: PhoneStatus) -> None:
        self.meta.whatsapp(status)

    def _caller(self) -> int | None:
        thread_id = current_execution().thread_id
        return self.ledger.person_of(thread_id).number if thread_id else None

    def _troubled(self, is_outage: bool) -> None:
        self.monitor.troubled(current_execution().thread_id, outage=is_outage)

    def _dragged(self, thread_id: str) -> None:
        if thread_id != current_execution().thread_id:
            self.monitor.troubled(thread_id)

    def _echo(self, effect: Effect) -> None:
        self.meta.echo(effect)


def _number(answer: Response | None, name: str) -> int:
    value = _body(answer).get(name)
    return value if isinstance(value, int) else 0


def _word(answer: Response | None) -> str:
    return str(_body(answer).get("status", "no answer"))


def _body(answer: Response | None) -> dict[str, object]:
    if answer is None or not answer.body.startswith("{"):
        return {}
    return cast("dict[str, object]", json.loads(answer.body))
