"""What the system needs of a queue: one named wake-up of a thread at a time in the future."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class WakeUp:
    """A task for a thread. ``name`` and ``fire_at`` (ms since 1970) come from the same number (see ``wakeup``)."""

    thread_id: str
    name: str
    fire_at: int


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
