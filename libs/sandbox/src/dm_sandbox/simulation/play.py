"""One simulation from its first act to rest, judged in the end."""

import contextlib
import json
import warnings
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final, TextIO, cast

from dm_core.steering import Mode
from dm_sandbox.simulation.acts import Acts
from dm_sandbox.simulation.invariants import judge
from dm_sandbox.simulation.journal import Entry, Journal, Violation
from dm_sandbox.simulation.loop import Livelock, Stalled, VirtualLoop, run_virtual
from dm_sandbox.simulation.schedule import FaultKind, Schedule
from dm_sandbox.simulation.world import BOUND, DRAFT_BOUND, World

LONGEST_TOLD: Final = 3_600.0
"""The longest wait that a platform can ask for, in s."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a simulation found. ``ended_at``: simulated seconds."""

    schedule: Schedule
    violations: tuple[Violation, ...]
    faults: Counter[str]
    states: Counter[str]
    entries: tuple[Entry, ...]
    ended_at: float


def simulate(schedule: Schedule, *, traced: bool = False) -> Outcome:
    """Run one schedule to its end. Never raises for what goes wrong inside: it is a violation."""
    loop = VirtualLoop()
    world = World(schedule, loop, traced=traced)
    return observed(world, _run(world), loop)


def observed(world: World, work: Coroutine[Any, Any, None], loop: VirtualLoop) -> Outcome:
    """Run some work of a world; logs are counted instead of printed, and what goes wrong becomes a violation."""
    with contextlib.redirect_stdout(cast("TextIO", _Log(world.journal))), warnings.catch_warnings():
        # An instance that dies leaves coroutines behind that it had not begun.
        warnings.filterwarnings("ignore", message="coroutine '.*' was never awaited", category=RuntimeWarning)
        try:
            run_virtual(work, loop)
        except (Stalled, Livelock) as error:
            world.journal.wrong("progress", str(error))
    for error in loop.unhandled:
        world.journal.wrong("unhandled", repr(error))
    journal = world.journal
    return Outcome(
        world.schedule, tuple(journal.violations), journal.faults, journal.states, tuple(journal.entries), loop.time()
    )


async def _run(world: World) -> None:
    """Play all acts, let time run on until everything rests, then judge."""
    schedule, acts = world.schedule, Acts(world)
    for act in schedule.acts:
        world.loop.call_at(act.at, acts.play, act)
    quiet = world.loop.call_at(schedule.quiet_at, world.network.quieten)
    last = max((act.at + 1 for act in schedule.acts), default=0.0)
    waits = [fault.seconds for fault in schedule.faults if fault.kind is FaultKind.THROTTLE]
    told = max([*waits, *(outage.wait for outage in schedule.outages)], default=0.0)
    drafts = DRAFT_BOUND if schedule.mode is Mode.DRAFT else 0.0
    await world.settle(last, schedule.quiet_at + BOUND + min(told, LONGEST_TOLD) + drafts)
    quiet.cancel()
    judge(world)


class _Log:
    """Stands in for stdout: counts events by name, shows them on the timeline, and takes no surprise for a failure."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def write(self, line: str) -> int:
        name = line[line.find('"message": "') + 12 :].partition('"')[0]
        self._journal.states[f"log:{name}"] += 1
        if name == "alert_undelivered":
            alert = str(cast("dict[str, object]", json.loads(line)).get("alert", ""))
            self._journal.alarms.setdefault(alert, self._journal.now())
            self._journal.note("alarm", f"for {alert}")
        if name in _FAILURES:
            error = str(cast("dict[str, object]", json.loads(line)).get("error", ""))
            slept = any(self._journal.faults[kind] for kind in (FaultKind.FREEZE_BEFORE, FaultKind.FREEZE_AFTER))
            if not error.startswith(_EXPECTED) and not (slept and error == "TimeoutError"):
                self._journal.wrong("surprise", f"{name}: {error}")
        return len(line)

    def flush(self) -> None: ...


_FAILURES: Final = ("request_failed", "run_stopped", "task_failed", "tick_failed", "job_failed", "outbox_failed")
_EXPECTED: Final = (
    "StoreUnavailable",
    "QueueUnavailable",
    "ModelUnavailable",
    "RetryLater",
    "AccountStopped",
    "ModelRefused",
    "LookAgain",
    "Uncertain",
    "OutOfTime",
    "TooManyConflicts",
)
"""Errors that a fault may cause; anything else is a mistake of ours."""
