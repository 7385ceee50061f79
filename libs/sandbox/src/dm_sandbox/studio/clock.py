"""The studio's clock: this machine's, and as far ahead as it was put. It only goes forward, as stored times do."""

from dataclasses import dataclass

from dm_core.clock import system_clock


@dataclass(slots=True)
class StudioClock:
    """Now, in ms since 1970."""

    offset_ms: int = 0

    def __call__(self) -> int:
        return system_clock() + self.offset_ms
