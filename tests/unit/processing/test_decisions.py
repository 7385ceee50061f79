"""What a task does with what it reads, case by case."""

from dataclasses import replace

import pytest

from dm_core.durations import HOUR_MS
from dm_core.messages import Content, Direction, Message, Status
from dm_core.processing.decisions import Decision, NextStep, decide, spend
from dm_core.processing.task_result import Ending
from dm_core.runs import Action, ActionKind, ActionState, Run
from dm_core.store.port import Snapshot, Version
from dm_core.threads import Allowance, Lease, Thread
from dm_sandbox.examples import LIMITS

NOW = 1_800_000_000_000
PENDING = Message(
    "m", "178_9", "mid", Direction.INBOUND, Status.PENDING, Content(text="hi"), NOW - 1000, NOW - 900, NOW - 900
)
THREAD = Thread("178_9", "178", "9", last_inbound_at=NOW - 1000, pending_count=1)
RUN = Run("r", "task", NOW - 5000, ("m",), "hash")
SENT = Action("r/0/0", ActionKind.SEND, "Hi", 0, 0, state=ActionState.DONE, platform_id="mid.out")
ACTED = replace(RUN, actions=(SENT,))
WORN_OUT = replace(PENDING, id="w", attempts=LIMITS.max_attempts)


def seen(thread: Thread, *messages: Message, allowance: Allowance | None = None) -> Snapshot:
    return Snapshot(thread, Version(1), messages, messages, allowance or Allowance())


@pytest.mark.parametrize(
    ("snapshot", "step"),
    [
        (None, NextStep.NOTHING),
        (seen(THREAD), NextStep.NOTHING),
        (seen(THREAD, PENDING), NextStep.START),
        (seen(replace(THREAD, lease=Lease("r", "other", NOW + 1)), PENDING), NextStep.BUSY),
        (seen(replace(THREAD, lease=Lease("r", "task", NOW + 1)), PENDING), NextStep.AGAIN),
        (seen(replace(THREAD, lease=Lease("r", "task", NOW)), PENDING), NextStep.START),
        (seen(replace(THREAD, lease=Lease("r", "other", NOW - 1), run=RUN), PENDING), NextStep.RESUME),
        (seen(replace(THREAD, run=RUN)), NextStep.RESUME),
        (seen(replace(THREAD, run=RUN, paused_until=NOW + 1), PENDING), NextStep.CLOSE),
        (seen(replace(THREAD, run=ACTED, paused_until=NOW + 1), PENDING), NextStep.RESUME),
        (seen(replace(THREAD, not_before=NOW + 1), PENDING), NextStep.WAIT),
        (seen(replace(THREAD, not_before=NOW), PENDING), NextStep.START),
        (seen(replace(THREAD, not_before=NOW + 1, run=ACTED), PENDING), NextStep.WAIT),
        (seen(replace(THREAD, run=ACTED), WORN_OUT), NextStep.RESUME),
    ],
)
def test_who_may_run(snapshot: Snapshot | None, step: NextStep) -> None:
    assert decide(snapshot, "task", NOW, LIMITS).step is step


@pytest.mark.parametrize(
    ("thread", "allowance", "ending"),
    [
        (replace(THREAD, paused_until=NOW + 1), Allowance(), Ending.HUMAN),
        (replace(THREAD, paused_until=NOW - 500), Allowance(), Ending.HUMAN),
        (replace(THREAD, last_inbound_at=NOW - 86_400_000), Allowance(), Ending.EXPIRED),
        (THREAD, Allowance(hour_start=NOW - NOW % HOUR_MS, hour_runs=LIMITS.runs_per_hour), Ending.LIMITED),
    ],
)
def test_what_ends_without_the_model(thread: Thread, allowance: Allowance, ending: Ending) -> None:
    decision = decide(seen(thread, PENDING, allowance=allowance), "task", NOW, LIMITS)

    assert replace(decision, limit="") == Decision(NextStep.CLOSE, ending, (PENDING,))
    assert bool(decision.limit) is (ending is Ending.LIMITED)


def test_a_dm_that_arrived_after_a_takeover_was_over_is_answered() -> None:
    assert decide(seen(replace(THREAD, paused_until=NOW - 900), PENDING), "task", NOW, LIMITS).step is NextStep.START


def test_only_the_dm_whose_attempts_are_used_up_fails() -> None:
    decision = decide(seen(THREAD, WORN_OUT, PENDING), "task", NOW, LIMITS)

    assert decision == Decision(NextStep.CLOSE, Ending.FAILED, (WORN_OUT,))


def test_a_call_by_hand_without_a_task_name_is_never_taken_for_the_holder() -> None:
    held = seen(replace(THREAD, lease=Lease("r", "", NOW + 1)), PENDING)

    assert decide(held, "", NOW, LIMITS).step is NextStep.BUSY


def test_the_allowance_is_spent_by_hour_and_day_and_comes_back_with_time() -> None:
    allowance: Allowance | None = Allowance()
    for _ in range(LIMITS.runs_per_hour):
        assert allowance is not None
        allowance = spend(allowance, NOW, LIMITS)
    assert allowance is not None

    assert spend(allowance, NOW, LIMITS) is None
    later = spend(allowance, NOW + HOUR_MS, LIMITS)

    assert later is not None
    assert later.hour_runs == 1
    assert later.day_runs == LIMITS.runs_per_hour + 1


@pytest.mark.parametrize(
    ("action", "ending"),
    [
        (SENT, Ending.ANSWERED),
        (replace(SENT, state=ActionState.PLANNED, started_at=NOW), Ending.UNCERTAIN),
        (replace(SENT, kind=ActionKind.REACT), Ending.FAILED),
    ],
)
def test_even_finding_out_what_went_out_is_tried_three_times_only(action: Action, ending: Ending) -> None:
    run = replace(ACTED, message_ids=("w",), actions=(action,))
    worn_out = [replace(WORN_OUT, attempts=LIMITS.max_attempts + n) for n in (2, 3)]

    decisions = [decide(seen(replace(THREAD, run=run), each), "task", NOW, LIMITS) for each in worn_out]

    assert decisions == [Decision(NextStep.RESUME), Decision(NextStep.CLOSE, ending, (worn_out[1],))]
