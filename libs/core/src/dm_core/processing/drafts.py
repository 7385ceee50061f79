"""A draft: what the agent would send, until the manager has said *send*, *edit* or *drop*. Pure.

    proposed ─┬─ send ──▶ goes out as the model wrote it, unless something came: then remade
              ├─ edit ──▶ the manager's next message goes out in its place, whatever came
              ├─ drop ──▶ nothing goes out, the DMs end ``human``
              ├─ a DM, an edit or an unsend came ──▶ withdrawn, the run starts over with all that is there
              └─ undecided 10 minutes before the person's window ends ──▶ ``expired``, the manager is told

Its DMs stay pending and its run stays with the thread, as in a wait, but it has no age and takes no attempt.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import Final, Literal

from dm_core.alerts import DRAFT, Alert, AskedAlert, alert_id
from dm_core.durations import HOUR_MS
from dm_core.messages import WINDOW_MS
from dm_core.processing.waits import WINDOW_MARGIN_MS
from dm_core.runs import Action, ActionKind, ActionState, Draft, DraftState, Run
from dm_core.threads import Thread

LOOK_MS: Final = HOUR_MS
"""How often a waiting draft is looked at, should the wake-up of what came since be lost."""
EXPIRED_NOTICE: Final = "Nobody decided the draft for this person in time, so nothing was sent. Please answer."
NOT_SENT: Final = "The {what} you released for this person was not sent. Please look into Instagram."
UNSURE: Final = "I can't tell whether the {what} you released arrived. It was not repeated. Please look into Instagram."
ASK: Final = "Draft. Send, edit or drop? Tap a button, or quote this message with that word:"


class _Proposed(Enum):
    PROPOSED = "what the run would send waits for the manager"


PROPOSED: Final = _Proposed.PROPOSED
Proposed = Literal[_Proposed.PROPOSED]


def proposed(run: Run) -> Run:
    """The run whose newest turn is a draft."""
    turn = run.next_turn - 1
    return replace(run, draft=Draft(turn, alert_id(_key(run, turn))), restarts=0)


def asked_of(run: Run) -> tuple[AskedAlert, ...]:
    """What shows the run's draft to the manager; nothing for a run without one that waits."""
    if not run.waits_for_manager or run.draft is None:
        return ()
    return (AskedAlert(_key(run, run.draft.turn), f"{ASK}\n{_shown(run)}", DRAFT),)


def not_sent(run: Run | None) -> tuple[AskedAlert, ...]:
    """What the manager is told of a released draft that did not go out, or may not have, when its run ends or starts
    over. A reaction counts where it was all of the draft."""
    draft = run.draft if run is not None else None
    if run is None or draft is None or not draft.is_released:
        return ()
    shown = [action for action in run.actions if action.turn == draft.turn]
    sends = [action for action in shown if action.kind is ActionKind.SEND]
    released = sends or shown
    told = any(alert.cause == "uncertain" for alert in run.alerts)
    unsure = any(action.state is ActionState.UNCERTAIN for action in released)
    if told or (not unsure and all(action.went_out for action in released)):
        return ()
    words = (UNSURE if unsure else NOT_SENT).format(what="text" if sends else "reaction")
    return (AskedAlert(f"{_key(run, draft.turn)}/not_sent", words, "draft_not_sent", "urgent"),)


def rewritten(run: Run, draft: Draft, parts: Sequence[str]) -> Run:
    """The run with the manager's own words in place of what the draft would have sent."""
    kept = tuple(action for action in run.actions if action.turn != draft.turn or not action.is_open)
    own = (
        Action(f"{run.id}/{draft.turn}/edited.{number}", ActionKind.SEND, part, 0, draft.turn)
        for number, part in enumerate(parts)
    )
    return replace(run, actions=(*kept, *own), draft=draft)


def expires_at(thread: Thread) -> int:
    """Until when a draft can be decided, in ms since 1970."""
    return thread.last_inbound_at + WINDOW_MS - WINDOW_MARGIN_MS


def look_at(thread: Thread, now: int) -> int:
    """When somebody looks at the thread again, in ms since 1970."""
    return max(now + 1_000, min(now + LOOK_MS, expires_at(thread)))


def rests(thread: Thread, now: int) -> bool:
    """Its draft waits, nothing came, and its time is not over: nobody has to do anything. ``now`` in ms since 1970."""
    run = thread.run
    if run is None or not run.waits_for_manager or run.asked is None:
        return False
    return run.asked.revision == thread.revision and now < expires_at(thread)


def is_shown_in(alert: Alert, thread: Thread | None) -> bool:
    """The alert's draft still waits."""
    run = thread.run if thread is not None else None
    return run is not None and run.waits_for_manager and run.draft is not None and run.draft.alert_id == alert.id


def acts_undecided(run: Run, mode_is_draft: bool, turn: int) -> bool:
    """Nothing of this turn may begin, for the manager has not decided."""
    draft = run.draft if run.draft is not None and run.draft.turn == turn else None
    if draft is None:
        return mode_is_draft and not any(action.went_out for action in run.actions if action.turn == turn)
    return draft.state is DraftState.WAITING


def _key(run: Run, turn: int) -> str:
    return f"{run.id}/{turn}/draft"


def _shown(run: Run) -> str:
    turn = run.draft.turn if run.draft else -1
    texts = [_said(a) for a in run.actions if a.turn == turn and a.state is ActionState.PLANNED]
    return "\n".join(texts)


def _said(action: Action) -> str:
    return f"“{action.text}”" if action.kind is ActionKind.SEND else f"(reacts with {action.text})"
