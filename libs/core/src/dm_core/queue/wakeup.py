"""When a thread wakes up: debounce and de-duplication without a counter and without a read.

Time is cut into buckets of W = max - min delay. Each thread has a fixed phase, so that threads do not fire together.
Every DM of one bucket asks for the same task: the task's name and its fire time are the same number k.

::

    bucket              k                       k+1
           |-----------------------|-----------------------|--------> ms since 1970
      k*W + phase             (k+1)*W + phase       |
           |    DM      DM   DM    |                |
           |     `-------`----`----|-- min delay -->* fires: task "<thread>-k"
           |                       |
           a DM here waits         a DM here (the next bucket) asks for "<thread>-(k+1)"
           min + W = max

So a wake-up is always more than ``min`` and at most ``max`` ahead of the clock that planned it, spread evenly in
between. ``ALREADY_EXISTS`` for "<thread>-k" is success, whoever made that task: our own clock reads a time in bucket k,
and k's task fires more than ``min`` after any such time. If our clock is behind true time by s, the task is still more
than ``min`` - s away: in the future as long as s <= ``min`` (the webhook plans by the store's clock where its own is
off by more than a second). The reservation of used names (up to 24 h) does no harm: a bucket that has fired is never
asked for again.
"""

import hashlib
from dataclasses import dataclass

from dm_core.queue.port import WakeUp

EQUAL_BOUNDS_WIDTH = 1000
"""Width of a bucket, in ms, where both delays are the same."""

NAME_DIGITS = 32
"""How many hex digits of the thread's hash a task's name carries."""


def plan_wake_up(thread_id: str, now: int, debounce_min: float, debounce_max: float) -> WakeUp:
    """The wake-up that a DM at ``now`` (ms since 1970) shares with the other DMs of its bucket. Bounds in seconds."""
    buckets = _Buckets.of(thread_id, debounce_min, debounce_max)
    return buckets.wake_up(buckets.index_at(now))


def plan_not_before(thread_id: str, not_before: int, debounce_min: float, debounce_max: float) -> WakeUp:
    """The first wake-up of the thread that fires at ``not_before`` (ms since 1970) or later. Bounds in seconds.

    For waits of known length (retry later, limits of a person). Same names as ``plan_wake_up``, so that it and an
    ordinary DM's wake-up are one task where they meet. At most W later than asked for. ``not_before`` must be in the
    future: the name of a bucket that has fired already would be refused as a duplicate of a task that is gone.
    """
    buckets = _Buckets.of(thread_id, debounce_min, debounce_max)
    # (k+1)*W + phase + delay >= not_before  <=>  k >= ceil((not_before - delay - phase) / W) - 1
    return buckets.wake_up(buckets.index_at(not_before - buckets.delay - 1))


def plan_at_once(thread_id: str, now: int) -> WakeUp:
    """A wake-up of the thread now (ms since 1970): somebody decided, there is nothing to wait for."""
    digest = hashlib.sha256(thread_id.encode("utf-8", "surrogatepass")).hexdigest()
    return WakeUp(thread_id, f"{digest[:NAME_DIGITS]}-at{now}", now)


def plan_outbox(outbox_id: str, at: int) -> WakeUp:
    """The task that reads or sends what a human wrote, at ``at`` (ms since 1970)."""
    return WakeUp("", f"o-{outbox_id[:NAME_DIGITS]}-{at}", at, outbox_id)


def shard(wake_up: WakeUp, shards: int) -> int:
    """Which of so many queues a wake-up goes to: all of a thread to one, because a name is taken within its queue only.

    When the number changes, a thread may have the same bucket's task in its old queue and in its new one. Both fire
    at the same time; the thread's lease lets one run, and the other, of the same name, is told to come again.
    """
    if shards == 1:
        return 0
    digest = hashlib.sha256((wake_up.thread_id or wake_up.outbox_id).encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest()[:8]) % shards


@dataclass(frozen=True, slots=True)
class _Buckets:
    """One thread's buckets. ``width``, ``phase`` and ``delay`` in ms."""

    thread_id: str
    digest: str
    width: int
    phase: int
    delay: int

    @classmethod
    def of(cls, thread_id: str, debounce_min: float, debounce_max: float) -> "_Buckets":
        digest = hashlib.sha256(thread_id.encode("utf-8", "surrogatepass")).hexdigest()
        delay = round(debounce_min * 1000)
        width = round(debounce_max * 1000) - delay or EQUAL_BOUNDS_WIDTH
        return cls(thread_id, digest, width, int(digest, 16) % width, delay)

    def index_at(self, time: int) -> int:
        """k of the bucket that ``time`` falls into."""
        return (time - self.phase) // self.width

    def wake_up(self, k: int) -> WakeUp:
        fire_at = (k + 1) * self.width + self.phase + self.delay
        return WakeUp(self.thread_id, f"{self.digest[:NAME_DIGITS]}-{k}", fire_at)
