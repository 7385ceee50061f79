"""The clock that wake-ups are planned by: this instance's, put right by the store's where the two can't both be right.

    before ─── record ──── at ─── answer ─── after        before <= at <= after, or our clock is wrong

By a clock ahead a DM would wait so much longer. By one behind its wake-up may lie in the past, under the name of one
that has fired, and nothing but the sweep would come.
"""

from dm_core.clock import Clock

TOLERANCE_MS = 1_000
"""So far a clock may be off before that matters."""
MOST_OFF_MS = 600_000
"""What is further off is no clock of a database (a stand-in says the same time for ever), and is not believed."""


class StoreClock:
    """ms since 1970. Every commit's time says anew how far the instance's clock is off."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = 0

    def __call__(self) -> int:
        return self._clock() + self._offset

    @property
    def own(self) -> int:
        """The time by the instance's clock as it is."""
        return self._clock()

    def heard(self, before: int, at: int | None) -> None:
        """The store committed at ``at`` by its clock what was sent at ``before`` by our own; None: not known."""
        if at is None:
            return
        least, most = at - self._clock(), at - before
        is_right = least <= TOLERANCE_MS and most >= -TOLERANCE_MS
        is_absurd = least > MOST_OFF_MS or most < -MOST_OFF_MS
        self._offset = 0 if is_right or is_absurd else min(max(self._offset, least), most)
