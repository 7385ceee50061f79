"""The acting half of a run: actions go out one by one, each announced in the store before it is begun.

planned ──checkpoint or start──▶ started ──▶ POST ──▶ done | refused | in doubt ──look-ups──▶ done | uncertain
   └────────── takeover, something came, an earlier refusal ──▶ dropped
"""

from dataclasses import dataclass, field, replace

from dm_core.alerts import AskedAlert, Urgency
from dm_core.clock import Clock
from dm_core.errors import AccountStopped, DmAgentError, Owner, Refused, RetryLater, Unreachable
from dm_core.processing.brake import Brake, instagram_of, people_of
from dm_core.processing.delivery import Delivery
from dm_core.processing.drafts import PROPOSED, Proposed, acts_undecided
from dm_core.processing.freshness import Stale, stale, taken_over
from dm_core.processing.leased_thread import LeasedThread
from dm_core.processing.notices import unsure
from dm_core.processing.switches import SwitchReader
from dm_core.processing.task_result import Ending
from dm_core.runs import Action, ActionKind, ActionState, Run
from dm_core.settings import RunLimits
from dm_core.steering import ALL_ON, Mode, Switches
from dm_core.store.port import ThreadChange

MAX_REPAIRS = 2
"""How often a send that the platform refused for its form goes back to the model."""


class OutOfTime(DmAgentError):
    """The run stopped itself before the function's timeout."""

    owner = Owner.OUTAGE


@dataclass(slots=True)
class ActionExecutor:
    """Performs the actions of one run. Nothing is begun after ``deadline`` (ms since 1970).

    ``announced``: keys this process has stored as started and not begun yet. An action that is stored as started
    but not in here was begun by a process that is gone: it is in doubt. ``under_way``: the turn of which this process
    has started the first action; what follows within it is finished, except on a takeover. ``switches``: the
    deployment's, as ``look`` last read them.
    """

    leased: LeasedThread
    delivery: Delivery
    brake: Brake
    clock: Clock
    limits: RunLimits
    deadline: int
    reader: SwitchReader
    switches: Switches = ALL_ON
    announced: set[str] = field(default_factory=set[str])
    under_way: int = -1

    async def look(self) -> None:
        """Read what holds in the whole deployment, which may have changed since the claim. Raises StoreUnavailable."""
        self.switches = await self.reader.current()

    async def act(self) -> Ending | Stale | Proposed | None:
        """Every open action of the run, in order; an ending if they brought one, or why the rest must not go out.

        Raises RetryLater, AccountStopped, LookAgain, OutOfTime, Superseded, StoreUnavailable.
        """
        await self.look()
        for key in [action.key for action in self.leased.run.actions if action.is_open]:
            outcome = await self._bring_to_end(key)
            if outcome is not None:
                return outcome
        return None

    async def settle_doubts(self) -> None:
        """Find out what went out, and start nothing. Raises LookAgain, AccountStopped, StoreUnavailable."""
        for action in [action for action in self.leased.run.actions if action.is_open]:
            if action.in_doubt:
                self._keep(await self.delivery.settle(self.leased, action, self.deadline, wait=False))
            else:
                self._keep(await self.delivery.came_back(self.leased, action, self.leased.recent))

    def about_to_start(self, run: Run, key: str, turn: int) -> ThreadChange | Ending | Stale | Proposed:
        """The commit that starts this action of ``run``, or why it must not be started. (``LeasedThread.commit``)"""
        if taken_over(self.leased) or self._left_to_humans:
            return Ending.HUMAN
        mode = self.switches.mode_of(self.leased.thread.steering)
        if mode is Mode.OFF:
            return Ending.OFF
        if self.under_way != turn and run.script is None:
            if acts_undecided(run, mode is Mode.DRAFT, turn):
                return PROPOSED
            if (why := stale(self.leased, self.clock(), self.limits)) is not None:
                return why
        action = next(action for action in run.actions if action.key == key)
        return replace(self.leased.change(), run=run.with_action(replace(action, started_at=self.clock())))

    def announce(self, key: str, turn: int) -> None:
        """The commit that starts this action was applied."""
        self.announced.add(key)
        self.under_way = turn

    @property
    def _left_to_humans(self) -> bool:
        return any(self.switches.leaves_to_humans(message.created_at) for message in self.leased.own)

    async def _bring_to_end(self, key: str) -> Ending | Stale | Proposed | None:
        action = self._find(key)
        if not action.is_open:  # dropped by the refusal of an earlier one
            return None
        if action.in_doubt and key not in self.announced:
            action = self._keep(await self.delivery.settle(self.leased, action, self.deadline, wait=False))
        elif self.leased.resumed:  # what was throttled, or not begun, may be there all the same
            action = self._keep(await self.delivery.came_back(self.leased, action, self.leased.recent))
        if action.is_open:
            self.check_time()
            if key not in self.announced and (outcome := await self._start(action)) is not None:
                return outcome
            return await self._perform(self._find(key))
        return self._judged(action)

    async def _start(self, action: Action) -> Ending | Stale | Proposed | None:
        """A small checkpoint: this action is about to go out. (A turn's own checkpoint starts its first one.)"""
        key, turn = action.key, action.turn
        outcome = await self.leased.commit(lambda: self.about_to_start(self.leased.run, key, turn))
        if outcome is None:
            self.announce(key, turn)
        return outcome

    async def _perform(self, action: Action) -> Ending | Stale | None:
        """Do an announced action; look it up if its fate is unknown."""
        deadline = self.check_time()
        self.announced.discard(action.key)
        if self.limits.is_old(action.started_at or 0, self.clock()):  # the process slept
            self._keep(replace(action, started_at=None))
            return Stale.OLD
        service = instagram_of(self.leased.thread.account_id)
        try:
            performed = self._keep(await self.delivery.perform(self.leased, action, deadline))
        except (RetryLater, AccountStopped):
            self._keep(replace(action, started_at=None))  # certain not to have gone out
            raise
        except (Unreachable, Refused) as error:
            self.brake.succeeded(service, self.leased.thread.id)
            refused = self._keep(await self.delivery.settle_refused(self.leased, action, error))
            return self._refused(error) if refused.state is ActionState.REFUSED else None
        if performed.in_doubt:
            if performed.kind is ActionKind.SEND:
                self.brake.failed(service, self.leased.thread.id, in_doubt=True)
            performed = self._keep(await self.delivery.settle(self.leased, performed, deadline, wait=True))
        if performed.state is ActionState.DONE and performed.kind is ActionKind.SEND:
            for key in (service, people_of(self.leased.thread.account_id)):
                self.brake.succeeded(key, self.leased.thread.id)
        return self._judged(performed)

    def _refused(self, error: Unreachable | Refused) -> Ending | None:
        """The person's refusal ends the run; the request's goes back to the model, after two of them to a human."""
        run = self.leased.run
        self.drop_open("an earlier message was refused")
        if isinstance(error, Unreachable):
            if run.replied:
                return Ending.ANSWERED
            return Ending.EXPIRED if error.window else Ending.REFUSED
        self.leased.run = replace(self.leased.run, repairs=run.repairs + 1)
        if run.repairs < MAX_REPAIRS:
            return None
        self.tell("refused", "Instagram does not take what I want to answer. Please answer this person.")
        return Ending.HANDED_OVER

    def _judged(self, action: Action) -> Ending | None:
        """A send of which nobody can tell whether it went out ends the run: never twice."""
        if action.kind is not ActionKind.SEND or action.state is not ActionState.UNCERTAIN:
            return None
        self.give_up("an earlier message is uncertain")
        return Ending.UNCERTAIN

    def give_up(self, reason: str) -> bool:
        """Nothing more goes out. Whether a message may have: then the manager is given its words."""
        open_before = {action.key for action in self.leased.run.actions if action.is_open}
        self.drop_open(reason)
        sends = [action for action in self.leased.run.actions if action.kind is ActionKind.SEND]
        doubtful = next((action for action in sends if action.state is ActionState.UNCERTAIN), None)
        if doubtful is None:
            return False
        follows = [each.text for each in sends if each.key in open_before and each.state is ActionState.DROPPED]
        self.tell("uncertain", unsure(doubtful.text, follows))
        return True

    def tell(self, cause: str, text: str, urgency: Urgency = "urgent") -> None:
        """An alert of the run's own, stored by its next commit."""
        run = self.leased.run
        alert = AskedAlert(f"{run.id}/{cause}", text, cause, urgency)
        if all(known.key != alert.key for known in run.alerts):
            self.leased.run = replace(run, alerts=(*run.alerts, alert))

    def drop_open(self, reason: str) -> None:
        """Nothing more goes out. An action that may have been begun stays in doubt for ever: uncertain."""

        def drop(action: Action) -> Action:
            if not action.is_open:
                return action
            begun = action.in_doubt and action.key not in self.announced
            return self.delivery.ended(action, ActionState.UNCERTAIN if begun else ActionState.DROPPED, reason)

        self.leased.run = replace(self.leased.run, actions=tuple(drop(action) for action in self.leased.run.actions))

    def check_time(self) -> int:
        """The deadline, if it has not passed; raises OutOfTime."""
        if self.clock() >= self.deadline:
            raise OutOfTime("the run stopped itself before the function's timeout")
        return self.deadline

    def _find(self, key: str) -> Action:
        return next(action for action in self.leased.run.actions if action.key == key)

    def _keep(self, action: Action) -> Action:
        self.leased.run = self.leased.run.with_action(action)
        return action
