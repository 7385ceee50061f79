"""From a model turn to a plan: which calls become actions, which are read, which are answered on the spot.

Pure: the same situation and turn give the same plan, so a resumed run plans what it planned before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dm_core.agent.guards import MAX_CALLS_A_TURN, MAX_PARTS, Guards, Refusal
from dm_core.agent.texts import TEXT_LIMIT_BYTES, cut, size, split_text
from dm_core.agent.tools.declare import Arguments, BadArguments, Kind
from dm_core.agent.tools.instagram import ReactToInstagramMessage, SendInstagramMessage, normal_reaction
from dm_core.agent.tools.notes import NoReply, SaveNote
from dm_core.agent.tools.registry import SEND, TOOLS
from dm_core.agent.tools.whatsapp import SendManagerNotification
from dm_core.messages import Direction, Message
from dm_core.runs import Action, ActionKind, ActionState, ModelTurn, Run, ToolCall, ToolResult
from dm_core.settings import RunLimits
from dm_core.threads import Thread


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
    """What becomes of each call of a turn: an action (or several, when split), data to read, or an answer now."""

    actions: tuple[Action, ...] = ()
    data: tuple[int, ...] = ()
    answered: Mapping[int, ToolResult] = field(default_factory=dict[int, ToolResult])
    notes: tuple[str, ...] = ()
    no_reply: str | None = None
    guards: tuple[str, ...] = ()

    @property
    def needs_model(self) -> bool:
        """It asked for something, something was refused, or it did nothing that could end the run."""
        if any(result.error is not None for result in self.answered.values()):
            return True
        if self.no_reply is not None:
            return False
        return bool(self.data) or not self.actions


@dataclass(slots=True)
class Planner:
    """Plans one turn; made anew for each."""

    situation: Situation
    guards: Guards
    limits: RunLimits
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
                return self._send(index, text)
            case ReactToInstagramMessage(message_id=handle, reaction=reaction):
                return self._react(index, handle, reaction)
            case SendManagerNotification():
                return self._notify(index, arguments)
            case SaveNote(text=text):
                self._notes.append(text)
                self._answered[index] = ToolResult(call.name, call.id, {"status": "saved"})
            case NoReply(reason=reason):
                self._ends[index] = reason
                self._answered[index] = ToolResult(call.name, call.id, {"status": "ended"})
            case _:  # a tool in the table without a meaning here
                raise AssertionError(f"{call.name} is not handled")
        return None

    def _send(self, index: int, text: str) -> Refusal | None:
        if self._count(ActionKind.SEND) >= self.limits.max_sends:
            return Refusal("send_limit", f"not sent: at most {self.limits.max_sends} messages may be sent now.")
        parts = split_text(text)
        if not parts:
            return Refusal("bad_arguments", "not sent: 'text' is empty. Call it again with a text.")
        if len(parts) > MAX_PARTS:
            limit = MAX_PARTS * TEXT_LIMIT_BYTES
            return Refusal("too_long", f"not sent: {size(text)} bytes; at most {limit} are allowed. Say it shorter.")
        refusal = self.guards.refusal(text, to_person=True)
        if refusal is None:
            for number, part in enumerate(parts):
                suffix = f".{number}" if len(parts) > 1 else ""
                self._act(index, ActionKind.SEND, part, suffix=suffix)
        return refusal

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

    def _notify(self, index: int, arguments: SendManagerNotification) -> Refusal | None:
        limit = self.limits.max_notifications
        if self._count(ActionKind.NOTIFY) >= limit:
            told = "the manager has been alerted already" if limit else "the manager can't be alerted"
            return Refusal("notification_limit", f"not sent: {told}.")
        refusal = self.guards.refusal(arguments.text, to_person=False)
        if refusal is None:
            self._act(index, ActionKind.NOTIFY, arguments.text, urgency=arguments)
        return refusal

    def _act(
        self,
        index: int,
        kind: ActionKind,
        text: str,
        *,
        suffix: str = "",
        target: str | None = None,
        urgency: SendManagerNotification | None = None,
    ) -> None:
        run, turn = self.situation.run, len(self.situation.run.model_turns)
        self._actions.append(
            Action(
                key=f"{run.id}/{turn}/{index}{suffix}",
                kind=kind,
                text=text,
                call_index=index,
                turn=turn,
                target=target,
                urgency=urgency.urgency if urgency else "normal",
            )
        )

    def _count(self, kind: ActionKind) -> int:
        """Calls of this kind the model has used in this run; parts of one text are one. Dropped ones never went out."""
        counted = (*self.situation.run.actions, *self._actions)
        return len(
            {
                (action.turn, action.call_index)
                for action in counted
                if action.kind is kind and action.call_index >= 0 and action.state is not ActionState.DROPPED
            }
        )

    def _end(self, calls: tuple[ToolCall, ...]) -> None:
        """An end beside a failed call does not count: the model would never learn that its answer was not sent."""
        if self._ends and any(result.error is not None for result in self._answered.values()):
            for index in self._ends:
                error = "not ended: another call of this turn failed. Mend it, or call no_reply alone."
                self._answered[index] = ToolResult(calls[index].name, calls[index].id, error=error)
            self._ends.clear()


def plan_turn(situation: Situation, turn: ModelTurn, guards: Guards, limits: RunLimits) -> TurnPlan:
    """Every call of a model turn, each settled exactly once."""
    return Planner(situation, guards, limits).plan(turn.calls)


def plan_text(situation: Situation, text: str, guards: Guards, limits: RunLimits) -> TurnPlan:
    """A plain-text answer as if it had been the turn's one call."""
    return Planner(situation, guards, limits).plan((ToolCall(SEND, {"text": text}),))


def grouped(plan: TurnPlan, actions: Mapping[str, Action]) -> Callable[[int], tuple[Action, ...]]:
    """The turn's actions by call, in the state they are in now."""
    return lambda index: tuple(actions.get(a.key, a) for a in plan.actions if a.call_index == index)
