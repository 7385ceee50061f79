"""What a run does about each odd answer: nothing is lost, nothing odd reaches the person, and a reply ends well."""

from dataclasses import replace

import pytest

from dm_core.agent.plan import TurnPlan
from dm_core.agent.reading import NO_CODE, NUDGE, UNUSABLE, Conclusion, Step, conclude, read_turn, replied
from dm_core.runs import Action, ActionKind, ActionState, Finish, ModelTurn, Run, ToolCall, ToolResult, Turn, UserTurn
from tests.unit.agent.agent_stage import NOW

SEND = "send_instagram_message"
WRITTEN = 'print(default_api.send_instagram_message(text="Hi"))'


def run(*turns: Turn, actions: tuple[Action, ...] = ()) -> Run:
    return Run("r", "t", NOW, ("m",), "h", turns=(UserTurn("<context>"), *turns), actions=actions)


def said(text: str = "", *calls: ToolCall, finish: Finish = Finish.COMPLETE) -> ModelTurn:
    return ModelTurn("{}", text, calls, finish)


def call(name: str, **arguments: object) -> ToolCall:
    return ToolCall(name, arguments)


def action(
    kind: ActionKind = ActionKind.SEND, state: ActionState = ActionState.DONE, turn: int = 0, text: str = "Tuesday"
) -> Action:
    return Action(f"r/{turn}/0", kind, text, 0, turn, state=state)


ANSWERED = run(said("", call(SEND, text="Tuesday")), actions=(action(),))


def test_plain_text_is_nudged_once_and_then_is_the_reply() -> None:
    text = said("Tuesday, 18:00")

    first = read_turn(run(), text)
    second = read_turn(run(*first.turns), text)

    assert (first.step, first.turns) == (Step.ASK_AGAIN, (text, NUDGE))
    assert (second.step, second.turns) == (Step.ACT, (text,))


def test_a_written_call_is_told_once_and_then_handed_over() -> None:
    first = read_turn(run(), said(WRITTEN))
    again = read_turn(run(*first.turns), said("```tool_code\nno_reply()\n```"))
    better = read_turn(run(*first.turns), said("Tuesday, 18:00"))

    assert (first.step, first.turns[1], first.guards) == (Step.ASK_AGAIN, NO_CODE, ("written_call",))
    assert (again.step, again.turns) == (Step.HAND_OVER, ())
    assert "have a look" in again.notice
    assert better.step is Step.ACT  # the telling was its nudge


def test_a_call_written_into_the_message_is_refused_once_and_then_handed_over() -> None:
    bad = said("", call(SEND, text=WRITTEN))

    assert read_turn(run(), bad).step is Step.ACT  # the plan refuses it and says why
    assert read_turn(run(bad), bad).step is Step.HAND_OVER
    assert read_turn(run(bad), said("", call(SEND, text="Tuesday"))).step is Step.ACT
    assert read_turn(run(bad), said("", call(SEND, text="Tuesday"), call(SEND, text=WRITTEN))).step is Step.ACT
    odd = said("", call(SEND, text={"text": "Tuesday"}))  # the plan says that it must be a text
    assert read_turn(run(odd), odd).step is Step.ACT


AFTERWARDS = [
    said("I have sent the message to the user."),
    said(WRITTEN),
    said(""),
    said("", finish=Finish.EMPTY),
    said("", finish=Finish.BLOCKED),
    said("", finish=Finish.MALFORMED),
    said("Tues", finish=Finish.TRUNCATED),
]


@pytest.mark.parametrize("turn", AFTERWARDS)
@pytest.mark.parametrize("state", [ActionState.DONE, ActionState.UNCERTAIN])
def test_whatever_follows_a_reply_ends_the_run_well(turn: ModelTurn, state: ActionState) -> None:
    reading = read_turn(replace(ANSWERED, actions=(action(state=state),)), turn)

    assert (reading.step, reading.turns, reading.notice) == (Step.ANSWERED, (), "")


@pytest.mark.parametrize("state", [ActionState.REFUSED, ActionState.DROPPED, ActionState.PLANNED])
def test_a_send_that_did_not_go_out_is_no_reply(state: ActionState) -> None:
    assert read_turn(replace(ANSWERED, actions=(action(state=state),)), said("Tuesday")).step is Step.ASK_AGAIN


def test_a_reply_from_before_further_dms_does_not_answer_those() -> None:
    taken_in = replace(ANSWERED, turns=(UserTurn("<context>with Friday's DM"),), dropped_turns=1, fresh_from=1)

    assert not replied(taken_in)
    assert read_turn(taken_in, said("Friday too")).turns[1:] == (NUDGE,)
    assert replied(replace(taken_in, actions=(action(), action(turn=1))))


@pytest.mark.parametrize("finish", [Finish.MALFORMED, Finish.TRUNCATED, Finish.EMPTY])
def test_an_odd_finish_is_tried_once_more(finish: Finish) -> None:
    odd = said("", finish=finish)

    first = read_turn(run(), odd)
    second = read_turn(run(*first.turns), odd)

    assert (first.step, first.turns, first.guards) == (Step.ASK_AGAIN, (UNUSABLE,), (f"model_{finish}",))
    assert second.step is Step.HAND_OVER


def test_a_withheld_answer_is_handed_over_at_once() -> None:
    assert read_turn(run(), said("", finish=Finish.BLOCKED)).step is Step.HAND_OVER


def test_an_empty_turn_that_claims_to_be_complete_is_odd_too() -> None:
    assert read_turn(run(), said(" \n")).guards == ("model_empty",)


def test_an_empty_answer_after_words_beside_calls_hears_that_they_were_not_seen() -> None:
    spoke = said("It is on Tuesday.", call("get_notes"))

    assert read_turn(run(spoke), said("")).turns == (NUDGE,)


def test_broken_calls_are_never_planned() -> None:
    assert read_turn(run(), said("", call(SEND, text="x"), finish=Finish.MALFORMED)).step is Step.ASK_AGAIN


# -- after the turn was done ---------------------------------------------------------------------------------------


def plan(*actions: Action, **more: object) -> TurnPlan:
    return replace(TurnPlan(actions), **more)


REACT = action(ActionKind.REACT, text="love")


@pytest.mark.parametrize("beside", ["react_to_instagram_message", "send_manager_notification", "save_note", "no_reply"])
def test_words_beside_calls_that_send_nothing_are_nudged_once(beside: str) -> None:
    turn = said("It is on Tuesday.", call(beside))
    ended = plan(REACT, no_reply="answered" if beside == "no_reply" else None)

    assert conclude(run(), turn, ended, (REACT,)) == Conclusion(None, (NUDGE,))
    assert conclude(run(said("x"), NUDGE), turn, ended, (REACT,)) == Conclusion("answered")


def test_words_beside_a_send_are_not_missed() -> None:
    sent = action()

    assert conclude(run(), said("Done!", call(SEND, text="Tuesday")), plan(sent), (sent,)) == Conclusion("answered")
    assert conclude(ANSWERED, said("Noted.", call("save_note")), plan(), ()) == Conclusion("answered")


def test_a_written_call_beside_calls_is_told_as_one() -> None:
    assert conclude(run(), said(WRITTEN, call("save_note")), plan(), ()).turns == (NO_CODE,)


def test_an_alert_alone_is_no_answer_and_beside_a_reply_ends_the_run() -> None:
    turn = said("", call("send_manager_notification", text="x"))

    assert conclude(run(), turn, plan(), ()).end is None
    assert conclude(run(), turn, plan(action()), (action(),)).end == "answered"


def test_silence_is_answered_only_where_something_went_out() -> None:
    turn = said("", call("no_reply", reason="spam"))

    assert conclude(run(), turn, plan(no_reply="spam"), ()).end == "no_reply"
    assert conclude(run(), turn, plan(REACT, no_reply="thanks"), (REACT,)).end == "answered"
    assert conclude(ANSWERED, turn, plan(no_reply="done"), ()).end == "answered"


def test_what_failed_and_what_was_read_goes_back_to_the_model() -> None:
    turn, error = said("", call(SEND, text="x")), {0: ToolResult(SEND, error="not sent")}
    refused = action(state=ActionState.REFUSED)

    assert conclude(run(), turn, plan(answered=error), ()).end is None
    assert conclude(run(), turn, plan(refused), (refused,)).end is None
    assert conclude(run(), turn, plan(action(), data=(1,)), (action(),)).end is None


def test_a_failed_reaction_beside_a_reply_is_let_go_and_alone_is_told() -> None:
    failed = replace(REACT, state=ActionState.REFUSED)
    turn = said("", call("react_to_instagram_message"))

    assert conclude(run(), turn, plan(action(), failed), (action(), failed)).end == "answered"
    assert conclude(run(), turn, plan(failed), (failed,)).end is None


def test_the_same_text_again_ends_a_run_that_has_sent_it() -> None:
    turn = said("", call(SEND, text="Tuesday"))

    assert conclude(ANSWERED, turn, plan(repeats=(0,)), ()).end == "answered"
