"""What lies between an instance and all else: time passes, requests and answers get lost, instances die or sleep.

    instance ──call──▶ …there… ──▶ effect ──▶ …back… ──▶ answer
       │                 │            │           │
    die, sleep        lost, late   applied     lost, hangs     (a fault of the schedule strikes at one of these)

The effect is a timer of the network, not of the caller: once a request is on its way it takes effect although its
caller has died, timed out or was cancelled.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, Protocol

from dm_core.errors import Service
from dm_sandbox.simulation.journal import Journal
from dm_sandbox.simulation.schedule import Fault, FaultKind, Outage

Trouble = Callable[[FaultKind, float], Exception]
"""The error a client raises for a kind of fault (and its seconds)."""


_APPLIED: Final = (FaultKind.LOST, FaultKind.HANG_APPLIED, FaultKind.DENIED, FaultKind.THROTTLE_AFTER)
"""Kinds that take effect although the client gets an error."""


class InstanceDied(BaseException):
    """The process is gone: nothing of it runs any more, no handler catches this."""


@dataclass(slots=True, eq=False)
class Process:
    """One instance of a function: its clock's error, whether it lives, until when it sleeps, what it is doing.

    ``tasks``: each with the thread that it is about, or empty.
    """

    name: str
    skew_ms: int = 0
    alive: bool = True
    frozen_until: float = 0.0
    tasks: dict[asyncio.Task[Any], str] = field(default_factory=dict[asyncio.Task[Any], str])

    def die(self) -> None:
        """Everything it was doing ends where it is."""
        self.alive = False
        for task in tuple(self.tasks):
            task.cancel()


@dataclass(frozen=True, slots=True)
class Line:
    """How a site is reached: latency each way (s), the client's own timeout (s), and the errors it raises."""

    low: float
    high: float
    timeout: float
    trouble: Trouble


class Network(Protocol):
    """Carries calls of instances. ``under_way``: requests that have not taken effect yet."""

    under_way: int

    def strike(self, site: str) -> Fault | None:
        """The fault that is meant for this call of a site."""
        ...

    def quieten(self) -> None:
        """From now on nothing new goes wrong."""
        ...

    async def call[T](self, process: Process, site: str, line: Line, effect: Callable[[Fault | None], T]) -> T:
        """Make one call; ``effect`` is applied whole, at one moment. It is told of the fault that strikes, if any."""
        ...


_SITES_OF: Final = {
    Service.MODEL: "processor.model.",
    Service.INSTAGRAM: "instagram.",
    Service.VAULT: "vault.",
    Service.WHATSAPP: "whatsapp.send",
}


class FaultyNetwork:
    """Random latencies, and the faults and outages of a schedule.

    ``caller``: the number of the thread that a call is made for, None for a call of no thread. ``vain``: when an outage
    denied a call (s from the start) and whose it was, by its service. ``struck`` is told of each fault as it strikes;
    ``dragged`` of each thread that has a task in an instance which dies or falls asleep.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        rng: Random,
        journal: Journal,
        faults: Iterable[Fault],
        outages: Iterable[Outage] = (),
        caller: Callable[[], int | None] = lambda: None,
        struck: Callable[[bool], None] = lambda _: None,
        dragged: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._loop = loop
        self._rng = rng
        self._journal = journal
        self._faults = {(fault.site, fault.call): fault for fault in faults}
        self._outages = tuple(outages)
        self._caller = caller
        self._struck_by = struck
        self._dragged = dragged
        self._calls: Counter[str] = Counter()
        self.vain: dict[Service, list[tuple[float, str]]] = {}
        self.under_way = 0

    def quieten(self) -> None:
        """From now on nothing new goes wrong."""
        self._faults.clear()

    def strike(self, site: str) -> Fault | None:
        """Count one call of a site; the fault that is meant for it."""
        self._calls[site] += 1
        fault = self._faults.pop((site, self._calls[site]), None)
        if fault is not None:
            self._journal.faults[f"{fault.manner or fault.kind}"] += 1
            self._journal.note("FAULT", f"↯ {fault}")
        return fault

    async def call[T](self, process: Process, site: str, line: Line, effect: Callable[[Fault | None], T]) -> T:
        await self._awake(process)
        fault = self.strike(site)
        if fault is not None:
            self._struck_by(False)
        elif self._outages:
            fault = self._outage(process, site)
        self._journal.note(process.name, f"{site} →")
        if fault is None:
            return await self._carried(process, line, lambda: effect(None))
        return await self._struck(process, line, effect, fault)

    def _outage(self, process: Process, site: str) -> Fault | None:
        """What an outage makes of this call, if one is on."""
        now = self._loop.time()
        for outage in self._outages:
            on = outage.at <= now < outage.end and site.startswith(_SITES_OF[outage.service])
            if on and outage.thread in (None, self._caller()):
                self.vain.setdefault(outage.service, []).append((now, process.name))
                self._journal.faults[f"outage:{outage.service}:{outage.kind}"] += 1
                self._struck_by(outage.thread is None)
                return Fault(site, 0, outage.kind, outage.wait)
        return None

    async def _awake(self, process: Process) -> None:
        """Nothing of a process that died runs on, nothing of one that sleeps before it wakes."""
        while process.alive and self._loop.time() < process.frozen_until:  # noqa: ASYNC110 - it may move meanwhile
            await asyncio.sleep(process.frozen_until - self._loop.time())
        if not process.alive:
            raise InstanceDied(process.name)

    async def _carried[T](self, process: Process, line: Line, effect: Callable[[], T], extra: float = 0.0) -> T:
        answer = self._sent(line, effect, self._latency(line) + extra)
        result = await answer
        if process.frozen_until > self._loop.time() or not process.alive:
            await self._awake(process)
        return result

    def _sent[T](self, line: Line, effect: Callable[[], T], delay: float) -> asyncio.Future[T]:
        """A request on its way: it takes effect after ``delay``; the future is its answer's arrival."""
        answer: asyncio.Future[T] = self._loop.create_future()
        answer.add_done_callback(_seen)
        self.under_way += 1

        def arrive() -> None:
            self.under_way -= 1
            try:
                result = effect()
            except Exception as error:
                self._loop.call_later(back, _fail, answer, error)
            else:
                self._loop.call_later(back, _succeed, answer, result)

        back = self._latency(line)
        self._loop.call_later(delay, arrive)
        return answer

    def _latency(self, line: Line) -> float:
        """Usually low; one call in twenty takes up to ten times as long."""
        tail = 10.0 if self._rng.random() < 0.05 else 1.0
        return self._rng.uniform(line.low, line.high * tail)

    async def _struck[T](self, process: Process, line: Line, effect: Callable[[Fault | None], T], fault: Fault) -> T:
        kind, seconds = fault.kind, fault.seconds
        match kind:
            case FaultKind.DIE_BEFORE:
                self._kill(process)
            case FaultKind.DIE_DURING:
                self._sent(line, lambda: effect(fault), self._latency(line))
                self._kill(process)
            case FaultKind.DIE_AFTER:
                await self._carried(process, line, lambda: effect(fault))
                self._kill(process)
            case FaultKind.FREEZE_BEFORE:
                self._freeze(process, seconds)
                await self._awake(process)
            case FaultKind.FREEZE_AFTER:
                result = await self._carried(process, line, lambda: effect(fault))
                self._freeze(process, seconds)
                await self._awake(process)
                return result
            case FaultKind.SLOW | FaultKind.LAG | FaultKind.ODD | FaultKind.LATE_WINDOW | FaultKind.LATE_REFUSAL:
                pass
            case _:
                await self._denied(process, line, effect, fault)
        extra = seconds if kind is FaultKind.SLOW else 0.0
        return await self._carried(process, line, lambda: effect(fault), extra)

    async def _denied[T](self, process: Process, line: Line, effect: Callable[[Fault | None], T], fault: Fault) -> None:
        """The client gets an error, whatever became of the request. Always raises."""
        kind = fault.kind
        applied = {kind: self._latency(line) for kind in _APPLIED}
        delay = fault.seconds if kind is FaultKind.LATE else applied.get(kind)
        if delay is not None:
            self._sent(line, lambda: effect(fault), delay)
        hangs = kind in (FaultKind.HANG, FaultKind.HANG_APPLIED)
        told = (FaultKind.LOST, FaultKind.DENIED, FaultKind.THROTTLE_AFTER)
        after = delay if kind in told and delay is not None else 0.0
        await asyncio.sleep(line.timeout if hangs else after + self._latency(line))
        await self._awake(process)
        raise line.trouble(kind, fault.seconds)

    def _kill(self, process: Process) -> None:
        self._journal.note(process.name, "† dies")
        self._drag(process)
        process.die()
        raise InstanceDied(process.name)

    def _freeze(self, process: Process, seconds: float) -> None:
        self._journal.note(process.name, f"sleeps for {seconds:g} s")
        self._drag(process)
        process.frozen_until = max(process.frozen_until, self._loop.time() + seconds)

    def _drag(self, process: Process) -> None:
        """What strikes an instance strikes everything that it does."""
        for thread_id in dict.fromkeys(process.tasks.values()):
            self._dragged(thread_id)


def _seen(answer: asyncio.Future[Any]) -> None:
    """Nobody may be left to look at an error."""
    if not answer.cancelled():
        answer.exception()


def _succeed[T](answer: asyncio.Future[T], result: T) -> None:
    if not answer.done():
        answer.set_result(result)


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
