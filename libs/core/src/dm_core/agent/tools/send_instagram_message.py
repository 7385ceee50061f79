"""Send a text to the person of the thread. There is no recipient to give: a run can only write where it is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dm_core.agent.guards import MAX_PARTS, WRITTEN_CALL, Refusal
from dm_core.agent.plan import UNCERTAIN, PlannedCall, PlannedTurn
from dm_core.agent.texts import TEXT_LIMIT_BYTES, said_form, size, split_text
from dm_core.agent.tools.arguments import text_argument
from dm_core.agent.tools.declare import Kind, PlannedTool
from dm_core.runs import Action, ActionKind, ActionState

ALREADY_SENT: Final = "already sent"


@dataclass(frozen=True, slots=True)
class SendInstagramMessage:
    """Send a message to the person you are talking with. This is the only way they see your answer. Usually one call
    is enough; a text above 1,000 bytes is split into several messages."""

    text: str = text_argument("The message as the person will read it: plain text, no markdown.", max_chars=20_000)


def plan(arguments: SendInstagramMessage, call: PlannedCall) -> Refusal | None:
    """A send for each part that did not go out before in this run."""
    parts = split_text(arguments.text)
    if not parts:
        return Refusal("bad_arguments", "not sent: 'text' is empty. Call it again with a text.")
    fresh = not_sent_yet(call.turn, parts)
    if not fresh:
        call.turn.repeats.append(call.index)
        call.turn.guards_acted.append("repeated_text")
        call.answer({"status": _status_of(call.turn, parts)})
        return None
    refusal = _refusal(call.turn, arguments.text, parts)
    if refusal is None:
        if _owes_disclosure(call.turn, arguments.text):
            parts = call.turn.disclosure.under(parts, arguments.text)
            fresh = not_sent_yet(call.turn, parts)
        for number, part in fresh:
            call.act(ActionKind.SEND, part, part=number if len(parts) > 1 else None)
    return refusal


def _owes_disclosure(turn: PlannedTurn, text: str) -> bool:
    """The person must be told who writes, and neither this text does nor one of the run. By the time the run began, so
    that a resumed one plans the same."""
    run, steering = turn.situation.run, turn.situation.thread.steering
    if not turn.disclosure.is_due(steering, run.started_at) or turn.disclosure.is_said(text):
        return False
    return not any(turn.disclosure.is_said(action.text) for action in turn.sends())


def not_sent_yet(turn: PlannedTurn, parts: Sequence[str]) -> list[tuple[int, str]]:
    """The parts, with their number, that neither went out in this run nor are about to."""
    seen = {form for action in turn.sends() for form in _forms(turn, action)}
    fresh: list[tuple[int, str]] = []
    for number, part in enumerate(parts):
        if (form := said_form(part)) not in seen:
            seen.add(form)
            fresh.append((number, part))
    return fresh


def _forms(turn: PlannedTurn, action: Action) -> frozenset[str]:
    """A text that went out, also as the model wrote it: without the line that was put under it."""
    return frozenset(map(said_form, (action.text, turn.disclosure.without(action.text))))


def _status_of(turn: PlannedTurn, parts: Sequence[str]) -> str:
    forms = {said_form(part) for part in parts}
    doubtful = any(
        action.state is ActionState.UNCERTAIN or action.in_doubt
        for action in turn.sends()
        if not forms.isdisjoint(_forms(turn, action))
    )
    return UNCERTAIN if doubtful else ALREADY_SENT


def _refusal(turn: PlannedTurn, text: str, parts: Sequence[str]) -> Refusal | None:
    limit = turn.limits.max_sends
    if turn.sends_used() >= limit:
        return Refusal("send_limit", f"not sent: at most {limit} messages may be sent now.")
    if len(parts) > MAX_PARTS:
        allowed = MAX_PARTS * TEXT_LIMIT_BYTES
        return Refusal("too_long", f"not sent: {size(text)} bytes; at most {allowed} are allowed. Say it shorter.")
    if turn.is_written_call(text):
        reason = "not sent: 'text' holds a tool call written out. Give only the words that the person is to read."
        return Refusal(WRITTEN_CALL, reason)
    return turn.guards.refusal(_without_own_name(turn, text), to_person=True)


def _without_own_name(turn: PlannedTurn, text: str) -> str:
    """The person's own @name leads nowhere they are not."""
    profile = turn.situation.thread.profile
    if profile is None or not profile.username:
        return text
    return re.sub(rf"(?<![\w@.])@{re.escape(profile.username)}(?![\w.]*\w)", "", text, flags=re.IGNORECASE)


TOOL = PlannedTool(
    name="send_instagram_message",
    kind=Kind.ACTION,
    arguments=SendInstagramMessage,
    plan=plan,
    prompt="""\
- To answer, call `send_instagram_message`, as a rule exactly once, with the whole answer. Once it is sent, you are done:
  don't report that you sent it, and don't send it again.""",  # noqa: E501 - the line breaks are part of the prompt
)
