"""What to do with a thread at a task: a pure function of what was read.

               lease live?
      yes ┌────────┴────────┐ no
same task?│                 │ unfinished run?
yes 409 ──┴── no busy       ├── yes → resume it
                            ├── nothing pending → nothing to do
                            ├── human answers / window closed / allowance used up → close without the model
                            └── else → start a run
"""

from dataclasses import dataclass, replace
from enum import Enum

from dm_core.messages import DAY_MS
from dm_core.processing.outcome import Ending
from dm_core.settings import RunLimits
from dm_core.store.port import Snapshot
from dm_core.threads import Allowance

HOUR_MS = 3_600_000


class Verdict(Enum):
    """What a task finds."""

    NOTHING = "nothing pending, no unfinished run"
    BUSY = "another task holds a live lease"
    AGAIN = "this same task holds a live lease: its first attempt may still run"
    RESUME = "an unfinished run"
    CLOSE = "pending messages that end without a model call"
    START = "pending messages"


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, and how messages end when they are closed at once."""

    verdict: Verdict
    ending: Ending | None = None


def decide(snapshot: Snapshot | None, task_name: str, now: int, limits: RunLimits) -> Decision:
    """Decide from one snapshot; ``now`` in ms since 1970. ``task_name`` is empty for a call by hand."""
    if snapshot is None:
        return Decision(Verdict.NOTHING)
    thread = snapshot.thread
    if thread.lease is not None and thread.lease.is_live(now):
        return Decision(Verdict.AGAIN if thread.lease.is_of(task_name) else Verdict.BUSY)
    if thread.run is not None:
        return Decision(Verdict.RESUME)
    if not snapshot.unprocessed:
        return Decision(Verdict.NOTHING)
    if thread.is_paused(now):
        return Decision(Verdict.CLOSE, Ending.HUMAN)
    if not thread.window_open(now):
        return Decision(Verdict.CLOSE, Ending.EXPIRED)
    if spend(snapshot.allowance, now, limits) is None:
        return Decision(Verdict.CLOSE, Ending.LIMITED)
    return Decision(Verdict.START)


def spend(allowance: Allowance, now: int, limits: RunLimits) -> Allowance | None:
    """The allowance after one more run, or None when the person has used up the hour or the day."""
    hour, day = now - now % HOUR_MS, now - now % DAY_MS
    if allowance.hour_start != hour:
        allowance = replace(allowance, hour_start=hour, hour_runs=0)
    if allowance.day_start != day:
        allowance = replace(allowance, day_start=day, day_runs=0)
    if allowance.hour_runs >= limits.runs_per_hour or allowance.day_runs >= limits.runs_per_day:
        return None
    return replace(allowance, hour_runs=allowance.hour_runs + 1, day_runs=allowance.day_runs + 1)
