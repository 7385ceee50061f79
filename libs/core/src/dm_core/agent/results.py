"""What the model is told of its calls: exactly one result each, in their order, with the model's own ids."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from dm_core.agent.plan import UNCERTAIN, TurnPlan, grouped
from dm_core.agent.texts import cut
from dm_core.runs import Action, ActionState, ModelTurn, ToolCall, ToolResult, ToolTurn, UserTurn

MAX_TURN_BYTES: Final = 64 * 1024
"""Largest answers to one turn's calls, in bytes of JSON. The longest single result fits; six such turns and the model's
own (as large at most) stay under the 1 MiB of a Firestore document."""


def answers(
    turn: ModelTurn, plan: TurnPlan, data: Mapping[int, ToolResult], actions: Sequence[Action]
) -> ToolTurn | UserTurn:
    """What goes back to the model: a result for each of its calls, or why its plain text was not sent."""
    return tool_turn(turn, plan, data, actions) if turn.calls else _not_sent(plan, actions)


def _not_sent(plan: TurnPlan, actions: Sequence[Action]) -> UserTurn:
    out = sum(action.went_out for action in actions)
    if out:
        return UserTurn(f"Only the first {out} of {len(actions)} parts of your answer were sent: do not repeat them.")
    errors = (*(result.error for result in plan.answered.values()), *(action.error for action in actions))
    reason = next((error for error in errors if error), "it was refused")
    return UserTurn(f"Your answer was not sent: {reason} Answer again by calling a tool.")


def tool_turn(turn: ModelTurn, plan: TurnPlan, data: Mapping[int, ToolResult], actions: Sequence[Action]) -> ToolTurn:
    """Answers on the spot, data that was read, and what became of the actions."""
    actions_of = grouped(plan, {action.key: action for action in actions})
    results: list[ToolResult] = []
    for index, call in enumerate(turn.calls):
        settled = plan.answered.get(index) or data.get(index)
        if settled is None:
            settled = _result_of(call, actions_of(index))
        results.append(ToolResult(call.name, call.id, settled.output, settled.error))
    return ToolTurn(_bounded(results))


def _bounded(results: Sequence[ToolResult]) -> tuple[ToolResult, ...]:
    """The results as far as they fit; the model is told what did not, and can ask for it in its next turn."""
    kept: list[ToolResult] = []
    left = MAX_TURN_BYTES
    for result in results:
        size = len(json.dumps(dict(result.output), ensure_ascii=False).encode("utf-8", "surrogatepass"))
        if size > left:
            kept.append(ToolResult(result.name, result.id, error="too much at once: ask for less, or on its own."))
        else:
            kept.append(result)
            left -= size
    return tuple(kept)


def _result_of(call: ToolCall, parts: tuple[Action, ...]) -> ToolResult:
    """One call's actions as one result; a text sent in parts fails as soon as one part does."""
    states = [part.state for part in parts]
    if not parts:
        return ToolResult(call.name, call.id, error="not available now")
    if all(state is ActionState.DONE for state in states):
        return ToolResult(call.name, call.id, {"status": "sent"})
    if any(state is ActionState.UNCERTAIN or part.in_doubt for state, part in zip(states, parts, strict=True)):
        return ToolResult(call.name, call.id, {"status": UNCERTAIN})
    failed = next(part for part in parts if part.state is not ActionState.DONE)
    reason = f"refused: {cut(failed.error or 'no reason given', 200)}"
    if failed.state is not ActionState.REFUSED:
        reason = "not sent: given up before it went out. Decide again."
    done = sum(state is ActionState.DONE for state in states)
    if done:
        reason = f"{reason} (the first {done} of {len(parts)} parts were sent: do not repeat them)"
    return ToolResult(call.name, call.id, error=reason)
