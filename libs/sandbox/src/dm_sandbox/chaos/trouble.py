"""What goes wrong in a storm, and when: kills and freezes of instances, stops of the store, restarts of the queue,
doubled tasks, slow and broken platforms.

A third of the kills come at a random moment. The others lie in wait for the moments that matter: an instance that has
just begun to answer (what it did not do before is never done), and a platform that has processed a request and not yet
answered it (an effect is out and nobody knows).
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Generator
from dataclasses import dataclass, field
from random import Random

from dm_sandbox.chaos.fleet import Fleet, Kill
from dm_sandbox.platforms.faults import Faults
from dm_sandbox.platforms.record import Record
from dm_sandbox.world import Sandbox

CUES = ({"send"}, {"react"}, {"generateContent"}, {"template", "send"}, {"conversations", "send"})
LONGEST_AMBUSH = 1.5


@dataclass
class Trouble:
    """Makes it, until it is cancelled; then everything runs again. Counts are of what was done."""

    sandbox: Sandbox
    webhook: Fleet
    processor: Fleet
    random: Random
    pause: float = 0.5
    store_stops: int = 0
    queue_restarts: int = 0
    _cue: frozenset[str] = frozenset()
    _sprung: asyncio.Event = field(default_factory=asyncio.Event)
    _kind: Kill = "worker"
    _trapped: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._trapped.set()

    def __str__(self) -> str:
        return f"{self.kills} kills, {self.store_stops} stops of the store, {self.queue_restarts} queue restarts"

    @property
    def kills(self) -> int:
        return self.webhook.kills + self.processor.kills

    async def make(self) -> None:
        """Until cancelled. Raises when something could not be brought back."""
        for platform in self.sandbox.platforms:
            platform.listen(self._seen)
        try:
            async with asyncio.TaskGroup() as going:
                for trouble in (self._kills(), self._freezes(), self._stops(), self._restarts(), self._platforms()):
                    going.create_task(trouble)
        finally:
            self.webhook.lie_in_wait(None)
            self.processor.lie_in_wait(None)

    # --- instances ------------------------------------------------------------------------------------------------

    async def _kills(self) -> None:
        while True:
            await asyncio.sleep(self.random.expovariate(1 / self.pause))
            self._kind = "instance" if self.random.random() < 0.4 else "worker"
            fleet = self.webhook if self.random.random() < 0.3 else self.processor
            match self.random.choice(("now", "answer", "effect")):
                case "now":
                    fleet.kill_any(self._kind)
                case "answer":
                    fleet.lie_in_wait(self._kind)
                case _:
                    await self._ambush()

    async def _ambush(self) -> None:
        self._sprung.clear()
        self._cue = frozenset(self.random.choice(CUES))
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._sprung.wait(), LONGEST_AMBUSH)
        finally:
            self._cue = frozenset()

    def _seen(self, record: Record) -> None:
        """Called inside the platform, before its answer is written."""
        if record.operation in self._cue:
            self._cue = frozenset()
            self.processor.kill_any(self._kind)
            self._sprung.set()
        if not self._trapped.is_set() and record.operation in ("send", "generateContent"):
            self.processor.freeze_any()
            self._trapped.set()

    async def _freezes(self) -> None:
        """A frozen webhook is only slow; a processor is frozen in the middle of a run, mostly for longer than its
        lease, so that another takes the run over and the first wakes up as a ghost."""
        while True:
            await asyncio.sleep(self.random.uniform(1, 5))
            fleet = self.processor if self.random.random() < 0.75 else self.webhook
            try:
                if fleet is self.processor:
                    await self._trap()
                else:
                    fleet.freeze_any()
                await asyncio.sleep(self.random.choice((1, 7, 9)))
            finally:
                fleet.thaw()

    async def _trap(self) -> None:
        """Freeze a processor at the next effect."""
        self._trapped.clear()
        try:
            await self._trapped.wait()
        finally:
            self._trapped.set()

    # --- store and queue ------------------------------------------------------------------------------------------

    async def _stops(self) -> None:
        while True:
            await asyncio.sleep(self.random.uniform(5, 12))
            with stopped_store(self.sandbox):
                self.store_stops += 1
                await asyncio.sleep(self.random.uniform(0.3, 3))

    async def _restarts(self) -> None:
        while True:
            await asyncio.sleep(self.random.uniform(3, 9))
            self.queue_restarts += 1
            await self.sandbox.queue.stop()
            try:
                await asyncio.sleep(self.random.uniform(0.1, 1))
            finally:
                await self.sandbox.queue.start()

    # --- platforms ------------------------------------------------------------------------------------------------

    async def _platforms(self) -> None:
        instagram, gemini = self.sandbox.instagram, self.sandbox.gemini
        try:
            while True:
                await asyncio.sleep(0.2)
                gemini.latency = self.random.uniform(0, 0.8)
                if len(instagram.faults.pending) < 2:
                    self._fault(instagram.faults)
                if self.random.random() < 0.1:
                    with contextlib.suppress(RuntimeError):  # between the queue's stop and its start
                        self.sandbox.queue.deliver_twice(1, together=self.random.random() < 0.5)
        finally:
            gemini.latency = 0.05
            instagram.faults.clear()

    def _fault(self, faults: Faults) -> None:
        """Mostly slowness; now and then an answer that is lost."""
        kind = "drop_after" if self.random.random() < 0.1 else "delay"
        operation = self.random.choice(("send", "send", "react", "conversations"))
        faults.add(kind, operation, seconds=self.random.uniform(0, 1.2))


@contextlib.contextmanager
def stopped_store(sandbox: Sandbox) -> Generator[None]:
    """The store answers nothing in the block: the emulator is stopped, or the file is locked for writing."""
    if sandbox.emulator is not None:
        sandbox.emulator.pause()
        try:
            yield
        finally:
            sandbox.emulator.resume()
        return
    file = sqlite3.connect(sandbox.environment["STORE_URL"].removeprefix("sqlite:///"), timeout=1, isolation_level=None)
    try:
        with contextlib.suppress(sqlite3.OperationalError):  # too busy to be locked
            file.execute("BEGIN IMMEDIATE")
        yield
    finally:
        file.close()
