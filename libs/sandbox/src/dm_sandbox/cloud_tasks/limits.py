"""How fast a queue may dispatch: a token bucket, slowed down for a while by a worker's 429 or 503."""

import time
from collections.abc import Callable

THROTTLE_FACTOR = 10.0
SLOWEST_PER_SECOND = 0.5
"""However often the worker says 429 or 503, a queue is never slowed below this (unless it is configured to be)."""


class RateLimiter:
    """A token bucket that holds one second's worth of dispatches (at least one). ``clock`` is monotonic, in seconds."""

    def __init__(self, per_second: float, throttle_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._throttle_seconds = throttle_seconds
        self._clock = clock
        self._level = 0
        self._level_since = 0.0
        self._filled_at = clock()
        self._tokens = self._burst()

    @property
    def rate(self) -> float:
        """Dispatches a second at present."""
        throttled = self._per_second / THROTTLE_FACTOR**self._level
        return min(self._per_second, max(throttled, SLOWEST_PER_SECOND))

    @property
    def burst(self) -> int:
        return int(self._burst())

    def wait_seconds(self) -> float:
        """How long until the next dispatch is allowed; 0 is now."""
        self._refill()
        return 0.0 if self._tokens >= 1 else (1 - self._tokens) / self.rate

    def take(self) -> None:
        """Account for one dispatch."""
        self._refill()
        self._tokens -= 1

    def throttle(self) -> None:
        """The worker asked for less."""
        self._refill()
        if self.rate > SLOWEST_PER_SECOND:
            self._level += 1
        self._level_since = self._clock()
        self._tokens = min(self._tokens, self._burst(), 0.0)

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst(), self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now
        while self._level and now - self._level_since >= self._throttle_seconds:
            self._level -= 1
            self._level_since += self._throttle_seconds

    def _burst(self) -> float:
        return max(1.0, self.rate)
