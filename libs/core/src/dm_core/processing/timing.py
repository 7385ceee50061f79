"""Delays and margins of the processor, and a thread's next ordinary wake-up."""

from dataclasses import dataclass

from dm_core.clock import Clock
from dm_core.durations import MINUTE_MS
from dm_core.queue.port import WakeUp, WakeUpQueue
from dm_core.queue.wakeup import plan_not_before, plan_wake_up, planned_time
from dm_core.settings import RunLimits
from dm_core.store.port import MAX_CLAIM

MOST_BEHIND_MS = MINUTE_MS
"""So far a clock may be put forward to when a task was to fire. More says rather that a person ran the task early, or
that the delays were changed since."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Delays and margins. Seconds where named so, else ms."""

    debounce_min: float
    debounce_max: float
    retention_ms: int
    max_claim: int = MAX_CLAIM

    def run_ms(self, limits: RunLimits) -> int:
        """How long a run may begin things, from the request's start: the timeout less time to end properly."""
        timeout = limits.function_timeout
        return round((timeout - min(20.0, timeout * 0.2)) * 1000)

    def all_seconds(self, limits: RunLimits) -> float:
        """How long a task may do anything at all: it stops itself before the platform does."""
        return limits.function_timeout - min(2.0, limits.function_timeout * 0.02)

    def wake_up(self, thread_id: str, now: int) -> WakeUp:
        """The thread's next ordinary wake-up."""
        return plan_wake_up(thread_id, now, self.debounce_min, self.debounce_max)

    def clock_of_task(self, clock: Clock, thread_id: str, task_name: str) -> Clock:
        """A clock that is not behind the task it serves: by one that is, a wait would not be over yet when its only
        wake-up comes, and the next wake-up would get the name of one that has fired."""
        planned = planned_time(task_name, thread_id, self.debounce_min, self.debounce_max)
        behind = 0 if planned is None else planned - clock()
        return (lambda: clock() + behind) if 0 < behind <= MOST_BEHIND_MS else clock

    def wake_up_not_before(self, thread_id: str, not_before: int) -> WakeUp:
        """The thread's first wake-up at ``not_before`` (ms since 1970, in the future) or later."""
        return plan_not_before(thread_id, not_before, self.debounce_min, self.debounce_max)


async def wake(queue: WakeUpQueue, timing: Timing, thread_id: str, now: int) -> None:
    """Schedule the thread's next wake-up. Raises QueueUnavailable: the task is then retried, nothing is lost."""
    await queue.schedule(timing.wake_up(thread_id, now))
