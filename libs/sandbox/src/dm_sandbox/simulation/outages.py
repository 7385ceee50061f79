"""One outage of a service, threads that write just before and in it, and how they fared.

Virtual time, the real queue's backoff, two instances. The same invariants hold as after a random schedule.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dm_core.errors import Service
from dm_core.messages import Message
from dm_core.runs import ActionKind
from dm_sandbox.simulation.acts import Acts
from dm_sandbox.simulation.invariants import judge
from dm_sandbox.simulation.journal import Violation
from dm_sandbox.simulation.loop import VirtualLoop
from dm_sandbox.simulation.people import Written
from dm_sandbox.simulation.play import observed
from dm_sandbox.simulation.schedule import Act, ActKind, FaultKind, Manner, Outage, Schedule
from dm_sandbox.simulation.world import BOUND, World

BEGINS: Final = 20.0
"""When the service goes down, in s: by then the first DMs are on their way."""
LATE: Final = 300.0
"""Seconds after the service's return by which every DM must be answered."""


@dataclass(frozen=True, slots=True)
class Ordeal:
    """What is tried. ``every``: seconds after which the first person writes again, as long as it lasts; 0 for once."""

    service: Service
    kind: FaultKind
    seconds: float
    threads: int
    every: float = 0.0
    wait: float = 0.0

    def __str__(self) -> str:
        often = f", one writes every {self.every:g} s" if self.every else ""
        asks = f" (asks for {self.wait:g} s)" if self.wait else ""
        return f"{self.service} {self.kind}{asks} for {self.seconds:g} s, {self.threads} threads{often}"


@dataclass(frozen=True, slots=True)
class Fared:
    """How it went. ``last``: seconds from the service's return to the last first answer.

    ``vain``: calls that the outage denied; ``rate``: the most of them a second that one instance made, over any ten
    seconds. ``endings`` counts the DMs by disposition, ``alerts`` the alerts by cause.
    """

    ordeal: Ordeal
    dms: int
    answered: int
    twice: int
    late: int
    last: float
    vain: int
    rate: float
    wake_ups: int
    endings: Counter[str]
    alerts: Counter[str]
    violations: tuple[Violation, ...]

    def __str__(self) -> str:
        return (
            f"{self.ordeal}: {self.answered} of {self.dms} answered, {self.twice} twice, {self.late} late (the last"
            f" {self.last:.0f} s after the return), {self.vain} calls in vain (at most {self.rate:.1f} a second and"
            f" instance), {self.wake_ups} wake-ups"
        )


ORDEALS: Final = (
    *(
        Ordeal(Service.MODEL, kind, seconds, threads)
        for kind in (FaultKind.FAIL,)
        for seconds in (60.0, 600.0, 10_800.0)
        for threads in (1, 20, 200)
    ),
    Ordeal(Service.MODEL, FaultKind.HANG, 600.0, 20),
    Ordeal(Service.MODEL, FaultKind.THROTTLE, 600.0, 20, wait=30.0),
    Ordeal(Service.MODEL, FaultKind.DOWN, 60.0, 1, every=12.0),
    Ordeal(Service.MODEL, FaultKind.DOWN, 600.0, 3, every=12.0),
    Ordeal(Service.MODEL, FaultKind.FAIL, 10_800.0, 1, every=12.0),
    Ordeal(Service.INSTAGRAM, FaultKind.DOWN, 600.0, 20),
    Ordeal(Service.INSTAGRAM, FaultKind.STOP, 600.0, 20),
    Ordeal(Service.VAULT, FaultKind.FAIL, 600.0, 20),
)
"""What is tried by default: three lengths and three crowds, the manners, and a person who does not stop writing."""


def endure(ordeal: Ordeal) -> Fared:
    """Play one through to rest."""
    begins = 0.0 if ordeal.service is Service.VAULT else BEGINS
    outage = Outage(ordeal.service, begins, ordeal.seconds, ordeal.kind, ordeal.wait)
    schedule = Schedule(
        seed=1, threads=ordeal.threads, acts=(), faults=(), quiet_at=outage.end, outages=(outage,), manner=Manner.REPLY
    )
    loop = VirtualLoop(most_steps=40_000_000)
    world = World(schedule, loop, traced=False)
    outcome = observed(world, _play(world, outage, ordeal), loop)
    return _fared(world, outage, ordeal, outcome.violations)


async def _play(world: World, outage: Outage, ordeal: Ordeal) -> None:
    acts = Acts(world)
    for act in sorted(_acts(outage, ordeal), key=lambda act: act.at):
        world.loop.call_at(act.at, acts.play, act)
    await world.settle(outage.end, outage.end + BOUND)
    judge(world)


def _acts(outage: Outage, ordeal: Ordeal) -> Iterator[Act]:
    """Each person writes once, from a little before the outage until its middle; the first one perhaps on and on."""
    spread = min(outage.seconds / 2, 300.0) + 15.0
    for number in range(ordeal.threads):
        yield Act(BEGINS - 2.0 + spread * number / ordeal.threads, number, ActKind.SAY)
    again = outage.at + ordeal.every
    while ordeal.every and again < outage.end:
        yield Act(again, 0, ActKind.SAY)
        again += ordeal.every


def _fared(world: World, outage: Outage, ordeal: Ordeal, violations: tuple[Violation, ...]) -> Fared:
    written = list(world.ledger.by_token.values())
    answers = _answers(world)
    after = [_seconds_after(world, outage, each, min(answers[each.id])) for each in written if each.id in answers]
    vain = world.vain.get(ordeal.service, [])
    return Fared(
        ordeal,
        dms=len(written),
        answered=len(after),
        twice=sum(len(times) > 1 for times in answers.values()),
        late=sum(seconds > LATE for seconds in after),
        last=max(after, default=0.0),
        vain=len(vain),
        rate=_rate(vain),
        wake_ups=sum(len(task.delivered_at) for task in world.queue.tasks.values()),
        endings=Counter(str(_stored(world, each).disposition or "answered") for each in written),
        alerts=Counter(alert.cause for alert in world.outbox.alerts.values()),
        violations=violations,
    )


def _stored(world: World, written: Written) -> Message:
    return world.database.messages[written.thread_id][written.id]


def _answers(world: World) -> dict[str, list[int]]:
    """For each DM, when each run that answered it did so, in ms since 1970."""
    found: dict[str, list[int]] = {}
    for run in (run for runs in world.database.runs.values() for run in runs.values()):
        sent = [action.ended_at or 0 for action in run.actions if action.kind is ActionKind.SEND]
        if run.ending == "answered" and run.replied:
            for message in run.message_ids:
                found.setdefault(message, []).append(min(sent))
    return found


def _seconds_after(world: World, outage: Outage, written: Written, answered_at: int) -> float:
    """From the service's return, or from the DM if it came later, to its answer."""
    returned = world.epoch_ms + outage.end * 1000
    return (answered_at - max(returned, written.sent_at)) / 1000


def _rate(vain: list[tuple[float, str]]) -> float:
    buckets = Counter((process, int(at // 10)) for at, process in vain)
    return max(buckets.values(), default=0) / 10
