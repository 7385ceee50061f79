"""What to do with a thread at a task: a pure function of what was read.

               lease live?
      yes ┌────────┴────────┐ no
same task?│                 │ wait not over → come back later
yes 409 ──┴── no busy       ├── DMs that a human answers / too many attempts / window closed / allowance used up
                            │       → end those without the model, then look again
                            ├── unfinished run → resume it
                            ├── nothing pending → nothing to do
                            └── else → start a run
"""

from dataclasses import dataclass, replace
from enum import Enum

from dm_core.messages import DAY_MS, Message
from dm_core.processing.task_result import Ending
from dm_core.runs import Run
from dm_core.settings import RunLimits
from dm_core.store.port import Snapshot
from dm_core.threads import Allowance

HOUR_MS = 3_600_000
MAX_FINDING_OUT = 3
"""Attempts beyond the allowed ones that only look whether a reply went out."""


class Verdict(Enum):
    """What a task finds."""

    NOTHING = "nothing pending, no unfinished run"
    BUSY = "another task holds a live lease"
    AGAIN = "this same task holds a live lease: its first attempt may still run"
    WAIT = "nothing of this thread is tried yet"
    RESUME = "an unfinished run"
    CLOSE = "pending messages that end without a model call"
    START = "pending messages"


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict, and which messages end how when some are closed at once."""

    verdict: Verdict
    ending: Ending | None = None
    messages: tuple[Message, ...] = ()


def decide(snapshot: Snapshot | None, task_name: str, now: int, limits: RunLimits) -> Decision:
    """Decide from one snapshot; ``now`` in ms since 1970. ``task_name`` is empty for a call by hand."""
    if snapshot is None:
        return Decision(Verdict.NOTHING)
    thread = snapshot.thread
    if thread.lease is not None and thread.lease.is_live(now):
        return Decision(Verdict.AGAIN if thread.lease.is_of(task_name) else Verdict.BUSY)
    if thread.not_before is not None and now < thread.not_before:
        return Decision(Verdict.WAIT)
    if thread.run is not None and (thread.run.acted or thread.run.ending is not None):
        return _resumed(snapshot, thread.run, limits)
    if (closed := _closed(snapshot, now, limits)) is not None:
        return closed
    if thread.run is not None:
        return Decision(Verdict.RESUME)
    if not snapshot.unprocessed:
        return Decision(Verdict.NOTHING)
    if spend(snapshot.allowance, now, limits) is None:
        return Decision(Verdict.CLOSE, Ending.LIMITED, snapshot.unprocessed)
    return Decision(Verdict.START)


def _resumed(snapshot: Snapshot, run: Run, limits: RunLimits) -> Decision:
    """What acted is resumed, if only to find out whether a reply went out; not for ever, should even that kill."""
    own = tuple(message for message in snapshot.unprocessed if message.id in run.message_ids)
    if own and all(message.attempts >= limits.max_attempts + MAX_FINDING_OUT for message in own):
        doubtful = any(action.in_doubt for action in run.actions)
        ending = Ending.ANSWERED if run.replied else Ending.UNCERTAIN if doubtful else Ending.FAILED
        return Decision(Verdict.CLOSE, ending, own)
    return Decision(Verdict.RESUME)


def _closed(snapshot: Snapshot, now: int, limits: RunLimits) -> Decision | None:
    """Messages that need no model any more; a run of which nothing went out does not change that."""
    messages, thread = snapshot.unprocessed, snapshot.thread
    if answered_by_human := tuple(message for message in messages if thread.taken_over(message)):
        return Decision(Verdict.CLOSE, Ending.HUMAN, answered_by_human)
    if worn_out := tuple(message for message in messages if message.attempts >= limits.max_attempts):
        return Decision(Verdict.CLOSE, Ending.FAILED, worn_out)
    if messages and not thread.window_open(now):
        return Decision(Verdict.CLOSE, Ending.EXPIRED, messages)
    return None


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
