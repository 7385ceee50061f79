"""What to do with a thread at a task: a pure function of what was read.

               lease live?
      yes ┌────────┴────────┐ no
same task?│                 │ wait not over → come back later
yes 409 ──┴── no busy       ├── DMs that a human answers / worn out / window closed / switched off / stop word
                            │       → end those without the model, then look again
                            ├── a draft that waits → nothing to do yet
                            ├── unfinished run → resume it
                            ├── nothing pending → nothing to do
                            └── else → start a run
"""

from dataclasses import dataclass, replace
from enum import Enum

from dm_core.agent.rules import NO_RULES, Rules
from dm_core.durations import DAY_MS, HOUR_MS
from dm_core.messages import Message
from dm_core.processing.delivery import heard
from dm_core.processing.drafts import rests
from dm_core.processing.steering import Steered, steered
from dm_core.processing.task_result import Ending
from dm_core.runs import ActionKind, Run
from dm_core.settings import RunLimits
from dm_core.steering import ALL_ON, Switches
from dm_core.store.port import Snapshot
from dm_core.threads import Allowance

MAX_FINDING_OUT = 3
"""Attempts beyond the allowed ones that only look whether a reply went out."""


class NextStep(Enum):
    """What a task does with its thread, by what it finds."""

    NOTHING = "nothing pending, no unfinished run"
    BUSY = "another task holds a live lease"
    AGAIN = "this same task holds a live lease: its first attempt may still run"
    WAIT = "nothing of this thread is tried yet"
    RESUME = "an unfinished run"
    CLOSE = "pending messages that end without a model call"
    START = "pending messages"
    DRAFT = "a draft that waits for the manager"
    SAY = "pending messages that end with one line of the bot's own"


@dataclass(frozen=True, slots=True)
class Decision:
    """The next step, and which messages end how when some are closed at once. ``limit``: the setting that was met."""

    step: NextStep
    ending: Ending | None = None
    messages: tuple[Message, ...] = ()
    steered: Steered | None = None
    limit: str = ""


def decide(
    snapshot: Snapshot | None,
    task_name: str,
    now: int,
    limits: RunLimits,
    rules: Rules = NO_RULES,
    switches: Switches = ALL_ON,
) -> Decision:
    """Decide from one snapshot; ``now`` in ms since 1970. ``task_name`` is empty for a call by hand."""
    if snapshot is None:
        return Decision(NextStep.NOTHING)
    thread = snapshot.thread
    if thread.lease is not None and thread.lease.is_live(now):
        return Decision(NextStep.AGAIN if thread.lease.is_of(task_name) else NextStep.BUSY)
    if thread.not_before is not None and now < thread.not_before:
        return Decision(NextStep.WAIT)
    draft_rests = rests(thread, now)
    if thread.run is not None and _has_acted(heard(thread.run, snapshot.recent, now)):
        return Decision(NextStep.DRAFT) if draft_rests else _resumed(snapshot, thread.run, now, limits)
    closed = _closed(snapshot, now, limits, switches) or _steered(snapshot, rules, now, switches)
    if closed is not None:
        return closed
    if thread.run is not None:
        return Decision(NextStep.DRAFT if draft_rests else NextStep.RESUME)
    if not snapshot.unprocessed:
        return Decision(NextStep.NOTHING)
    if limit := used_up(snapshot.allowance, now, limits):
        return Decision(NextStep.CLOSE, Ending.LIMITED, snapshot.unprocessed, limit=limit)
    return Decision(NextStep.START)


def last_word(run: Run, otherwise: Ending) -> Ending:
    """How the DMs of a run end that is not gone on with, by what went out, or may have."""
    if run.replied:
        return Ending.ANSWERED
    doubtful = any(action.in_doubt and action.kind is ActionKind.SEND for action in run.actions)
    return Ending.UNCERTAIN if doubtful else otherwise


def _has_acted(run: Run) -> bool:
    """It must be gone on with, whatever people have decided since; not a draft of which only alerts went out."""
    if run.waits_for_manager:
        return any(action.went_out for action in run.actions)
    return run.acted or run.ending is not None


def _steered(snapshot: Snapshot, rules: Rules, now: int, switches: Switches) -> Decision | None:
    """What people decided of the thread; a run that says so already goes on."""
    thread = snapshot.thread
    if thread.run is not None and thread.run.script is not None:
        return None
    found = steered(thread, snapshot.unprocessed, rules, now, switches)
    if found is None:
        return None
    if found.line is None:
        return Decision(NextStep.CLOSE, found.ending, found.messages)
    return Decision(NextStep.SAY, found.ending, found.messages, found)


def _resumed(snapshot: Snapshot, run: Run, now: int, limits: RunLimits) -> Decision:
    """What acted is resumed, if only to find out whether a reply went out; not for ever, should even that kill."""
    own = tuple(message for message in snapshot.unprocessed if message.id in run.message_ids)
    if own and all(message.attempts >= limits.max_attempts + MAX_FINDING_OUT for message in own):
        return Decision(NextStep.CLOSE, last_word(heard(run, snapshot.recent, now), Ending.FAILED), own)
    return Decision(NextStep.RESUME)


def _closed(snapshot: Snapshot, now: int, limits: RunLimits, switches: Switches) -> Decision | None:
    """Messages that need no model any more; a run of which nothing went out does not change that."""
    messages, thread = snapshot.unprocessed, snapshot.thread
    if answered_by_human := tuple(
        m for m in messages if thread.taken_over(m) or switches.leaves_to_humans(m.created_at)
    ):
        return Decision(NextStep.CLOSE, Ending.HUMAN, answered_by_human)
    if worn_out := tuple(message for message in messages if message.attempts >= limits.max_attempts):
        return Decision(NextStep.CLOSE, Ending.FAILED, worn_out)
    if messages and not thread.window_open(now):
        return Decision(NextStep.CLOSE, Ending.EXPIRED, messages)
    return None


def spend(allowance: Allowance, now: int, limits: RunLimits) -> Allowance | None:
    """The allowance after one more run, or None when the person has used up the hour or the day."""
    allowance = _of_now(allowance, now)
    if used_up(allowance, now, limits):
        return None
    return replace(allowance, hour_runs=allowance.hour_runs + 1, day_runs=allowance.day_runs + 1)


def used_up(allowance: Allowance, now: int, limits: RunLimits) -> str:
    """The setting whose limit keeps the person from another run; empty if none does."""
    allowance = _of_now(allowance, now)
    if allowance.day_runs >= limits.runs_per_day:
        return "MAX_RUNS_PER_DAY"
    return "MAX_RUNS_PER_HOUR" if allowance.hour_runs >= limits.runs_per_hour else ""


def _of_now(allowance: Allowance, now: int) -> Allowance:
    hour, day = now - now % HOUR_MS, now - now % DAY_MS
    if allowance.hour_start != hour:
        allowance = replace(allowance, hour_start=hour, hour_runs=0)
    return allowance if allowance.day_start == day else replace(allowance, day_start=day, day_runs=0)
