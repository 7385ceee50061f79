"""From a model turn to a plan: which calls become actions, which are read, which are answered on the spot.

Pure: the same situation and turn give the same plan, so a resumed run plans what it planned before.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from dm_core.agent.disclosure import NO_DISCLOSURE, Disclosure
from dm_core.agent.guards import MAX_CALLS_A_TURN, MAX_PARTS, Guards, Refusal
from dm_core.agent.texts import TEXT_LIMIT_BYTES, cut, same_form, size, split_text
from dm_core.agent.tools.declare import Arguments, BadArguments, Kind
from dm_core.agent.tools.instagram import ReactToInstagramMessage, SendInstagramMessage, normal_reaction
from dm_core.agent.tools.notes import NoReply, SaveNote
from dm_core.agent.tools.registry import SEND, TOOLS
from dm_core.agent.tools.whatsapp import SendManagerNotification
from dm_core.agent.written_calls import is_written_call
from dm_core.alerts import MODEL, AskedAlert
from dm_core.messages import Direction, Message
from dm_core.runs import Action, ActionKind, ActionState, ModelTurn, Run, ToolCall, ToolResult
from dm_core.settings import RunLimits
from dm_core.threads import Thread

STORED: Final = "stored; the manager will be told"
ALREADY_SENT: Final = "already sent"
UNCERTAIN: Final = "uncertain, do not send again"
WRITTEN_CALL: Final = "written_call"
"""The guard that acts when a call is written out as text."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What a run may see; bound to one thread. ``now`` in ms since 1970.

    ``recent`` is the newest page of the thread. ``messages`` are the run's own DMs; where not given, they are those
    of ``recent`` that the run names. While a turn is planned, ``run`` does not hold that turn yet.
    """

    thread: Thread
    run: Run
    now: int
    recent: tuple[Message, ...]
    messages: tuple[Message, ...] = ()

    @property
    def own(self) -> tuple[Message, ...]:
        """The DMs the run is to answer."""
        if self.messages:
            return self.messages
        ids = frozenset(self.run.message_ids)
        return tuple(message for message in self.recent if message.id in ids)


@dataclass(frozen=True, slots=True)
class TurnPlan:
    """What becomes of each call of a turn: an action (or several, when split), data to read, or an answer now.

    ``alerts`` are answered already, as stored. ``repeats``: calls whose text went out before, answered as sent.
    """

    actions: tuple[Action, ...] = ()
    alerts: tuple[AskedAlert, ...] = ()
    repeats: tuple[int, ...] = ()
    data: tuple[int, ...] = ()
    answered: Mapping[int, ToolResult] = field(default_factory=dict[int, ToolResult])
    notes: tuple[str, ...] = ()
    no_reply: str | None = None
    guards: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """A call could not be done, for a reason the model can mend."""
        return any(result.error is not None for result in self.answered.values())


@dataclass(slots=True)
class Planner:
    """Plans one turn; made anew for each."""

    situation: Situation
    guards: Guards
    limits: RunLimits
    disclosure: Disclosure = NO_DISCLOSURE
    _alerts: list[AskedAlert] = field(default_factory=list[AskedAlert])
    _repeats: list[int] = field(default_factory=list[int])
    _actions: list[Action] = field(default_factory=list[Action])
    _data: list[int] = field(default_factory=list[int])
    _answered: dict[int, ToolResult] = field(default_factory=dict[int, ToolResult])
    _notes: list[str] = field(default_factory=list[str])
    _acted: list[str] = field(default_factory=list[str])
    _ends: dict[int, str] = field(default_factory=dict[int, str])

    def plan(self, calls: tuple[ToolCall, ...]) -> TurnPlan:
        for index, call in enumerate(calls):
            refusal = self._handle(index, call)
            if refusal is not None:
                self._acted.append(refusal.guard)
                self._answered[index] = ToolResult(call.name, call.id, error=refusal.reason)
        self._end(calls)
        return TurnPlan(
            actions=tuple(self._actions),
            alerts=tuple(self._alerts),
            repeats=tuple(self._repeats),
            data=tuple(self._data),
            answered=self._answered,
            notes=tuple(self._notes),
            no_reply=next(iter(self._ends.values()), None),
            guards=tuple(self._acted),
        )

    def _handle(self, index: int, call: ToolCall) -> Refusal | None:
        if index >= MAX_CALLS_A_TURN:
            return Refusal(
                "too_many_calls", f"too many calls: only the first {MAX_CALLS_A_TURN} of a turn are handled."
            )
        tool = TOOLS.get(call.name)
        if tool is None:
            return Refusal("unknown_tool", f"there is no such tool. The tools are: {', '.join(TOOLS)}.")
        if tool.unknown(call.arguments):
            self._acted.append("extra_arguments")
        try:
            arguments = tool.parse(call.arguments)
        except BadArguments as error:
            return Refusal("bad_arguments", str(error))
        if tool.kind is Kind.DATA:
            self._data.append(index)
            return None
        return self._settle(index, call, arguments)

    def _settle(self, index: int, call: ToolCall, arguments: Arguments) -> Refusal | None:
        match arguments:
            case SendInstagramMessage(text=text):
                return self._send(index, call, text)
            case ReactToInstagramMessage(message_id=handle, reaction=reaction):
                return self._react(index, handle, reaction)
            case SendManagerNotification():
                return self._alert(index, call, arguments)
            case SaveNote(text=text):
                self._notes.append(text)
                self._answered[index] = ToolResult(call.name, call.id, {"status": "saved"})
            case NoReply(reason=reason):
                self._ends[index] = reason
                self._answered[index] = ToolResult(call.name, call.id, {"status": "ended"})
            case _:  # a tool in the table without a meaning here
                raise AssertionError(f"{call.name} is not handled")
        return None

    def _send(self, index: int, call: ToolCall, text: str) -> Refusal | None:
        parts = split_text(text)
        if not parts:
            return Refusal("bad_arguments", "not sent: 'text' is empty. Call it again with a text.")
        fresh = self._not_sent_yet(parts)
        if not fresh:
            self._repeats.append(index)
            self._acted.append("repeated_text")
            self._answered[index] = ToolResult(call.name, call.id, {"status": self._status_of(parts)})
            return None
        refusal = self._send_refusal(text, parts)
        if refusal is None:
            if self._owes_disclosure(text):
                parts = self.disclosure.under(parts, text)
                fresh = self._not_sent_yet(parts)
            for number, part in fresh:
                suffix = f".{number}" if len(parts) > 1 else ""
                self._act(index, ActionKind.SEND, part, suffix=suffix)
        return refusal

    def _owes_disclosure(self, text: str) -> bool:
        """The person must be told who writes, and neither this text does nor one of the run. By the time the run
        began, so that a resumed one plans the same."""
        run, steering = self.situation.run, self.situation.thread.steering
        if not self.disclosure.is_due(steering, run.started_at) or self.disclosure.is_said(text):
            return False
        return not any(self.disclosure.is_said(action.text) for action in self._out())

    def _send_refusal(self, text: str, parts: tuple[str, ...]) -> Refusal | None:
        if self._sends() >= self.limits.max_sends:
            return Refusal("send_limit", f"not sent: at most {self.limits.max_sends} messages may be sent now.")
        if len(parts) > MAX_PARTS:
            limit = MAX_PARTS * TEXT_LIMIT_BYTES
            return Refusal("too_long", f"not sent: {size(text)} bytes; at most {limit} are allowed. Say it shorter.")
        if is_written_call(text):
            reason = "not sent: 'text' holds a tool call written out. Give only the words that the person is to read."
            return Refusal(WRITTEN_CALL, reason)
        return self.guards.refusal(self._without_own_name(text), to_person=True)

    def _without_own_name(self, text: str) -> str:
        """The person's own @name leads nowhere they are not."""
        profile = self.situation.thread.profile
        if profile is None or not profile.username:
            return text
        return re.sub(rf"(?<![\w@.])@{re.escape(profile.username)}(?![\w.]*\w)", "", text, flags=re.IGNORECASE)

    def _not_sent_yet(self, parts: tuple[str, ...]) -> list[tuple[int, str]]:
        """The parts, with their number, that neither went out in this run nor are about to."""
        seen = self._forms_out()
        fresh: list[tuple[int, str]] = []
        for number, part in enumerate(parts):
            if (form := same_form(part)) not in seen:
                seen.add(form)
                fresh.append((number, part))
        return fresh

    def _forms_out(self) -> set[str]:
        """What went out, also as the model wrote it: without the line that was put under it."""
        texts = (text for action in self._out() for text in (action.text, self.disclosure.without(action.text)))
        return {same_form(text) for text in texts}

    def _out(self) -> list[Action]:
        """Every send of the run that went out, may have, or is planned."""
        given_up = (ActionState.DROPPED, ActionState.REFUSED)
        actions = (*self.situation.run.actions, *self._actions)
        return [action for action in actions if action.kind is ActionKind.SEND and action.state not in given_up]

    def _status_of(self, parts: tuple[str, ...]) -> str:
        forms = {same_form(part) for part in parts}
        doubtful = any(
            action.state is ActionState.UNCERTAIN or action.in_doubt
            for action in self._out()
            if not forms.isdisjoint({same_form(action.text), same_form(self.disclosure.without(action.text))})
        )
        return UNCERTAIN if doubtful else ALREADY_SENT

    def _react(self, index: int, handle: str, reaction: str) -> Refusal | None:
        mid = self.situation.run.handles.get(handle.strip())
        if mid is None:
            return Refusal("unknown_handle", f"there is no message {cut(handle, 40)!r}. Use a handle you were shown.")
        if not self._may_react_to(mid):
            return Refusal("unknown_handle", f"{handle} can't be reacted to: choose one of the person's own messages.")
        value = normal_reaction(reaction)
        if value is None:
            return Refusal("bad_arguments", "'reaction' must be \"love\" or a single emoji. Call it again.")
        self._act(index, ActionKind.REACT, value, target=mid)
        return None

    def _may_react_to(self, mid: str) -> bool:
        """Only the person's messages. One that scrolled out of the page since it was shown is left to the platform."""
        known = [message for message in (*self.situation.recent, *self.situation.own) if message.mid == mid]
        return not known or any(m.direction is Direction.INBOUND and m.unsent_at is None for m in known)

    def _alert(self, index: int, call: ToolCall, arguments: SendManagerNotification) -> Refusal | None:
        """Counted against what the run has asked in earlier turns; the same words again are one alert."""
        told = ToolResult(call.name, call.id, {"status": STORED})
        if any(same_form(alert.text) == same_form(arguments.text) for alert in self._alerts):
            self._answered[index] = told
            return None
        of_this_turn = f"{self._turn_key()}/"
        earlier = [a for a in self.situation.run.alerts if a.cause == MODEL and not a.key.startswith(of_this_turn)]
        limit = self.limits.max_notifications
        if len(earlier) + len(self._alerts) >= limit:
            reason = "the manager has been alerted already" if limit else "the manager can't be alerted"
            return Refusal("notification_limit", f"not sent: {reason}.")
        refusal = self.guards.refusal(arguments.text, to_person=False)
        if refusal is None:
            key = f"{of_this_turn}{index}"
            self._alerts.append(
                AskedAlert(key, arguments.text, urgency=arguments.urgency, hand_over=arguments.hand_over)
            )
            self._answered[index] = told
        return refusal

    def _act(self, index: int, kind: ActionKind, text: str, *, suffix: str = "", target: str | None = None) -> None:
        key, turn = f"{self._turn_key()}/{index}{suffix}", self.situation.run.next_turn
        self._actions.append(Action(key=key, kind=kind, text=text, call_index=index, turn=turn, target=target))

    def _turn_key(self) -> str:
        return f"{self.situation.run.id}/{self.situation.run.next_turn}"

    def _sends(self) -> int:
        """Sends the model has used in this run; parts of one text are one. Dropped ones never went out."""
        counted = (*self.situation.run.actions, *self._actions)
        return len(
            {
                (action.turn, action.call_index)
                for action in counted
                if action.kind is ActionKind.SEND and action.call_index >= 0 and action.state is not ActionState.DROPPED
            }
        )

    def _end(self, calls: tuple[ToolCall, ...]) -> None:
        """An end beside a failed call does not count: the model would never learn that its answer was not sent."""
        if self._ends and any(result.error is not None for result in self._answered.values()):
            for index in self._ends:
                error = "not ended: another call of this turn failed. Mend it, or call no_reply alone."
                self._answered[index] = ToolResult(calls[index].name, calls[index].id, error=error)
            self._ends.clear()


def plan_turn(
    situation: Situation, turn: ModelTurn, guards: Guards, limits: RunLimits, disclosure: Disclosure = NO_DISCLOSURE
) -> TurnPlan:
    """Every call of a model turn, each settled exactly once; a plain-text answer as if it had been its one call."""
    calls = turn.calls or (ToolCall(SEND, {"text": turn.text}),)
    return Planner(situation, guards, limits, disclosure).plan(calls)


def grouped(plan: TurnPlan, actions: Mapping[str, Action]) -> Callable[[int], tuple[Action, ...]]:
    """The turn's actions by call, in the state they are in now."""
    return lambda index: tuple(actions.get(a.key, a) for a in plan.actions if a.call_index == index)
