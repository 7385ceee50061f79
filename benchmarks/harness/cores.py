"""Two cores with fixed roles: the function under test has one for itself, everything else has the other.

Without that, a function's figures would be about who else wanted its core. Where cores can't be chosen (macOS) or
there is only one, nothing is pinned and ``PINNED`` is False.
"""

import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil

_CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
PINNED = len(_CORES) > 1
TEST_CORE = _CORES[0] if PINNED else None
WORLD_CORE = _CORES[-1] if PINNED else None


def stay(core: int | None) -> None:
    """The calling thread, and what it starts from now on, runs on this core only."""
    if core is not None:
        os.sched_setaffinity(0, {core})


def calibration() -> float:
    """CPU ms that this machine and Python take for a fixed loop, the best of five: what absolute times depend on."""
    taken: list[float] = []
    for _ in range(5):
        begun, total = time.process_time(), 0
        for number in range(300_000):
            total += number * number % 7
        taken.append((time.process_time() - begun) * 1_000)
    return min(taken)


@contextmanager
def everywhere() -> Generator[None]:
    """The calling thread, and what starts in this block, may use every core."""
    if not PINNED:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, _CORES)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def starting_on(core: int | None) -> Generator[None]:
    """Processes and threads started in this block run on ``core``."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and its children have used since they started: CPU seconds and resident bytes now."""

    cpu: float
    memory: int

    @property
    def mib(self) -> float:
        return self.memory / 2**20


def usage(pid: int) -> Usage:
    """Of the process and its children, as of now. Pages that a fork shares are counted once (PSS where it is known)."""
    cpu, memory = 0.0, 0
    root = psutil.Process(pid)
    for process in (root, *root.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            cpu += times.user + times.system
            full = process.memory_full_info()
            memory += int(getattr(full, "pss", full.rss))
    return Usage(cpu, memory)
