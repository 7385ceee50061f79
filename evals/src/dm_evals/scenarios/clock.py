"""The scenario's clock: it stands still until the scheduler moves it."""

from dataclasses import dataclass
from typing import Final

from dm_core.durations import DAY_MS, HOUR_MS, MINUTE_MS

_UNITS: Final = {"s": 1_000, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_MOST: Final = 1e12
"""More of any unit is as good as for ever, and still a number."""


@dataclass(slots=True)
class ScenarioClock:
    """Now, in ms since 1970; the same callable shape as ``dm_core.clock.Clock``."""

    now: int

    def __call__(self) -> int:
        return self.now

    def reach(self, at: int) -> None:
        """Move on to ``at``; never back."""
        self.now = max(self.now, at)

    def forward(self, seconds: float) -> None:
        self.now += round(seconds * 1000)

    def tick(self) -> None:
        """One ms: no two things happen at the same time, so that "in order of time" has one meaning."""
        self.now += 1

    async def sleep(self, seconds: float) -> None:
        """A wait in the scenario's time, which costs no real time (back-off of the clients, stalls of a platform)."""
        self.forward(seconds)


def milliseconds(duration: str) -> int:
    """``90s``, ``5m``, ``2h``, ``1.5d`` in ms. Raises ValueError for anything else."""
    number, unit = duration[:-1], duration[-1:]
    if unit not in _UNITS:
        raise ValueError(f"{duration!r} is no duration: write a number and s, m, h or d")
    return round(min(float(number), _MOST) * _UNITS[unit])
