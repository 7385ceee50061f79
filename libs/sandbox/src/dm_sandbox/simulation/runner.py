"""Many seeds, over several processes; what was reached, and what failed."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Final

from dm_sandbox.simulation.play import Outcome, simulate
from dm_sandbox.simulation.schedule import Schedule, make_schedule
from dm_sandbox.simulation.shrink import Shrunk, shrink
from dm_sandbox.simulation.timeline import drawn

CHUNK: Final = 50
COMMAND: Final = "python -m dm_sandbox.simulation"


@dataclass(slots=True)
class Report:
    """What a number of seeds found. ``failures``: first violation of each failing seed. Seconds of CPU and of time."""

    seeds: int = 0
    failures: dict[int, str] = field(default_factory=dict[int, str])
    faults: Counter[str] = field(default_factory=Counter[str])
    states: Counter[str] = field(default_factory=Counter[str])
    simulated: float = 0.0
    cpu: float = 0.0

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        self.faults += outcome.faults
        self.states += outcome.states
        self.simulated += outcome.ended_at
        if outcome.violations:
            self.failures[outcome.schedule.seed] = str(outcome.violations[0])

    def merge(self, other: "Report") -> None:
        self.seeds += other.seeds
        self.failures |= other.failures
        self.faults += other.faults
        self.states += other.states
        self.simulated += other.simulated
        self.cpu += other.cpu


def run_chunk(first: int, count: int) -> Report:
    """Some seeds in a row, in this process."""
    report = Report()
    started = time.process_time()
    for seed in range(first, first + count):
        report.add(simulate(make_schedule(seed)))
    report.cpu = time.process_time() - started
    return report


def run_seeds(first: int, count: int, jobs: int, told: Callable[[Report], None]) -> Report:
    """Seeds ``first`` to ``first + count - 1``; ``told`` hears of every chunk that is done."""
    report = Report()
    for part in _chunks(first, count, jobs):
        report.merge(part)
        told(report)
    return report


def _chunks(first: int, count: int, jobs: int) -> Iterator[Report]:
    starts = range(first, first + count, CHUNK)
    sizes = [min(CHUNK, first + count - start) for start in starts]
    if jobs == 1 or len(starts) == 1:
        yield from map(run_chunk, starts, sizes)
        return
    quietly = (signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C goes to them too, and is answered here
    with ProcessPoolExecutor(jobs, get_context("spawn"), signal.signal, quietly) as pool:
        yield from pool.map(run_chunk, starts, sizes)


def fails_like(outcome: Outcome) -> Callable[[Schedule], bool]:
    """Whether another schedule breaks the invariant that this one broke first."""
    check = outcome.violations[0].check
    return lambda schedule: any(violation.check == check for violation in simulate(schedule).violations)


def shrunk_failure(seed: int) -> tuple[Shrunk, str]:
    """A failing seed made small, and the story of it as text."""
    outcome = simulate(make_schedule(seed))
    shrunk = shrink(outcome.schedule, fails_like(outcome))
    return shrunk, story(simulate(shrunk.schedule, traced=True), shrunk.parts)


def story(outcome: Outcome, parts: Iterable[str] = ()) -> str:
    """A traced simulation as text: what was planned, how it went, what was wrong."""
    schedule = outcome.schedule
    names = ",".join(parts)
    planned = [f"  {act}" for act in schedule.acts] + [
        f"  ↯ {trouble}" for trouble in (*schedule.faults, *schedule.outages)
    ]
    limits = (
        f"{schedule.threads} threads, uncertain sends: {schedule.uncertain_sends}, attempts: {schedule.max_attempts}"
    )
    wrong = [f"✗ {violation}" for violation in outcome.violations] or ["no invariant was broken"]
    replay = f"{COMMAND} --seed {schedule.seed}" + (f" --only {names}" if names else "")
    return "\n".join(
        (f"seed {schedule.seed}: {limits}", *planned, "", drawn(outcome.entries), "", *wrong, f"replay: {replay}")
    )
