"""What people decided about a thread, applied: which DMs end without the model, and what an ending changes. Pure.

DMs ─ switched off ────────────────────────────────▶ off
    ├ the stop word came before, no start word ─────▶ stopped
    ├ a stop word is the last of it ────────────────▶ stopped, said once
    └ handed over, and the profile says hold ───────▶ handed_over, said once
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dm_core.agent.disclosure import Lines
from dm_core.agent.rules import Rules
from dm_core.agent.tools.registry import SEND
from dm_core.alerts import HANDOVER_REMINDER, AskedAlert
from dm_core.durations import MINUTE_MS
from dm_core.messages import Message
from dm_core.processing.task_result import Ending
from dm_core.runs import Action, ActionKind, ActionState, DraftState, ModelTurn, Run, ToolCall, UserTurn
from dm_core.steering import ALL_ON, Handover, Mode, Steering, Switches
from dm_core.threads import Thread


@dataclass(frozen=True, slots=True)
class Steered:
    """These DMs end so, without the model; ``line`` is said to the person first, if there is one."""

    ending: Ending
    messages: tuple[Message, ...]
    line: Lines | None = None


def steered(
    thread: Thread, messages: Sequence[Message], rules: Rules, now: int, switches: Switches = ALL_ON
) -> Steered | None:
    """What is decided of these DMs already; None: the agent answers. ``now`` in ms since 1970."""
    in_order = tuple(sorted(messages, key=lambda message: message.order))
    if not in_order:
        return None
    if switches.mode_of(thread.steering) is Mode.OFF:
        return Steered(Ending.OFF, in_order)
    return _stopped(thread, in_order, rules) or _held(thread, in_order, rules, now)


def _held(thread: Thread, messages: tuple[Message, ...], rules: Rules, now: int) -> Steered | None:
    """Silent until a human answered, where the profile says so; the person is told once."""
    handover = thread.handed_over(now, rules.handover.release_ms) if rules.handed_over == "hold" else None
    if handover is None:
        return None
    return Steered(Ending.HANDED_OVER, messages, rules.held if handover.told_at is None else None)


def _stopped(thread: Thread, messages: tuple[Message, ...], rules: Rules) -> Steered | None:
    before = thread.steering.stopped_at
    if rules.stopped_at(before, messages) is not None:
        return Steered(Ending.STOPPED, messages, rules.stopped if before is None else None)
    if before is None:
        return None
    start = next(n for n in range(len(messages)) if rules.stopped_at(before, messages[: n + 1]) is None)
    return Steered(Ending.STOPPED, messages[:start]) if start else None


def scripted(run: Run, steered: Steered, thread: Thread, recent: Sequence[Message], rules: Rules) -> Run:
    """The run that says the line and then ends its DMs: as if a model had asked for that one message."""
    said = "\n".join(message.content.text or "" for message in recent)
    line = steered.line.in_language_of(said) if steered.line else ""
    due = rules.disclosure.is_due(thread.steering, run.started_at) and not rules.disclosure.is_said(line)
    parts = rules.disclosure.under((line,), line) if due else (line,)
    number = run.next_turn
    actions = (
        Action(f"{run.id}/{number}/0{f'.{n}' if len(parts) > 1 else ''}", ActionKind.SEND, part, 0, number)
        for n, part in enumerate(parts)
    )
    turn = ModelTurn("", calls=(ToolCall(SEND, {"text": line}),))
    return replace(run, turns=(UserTurn(""), turn), actions=tuple(actions), script=steered.ending.value)


REMINDER = "Nobody has answered this person yet, {minutes} minutes after I passed them on: {text}"
GIVEN_UP = "I could not answer them."


def reminder_of(rules: Rules, before: Steering, after: Steering, run: Run | None) -> tuple[AskedAlert, ...]:
    """The reminder that goes with a handover that begins now: stored at once, sent only if nobody has answered."""
    if after.handover is None or after.handover == before.handover or after.handover.told_at is not None:
        return ()
    words = next((a.text for a in run.alerts if a.key == after.handover.key), GIVEN_UP) if run else GIVEN_UP
    delay = rules.handover.reminder_ms
    text = REMINDER.format(minutes=round(delay / MINUTE_MS), text=words)
    return (AskedAlert(reminder_key(after.handover.key), text, HANDOVER_REMINDER, delay_ms=delay),)


def reminder_key(handover_key: str) -> str:
    """The key of a handover's reminder."""
    return f"{handover_key}/reminder"


def handed_over_by(run: Run | None, ending: Ending, key: str) -> str | None:
    """The key of the handover that an ending brings, None for none: the model asked for it, or gave up.

    Where a human has taken the thread over already, nobody need be reminded to.
    """
    dropped = run is not None and run.draft is not None and run.draft.state is DraftState.DROP
    if (run is not None and run.script is not None) or (ending is Ending.HUMAN and not dropped):
        return None
    asked = [alert.key for alert in run.alerts if alert.hand_over] if run is not None else []
    if asked:
        return asked[-1]
    return key if ending in (Ending.HANDED_OVER, Ending.FAILED) else None


def steering_after(
    rules: Rules, thread: Thread, run: Run | None, ended: Sequence[Message], now: int, handover: str | None = None
) -> Steering:
    """The thread's steering once ``run`` (None: there was none) is over and these DMs have ended.

    ``handover``: the key of one that begins now (``now`` in ms since 1970).
    """
    steering = thread.steering
    if handover is not None:
        steering = replace(steering, handover=Handover(handover, now))
    elif run is not None and run.script == Ending.HANDED_OVER and run.acted and steering.handover is not None:
        steering = replace(steering, handover=replace(steering.handover, told_at=now))
    in_order = sorted(ended, key=lambda message: message.order)
    steering = replace(steering, stopped_at=rules.stopped_at(steering.stopped_at, in_order))
    if run is not None and (at := _disclosed_at(rules, run)) is not None:
        steering = replace(steering, disclosed_at=at)
    return steering


def _disclosed_at(rules: Rules, run: Run) -> int | None:
    """When a reply that surely went out said who writes."""
    told = [
        action.ended_at or 0
        for action in run.actions
        if action.kind is ActionKind.SEND and action.state is ActionState.DONE and rules.disclosure.is_said(action.text)
    ]
    return max(told, default=None)
