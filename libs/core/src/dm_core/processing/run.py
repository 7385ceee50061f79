"""The run: ask the model, checkpoint what it wants done, do it, and go on until there is an ending.

The newest turn says what comes next, whether the run is fresh or resumed after a crash:

    UserTurn, ToolTurn   ask the model
    ModelTurn            do its open actions, then end or answer its calls

    model ──▶ checkpoint@v ──applied──▶ act ──▶ end, or results ──▶ model
                  └──conflict──▶ read again: taken over → end · unsent → start over · new DM → take it in (at most
                                 twice) · anything else → checkpoint on the new version · lease gone → Superseded
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum

from dm_core.agent.agent import Agent, Situation, TurnPlan
from dm_core.agent.model import Model
from dm_core.clients.port import InstagramAccounts
from dm_core.clock import Clock
from dm_core.errors import DmAgentError, ModelUnavailable
from dm_core.messages import Message, Status
from dm_core.processing.acting import Actor, Overtaken, count_conflict
from dm_core.processing.live import LiveThread
from dm_core.processing.outcome import Ending
from dm_core.runs import Action, ActionKind, ActionState, Finish, ModelTurn, Phase, Run, ToolResult, UserTurn
from dm_core.settings import RunLimits
from dm_core.store.port import UNSET, MessageChange, Unset
from dm_core.telemetry import emit
from dm_core.threads import Note

MAX_ABSORBED = 2
"""How often new DMs are taken into a run; later ones get the follow-up."""
MAX_NOTES = 50
"""Notes kept of one person, the newest."""
INDICATOR_DELAY = 0.7
"""Seconds of thinking before the person is shown "seen" and "typing"; a quick answer needs neither."""

UNUSABLE = UserTurn("Your last answer could not be used. Answer again by calling one of the tools.")


class Next(Enum):
    """What a lost condition means."""

    RETRY = "commit again on the new version"
    ASK_AGAIN = "the run changed: ask the model again"


@dataclass(slots=True)
class Conductor:
    """Conducts one run to its ending."""

    live: LiveThread
    actor: Actor
    agent: Agent
    model: Model
    instagram: InstagramAccounts
    clock: Clock
    limits: RunLimits

    async def conduct(self) -> Ending:
        """Until the run has an ending. Raises RetryLater, AccountStopped, Uncertain, Unavailable, Superseded,
        OutOfTime, TooManyConflicts; the run is then what ``live.run`` says."""
        if self.live.run.phase is Phase.CLOSING:
            await self.actor.act()
            return Ending(self.live.run.ending or Ending.FAILED)
        seen = await self._look()
        if isinstance(seen, Ending):
            return seen
        while True:
            last = self.live.run.turns[-1]
            ending = await (self._conclude(last) if isinstance(last, ModelTurn) else self._ask())
            if ending is not None:
                return ending

    # -- ask ------------------------------------------------------------------------------------------------

    async def _ask(self) -> Ending | None:
        """One model call, and what is to be done with its answer."""
        if self.live.run.model_calls >= self.limits.max_model_turns:
            return await self._out_of_turns()
        turn = await self._generate()
        self.live.run = run = replace(self.live.run, model_calls=self.live.run.model_calls + 1)
        if turn.finish is Finish.BLOCKED:
            notice = "I can't answer this conversation (the model withheld its answer). Please have a look."
            return await self.actor.close(Ending.HANDED_OVER, notice)
        if turn.finish is not Finish.COMPLETE or not (turn.calls or turn.text.strip()):
            emit("model_turn_unusable", "WARNING", thread_id=self.live.thread.id, finish=turn.finish)
            self.live.run = replace(run, turns=(*run.turns, UNUSABLE), guards=(*run.guards, f"model_{turn.finish}"))
            return None
        if not turn.calls and not run.nudged:
            self.live.run = replace(run, nudged=True, turns=(*run.turns, turn, self.agent.nudge))
            return None
        return await self._checkpoint(turn)

    async def _generate(self) -> ModelTurn:
        started = self.clock()
        remaining = (self.actor.check_time() - started) / 1000
        indicator = asyncio.create_task(self._indicate())
        try:
            async with asyncio.timeout(remaining):
                turn = await self.model.generate(self.live.run.turns, self.agent.declarations, self.agent.system)
        except TimeoutError as error:
            raise ModelUnavailable("the model did not answer before the run's deadline") from error
        finally:
            indicator.cancel()
            await asyncio.gather(indicator, return_exceptions=True)
        return replace(turn, latency_ms=self.clock() - started)

    async def _indicate(self) -> None:
        """Best effort, beside the model call, never in front of a reply."""
        await asyncio.sleep(INDICATOR_DELAY)
        with suppress(DmAgentError):
            instagram = self.instagram.of(self.live.thread.account_id)
            await instagram.indicate(self.live.thread.user_id, "mark_seen")
            await instagram.indicate(self.live.thread.user_id, "typing_on")

    async def _out_of_turns(self) -> Ending:
        if any(action.kind is ActionKind.SEND and action.went_out for action in self.live.run.actions):
            return Ending.ANSWERED
        notice = "I could not find an answer here in the steps I am allowed. Please have a look."
        return await self.actor.close(Ending.HANDED_OVER, notice)

    # -- checkpoint -----------------------------------------------------------------------------------------

    async def _checkpoint(self, turn: ModelTurn) -> Ending | None:
        """Store the turn and what it is about to do; nothing goes out before that is applied."""
        conflicts = 0
        while True:
            before = self.live.run
            plan = self._plan(before, turn)
            actions = _first_started(plan.actions, self.clock())
            run = replace(
                before,
                turns=(*before.turns, turn),
                actions=(*before.actions, *actions),
                guards=(*before.guards, *plan.guards),
                notes=(*before.notes, *plan.notes),
            )
            if not actions:  # nothing goes out: stored with the results, or by the finish
                self.live.run = run
                return None
            if await self.live.apply(replace(self.live.change(), run=run, notes=self.notes(run))):
                self.actor.announced.add(actions[0].key)
                return None
            conflicts = count_conflict(conflicts)
            seen = await self._reconsider()
            if isinstance(seen, Ending):
                return seen
            if seen is Next.ASK_AGAIN:
                return None

    async def _reconsider(self) -> Ending | Next:
        """The condition was lost: read again and see what came."""
        await self.live.refresh()
        return await self._look()

    async def _look(self) -> Ending | Next:
        """Takeover, unsent messages and new DMs since the run was made."""
        live = self.live
        if live.thread.is_paused(self.clock()):
            return self.actor.drop_open(Ending.HUMAN)
        start_over = not live.run.acted and live.has_unsent
        fits = live.run.model_calls < self.limits.max_model_turns and live.run.absorbed < MAX_ABSORBED
        may_take_in = fits and not live.run.acted and not isinstance(live.run.turns[-1], ModelTurn)
        new = live.others if start_over or may_take_in else ()
        if not start_over and not new:
            return Next.RETRY
        remaining = tuple(message for message in live.own if message.unsent_at is None)
        if not remaining and not new:
            return Ending.UNSENT
        await self._take_in(remaining, new, start_over=start_over or not live.run.model_turns)
        return Next.ASK_AGAIN

    async def _take_in(self, remaining: tuple[Message, ...], new: tuple[Message, ...], *, start_over: bool) -> None:
        """Make the run about what is there now; new DMs are claimed with it.

        If this commit conflicts too, the run stays as it was: the next checkpoint sees the same DMs again.
        """
        live, now = self.live, self.clock()
        run = replace(
            live.run,
            message_ids=tuple(message.id for message in (*live.own, *new)),
            absorbed=live.run.absorbed + bool(new),
        )
        if start_over:
            opening = self.agent.opening(self._situation(run, (*remaining, *new)))
            run = replace(run, turns=(UserTurn(opening.text),), actions=(), handles=opening.handles, nudged=False)
        else:
            more = self.agent.more(self._situation(run), new)
            run = replace(run, turns=(*run.turns, UserTurn(more.text)), handles=more.handles)
        claimed = tuple(
            MessageChange(message.id, Status.PROCESSING, now, attempts=message.attempts + 1, run_id=run.id)
            for message in new
        )
        if await live.apply(replace(live.change(), run=run, messages=claimed)):
            live.own, live.others = (*live.own, *new), tuple(m for m in live.others if m not in new)

    # -- conclude -------------------------------------------------------------------------------------------

    async def _conclude(self, turn: ModelTurn) -> Ending | None:
        """Do the turn's open actions; end, or give the model its results."""
        try:
            ending = await self.actor.act()
        except Overtaken:
            seen = await self._look()
            return seen if isinstance(seen, Ending) else None
        if ending is not None:
            return ending
        run = self.live.run
        number = len(run.model_turns) - 1
        earlier = tuple(action for action in run.actions if action.turn != number)
        actions = tuple(action for action in run.actions if action.turn == number)
        plan = self._plan(replace(run, turns=run.turns[:-1], actions=earlier), turn)
        if plan.no_reply is not None:
            return Ending.ANSWERED if run.acted else Ending.NO_REPLY
        if not plan.needs_model and _satisfied(actions):
            return Ending.ANSWERED
        return await self._give_results(turn, plan, actions)

    async def _give_results(self, turn: ModelTurn, plan: TurnPlan, actions: tuple[Action, ...]) -> Ending | None:
        """Store the turn with the answers to its calls, so that a resumed run need not ask again."""
        data: dict[int, ToolResult] = {}
        for index in plan.data:
            self.actor.check_time()
            data[index] = await self.agent.read(self._situation(self.live.run), turn.calls[index])
        answers = self.agent.results(turn, plan, data, actions) if turn.calls else _not_sent(plan, actions)
        self.live.run = run = replace(self.live.run, turns=(*self.live.run.turns, answers))
        conflicts = 0
        while not await self.live.apply(replace(self.live.change(), run=run, notes=self.notes(run))):
            conflicts = count_conflict(conflicts)
            seen = await self._reconsider()
            if isinstance(seen, Ending):
                return seen
            if seen is Next.ASK_AGAIN:
                return None
        return None

    # -- small helpers --------------------------------------------------------------------------------------

    def notes(self, run: Run) -> tuple[Note, ...] | Unset:
        """The thread's notes with those this run adds; UNSET when there is nothing new."""
        known = {note.text for note in self.live.thread.notes}
        fresh = tuple(Note(text, self.clock()) for text in dict.fromkeys(run.notes) if text not in known)
        return (*self.live.thread.notes, *fresh)[-MAX_NOTES:] if fresh else UNSET

    def _situation(self, run: Run, messages: tuple[Message, ...] | None = None) -> Situation:
        own = self.live.own if messages is None else messages
        return Situation(self.live.thread, run, self.clock(), self.live.recent, own)

    def _plan(self, run: Run, turn: ModelTurn) -> TurnPlan:
        """Pure: the same turn after the same run gives the same plan, so a resumed run can make it again."""
        if turn.calls:
            return self.agent.plan(self._situation(run), turn)
        return self.agent.plan_plain_text(self._situation(run), turn.text)


def _first_started(actions: tuple[Action, ...], now: int) -> tuple[Action, ...]:
    return tuple(replace(action, started_at=now) if index == 0 else action for index, action in enumerate(actions))


def _satisfied(actions: tuple[Action, ...]) -> bool:
    """Something was done, and nothing but a best-effort reaction failed."""
    done = any(action.state is ActionState.DONE for action in actions)
    rest = (action for action in actions if action.kind is not ActionKind.REACT)
    return done and all(action.state in (ActionState.DONE, ActionState.UNCERTAIN) for action in rest)


def _not_sent(plan: TurnPlan, actions: tuple[Action, ...]) -> UserTurn:
    """What to tell the model whose plain-text answer could not be sent."""
    errors = (*(result.error for result in plan.answered.values()), *(action.error for action in actions))
    reason = next((error for error in errors if error), "it was refused")
    return UserTurn(f"Your answer was not sent: {reason}. Answer again by calling a tool.")
