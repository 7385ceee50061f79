"""The acting half of a run: actions go out one by one, each announced in the store before it is begun.

planned ──checkpoint or start──▶ started ──▶ POST ──▶ done | refused | in doubt ──look-up──▶ done | uncertain
   └────────── window closed, takeover, an earlier failure ──▶ dropped
"""

from dataclasses import dataclass, field, replace

from dm_core.clock import Clock
from dm_core.errors import AccountStopped, DmAgentError, RetryLater
from dm_core.messages import Status
from dm_core.processing.delivery import WINDOW_ERROR, Delivery
from dm_core.processing.live import LiveThread
from dm_core.processing.outcome import Ending
from dm_core.runs import Action, ActionKind, ActionState, Phase
from dm_core.store.port import MessageChange

MAX_CONFLICTS = 10
"""Lost conditions in a row before the attempt is given up for a retry."""


class OutOfTime(DmAgentError):
    """The run stopped itself before the function's timeout."""


class Overtaken(DmAgentError):
    """Before anything of the run went out, a DM it answers was unsent: the run must look again."""


class TooManyConflicts(DmAgentError):
    """The thread kept moving under the run."""


def count_conflict(conflicts: int) -> int:
    """One more lost condition; raises TooManyConflicts at ``MAX_CONFLICTS``."""
    if conflicts + 1 >= MAX_CONFLICTS:
        raise TooManyConflicts(f"{MAX_CONFLICTS} conditions lost in a row")
    return conflicts + 1


@dataclass(slots=True)
class Actor:
    """Performs the actions of one run. Nothing is begun after ``deadline`` (ms since 1970).

    ``announced``: keys this process has stored as started and not begun yet. An action that is stored as started
    but not in here was begun by a process that is gone: it is in doubt.
    """

    live: LiveThread
    delivery: Delivery
    clock: Clock
    deadline: int
    announced: set[str] = field(default_factory=set[str])

    async def act(self) -> Ending | None:
        """Every open action of the run, in order; an ending if they brought one.

        Raises RetryLater, AccountStopped, Uncertain, OutOfTime, Superseded, StoreUnavailable.
        """
        for key in [action.key for action in self.live.run.actions if action.is_open]:
            ending = await self._settle(key)
            if ending is not None:
                return ending
        return None

    async def _settle(self, key: str) -> Ending | None:
        """Bring one action to its end."""
        action = self._find(key)
        if action.in_doubt and key not in self.announced:
            action = self._keep(await self.delivery.resolve(self.live, action, wait=False))
        if action.is_open:
            self.check_time()
            if key not in self.announced and (ending := await self._start(key)) is not None:
                return ending
            action = await self._perform(self._find(key))
        if action.is_open:  # in doubt, looked up, absent, and resending is allowed: once more, then it stays uncertain
            if (ending := await self._start(key)) is not None:
                return ending
            action = await self._perform(self._find(key), resending=True)
        return await self._judge(action)

    async def _judge(self, action: Action) -> Ending | None:
        """What a settled send means for the run."""
        if action.kind is not ActionKind.SEND or self.live.run.phase is Phase.CLOSING:
            return None
        if action.state is ActionState.DROPPED and action.error == WINDOW_ERROR:
            return self.drop_open(Ending.EXPIRED)
        if action.state is ActionState.UNCERTAIN:
            notice = "I can't tell whether my last reply arrived. Please check the conversation."
            return await self.close(Ending.UNCERTAIN, notice)
        return None

    async def _start(self, key: str) -> Ending | None:
        """A small checkpoint: this action is about to go out. (A turn's own checkpoint starts its first one.)"""
        conflicts = 0
        while True:
            run = self.live.run.with_action(replace(self._find(key), started_at=self.clock()))
            if await self.live.apply(replace(self.live.change(), run=run)):
                self.announced.add(key)
                return None
            conflicts = count_conflict(conflicts)
            await self.live.refresh()
            if self.live.thread.is_paused(self.clock()) and self.live.run.phase is Phase.ANSWERING:
                return self.drop_open(Ending.HUMAN)
            if self.live.run.phase is Phase.ANSWERING and not self.live.run.acted and self.live.has_unsent:
                raise Overtaken("a DM of this run was unsent")

    async def _perform(self, action: Action, *, resending: bool = False) -> Action:
        """Do an announced action; look it up if its fate is unknown."""
        deadline = self.check_time()
        self.announced.discard(action.key)
        try:
            performed = self._keep(await self.delivery.perform(self.live, action, deadline))
        except RetryLater:
            self._keep(replace(action, started_at=None))  # certain not to have gone out
            raise
        except AccountStopped as error:
            self._keep(replace(action, state=ActionState.REFUSED, ended_at=self.clock(), error=str(error.code)))
            raise
        if not performed.in_doubt:
            return performed
        resolved = await self.delivery.resolve(self.live, performed, wait=True)
        if resolved.is_open and resending:
            resolved = replace(performed, state=ActionState.UNCERTAIN, ended_at=self.clock())
        return self._keep(resolved)

    async def close(self, ending: Ending, notice: str, error: str | None = None) -> Ending:
        """End without the model: store the ending with one notice to the manager, then send the notice."""
        self.drop_open(ending)
        conflicts = 0
        while True:
            run = self.live.run
            key = f"{run.id}/{ending}"
            notify = Action(key, ActionKind.NOTIFY, notice, -1, -1, urgency="urgent")
            told = any(action.key == key for action in run.actions)
            run = replace(
                run,
                phase=Phase.CLOSING,
                ending=ending.value,
                error=error or run.error,
                actions=run.actions if told else (*run.actions, notify),
            )
            if await self.live.apply(replace(self.live.change(), run=run, messages=self._failed(ending, error))):
                break
            conflicts = count_conflict(conflicts)
            await self.live.refresh()
        if ending is Ending.FAILED:
            self.live.own = tuple(replace(message, status=Status.FAILED) for message in self.live.own)
        await self.act()
        return ending

    def _failed(self, ending: Ending, error: str | None) -> tuple[MessageChange, ...]:
        """Messages fail together with the promise to tell the manager, not after it."""
        if ending is not Ending.FAILED:
            return ()
        now = self.clock()
        return tuple(
            MessageChange(message.id, Status.FAILED, now, processed_at=now, error=error) for message in self.live.own
        )

    def drop_open(self, ending: Ending) -> Ending:
        """Nothing more goes out. An action that may have been begun stays in doubt for ever: uncertain."""
        now = self.clock()

        def drop(action: Action) -> Action:
            if not action.is_open:
                return action
            begun = action.in_doubt and action.key not in self.announced
            state = ActionState.UNCERTAIN if begun else ActionState.DROPPED
            return replace(action, state=state, ended_at=now, error=action.error or ending.value)

        self.live.run = replace(self.live.run, actions=tuple(drop(action) for action in self.live.run.actions))
        return ending

    def check_time(self) -> int:
        """The deadline, if it has not passed; raises OutOfTime."""
        if self.clock() >= self.deadline:
            raise OutOfTime("the run stopped itself before the function's timeout")
        return self.deadline

    def _find(self, key: str) -> Action:
        return next(action for action in self.live.run.actions if action.key == key)

    def _keep(self, action: Action) -> Action:
        self.live.run = self.live.run.with_action(action)
        return action
