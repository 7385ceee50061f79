"""What a run must do about a model turn, whatever the model said: the odd answers of real models, sorted.

Pure, from the run as it was before the turn (so that a resumed run reads as the first attempt did): a nudge counts as
given when its text is among ``run.turns``, a reply as gone out when an action of the run says so.

    turn = await model.generate(run.turns, …)
    reading = read_turn(run, turn)                     # run does not hold the turn yet
    run = run.turns + reading.turns, run.guards + reading.guards
    match reading.step:
        ACT        plan = agent.plan(situation(run before), turn): checkpoint it, do it, then
                   conclusion = conclude(run before, turn, plan, the turn's actions as they ended)
                       .end   "answered" or "no_reply": the run is over
                       None   run.turns += agent.results(turn, plan, data, actions), *conclusion.turns; ask again
        ASK_AGAIN  ask again (the nudge is in reading.turns)
        ANSWERED   the run is over: the reply is out, and nothing of this turn is done
        HAND_OVER  the run is over: reading.notice is an alert to the manager

A reply that went out ends the run well whatever follows: text ("I have sent the message"), nothing, a withheld or a
broken answer. Where the model can't be asked again after a reply, the run is ``answered`` too (``replied``).
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

from dm_core.agent.guards import WRITTEN_CALL
from dm_core.agent.plan import TurnPlan
from dm_core.agent.tools.registry import SEND
from dm_core.agent.written_calls import is_written_call
from dm_core.runs import Action, ActionKind, ActionState, Finish, ModelTurn, Run, Turn, UserTurn

NUDGE: Final = UserTurn(
    f"The person has not seen that. To send it call {SEND}; if no answer is needed, call no_reply with the reason."
)
UNUSABLE: Final = UserTurn("Your last answer could not be used. Answer again by calling one of the tools.")
NO_CODE: Final = UserTurn(
    "You wrote a tool call as text: nothing was done and nobody has seen it. Don't write calls or code: call the tool"
    f" itself. To answer the person call {SEND}."
)

WITHHELD: Final = "I can't answer this conversation (the model withheld its answer). Please have a look."
BROKEN: Final = "I can't answer this conversation (the model's answers could not be used). Please have a look."


class Step(Enum):
    """What comes next."""

    ACT = "plan the turn and do it"
    ASK_AGAIN = "ask the model again"
    ANSWERED = "end: the reply went out before"
    HAND_OVER = "end: a human must answer"


@dataclass(frozen=True, slots=True)
class Reading:
    """The next step, what it adds to the run, and what the manager is told where a human must answer."""

    step: Step
    turns: tuple[Turn, ...] = ()
    guards: tuple[str, ...] = ()
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How the run ends after a turn was done; None where the model is asked again, with ``turns`` after the results."""

    end: Literal["answered", "no_reply"] | None
    turns: tuple[UserTurn, ...] = ()


def read_turn(run: Run, turn: ModelTurn) -> Reading:
    """Sort a model turn. ``run`` does not hold it yet."""
    if turn.finish is Finish.COMPLETE and turn.calls:
        return _read_calls(run, turn)
    if replied(run):
        said = turn.text.strip() and turn.finish is Finish.COMPLETE
        return Reading(Step.ANSWERED, guards=("text_after_reply",) if said else (f"model_{_odd(turn)}",))
    if turn.finish is Finish.BLOCKED:
        return Reading(Step.HAND_OVER, guards=("model_blocked",), notice=WITHHELD)
    if turn.finish is not Finish.COMPLETE or not turn.text.strip():
        return _odd_finish(run, turn)
    if is_written_call(turn.text):
        return _written(run, turn)
    if NUDGE in run.turns or NO_CODE in run.turns:
        return Reading(Step.ACT, (turn,))
    return Reading(Step.ASK_AGAIN, (turn, NUDGE))


def conclude(run: Run, turn: ModelTurn, plan: TurnPlan, actions: tuple[Action, ...]) -> Conclusion:
    """Whether the run is over. ``run`` is as before the turn, ``actions`` are the turn's as they ended."""
    answered = replied(run) or any(_is_reply(action) for action in actions)
    if (nudge := _nudge_beside_calls(run, turn, answered=answered)) is not None:
        return Conclusion(None, (nudge,))
    if plan.no_reply is not None:
        return Conclusion("answered" if run.acted or any(action.went_out for action in actions) else "no_reply")
    if plan.failed or plan.data or not all(_is_settled(action) for action in actions):
        return Conclusion(None)
    reacted = any(action.state is ActionState.DONE for action in (*actions, *(run.actions if plan.repeats else ())))
    return Conclusion("answered" if answered or reacted else None)


def replied(run: Run) -> bool:
    """A reply to the newest of the run's DMs went out, or may have."""
    return any(_is_reply(action) and action.turn >= run.fresh_from for action in run.actions)


def _read_calls(run: Run, turn: ModelTurn) -> Reading:
    """Calls are planned, unless the model writes a call into its message a second time."""
    if _only_written(turn) and not replied(run) and _wrote_before(run):
        return Reading(Step.HAND_OVER, guards=(WRITTEN_CALL,), notice=BROKEN)
    return Reading(Step.ACT, (turn,))


def _written(run: Run, turn: ModelTurn) -> Reading:
    if _wrote_before(run):
        return Reading(Step.HAND_OVER, guards=(WRITTEN_CALL,), notice=BROKEN)
    return Reading(Step.ASK_AGAIN, (turn, NO_CODE), guards=(WRITTEN_CALL,))


def _odd_finish(run: Run, turn: ModelTurn) -> Reading:
    """Tried once more. An empty answer after words beside calls means that the model takes those for said."""
    guards = (f"model_{_odd(turn)}",)
    if UNUSABLE in run.turns:
        return Reading(Step.HAND_OVER, guards=guards, notice=BROKEN)
    spoke = any(earlier.text.strip() and earlier.calls for earlier in run.model_turns)
    nudge = (NUDGE,) if _odd(turn) == Finish.EMPTY and spoke and NUDGE not in run.turns else (UNUSABLE,)
    return Reading(Step.ASK_AGAIN, nudge, guards)


def _odd(turn: ModelTurn) -> Finish:
    return Finish.EMPTY if turn.finish is Finish.COMPLETE else turn.finish


def _nudge_beside_calls(run: Run, turn: ModelTurn, *, answered: bool) -> UserTurn | None:
    """Words beside calls that send nothing are seen by nobody: the model is told so, once, unless it goes on anyway."""
    if not turn.calls or answered or not turn.text.strip():
        return None
    if any(call.name == SEND for call in turn.calls) or NUDGE in run.turns:
        return None
    return NO_CODE if is_written_call(turn.text) and NO_CODE not in run.turns else NUDGE


def _only_written(turn: ModelTurn) -> bool:
    """It has messages to send, and each is a call written out."""
    texts = [call.arguments.get("text") for call in turn.calls if call.name == SEND]
    return bool(texts) and all(isinstance(text, str) and is_written_call(text) for text in texts)


def _wrote_before(run: Run) -> bool:
    return NO_CODE in run.turns or any(_only_written(turn) for turn in run.model_turns)


def _is_reply(action: Action) -> bool:
    return action.kind is ActionKind.SEND and action.went_out


def _is_settled(action: Action) -> bool:
    """Nothing about it is left for the model to mend; a reaction is best effort."""
    return action.kind is ActionKind.REACT or action.went_out
