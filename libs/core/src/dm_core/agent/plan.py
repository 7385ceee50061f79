"""From a model turn to a plan: which calls become actions, which are read, which are answered on the spot.

``Agent.plan`` hands each call to its tool, which decides by what ``PlannedCall`` shows it and leaves there what is to
be done. Pure: the same situation and turn give the same plan, so a resumed run plans what it planned before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from dm_core.agent.disclosure import NO_DISCLOSURE, Disclosure
from dm_core.agent.guards import Guards, Refusal
from dm_core.alerts import AskedAlert
from dm_core.messages import Message
from dm_core.runs import Action, ActionKind, ActionState, Run, ToolCall, ToolResult
from dm_core.settings import RunLimits
from dm_core.threads import Thread

UNCERTAIN: Final = "uncertain, do not send again"


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

    @property
    def own_ids(self) -> frozenset[str]:
        """Ids of the run's DMs, of those beyond the page too."""
        return frozenset((*self.run.message_ids, *(message.id for message in self.own)))


@dataclass(frozen=True, slots=True)
class TurnPlan:
    """What becomes of each call of a turn: an action (or several, when split), data to read, or an answer now.

    ``alerts`` are answered already, as stored. ``repeats``: calls for what went out before, answered as sent.
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
class PlannedTurn:
    """A turn while it is planned, made anew for each: what its calls came to so far."""

    situation: Situation
    guards: Guards
    limits: RunLimits
    is_written_call: Callable[[str], bool]
    disclosure: Disclosure = NO_DISCLOSURE
    known: list[ToolCall] = field(default_factory=list[ToolCall])
    """Look-ups whose results the model has, or gets with this turn."""
    actions: list[Action] = field(default_factory=list[Action])
    alerts: list[AskedAlert] = field(default_factory=list[AskedAlert])
    repeats: list[int] = field(default_factory=list[int])
    data: list[int] = field(default_factory=list[int])
    answered: dict[int, ToolResult] = field(default_factory=dict[int, ToolResult])
    notes: list[str] = field(default_factory=list[str])
    guards_acted: list[str] = field(default_factory=list[str])
    ends: dict[int, str] = field(default_factory=dict[int, str])

    @property
    def key(self) -> str:
        """What the keys of this turn's actions and alerts begin with."""
        return f"{self.situation.run.id}/{self.situation.run.next_turn}"

    def sends(self) -> list[Action]:
        """Every send of the run that went out, may have, or is planned."""
        given_up = (ActionState.DROPPED, ActionState.REFUSED)
        actions = (*self.situation.run.actions, *self.actions)
        return [action for action in actions if action.kind is ActionKind.SEND and action.state not in given_up]

    def sends_used(self) -> int:
        """Sends the model has used in this run; parts of one text are one. Dropped ones never went out."""
        counted = (*self.situation.run.actions, *self.actions)
        return len(
            {
                (action.turn, action.call_index)
                for action in counted
                if action.kind is ActionKind.SEND and action.call_index >= 0 and action.state is not ActionState.DROPPED
            }
        )

    def done(self, calls: tuple[ToolCall, ...]) -> TurnPlan:
        """The plan, once every call is settled."""
        self._take_back_ends(calls)
        return TurnPlan(
            actions=tuple(self.actions),
            alerts=tuple(self.alerts),
            repeats=tuple(self.repeats),
            data=tuple(self.data),
            answered=self.answered,
            notes=tuple(self.notes),
            no_reply=next(iter(self.ends.values()), None),
            guards=tuple(self.guards_acted),
        )

    def _take_back_ends(self, calls: tuple[ToolCall, ...]) -> None:
        """An end beside a failed call does not count: the model would never learn that its answer was not sent."""
        if self.ends and any(result.error is not None for result in self.answered.values()):
            for index in self.ends:
                error = "not ended: another call of this turn failed. Mend it, or call no_reply alone."
                self.answered[index] = ToolResult(calls[index].name, calls[index].id, error=error)
            self.ends.clear()


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """One call of a turn that is planned: what its tool may do with it. A tool does so, or returns a Refusal."""

    turn: PlannedTurn
    index: int
    call: ToolCall

    @property
    def key(self) -> str:
        """Stable over retries: the same call of the same turn has it again."""
        return f"{self.turn.key}/{self.index}"

    def act(self, kind: ActionKind, text: str, *, part: int | None = None, target: str | None = None) -> None:
        """Something the outside will see. ``part``: one of several that a text was split into."""
        key = self.key if part is None else f"{self.key}.{part}"
        turn = self.turn.situation.run.next_turn
        self.turn.actions.append(Action(key=key, kind=kind, text=text, call_index=self.index, turn=turn, target=target))

    def answer(self, output: Mapping[str, object]) -> None:
        """What the model is told at once."""
        self.turn.answered[self.index] = ToolResult(self.call.name, self.call.id, output)

    def look_up(self) -> None:
        """Data to be read, unless the model has it already: a model that asks again and again is told so instead."""
        if any((known.name, known.arguments) == (self.call.name, self.call.arguments) for known in self.turn.known):
            self.turn.guards_acted.append("repeated_look_up")
            self.answer({"already_known": "You have looked this up: its result stands above. Act on it now."})
            return
        self.turn.known.append(self.call)
        self.turn.data.append(self.index)

    def refuse(self, refusal: Refusal) -> None:
        """Nothing is done; the model is told why, and the run remembers which guard acted."""
        self.turn.guards_acted.append(refusal.guard)
        self.turn.answered[self.index] = ToolResult(self.call.name, self.call.id, error=refusal.reason)


def grouped(plan: TurnPlan, actions: Mapping[str, Action]) -> Callable[[int], tuple[Action, ...]]:
    """The turn's actions by call, in the state they are in now."""
    return lambda index: tuple(actions.get(a.key, a) for a in plan.actions if a.call_index == index)
