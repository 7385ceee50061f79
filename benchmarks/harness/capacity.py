"""The queueing model of docs/performance.md#the-model: one core that works on everything that came, in turn (M/G/1-PS).

A request that needs ``cpu`` seconds of a core that is busy for the share ``busy`` takes ``cpu / (1 - busy)``, and waits
for others (model, database, platform) besides; those waits take no core. Times in seconds, rates a second.
"""

import math
from dataclasses import dataclass
from typing import Final

BUSY: Final = 0.6
"""The share of its core up to which an instance is planned; above it waits grow steeply."""
PEAK: Final = 4.0
"""The busiest hour's rate over the day's average."""
DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Work:
    """What one DM costs a function: ``cpu`` of a core, ``waits`` for others."""

    cpu: float
    waits: float = 0.0

    def seconds(self, rate: float) -> float:
        """What a DM takes at this rate on one core; infinite where the core can't keep up."""
        busy = rate * self.cpu
        return self.waits + self.cpu / (1 - busy) if busy < 1 else math.inf

    def rate(self, cores: float = 1.0) -> float:
        """DMs a second that one instance is planned for; more than one core does not help one event loop."""
        return BUSY * min(cores, 1.0) / self.cpu

    def under_way(self, cores: float = 1.0) -> float:
        """How many DMs an instance at that rate has under way (Little's law): its concurrency."""
        rate = self.rate(cores)
        return rate * self.seconds(rate)


def peak_rate(dms_a_day: float) -> float:
    """DMs a second in the busiest hour."""
    return dms_a_day / DAY * PEAK


def instances(work: Work, dms_a_day: float) -> int:
    """How many instances of one core the busiest hour needs."""
    return max(1, math.ceil(peak_rate(dms_a_day) / work.rate()))
