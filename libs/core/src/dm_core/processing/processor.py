"""One task: look at the thread, claim it, conduct its run, finish, and see to what came meanwhile.

``Processor.process`` never raises: what went wrong is in the result, and the status tells Cloud Tasks what to do.
"""

import asyncio
from dataclasses import dataclass, field, replace

from dm_core.agent.agent import Agent, Situation
from dm_core.agent.model import Model
from dm_core.alerts import AlertLimits, AskedAlert, cause_alert, cause_key
from dm_core.clients.port import InstagramAccounts, Tokens
from dm_core.clock import Clock, Ids, utc_day
from dm_core.errors import DmAgentError, Owner, PlatformError, QueueUnavailable, Service, described
from dm_core.messages import Disposition, Message, Status
from dm_core.processing import waits
from dm_core.processing.acting import Actor
from dm_core.processing.brake import Brake, Key
from dm_core.processing.closing import EXPIRED_NOTICE, RETRY_DUE_MS, Finisher, Timing
from dm_core.processing.decisions import Decision, Verdict, decide, spend
from dm_core.processing.delivery import Delivery
from dm_core.processing.desk import AlertDesk
from dm_core.processing.freshness import Stale
from dm_core.processing.holding import Holding
from dm_core.processing.live import LiveThread, Superseded, settle
from dm_core.processing.outcome import Ending, ExecutionResult, RunStatus
from dm_core.processing.run import Conductor, opened
from dm_core.queue.port import AlertQueue, WakeUpQueue
from dm_core.queue.wakeup import plan_not_before
from dm_core.runs import Run, upgraded
from dm_core.settings import RunLimits
from dm_core.store.port import UNSET, AlertStore, Conflict, MessageChange, Snapshot, ThreadChange, ThreadStore
from dm_core.telemetry import emit
from dm_core.threads import Lease

MAX_CLAIMS = 3
"""How often a claim lost on the version is tried again."""
MAX_LOOKS = 8
"""How often a task looks at its thread in all: some DMs may have to be closed before the rest is claimed."""
BRAKED_SECONDS = 120.0
"""A thread that waits without calling looks again after this at the latest."""
FAILED_NOTICE = "I could not answer this person after {attempts} attempts ({error}). Please do."


class _Held(DmAgentError):
    """A service cannot be used, known before the claim. ``tried``: it was asked just now."""

    def __init__(self, reason: str, wait_seconds: float | None, *, tried: bool) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds
        self.tried = tried


@dataclass(frozen=True, slots=True)
class Processor:
    """Processes tasks. One instance serves many threads at once; it keeps ``holding`` and ``brake`` between them."""

    store: ThreadStore
    alert_store: AlertStore
    queue: WakeUpQueue
    alert_queue: AlertQueue
    model: Model
    agent: Agent
    instagram: InstagramAccounts
    tokens: Tokens
    clock: Clock
    ids: Ids
    limits: RunLimits
    alert_limits: AlertLimits
    timing: Timing
    brake: Brake
    holding: Holding = field(default_factory=Holding)

    async def process(self, thread_id: str, task_name: str) -> ExecutionResult:
        """Everything one task does. ``task_name`` is the queue's short name of the task, or empty."""
        started = self.clock()
        try:
            async with asyncio.timeout(self.timing.all_seconds(self.limits)):
                result = await self._process(thread_id, task_name, started)
        except Exception as error:  # a task must be answered: with 500 the queue comes again
            emit("task_failed", "ERROR", thread_id=thread_id, error=described(error))
            result = ExecutionResult(RunStatus.ERROR, thread_id, error=described(error))
        finally:
            self.brake.release(thread_id)
        result = replace(result, duration_ms=self.clock() - started)
        emit("task_answered", thread_id=thread_id, **{k: v for k, v in result.to_json().items() if k != "threadId"})
        return result

    async def _process(self, thread_id: str, task_name: str, started: int) -> ExecutionResult:
        deadline = started + self.timing.run_ms(self.limits)
        async with self.holding.turn(thread_id):
            if (known := self.holding.answer(thread_id, task_name, self.clock())) is not None:
                return known
            claimed = await self._claim(thread_id, task_name, deadline)
            if isinstance(claimed, ExecutionResult):
                return claimed
            self.holding.enter(thread_id, claimed.lease)
        conductor, finisher = self._collaborators(claimed, deadline)
        try:
            try:
                return await self._conduct(conductor, finisher)
            finally:
                self.holding.leave(thread_id, claimed.lease)
        except Superseded:
            return await self._superseded(claimed)
        except Exception as error:  # whatever it was: messages and lease must be given back
            return await self._recover(conductor, finisher, error)

    # -- claim ----------------------------------------------------------------------------------------------

    async def _claim(self, thread_id: str, task_name: str, deadline: int) -> LiveThread | ExecutionResult:
        """Take the lease, or say why not. A claim lost on the version is tried again, at most three times.

        A task that had to wait until its ``deadline`` (ms since 1970) claims nothing: its run could only fail.
        """
        run_id, lost, closed = self.ids(), 0, ExecutionResult(RunStatus.NOTHING_TO_DO, thread_id)
        for _ in range(MAX_LOOKS):
            snapshot = await self.store.open(thread_id)
            decision = decide(snapshot, task_name, self.clock(), self.limits)
            if snapshot is None or decision.verdict in _LEFT:
                return await self._leave(snapshot, decision, closed)
            if self.clock() >= deadline:
                return ExecutionResult(RunStatus.CONFLICT, thread_id)
            try:
                outcome = await self._claim_once(snapshot, decision, run_id, task_name)
            except _Held as held:
                outcome = await self._wait_unclaimed(snapshot, held)
            if isinstance(outcome, LiveThread):
                return outcome
            if outcome is None and (lost := lost + 1) >= MAX_CLAIMS:
                break
            if outcome is not None:
                closed = outcome
                if outcome.status is not RunStatus.PROCESSED and outcome.status is not RunStatus.FAILED:
                    return outcome
        snapshot = await self.store.open(thread_id)
        now = self.clock()
        held = snapshot is not None and snapshot.thread.lease is not None and snapshot.thread.lease.is_live(now)
        # Whatever moved the version may not have scheduled anything, so without a holder the queue must come again.
        return ExecutionResult(RunStatus.BUSY if held else RunStatus.CONFLICT, thread_id)

    async def _claim_once(
        self, snapshot: Snapshot, decision: Decision, run_id: str, task_name: str
    ) -> LiveThread | ExecutionResult | None:
        """Close what needs no model, or take the lease; None if the condition was lost. Raises _Held."""
        if decision.verdict is Verdict.CLOSE:
            return await self._close(snapshot, decision.ending or Ending.HUMAN, decision.messages)
        await self._check_services(snapshot)
        return await self._take(snapshot, decision, run_id, task_name)

    async def _check_services(self, snapshot: Snapshot) -> None:
        """Nothing is claimed while a service that the run needs is known to be down; a last try is made all the same."""
        thread, now = snapshot.thread, self.clock()
        try:
            await self.tokens.ensure()
        except PlatformError as error:
            await self._tell_cause(error, thread.account_id)
            raise _Held(described(error), _told(error), tried=True) from error
        if waits.over(snapshot.unprocessed, thread, now, self.limits):
            return
        key = self.brake.wait_for(_services(thread.account_id), thread.id)
        if key is not None:
            wait = waits.wait_ms(thread.id, thread.wait_count, None) / 1000
            raise _Held(f"{key[0]} is not called for now", min(wait, BRAKED_SECONDS), tried=False)

    async def _leave(
        self, snapshot: Snapshot | None, decision: Decision, closed: ExecutionResult
    ) -> ExecutionResult:
        """There is nothing to claim (any more)."""
        thread_id = closed.thread_id
        match decision.verdict:
            case Verdict.BUSY:
                return ExecutionResult(RunStatus.BUSY, thread_id)
            case Verdict.AGAIN:
                return ExecutionResult(RunStatus.CONFLICT, thread_id)
            case Verdict.WAIT:
                return ExecutionResult(RunStatus.RETRY_LATER, thread_id)
            case _:
                if snapshot is not None and snapshot.thread.due_at is not None:
                    # An unsend took the last pending DM; without this the sweeper would come for ever.
                    await settle(self.store, replace(self._change(snapshot), due_at=None, pending_count=0))
                return closed

    async def _close(
        self, snapshot: Snapshot, ending: Ending, messages: tuple[Message, ...]
    ) -> ExecutionResult | None:
        """End messages without a model call; None if the condition was lost. The rest is looked at anew."""
        thread, now = snapshot.thread, self.clock()
        closed = tuple(
            MessageChange(m.id, ending.message_status, now, processed_at=now, disposition=_disposition(m, ending))
            for m in messages
        )
        left = max(0, thread.pending_count - len(closed))
        worn_out = replace(thread.run, ending=ending.value) if thread.run and len(messages) == len(snapshot.unprocessed) else None
        change = replace(
            self._change(snapshot),
            messages=closed,
            run=None if worn_out else UNSET,
            archive=worn_out,
            archive_expire_at=now + self.timing.retention_ms,
            due_at=now if left else None,
            not_before=None,
            pending_count=left,
        )
        change = self._desk().stored_with(change, thread, _closing_alerts(ending, messages))
        if isinstance(await settle(self.store, change), Conflict):
            return None
        emit("messages_closed", thread_id=thread.id, ending=ending, messages=len(closed))
        await self._desk().announce(change.alerts)
        if left:
            await Finisher.wake(self.queue, self.timing, thread.id, now)
        status = RunStatus.FAILED if ending is Ending.FAILED else RunStatus.PROCESSED
        return ExecutionResult(status, thread.id, messages=len(closed), ending=ending, follow_up=bool(left))

    async def _wait_unclaimed(self, snapshot: Snapshot, held: _Held) -> ExecutionResult | None:
        """Wait without a claim: the next wake-up, then ``not_before``. DMs whose last try this was end as expired."""
        thread, now = snapshot.thread, self.clock()
        if held.tried and (over := waits.over(snapshot.unprocessed, thread, now, self.limits)):
            return await self._close(snapshot, Ending.EXPIRED, over)
        wait = waits.wait_ms(thread.id, thread.wait_count, held.wait_seconds)
        not_before = waits.next_try(snapshot.unprocessed, thread, now, wait, self.limits)
        wake_up = plan_not_before(thread.id, not_before, self.timing.debounce_min, self.timing.debounce_max)
        try:
            await self.queue.schedule(wake_up)
        except QueueUnavailable as error:
            return ExecutionResult(RunStatus.ERROR, thread.id, error=described(error))
        change = replace(
            self._change(snapshot),
            due_at=wake_up.fire_at,
            not_before=not_before,
            wait_count=thread.wait_count + 1,
        )
        if isinstance(await settle(self.store, change), Conflict):
            return None
        emit("thread_waits", thread_id=thread.id, reason=str(held), seconds=(not_before - now) // 1000)
        return ExecutionResult(RunStatus.RETRY_LATER, thread.id, error=str(held))

    async def _take(self, snapshot: Snapshot, decision: Decision, run_id: str, task_name: str) -> LiveThread | None:
        """The claim itself: lease, run and messages in one conditional commit; None if the condition was lost."""
        now, thread = self.clock(), snapshot.thread
        resumed = decision.verdict is Verdict.RESUME
        run = self._resumed(thread.run, task_name) if thread.run else self._started(snapshot, run_id, task_name, now)
        lease = Lease(run.id, task_name, now + round(self.limits.lease_seconds * 1000))
        allowance = None if resumed else spend(snapshot.allowance, now, self.limits)
        mine = frozenset(run.message_ids)
        own = [m for m in snapshot.unprocessed if m.id in mine]
        change = replace(
            self._change(snapshot),
            lease=lease,
            run=run,
            due_at=lease.expires_at,
            not_before=None,
            messages=tuple(
                MessageChange(m.id, Status.PROCESSING, now, attempts=m.attempts + 1, run_id=run.id) for m in own
            ),
            allowance=allowance if allowance is not None else UNSET,
        )
        version = await settle(self.store, change)
        if isinstance(version, Conflict):
            return None
        attempts = max((m.attempts + 1 for m in own), default=0)
        emit("run_claimed", thread_id=thread.id, run_id=run.id, attempt=attempts, resumed=resumed)
        claimed = replace(
            snapshot,
            version=version,
            unprocessed=tuple(_claimed(m) if m.id in mine else m for m in snapshot.unprocessed),
        )
        return LiveThread(
            self.store, self._desk(), self.clock, self.ids, snapshot=claimed, run=run, lease=lease, resumed=resumed
        )

    def _started(self, snapshot: Snapshot, run_id: str, task_name: str, now: int) -> Run:
        messages = snapshot.unprocessed
        ids = tuple(message.id for message in messages)
        run = Run(run_id, task_name, now, ids, self.agent.prompt_hash)
        return opened(self.agent, run, Situation(snapshot.thread, run, now, snapshot.recent, messages))

    @staticmethod
    def _resumed(run: Run, task_name: str) -> Run:
        return replace(upgraded(run), task_name=task_name)

    def _change(self, snapshot: Snapshot) -> ThreadChange:
        return ThreadChange(snapshot.thread.id, snapshot.version, self.ids(), self.clock())

    def _desk(self) -> AlertDesk:
        return AlertDesk(self.alert_queue, self.alert_limits, self.clock)

    def _collaborators(self, live: LiveThread, deadline: int) -> tuple[Conductor, Finisher]:
        """Everything that one run is made of."""
        delivery = Delivery(self.store, self.instagram, self.clock, self.limits)
        actor = Actor(live, delivery, self.brake, self.clock, self.limits, deadline)
        conductor = Conductor(live, actor, self.agent, self.model, self.instagram, self.clock, self.limits)
        return conductor, Finisher(live, self.queue, self.clock, self.timing, self.limits)

    # -- conduct and recover --------------------------------------------------------------------------------

    async def _conduct(self, conductor: Conductor, finisher: Finisher) -> ExecutionResult:
        """To the end of the run. An attempt too many (earlier ones died) only finds out what went out."""
        live = conductor.live
        worn_out = any(message.attempts > self.limits.max_attempts for message in live.own)
        ending = await (conductor.find_out() if worn_out else conductor.conduct())
        while True:
            if ending is Ending.FAILED:
                self._tell_failed(conductor, live.run.error or "every attempt was cut short")
            result = await finisher.finish(ending, conductor.notes(live.run))
            if not isinstance(result, Stale):
                return result
            ending = await conductor.reopen(result) or await conductor.conduct()

    async def _recover(self, conductor: Conductor, finisher: Finisher, error: Exception) -> ExecutionResult:
        """The run came to no end: whose fault that is decides whether it waits or has failed once more."""
        live = conductor.live
        owner = error.owner if isinstance(error, DmAgentError) else Owner.MESSAGE
        emit("run_stopped", "ERROR", thread_id=live.thread.id, run_id=live.run.id, owner=owner, error=described(error))
        try:
            if owner in (Owner.OUTAGE, Owner.ACCOUNT):
                return await self._wait(conductor, finisher, error)
            return await self._fail(conductor, finisher, described(error))
        except Superseded:
            return await self._superseded(live)

    async def _wait(self, conductor: Conductor, finisher: Finisher, error: Exception) -> ExecutionResult:
        live = conductor.live
        own_fault = False
        if isinstance(error, PlatformError):
            await self._tell_cause(error, live.thread.account_id)
            key: Key = (error.service, "" if error.service is Service.MODEL else live.thread.account_id)
            alone = self.brake.failed(key, live.thread.id)
            own_fault = alone and error.service is Service.MODEL and error.code != 429 and error.owner is Owner.OUTAGE
        if own_fault and any(message.attempts >= self.limits.max_attempts for message in live.own):
            return await self._fail(conductor, finisher, described(error))
        waiting = await finisher.wait(described(error), _told(error), own_fault=own_fault)
        return waiting or await self._expire(conductor, finisher)

    async def _expire(self, conductor: Conductor, finisher: Finisher) -> ExecutionResult:
        """The last try was in vain. A DM whose reply went out has been answered all the same."""
        run = conductor.live.run
        doubtful = any(action.in_doubt for action in run.actions)
        conductor.actor.drop_open("the wait is over")
        ending = Ending.ANSWERED if run.replied else Ending.UNCERTAIN if doubtful else Ending.EXPIRED
        if not run.replied:
            conductor.actor.tell("expired", EXPIRED_NOTICE, urgency="normal")
        return await self._end(conductor, finisher, ending)

    async def _fail(self, conductor: Conductor, finisher: Finisher, error: str) -> ExecutionResult:
        """An attempt of the DMs is used up. Those that have none left fail, unless a reply may have gone out."""
        live = conductor.live
        worn_out = any(message.attempts >= self.limits.max_attempts for message in live.own)
        if not worn_out or any(action.in_doubt for action in live.run.actions):
            return await finisher.give_back(error)
        live.run = replace(live.run, error=error)
        conductor.actor.drop_open("every attempt was used up")
        if live.run.replied:
            return await self._end(conductor, finisher, Ending.ANSWERED)
        self._tell_failed(conductor, error)
        return await self._end(conductor, finisher, Ending.FAILED)

    @staticmethod
    async def _end(conductor: Conductor, finisher: Finisher, ending: Ending) -> ExecutionResult:
        result = await finisher.finish(ending, UNSET)
        assert isinstance(result, ExecutionResult), "only a silence can be stale"  # noqa: S101
        return result

    @staticmethod
    def _tell_failed(conductor: Conductor, error: str) -> None:
        attempts = max((message.attempts for message in conductor.live.own), default=0)
        conductor.actor.tell("failed", FAILED_NOTICE.format(attempts=attempts, error=error), urgency="normal")

    async def _tell_cause(self, error: PlatformError, account_id: str) -> None:
        """One alert a day for what a person must mend, whatever thread met it first."""
        if error.owner is not Owner.ACCOUNT:
            return
        code = f"{error.code}/{error.subcode}" if error.subcode else str(error.code)
        account = "" if error.service is Service.MODEL else account_id
        key = cause_key(error.service, account, code, utc_day(self.clock()))
        text = f"I can't answer anybody just now: {error.service} refuses the account or its key ({described(error)})."
        alert = cause_alert(AskedAlert(key, text, "account", "urgent"), self.clock(), self.alert_limits)
        if await self.alert_store.create_alert(alert):
            emit("account_stopped", "ERROR", service=error.service, error=described(error))
            await self._desk().announce((alert,))

    async def _superseded(self, live: LiveThread) -> ExecutionResult:
        """Tasks that were told "busy" counted on this run's finish, which will not come: somebody must look again."""
        emit("run_superseded", "WARNING", thread_id=live.thread.id, run_id=live.run.id)
        try:
            await Finisher.wake(self.queue, self.timing, live.thread.id, self.clock())
        except QueueUnavailable as error:  # the sweeper looks too, a minute later
            emit("wake_up_failed", "WARNING", thread_id=live.thread.id, error=described(error))
        return ExecutionResult(RunStatus.SUPERSEDED, live.thread.id, live.run.id)


_LEFT = frozenset({Verdict.NOTHING, Verdict.BUSY, Verdict.AGAIN, Verdict.WAIT})


def _services(account_id: str) -> tuple[Key, ...]:
    return ((Service.MODEL, ""), (Service.INSTAGRAM, account_id))


def _told(error: Exception) -> float | None:
    """The wait that the service asked for, in seconds."""
    told = getattr(error, "wait_seconds", None)
    return told if isinstance(told, (int, float)) else None


def _claimed(message: Message) -> Message:
    return replace(message, status=Status.PROCESSING, attempts=message.attempts + 1)


def _disposition(message: Message, ending: Ending) -> Disposition | None:
    return Disposition.UNSENT if message.unsent_at is not None else ending.disposition


def _closing_alerts(ending: Ending, messages: tuple[Message, ...]) -> tuple[AskedAlert, ...]:
    """What the manager must know of messages that are closed without a run."""
    newest = messages[-1]
    if ending is Ending.EXPIRED:
        return (AskedAlert(f"{newest.id}/expired", EXPIRED_NOTICE, "expired"),)
    if ending is Ending.FAILED:
        notice = FAILED_NOTICE.format(attempts=newest.attempts, error=newest.error or "every attempt was cut short")
        return (AskedAlert(f"{newest.id}/failed", notice, "failed"),)
    return ()
