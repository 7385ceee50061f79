"""The run: ask the model, checkpoint what it wants done, do it, and go on until there is an ending.

The newest turn says what comes next, whether the run is fresh or resumed after a crash or a wait:

    UserTurn, ToolTurn   ask the model
    ModelTurn            do its open actions, then end or answer its calls

    model ──▶ checkpoint@v ──applied──▶ act ──▶ end, or results ──▶ model
                  └── something came, or the answer is old (``freshness``) ──▶ reopen: with all that is there now
"""

import asyncio
from dataclasses import dataclass, field, replace

from dm_core.agent.agent import Agent, Situation
from dm_core.agent.model import Model
from dm_core.agent.plan import TurnPlan
from dm_core.agent.prices import Prices
from dm_core.agent.reading import UNUSABLE, Step, conclude, read_turn, replied
from dm_core.agent.rebuild import said_and_done
from dm_core.agent.tools.registry import NOTIFY
from dm_core.alerts import MODEL as ASKED_BY_MODEL
from dm_core.clients.port import InstagramAccounts
from dm_core.clock import Clock
from dm_core.errors import AccountStopped, DmAgentError, ModelRefused, ModelUnavailable, RetryLater, Uncertain
from dm_core.messages import Message, Status
from dm_core.processing import drafts
from dm_core.processing.actions import ActionExecutor
from dm_core.processing.attached_media import WITHHELD, AttachedMedia, shows_any
from dm_core.processing.brake import MODEL, REQUESTS, instagram_of
from dm_core.processing.drafts import PROPOSED, Proposed
from dm_core.processing.freshness import Stale, came, taken_over
from dm_core.processing.leased_thread import LeasedThread
from dm_core.processing.names import Names, known
from dm_core.processing.openings import reopened
from dm_core.processing.steering import steered
from dm_core.processing.task_result import Ending
from dm_core.runs import Action, Asked, Draft, DraftState, Finish, ModelTurn, Run, ToolResult, ToolTurn, Turn, UserTurn
from dm_core.settings import RunLimits
from dm_core.store.port import UNSET, MessageChange, ThreadChange, Unset
from dm_core.telemetry import emit
from dm_core.threads import Note

MAX_NOTES = 50
"""Notes kept of one person, the newest."""
INDICATOR_DELAY = 0.7
"""Seconds of thinking before the person is shown "seen" and "typing"; a quick answer needs neither."""

SAME_FAILURES = 2
"""Waits of a thread after which files are held to be why the model fails (500) on it, and left out."""

UNHEARD = "I wanted to tell you something about this person, and did not manage to. Please read the conversation."
OUT_OF_TURNS = "I could not find an answer here in the steps I am allowed. Please have a look."


@dataclass(slots=True)
class RunLoop:
    """Conducts one run to its ending. ``planned`` is the newest turn's plan, kept while this process has it."""

    leased: LeasedThread
    executor: ActionExecutor
    agent: Agent
    model: Model
    prices: Prices
    instagram: InstagramAccounts
    clock: Clock
    limits: RunLimits
    media: AttachedMedia
    planned: tuple[ModelTurn, TurnPlan] | None = field(default=None)

    async def conduct(self) -> Ending | Proposed:
        """Until the run has an ending, or waits for the manager's word. Raises whatever kept it from one; the run is
        then what ``leased.run`` says."""
        if self.leased.run.ending is not None:  # closed by an older revision, which only had its notice left to send
            self.executor.drop_open("closed")
            ending = Ending(self.leased.run.ending)
            return Ending.ANSWERED if ending is Ending.FAILED and self.leased.run.replied else ending
        while True:
            last = self.leased.run.turns[-1]
            outcome = await (self._conclude(last) if isinstance(last, ModelTurn) else self._ask())
            if isinstance(outcome, Stale) and self._holds(outcome):
                outcome = None
            if isinstance(outcome, Stale):
                outcome = await self.reopen(outcome)
            if outcome is not None:
                return outcome

    def _holds(self, why: Stale) -> bool:
        """What it says was not decided by a model, or was released: it is as true as before."""
        run, draft = self.leased.run, self.leased.run.newest_draft
        by_manager = draft is not None and draft.is_released and (draft.state is DraftState.EDIT or why is Stale.OLD)
        return run.script is not None or by_manager

    def tell_unheard(self) -> None:
        """The model meant to alert the manager, was refused, and left it at that: the person may have been told so."""
        run, allowed = self.leased.run, self.limits.max_notifications
        results = (result for turn in run.turns if isinstance(turn, ToolTurn) for result in turn.results)
        refused = any(result.name == NOTIFY and result.error is not None for result in results)
        if refused and allowed and all(alert.cause != ASKED_BY_MODEL for alert in run.alerts):
            self.executor.tell("unheard", UNHEARD)

    async def find_out(self) -> Ending:
        """The attempts are used up: only look whether a reply went out."""
        await self.executor.settle_doubts()
        doubtful = self.executor.give_up("every attempt was used up")
        return Ending.ANSWERED if self.leased.run.replied else Ending.UNCERTAIN if doubtful else Ending.FAILED

    # -- ask ------------------------------------------------------------------------------------------------

    async def _ask(self) -> Ending | Stale | Proposed | None:
        """One model call, and what is to be done with its answer."""
        if taken_over(self.leased):
            return self._human()
        if (why := came(self.leased)) is not None:
            return why
        if self.leased.run.model_calls >= self.limits.max_model_turns:
            return self._hand_over("out_of_turns", OUT_OF_TURNS)
        turn = await self._generate()
        if turn is None:
            return None
        before = self.leased.run
        reading = read_turn(before, turn)
        asked = Asked(before.asked.revision if before.asked else -1, self.clock())
        self.leased.run = run = replace(
            before, turns=(*before.turns, *reading.turns), guards=(*before.guards, *reading.guards), asked=asked
        )
        match reading.step:
            case Step.ASK_AGAIN:
                emit("model_turn_unusable", "WARNING", thread_id=self.leased.thread.id, guards=list(reading.guards))
                return None
            case Step.ANSWERED:
                return Ending.ANSWERED
            case Step.HAND_OVER:
                return self._hand_over("handed_over", reading.notice)
            case Step.ACT:
                return await self._checkpoint(before, run, turn)

    async def _generate(self) -> ModelTurn | None:
        """The model's answer; None when it takes not what it is shown, which is then told in other words, once."""
        started = self.clock()
        remaining = (self.executor.check_time() - started) / 1000
        indicator = asyncio.create_task(self._indicate())
        reading = Names(self.instagram, self.clock, self.executor.brake).begin(self.leased.thread)
        self.prices.load_aside()
        run = self.leased.run
        shown = run.turns
        try:
            async with asyncio.timeout(remaining):
                shown = await self.media.beside(run, (*self.leased.recent, *self.leased.own))
                run = self.leased.run = replace(run, looks=self.media.looks or run.looks)
                turn = await self.model.generate(shown, self.agent.declarations, self.agent.system)
        except TimeoutError as error:
            raise ModelUnavailable("the model did not answer before the run's deadline") from error
        except ModelUnavailable as error:
            if (
                error.code != 500
                or self.leased.thread.wait_count < SAME_FAILURES
                or not self._leave_out(shown, "failed")
            ):
                raise
            return None
        except ModelRefused:
            if self._leave_out(shown, "refused"):
                return None
            if (turns := said_and_done(run)) is None:
                raise
            emit("model_history_refused", "WARNING", thread_id=self.leased.thread.id, run_id=run.id)
            self.leased.run = replace(run, turns=turns)
            return None
        finally:
            indicator.cancel()
            await asyncio.gather(indicator, return_exceptions=True)
            self.leased.met(await known(reading))
        for key in (MODEL, REQUESTS):
            self.executor.brake.succeeded(key, self.leased.thread.id)
        turn = replace(turn, latency_ms=self.clock() - started)
        spent = run.spent + await self.prices.spent(turn, started)  # it is billed, whatever becomes of it
        self.leased.run = replace(run, model_calls=run.model_calls + 1, spent=spent)
        last = turn.finish is Finish.BLOCKED or (turn.finish is not Finish.COMPLETE and UNUSABLE in run.turns)
        if last and not replied(run) and self._leave_out(shown, turn.finish):
            return None
        return turn

    def _leave_out(self, shown: tuple[Turn, ...], why: str) -> bool:
        """Files that the model does not take are left out from now on, and said; False where none were shown."""
        if not shows_any(shown):
            return False
        run = self.leased.run
        emit(WITHHELD, "WARNING", thread_id=self.leased.thread.id, run_id=run.id, why=why)
        self.leased.run = replace(run, guards=(*run.guards, WITHHELD))
        return True

    async def _indicate(self) -> None:
        """Best effort, beside the model call, never in front of a reply."""
        await asyncio.sleep(INDICATOR_DELAY)
        brake, key = self.executor.brake, instagram_of(self.leased.thread.account_id)
        if brake.is_spared(key):
            return
        try:
            instagram = self.instagram.of(self.leased.thread.account_id)
            await instagram.indicate(self.leased.thread.user_id, "mark_seen")
            await instagram.indicate(self.leased.thread.user_id, "typing_on")
        except (RetryLater, AccountStopped, Uncertain):
            brake.spare(key)
        except DmAgentError:
            return

    # -- checkpoint -----------------------------------------------------------------------------------------

    async def _checkpoint(self, before: Run, after: Run, turn: ModelTurn) -> Ending | Stale | Proposed | None:
        """Store the turn and what it is about to do; nothing goes out before that is applied."""
        plan = self.agent.plan(self._situation(before), turn)
        self.planned = (turn, plan)
        run = replace(
            after,
            actions=(*before.actions, *plan.actions),
            alerts=(*before.alerts, *plan.alerts),
            guards=(*after.guards, *plan.guards),
            notes=(*before.notes, *plan.notes),
        )
        self.leased.run = run
        if not plan.actions:  # nothing goes out: stored with the results, or by the finish
            return None
        first = plan.actions[0]
        await self.executor.look()
        outcome = await self.leased.commit(
            lambda: self._with_notes(self.executor.about_to_start(run, first.key, first.turn))
        )
        if outcome is None:
            self.executor.announce(first.key, first.turn)
            return None
        if not isinstance(outcome, Stale):
            return self._kept_back(outcome)
        # The turn is dropped, but not its alerts: asked for is asked for. Its number is used up with their keys.
        self.leased.run = replace(before, alerts=run.alerts, dropped_turns=before.dropped_turns + 1)
        return outcome

    def _with_notes[T](self, made: ThreadChange | T) -> ThreadChange | T:
        if isinstance(made, ThreadChange) and isinstance(made.run, Run):
            return replace(made, notes=self.notes(made.run))
        return made

    async def reopen(self, why: Stale) -> Ending | None:
        """Go on with all that is there now: from the beginning, or, if something went out, knowing of it."""
        run = self.leased.run
        waited = self.leased.resumed or why is Stale.OLD
        counted = why is Stale.NEW and not self.leased.resumed
        self.leased.resumed = False
        self.leased.aside += drafts.not_sent(run)
        self.executor.drop_open(f"not sent: {why.value}")
        emit("run_reopened", thread_id=self.leased.thread.id, run_id=run.id, why=why.name.lower(), acted=run.acted)
        untold = None if waited else self._untold()
        again = replace(self.leased.run, restarts=run.restarts + counted)
        return await self.leased.commit(lambda: self._reopened(again, why, untold))

    def _untold(self) -> tuple[Turn, ...]:
        """What became of the newest turn's calls, if the model was not told: nothing is read for it any more."""
        turn = self.leased.run.turns[-1]
        if not isinstance(turn, ModelTurn):
            return ()
        return (self.agent.results(turn, self._planned(turn)[1], {}, self._newest_actions()),)

    def _reopened(self, run: Run, why: Stale, untold: tuple[Turn, ...] | None) -> ThreadChange | Ending:
        leased = self.leased
        if taken_over(leased):
            return self._human()
        standing = tuple(message for message in leased.own if message.unsent_at is None)
        messages = (*standing, *leased.others)
        if not messages:
            return Ending.ANSWERED if run.replied else Ending.UNSENT
        if (found := steered(leased.thread, messages, self.agent.rules, self.clock())) is not None:
            return Ending.ANSWERED if run.replied else found.ending  # what came is left to the follow-up
        run = reopened(self.agent, run, leased, self._situation(run, messages), why, untold)
        claimed = tuple(
            MessageChange(m.id, Status.PROCESSING, self.clock(), attempts=m.attempts + 1, run_id=run.id)
            for m in leased.others
        )
        return replace(leased.change(), run=run, messages=claimed)

    # -- conclude -------------------------------------------------------------------------------------------

    async def _conclude(self, turn: ModelTurn) -> Ending | Stale | Proposed | None:
        """Do the turn's open actions; end, or give the model its results."""
        if taken_over(self.leased):
            return self._human()
        draft = self.leased.run.newest_draft
        if draft is not None and (word := self._word_on(draft)) is not None:
            return word
        if (outcome := await self.executor.act()) is not None:
            return outcome if isinstance(outcome, Stale) else self._kept_back(outcome)
        run = self.leased.run
        if run.script is not None:
            return Ending(run.script)
        if draft is not None and draft.state is DraftState.EDIT and run.replied:
            return Ending.ANSWERED
        actions = self._newest_actions()
        before, plan = self._planned(turn)
        conclusion = conclude(before, turn, plan, actions)
        if conclusion.end is not None:
            return Ending(conclusion.end)
        return await self._give_results(turn, plan, actions, conclusion.turns)

    def _word_on(self, draft: Draft) -> Ending | Stale | Proposed | None:
        """What the manager's word on the newest turn means, or that there is none yet; None: it goes out."""
        if draft.is_released:
            return None
        if draft.state is DraftState.DROP:
            self.executor.drop_open("dropped by the manager")
            return Ending.ANSWERED if self.leased.run.replied else Ending.HUMAN
        if (why := came(self.leased)) is not None:
            return why
        if self.clock() < drafts.expires_at(self.leased.thread):
            return PROPOSED
        self.executor.drop_open("nobody decided in time")
        self.executor.tell("expired", drafts.EXPIRED_NOTICE, urgency="normal")
        return Ending.ANSWERED if self.leased.run.replied else Ending.EXPIRED

    def _kept_back(self, outcome: Ending | Proposed) -> Ending | Proposed:
        """The turn's actions end the run, or must not begin: by whose word."""
        if outcome is PROPOSED:
            self.leased.aside += drafts.not_sent(self.leased.run)
            self.leased.run = drafts.proposed(self.leased.run)
        elif outcome is Ending.HUMAN:
            return self._human()
        elif outcome is Ending.OFF:
            self.executor.drop_open("switched off")
            return Ending.ANSWERED if self.leased.run.replied else outcome
        return outcome

    def _newest_actions(self) -> tuple[Action, ...]:
        """The newest turn's actions, as they are now."""
        run = self.leased.run
        return tuple(action for action in run.actions if action.turn == run.next_turn - 1)

    def _planned(self, turn: ModelTurn) -> tuple[Run, TurnPlan]:
        """The run as before its newest turn, and that turn's plan, made again only if another process made it."""
        run = self.leased.run
        number = run.next_turn - 1
        before = replace(
            run,
            turns=run.turns[:-1],
            actions=tuple(action for action in run.actions if action.turn != number),
            alerts=tuple(alert for alert in run.alerts if not alert.key.startswith(f"{run.id}/{number}/")),
        )
        if self.planned is None or self.planned[0] is not turn:
            self.planned = (turn, self.agent.plan(self._situation(before), turn))
        return before, self.planned[1]

    async def _give_results(
        self, turn: ModelTurn, plan: TurnPlan, actions: tuple[Action, ...], nudges: tuple[UserTurn, ...]
    ) -> Ending | Stale | None:
        """Store the turn with the answers to its calls, so that a resumed run need not ask again."""
        data: dict[int, ToolResult] = {}
        for index in plan.data:
            self.executor.check_time()
            data[index] = await self.agent.read(self._situation(self.leased.run), turn.calls[index])
        answers = self.agent.results(turn, plan, data, actions)
        run = replace(self.leased.run, turns=(*self.leased.run.turns, answers, *nudges))
        self.leased.run = run

        def store() -> ThreadChange | Ending | Stale:
            if taken_over(self.leased):
                return self._human()
            return came(self.leased) or replace(self.leased.change(), run=run, notes=self.notes(run))

        return await self.leased.commit(store)

    # -- small helpers --------------------------------------------------------------------------------------

    def notes(self, run: Run) -> tuple[Note, ...] | Unset:
        """The thread's notes with those this run adds; UNSET when there is nothing new."""
        known = {note.text for note in self.leased.thread.notes}
        fresh = tuple(Note(text, self.clock(), run.id) for text in dict.fromkeys(run.notes) if text not in known)
        return (*self.leased.thread.notes, *fresh)[-MAX_NOTES:] if fresh else UNSET

    def _human(self) -> Ending:
        """A human answers: nothing more goes out."""
        self.executor.drop_open("human")
        return Ending.HUMAN

    def _hand_over(self, cause: str, notice: str) -> Ending:
        """The model can't go on. A reply that is out ends the run well all the same. Urgent once: else somebody whom it
        never answers rings the manager with every word."""
        if replied(self.leased.run):
            return Ending.ANSWERED
        passed_on = self.leased.thread.handed_over(self.clock(), self.agent.rules.handover.release_ms)
        self.executor.tell(cause, notice, "normal" if passed_on else "urgent")
        return Ending.HANDED_OVER

    def _situation(self, run: Run, messages: tuple[Message, ...] | None = None) -> Situation:
        own = self.leased.own if messages is None else messages
        return Situation(self.leased.thread, run, self.clock(), self.leased.recent, own)
