"""One task: look at the thread, claim it, conduct its run, finish, and see to what came meanwhile.

``Processor.process`` never raises: what went wrong is in the result, and the status tells Cloud Tasks what to do.
"""

from dataclasses import dataclass, field, replace

from dm_core.agent.agent import Agent, Situation
from dm_core.agent.model import Model
from dm_core.clients.port import InstagramAccounts, WhatsApp
from dm_core.clock import Clock, Ids
from dm_core.errors import AccountStopped, QueueUnavailable, RetryLater, StoreUnavailable, described
from dm_core.messages import Disposition, Message, Status
from dm_core.processing.acting import Actor
from dm_core.processing.closing import Finisher, Timing
from dm_core.processing.decisions import Decision, Verdict, decide, spend
from dm_core.processing.delivery import Delivery
from dm_core.processing.holding import Holding
from dm_core.processing.live import LiveThread, Superseded, settle
from dm_core.processing.outcome import Ending, ExecutionResult, RunStatus
from dm_core.processing.run import Conductor
from dm_core.queue.port import WakeUpQueue
from dm_core.runs import Phase, Run, UserTurn
from dm_core.settings import RunLimits
from dm_core.store.port import UNSET, Conflict, MessageChange, Snapshot, ThreadChange, ThreadStore
from dm_core.telemetry import emit
from dm_core.threads import Lease

MAX_CLAIMS = 3
"""How often a claim lost on the version is tried again."""


@dataclass(frozen=True, slots=True)
class Processor:
    """Processes tasks. One instance serves many threads at once; ``holding`` is all it keeps between them."""

    store: ThreadStore
    queue: WakeUpQueue
    model: Model
    agent: Agent
    instagram: InstagramAccounts
    whatsapp: WhatsApp
    clock: Clock
    ids: Ids
    limits: RunLimits
    timing: Timing
    holding: Holding = field(default_factory=Holding)

    async def process(self, thread_id: str, task_name: str) -> ExecutionResult:
        """Everything one task does. ``task_name`` is the queue's short name of the task, or empty."""
        started = self.clock()
        try:
            result = await self._process(thread_id, task_name, started)
        except Exception as error:  # a task must be answered: with 500 the queue comes again
            emit("task_failed", "ERROR", thread_id=thread_id, error=described(error))
            result = ExecutionResult(RunStatus.ERROR, thread_id, error=described(error))
        result = replace(result, duration_ms=self.clock() - started)
        emit("task_answered", thread_id=thread_id, **{k: v for k, v in result.to_json().items() if k != "threadId"})
        return result

    async def _process(self, thread_id: str, task_name: str, started: int) -> ExecutionResult:
        async with self.holding.turn(thread_id):
            if (known := self.holding.answer(thread_id, task_name, self.clock())) is not None:
                return known
            claimed = await self._claim(thread_id, task_name, started + self.timing.run_ms(self.limits))
            if isinstance(claimed, ExecutionResult):
                return claimed
            self.holding.enter(thread_id, claimed.lease)
        delivery = Delivery(self.store, self.instagram, self.whatsapp, self.clock, self.limits)
        deadline = started + self.timing.run_ms(self.limits)
        actor = Actor(claimed, delivery, self.clock, deadline)
        conductor = Conductor(claimed, actor, self.agent, self.model, self.instagram, self.clock, self.limits)
        finisher = Finisher(claimed, self.queue, self.clock, self.timing)
        try:
            try:
                ending = await self._conduct(conductor)
            finally:
                self.holding.leave(thread_id, claimed.lease)
            return await finisher.finish(ending, conductor.notes(claimed.run))
        except Superseded:
            emit("run_superseded", "WARNING", thread_id=thread_id, run_id=claimed.run.id)
            return await self._superseded(claimed)
        except Exception as error:  # whatever it was: messages and lease must be given back
            return await self._recover(conductor, finisher, error, started)

    # -- claim ----------------------------------------------------------------------------------------------

    async def _claim(self, thread_id: str, task_name: str, deadline: int) -> LiveThread | ExecutionResult:
        """Take the lease, or say why not. A claim lost on the version is tried again, at most three times.

        A task that had to wait until its ``deadline`` (ms since 1970) claims nothing: its run could only fail, and
        would cost the messages an attempt.
        """
        run_id = self.ids()
        for _ in range(MAX_CLAIMS):
            snapshot = await self.store.open(thread_id)
            decision = decide(snapshot, task_name, self.clock(), self.limits)
            if snapshot is None or decision.verdict in (Verdict.NOTHING, Verdict.BUSY, Verdict.AGAIN):
                return await self._leave(thread_id, snapshot, decision)
            if self.clock() >= deadline:
                return ExecutionResult(RunStatus.CONFLICT, thread_id)
            if decision.verdict is Verdict.CLOSE:
                if (closed := await self._close(snapshot, decision)) is not None:
                    return closed
                continue
            if (live := await self._take(snapshot, decision, run_id, task_name)) is not None:
                return live
        snapshot = await self.store.open(thread_id)
        now = self.clock()
        held = snapshot is not None and snapshot.thread.lease is not None and snapshot.thread.lease.is_live(now)
        # Whatever moved the version may not have scheduled anything, so without a holder the queue must come again.
        return ExecutionResult(RunStatus.BUSY if held else RunStatus.CONFLICT, thread_id)

    async def _leave(self, thread_id: str, snapshot: Snapshot | None, decision: Decision) -> ExecutionResult:
        match decision.verdict:
            case Verdict.BUSY:
                return ExecutionResult(RunStatus.BUSY, thread_id)
            case Verdict.AGAIN:
                return ExecutionResult(RunStatus.CONFLICT, thread_id)
            case _:
                if snapshot is not None and snapshot.thread.due_at is not None:
                    # An unsend took the last pending DM; without this the sweeper would come for ever.
                    await settle(self.store, replace(self._change(snapshot), due_at=None, pending_count=0))
                return ExecutionResult(RunStatus.NOTHING_TO_DO, thread_id)

    async def _close(self, snapshot: Snapshot, decision: Decision) -> ExecutionResult | None:
        """End all pending messages without a model call; None if the condition was lost."""
        ending, now = decision.ending or Ending.HUMAN, self.clock()
        closed = tuple(
            MessageChange(m.id, ending.message_status, now, processed_at=now, disposition=_disposition(m, ending))
            for m in snapshot.unprocessed
        )
        left = max(0, snapshot.thread.pending_count - len(closed)) if len(closed) >= self.timing.max_claim else 0
        due = now if left else None
        change = replace(self._change(snapshot), messages=closed, due_at=due, pending_count=left)
        if isinstance(await settle(self.store, change), Conflict):
            return None
        emit("messages_closed", thread_id=snapshot.thread.id, ending=ending, messages=len(closed))
        if left:
            await Finisher.wake(self.queue, self.timing, snapshot.thread.id, now)
        return ExecutionResult(
            RunStatus.PROCESSED, snapshot.thread.id, messages=len(closed), ending=ending, follow_up=bool(left)
        )

    async def _take(self, snapshot: Snapshot, decision: Decision, run_id: str, task_name: str) -> LiveThread | None:
        """The claim itself: lease, run and messages in one conditional commit; None if the condition was lost."""
        now = self.clock()
        resumed = decision.verdict is Verdict.RESUME
        run = self._resumed(snapshot, task_name) if resumed else self._started(snapshot, run_id, task_name, now)
        lease = Lease(run.id, task_name, now + round(self.limits.lease_seconds * 1000))
        allowance = None if resumed else spend(snapshot.allowance, now, self.limits)
        mine = frozenset(run.message_ids)
        change = replace(
            self._change(snapshot),
            lease=lease,
            run=run,
            due_at=lease.expires_at,
            messages=tuple(
                MessageChange(m.id, Status.PROCESSING, now, attempts=run.attempt, run_id=run.id)
                for m in snapshot.unprocessed
                if m.id in mine
            ),
            allowance=allowance if allowance is not None else UNSET,
        )
        version = await settle(self.store, change)
        if isinstance(version, Conflict):
            return None
        emit("run_claimed", thread_id=snapshot.thread.id, run_id=run.id, attempt=run.attempt, resumed=resumed)
        held = replace(snapshot, version=version, thread=replace(snapshot.thread, lease=lease, run=run))
        return LiveThread(self.store, self.clock, self.ids, snapshot=held, run=run, lease=lease)

    def _started(self, snapshot: Snapshot, run_id: str, task_name: str, now: int) -> Run:
        messages = snapshot.unprocessed
        run = Run(
            id=run_id,
            task_name=task_name,
            started_at=now,
            attempt=1 + max(message.attempts for message in messages),
            message_ids=tuple(message.id for message in messages),
            prompt_hash=self.agent.prompt_hash,
        )
        opening = self.agent.opening(Situation(snapshot.thread, run, now, snapshot.recent, messages))
        return replace(run, turns=(UserTurn(opening.text),), handles=opening.handles)

    def _resumed(self, snapshot: Snapshot, task_name: str) -> Run:
        run = snapshot.thread.run
        assert run is not None, "only an unfinished run is resumed"  # noqa: S101
        return replace(run, task_name=task_name, attempt=run.attempt + 1)

    def _change(self, snapshot: Snapshot) -> ThreadChange:
        return ThreadChange(snapshot.thread.id, snapshot.version, self.ids(), self.clock())

    # -- conduct and recover --------------------------------------------------------------------------------

    async def _conduct(self, conductor: Conductor) -> Ending:
        """An attempt too many (earlier ones died with their instance) is not conducted but given up."""
        run = conductor.live.run
        if run.attempt > self.limits.max_attempts and run.phase is Phase.ANSWERING:
            return await self._give_up(conductor, run.error or "every attempt was cut short")
        return await conductor.conduct()

    async def _recover(
        self, conductor: Conductor, finisher: Finisher, error: Exception, started: int
    ) -> ExecutionResult:
        """The run failed: wait, give up, or give everything back for a retry."""
        live = conductor.live
        emit("run_failed", "ERROR", thread_id=live.thread.id, run_id=live.run.id, error=described(error))
        try:
            if isinstance(error, RetryLater):
                return await finisher.postpone(error.wait_seconds)
            last = live.run.attempt >= self.limits.max_attempts or isinstance(error, AccountStopped)
            if last and live.run.phase is Phase.ANSWERING:
                conductor.actor.deadline = started + self.timing.hard_ms(self.limits)
                ending = await self._give_up(conductor, described(error))
                return await finisher.finish(ending, UNSET)
            return await finisher.give_back(described(error))
        except Superseded:
            return await self._superseded(live)
        except RetryLater as wait:  # the manager's notice has to wait; the messages have failed already
            return await finisher.postpone(wait.wait_seconds)
        except Exception as second:
            if live.run.phase is not Phase.CLOSING or isinstance(second, StoreUnavailable):
                raise
            try:
                return await finisher.give_back(described(second))
            except Superseded:
                return await self._superseded(live)

    async def _superseded(self, live: LiveThread) -> ExecutionResult:
        """Tasks that were told "busy" counted on this run's finish, which will not come: somebody must look again."""
        try:
            await Finisher.wake(self.queue, self.timing, live.thread.id, self.clock())
        except QueueUnavailable as error:  # the sweeper looks too, a minute later
            emit("wake_up_failed", "WARNING", thread_id=live.thread.id, error=described(error))
        return ExecutionResult(RunStatus.SUPERSEDED, live.thread.id, live.run.id)

    async def _give_up(self, conductor: Conductor, error: str) -> Ending:
        notice = f"I could not answer this person after {conductor.live.run.attempt} attempts ({error}). Please do."
        return await conductor.actor.close(Ending.FAILED, notice, error)


def _disposition(message: Message, ending: Ending) -> Disposition | None:
    return Disposition.UNSENT if message.unsent_at is not None else ending.disposition
