"""What the model is told of its calls stays far under what a document can hold."""

import json

from dm_core.agent.plan import TurnPlan
from dm_core.agent.results import MAX_TURN_BYTES, answers, tool_turn
from dm_core.agent.tools.get_thread_messages import MAX_RESULT_CHARS
from dm_core.runs import Action, ActionKind, ActionState, ModelTurn, ToolCall, ToolResult, UserTurn

LONGEST = "🏏" * MAX_RESULT_CHARS


def answered(*texts: str) -> tuple[ToolResult, ...]:
    """A turn that read each of these, and what the model is told."""
    calls = tuple(ToolCall("get_thread_messages", {}, f"c{n}") for n in range(len(texts)))
    data = {n: ToolResult(call.name, call.id, {"messages": texts[n]}) for n, call in enumerate(calls)}
    turn = tool_turn(ModelTurn(content="", calls=calls), TurnPlan(data=tuple(data)), data, ())
    return turn.results


def test_the_longest_result_there_is_fits() -> None:
    assert answered(LONGEST)[0].error is None


def test_eight_of_the_longest_results_are_cut_to_the_bound_and_the_model_is_told_which() -> None:
    results = answered(*(8 * [LONGEST]))

    size = sum(len(json.dumps(dict(result.output), ensure_ascii=False).encode()) for result in results)
    assert size <= MAX_TURN_BYTES
    assert [result.id for result in results] == [f"c{n}" for n in range(8)]
    assert [result.error is None for result in results] == [True, *(7 * [False])]
    assert all("ask for less" in (result.error or "") for result in results[1:])


def test_a_short_result_after_one_too_long_is_still_given() -> None:
    results = answered(LONGEST, LONGEST, "short")

    assert [result.error is None for result in results] == [True, False, True]


def test_a_plain_text_of_which_a_part_went_out_is_not_told_as_unsent() -> None:
    parts = (
        Action("r/0/0.0", ActionKind.SEND, "One.", 0, 0, state=ActionState.DONE),
        Action("r/0/0.1", ActionKind.SEND, "Two.", 0, 0, state=ActionState.DROPPED, error="not sent: new DMs came"),
    )

    told = answers(ModelTurn(content="", text="One. Two."), TurnPlan(actions=parts), {}, parts)

    assert isinstance(told, UserTurn)
    assert told.text == "Only the first 1 of 2 parts of your answer were sent: do not repeat them."
