"""Expectations filled in from what happened. A person has to say whether it was right: they only hold what was."""

from collections.abc import Sequence
from typing import Final

from dm_core.agent.tools.registry import LOOK_UP, NOTIFY, REACT, SEND
from dm_core.alerts import MODEL, AskedAlert
from dm_core.messages import Direction, Message
from dm_core.runs import ActionKind, ActionState, Run
from dm_evals.checks.effects import changes
from dm_evals.checks.outcome import judge_trial
from dm_evals.observation import Observation
from dm_evals.production.anonymous import Anonymous
from dm_evals.production.turns import calls_of
from dm_evals.rules.texts import language_of
from dm_evals.scenarios.scenario import Call, Calls, Expectations, Limits, Matcher, Reply, Scenario, State

ROOM: Final = 1.5
"""How much longer than what was said a reply may be."""


def expectations(runs: Sequence[Run], messages: Sequence[Message], anonymous: Anonymous) -> Expectations:
    """What the runs did and how the DMs ended."""
    done = [action for run in runs for action in run.actions if action.state is ActionState.DONE]
    alerts = [alert for run in runs for alert in run.alerts]
    asked = [alert for alert in alerts if alert.cause == MODEL]
    replies = [anonymous.text(action.text) for action in done if action.kind is ActionKind.SEND]
    ended = _ended([(each.status, each.disposition) for each in messages if each.direction is Direction.INBOUND])
    return Expectations(
        calls=_calls(runs, replies, asked, silent=not alerts),
        state=State(
            replies=len(replies),
            alerts=len(alerts),
            urgent=any(alert.urgency == "urgent" for alert in alerts),
            messages=ended,
            runs=len(runs),
        ),
        reply=_reply("\n".join(replies)) if replies else Reply(),
        limits=Limits(model_calls=sum(calls_of(run) for run in runs)),
    )


def with_replies(scenario: Scenario, observation: Observation) -> Scenario:
    """Expects what the person was sent here, and how their DMs ended, in place of what was."""
    expect, number = scenario.expect, len(observation.replies)
    inbound = [(each.status, each.disposition) for each in observation.messages if each.direction == Direction.INBOUND]
    required = [call for call in expect.calls.required if call.tool != SEND]
    allowed = [tool for tool in expect.calls.allowed if tool != SEND]
    calls = {"required": (*required, Call(tool=SEND, at_most=number)), "allowed": tuple(allowed)}
    return scenario.expecting(
        calls=expect.calls.model_copy(update=calls),
        state=expect.state.model_copy(update={"replies": number, "messages": _ended(inbound)}),
        reply=_reply("\n".join(observation.replies)),
    )


def _ended(inbound: Sequence[tuple[str, str | None]]) -> dict[str, int]:
    """How many DMs have each word that one of them ended with; a disposition has a status too."""
    words = sorted({str(disposition or status) for status, disposition in inbound})
    return {word: sum(word in each for each in inbound) for word in words}


def _calls(runs: Sequence[Run], replies: Sequence[str], alerts: Sequence[AskedAlert], *, silent: bool) -> Calls:
    """``alerts``: those the model asked for; ``silent``: there was none, not even of our own."""
    looked = any(call.name == LOOK_UP for run in runs for turn in run.model_turns for call in turn.calls)
    required = [Call(tool=LOOK_UP)] if looked else []
    if replies:
        required.append(Call(tool=SEND, at_most=len(replies)))
    if alerts:
        urgency = {"urgency": Matcher(equals="urgent")} if any(each.urgency == "urgent" for each in alerts) else {}
        required.append(Call(tool=NOTIFY, args=urgency, at_most=len(alerts)))
    return Calls(
        required=tuple(required),
        allowed=(REACT,) if replies else (SEND, REACT),
        forbidden=(NOTIFY,) if silent else (),
    )


def _reply(text: str) -> Reply:
    size = round(len(text.encode()) * ROOM)
    return Reply(max_bytes=size - size % -100, language=language_of(text) or None)


def as_played(scenario: Scenario, observation: Observation) -> tuple[Scenario, list[str]]:
    """With what production changed; a line for each check that the answer of then does not hold."""
    state = scenario.expect.state
    added = [Matcher(equals=alert.text) for alert in observation.alerts if alert.cause != MODEL]
    state = state.model_copy(update={"alert": (*state.alert, *added)})
    scenario = scenario.expecting(changed=changes(observation), state=state)
    result = judge_trial(scenario, observation)
    return scenario, [
        f"played again, {check.name} does not hold: {check.expected}; it was {check.observed}"
        for check in result.broken
    ]
