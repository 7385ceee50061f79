"""The queue's part in a test: wake-ups are delivered at their time, by the system's own clock."""

from dataclasses import dataclass, field

from dm_core.messages import Message
from dm_core.processing.app import ProcessorApp
from dm_core.queue.port import WakeUp
from dm_sandbox.inprocess import InProcess

RETRY_MS = 10_000
"""After an answer that is not 2xx."""


@dataclass(slots=True)
class Deliveries:
    """Delivers tasks to one instance. ``told`` is what each was told, with its time in ms since 1970."""

    system: InProcess
    app: ProcessorApp
    told: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    delivered: set[str] = field(default_factory=set[str])

    async def pass_time(self, seconds: float) -> None:
        """All that becomes due in this time, in its order."""
        clock = self.system.clock
        end = clock() + round(seconds * 1000)
        while (due := self._next(end)) is not None:
            self.delivered.add(due.name)
            clock.forward(max(0, due.fire_at - clock()) / 1000)
            status, result = await self.system.task(due.thread_id, due.name, self.app)
            self.told.append((clock(), str(result["status"])))
            if status >= 400:
                again = WakeUp(due.thread_id, f"{due.name}.", clock() + RETRY_MS)
                self.system.queue.wake_ups[again.name] = again
        clock.forward(max(0, end - clock()) / 1000)

    def _next(self, end: int) -> WakeUp | None:
        open_ones = (w for w in self.system.queue.wake_ups.values() if w.name not in self.delivered)
        return min((w for w in open_ones if w.fire_at <= end), key=lambda w: w.fire_at, default=None)


async def stored(system: InProcess, thread_id: str) -> list[Message]:
    """The thread's DMs, oldest first."""
    snapshot = await system.store.open(thread_id)
    assert snapshot is not None
    return [message for message in snapshot.recent if message.direction == "inbound"]
