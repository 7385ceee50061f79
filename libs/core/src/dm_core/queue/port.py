"""What the system needs of its queues: one named wake-up of a thread at a time in the future, and ticks for alerts."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class WakeUp:
    """A task for a thread. ``name`` and ``fire_at`` (ms since 1970) come from the same number (see ``wakeup``).

    With ``outbox_id`` it is not for a thread, but for what a human sends: it goes to ``/outbox``.
    """

    thread_id: str
    name: str
    fire_at: int
    outbox_id: str = ""


class WakeUpQueue(Protocol):
    """Makes wake-ups durable."""

    async def schedule(self, wake_up: WakeUp) -> bool:
        """Create the task; False if one of this name exists already, which is success too.

        Raises QueueUnavailable when it is not certain that the task exists.
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


class AlertQueue(Protocol):
    """Makes ticks durable. A tick sends the most urgent alert that is due, whichever it was made for."""

    async def schedule(self, alert_id: str, not_before: int) -> bool:
        """A tick for this alert at ``not_before`` (ms since 1970), or at once when that has passed.

        The same alert and time twice is one tick: False then. Raises QueueUnavailable when it is not certain that the
        tick exists.
        """
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
