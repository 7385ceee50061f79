"""The claim: what a task does with its thread before any run of it begins.

look ──▶ decide ──▶ nothing, busy, wait not over ──────────────▶ answer
  ▲         ├─────▶ close what needs no model ──┐
  └─────────│───────────────────────────────────┘
            └─────▶ are the services there? ──no──▶ wait, nothing claimed
                            └──yes──▶ lease, run and messages in one conditional commit
"""

from dataclasses import dataclass, replace

from dm_core.agent.agent import Situation
from dm_core.alerts import AskedAlert
from dm_core.errors import (
    AccountStopped,
    DmAgentError,
    PlatformError,
    QueueUnavailable,
    RetryLater,
    Service,
    StoreUnavailable,
    described,
)
from dm_core.messages import Disposition, Message, Status
from dm_core.processing import drafts, waits
from dm_core.processing.brake import KNOCKS, MODEL, Key, instagram_of
from dm_core.processing.decisions import Decision, NextStep, decide, last_word, spend
from dm_core.processing.delivery import heard
from dm_core.processing.finish import unconfirmed
from dm_core.processing.freshness import shown
from dm_core.processing.leased_thread import LeasedThread, settle, with_alerts, with_ended
from dm_core.processing.notices import CUT_SHORT, EXPIRED_NOTICE, FAILED_NOTICE, tell_if_prolonged, unsure
from dm_core.processing.openings import opened
from dm_core.processing.recovery import tell_cause, told_wait
from dm_core.processing.runtime import Runtime
from dm_core.processing.steering import Steered, reminder_of, scripted, steering_after
from dm_core.processing.task_result import Ending, ExecutionResult, RunStatus
from dm_core.processing.timing import wake
from dm_core.runs import ActionKind, Asked, Run, upgraded
from dm_core.steering import ALL_ON
from dm_core.store.port import UNSET, Conflict, MessageChange, Snapshot, ThreadChange
from dm_core.telemetry import emit
from dm_core.threads import Lease, Thread
from dm_core.usage import day_of, spend_run

MAX_CLAIMS = 3
"""How often a claim lost on the version is tried again."""
MAX_LOOKS = 8
"""How often a task looks at its thread in all: some DMs may have to be closed before the rest is claimed."""
MANY_WAITS = 2
"""Waits in a row after which a thread knocks before it asks the model for another answer."""
BRAKED_SECONDS = 120.0
"""A thread that waits without calling looks again after this at the latest."""

DAY_TOTAL = "runs_per_day_total"
DAY_TOTAL_NOTICE = (
    "Today's {most} conversations with the model are used up (MAX_RUNS_PER_DAY_TOTAL). Until midnight UTC nobody is "
    "answered: please look into the inbox, and raise the limit if these were real people."
)


class _Held(DmAgentError):
    """A service cannot be used, known before the claim. ``tried``: it was asked just now."""

    def __init__(self, reason: str, wait_seconds: float | None, *, tried: bool) -> None:
        super().__init__(reason)
        self.wait_seconds = wait_seconds
        self.tried = tried


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims threads for runs."""

    runtime: Runtime

    async def claim(self, thread_id: str, task_name: str, deadline: int) -> LeasedThread | ExecutionResult:
        """Take the lease, or say why not. A claim lost on the version is tried again, at most three times.

        A task that had to wait until its ``deadline`` (ms since 1970) claims nothing: its run could only fail.
        """
        run_id, lost, closed = self.runtime.ids(), 0, ExecutionResult(RunStatus.NOTHING_TO_DO, thread_id)
        for _ in range(MAX_LOOKS):
            snapshot = await self.runtime.store.open(thread_id)
            if snapshot is not None:
                snapshot = self.runtime.local_leases.without_stranded(snapshot)
            decision = await self._decide(snapshot, task_name)
            if snapshot is None or decision.step in _LEFT:
                outcome = None
                if (left := await self._leave(snapshot, decision, closed)) is not None:
                    return left
            elif self.runtime.clock() >= deadline:
                return ExecutionResult(RunStatus.CONFLICT, thread_id)
            else:
                outcome = await self._claim_or_wait(snapshot, decision, run_id, task_name)
            if isinstance(outcome, LeasedThread):
                return outcome
            if outcome is None and (lost := lost + 1) >= MAX_CLAIMS:
                break
            if outcome is not None:
                closed = outcome
                if outcome.status is not RunStatus.PROCESSED and outcome.status is not RunStatus.FAILED:
                    return outcome
        snapshot = await self.runtime.store.open(thread_id)
        now = self.runtime.clock()
        held = snapshot is not None and snapshot.thread.lease is not None and snapshot.thread.lease.is_live(now)
        # Whatever moved the version may not have scheduled anything, so without a holder the queue must come again.
        return ExecutionResult(RunStatus.BUSY if held else RunStatus.CONFLICT, thread_id)

    async def _decide(self, snapshot: Snapshot | None, task_name: str) -> Decision:
        rt = self.runtime
        switches = ALL_ON if snapshot is None else await rt.switches.current()
        return decide(snapshot, task_name, rt.clock(), rt.limits, rt.rules, switches)

    async def _claim_or_wait(
        self, snapshot: Snapshot, decision: Decision, run_id: str, task_name: str
    ) -> LeasedThread | ExecutionResult | None:
        """Claim, close or wait; None if the condition was lost."""
        try:
            return await self._claim_once(snapshot, decision, run_id, task_name)
        except _Held as held:
            return await self._wait_unclaimed(snapshot, held)

    async def _claim_once(
        self, snapshot: Snapshot, decision: Decision, run_id: str, task_name: str
    ) -> LeasedThread | ExecutionResult | None:
        """Close what needs no model, or take the lease; None if the condition was lost. Raises _Held."""
        if decision.step is NextStep.CLOSE:
            return await self._close(snapshot, decision.ending or Ending.HUMAN, decision.messages, decision.limit)
        if decision.step is NextStep.START and await self._day_is_used_up():
            return await self._close(snapshot, Ending.LIMITED, snapshot.unprocessed, "MAX_RUNS_PER_DAY_TOTAL")
        run = snapshot.thread.run
        draft = run.newest_draft if run else None
        by_rule = decision.step is NextStep.SAY or (draft is not None and draft.is_released)
        looks_up = run is not None and any(action.in_doubt for action in run.actions)
        await self._check_services(snapshot, asks_model=not by_rule, sends=not looks_up)
        return await self._take(snapshot, decision, run_id, task_name)

    async def _day_is_used_up(self) -> bool:
        """The whole deployment has had the runs it may have today; the manager is told once a day.

        Looked at before the claim and counted with it, so claims under way at the same moment may go over it: by no
        more than the queue dispatches at once. Without a limit nothing is read or counted.
        """
        most, now = self.runtime.limits.runs_per_day_total, self.runtime.clock()
        if not most or spend_run(await self.runtime.store.day_runs(day_of(now)), now, most) is not None:
            return False
        if await self.runtime.alerts.cause_alert(Service.MODEL, "", DAY_TOTAL, text=DAY_TOTAL_NOTICE.format(most=most)):
            emit("day_total_reached", "ERROR", runs=most)
        return True

    async def _check_services(self, snapshot: Snapshot, *, asks_model: bool, sends: bool) -> None:
        """Nothing is claimed while a service that the run needs is known to be down, but for a last try."""
        thread, now = snapshot.thread, self.runtime.clock()
        try:
            await self.runtime.tokens.ensure()
        except PlatformError as error:
            await tell_cause(self.runtime.alerts, error, thread.account_id)
            raise _Held(described(error), told_wait(error, thread), tried=True) from error
        if waits.over(snapshot.unprocessed, thread, now, self.runtime.limits):
            return
        instagram = instagram_of(thread.account_id)
        needed = [key for key, is_needed in ((MODEL, asks_model), (instagram, sends)) if is_needed]
        key = self.runtime.brake.wait_for(needed, thread.id)
        if key is not None:
            wait = waits.wait_ms(thread.id, thread.wait_count, None) / 1000
            raise _Held(f"{key[0]} is not called for now", min(wait, BRAKED_SECONDS), tried=False)
        if self.runtime.brake.knocks(instagram, thread.id) or (asks_model and self._thinks_in_vain(thread)):
            await self._knock(thread, instagram)

    def _thinks_in_vain(self, thread: Thread) -> bool:
        """It has waited for Instagram before, and its answer is too old: the model would be asked for one that is too
        old by the next try again. Now and then it goes on, should Instagram refuse no more than knocks."""
        run, waited = thread.run, thread.wait_count
        if run is None or run.asked is None or run.script or waited < MANY_WAITS or waited % (KNOCKS + 1) == 0:
            return False
        waits_to_send = any(a.kind is ActionKind.SEND and a.is_open and not a.in_doubt for a in run.actions)
        return waits_to_send and self.runtime.limits.is_old(run.asked.at, self.runtime.clock())

    async def _knock(self, thread: Thread, instagram: Key) -> None:
        """Find out whether Instagram is back by what costs no model call, and no reply if it ends in doubt."""
        try:
            await self.runtime.instagram.of(thread.account_id).indicate(thread.user_id, "typing_on")
        except (RetryLater, AccountStopped) as error:
            await tell_cause(self.runtime.alerts, error, thread.account_id)
            self.runtime.brake.failed(instagram, thread.id)
            raise _Held(described(error), told_wait(error, thread), tried=False) from error
        except PlatformError:  # it answers; what it minds, the reply will find out
            return

    async def _leave(
        self, snapshot: Snapshot | None, decision: Decision, closed: ExecutionResult
    ) -> ExecutionResult | None:
        """There is nothing to claim (any more); None if a thread at rest is still due: the condition was lost."""
        thread_id = closed.thread_id
        match decision.step:
            case NextStep.BUSY:
                return ExecutionResult(RunStatus.BUSY, thread_id)
            case NextStep.AGAIN:
                return ExecutionResult(RunStatus.CONFLICT, thread_id)
            case NextStep.WAIT:
                return ExecutionResult(RunStatus.RETRY_LATER, thread_id)
            case NextStep.DRAFT if snapshot is not None:
                return await self._leave_draft(snapshot)
            case _:
                if snapshot is None or snapshot.thread.due_at is None:
                    return closed
                # An unsend took the last pending DM; without this the sweeper would come for ever.
                change = replace(self._change(snapshot), due_at=None, pending_count=0)
                return None if isinstance(await settle(self.runtime.store, change), Conflict) else closed

    async def _leave_draft(self, snapshot: Snapshot) -> ExecutionResult | None:
        """A draft waits on; None if the condition was lost. Looked at again before its time is over."""
        thread, now, timing = snapshot.thread, self.runtime.clock(), self.runtime.timing
        if thread.due_at is None or thread.due_at <= now + timing.debounce_max * 1000:
            look = timing.wake_up_not_before(thread.id, drafts.look_at(thread, now))
            await self.runtime.queue.schedule(look)
            change = replace(self._change(snapshot), due_at=look.fire_at)
            if isinstance(await settle(self.runtime.store, change), Conflict):
                return None
        return ExecutionResult(RunStatus.RETRY_LATER, thread.id)

    async def _close(
        self, snapshot: Snapshot, ending: Ending, messages: tuple[Message, ...], limit: str = ""
    ) -> ExecutionResult | None:
        """End messages without a model call; None if the condition was lost. The rest is looked at anew."""
        thread, now = snapshot.thread, self.runtime.clock()
        closed = tuple(_closed(message, ending, now, limit) for message in messages)
        left = max(0, thread.pending_count - len(closed))
        run = heard(thread.run, snapshot.recent, now) if thread.run is not None else None
        ended = _ended_run(run, snapshot.unprocessed, messages, ending)
        change = replace(
            self._change(snapshot),
            messages=closed,
            lease=None,  # if there is one, it has expired
            due_at=now if left else None,
            not_before=None,
            pending_count=left,
        )
        rules, gone = self.runtime.rules, {each.id for each in closed}
        handover = f"{messages[-1].id}/failed" if ending is Ending.FAILED else None
        after = steering_after(rules, thread, ended, [m for m in messages if m.id in gone], now, handover)
        if after != thread.steering:
            change = replace(change, steering=after)
        if ended is not None:
            change = with_ended(change, thread, ended, now + self.runtime.timing.retention_ms)
            change = replace(change, unconfirmed=unconfirmed(thread, ended, now))
        told = reminder_of(rules, thread.steering, after, None)
        asked = (*_closing_alerts(ending, messages, ended), *drafts.not_sent(ended), *told)
        change = with_alerts(self.runtime.alerts, change, thread, asked)
        if isinstance(await settle(self.runtime.store, change), Conflict):
            return None
        emit("messages_closed", thread_id=thread.id, ending=ending, messages=len(closed))
        await self.runtime.alerts.announce(change.alerts)
        if left:
            await wake(self.runtime.queue, self.runtime.timing, thread.id, now)
        status = RunStatus.FAILED if ending is Ending.FAILED else RunStatus.PROCESSED
        return ExecutionResult(status, thread.id, messages=len(closed), ending=ending, follow_up=bool(left))

    async def _wait_unclaimed(self, snapshot: Snapshot, held: _Held) -> ExecutionResult | None:
        """Wait without a claim: the next wake-up, then ``not_before``. DMs whose last try this was end as expired."""
        thread, now = snapshot.thread, self.runtime.clock()
        if held.tried and (over := waits.over(snapshot.unprocessed, thread, now, self.runtime.limits)):
            return await self._close(snapshot, *_given_up(snapshot, over, now))
        tell_if_prolonged(thread.id, snapshot.unprocessed, now, str(held))
        wait = waits.wait_ms(thread.id, thread.wait_count, held.wait_seconds)
        not_before = waits.next_try(snapshot.unprocessed, thread, now, wait, self.runtime.limits)
        wake_up = self.runtime.timing.wake_up_not_before(thread.id, not_before + waits.CLOCKS_MS)
        try:
            await self.runtime.queue.schedule(wake_up)
        except QueueUnavailable as error:
            return ExecutionResult(RunStatus.ERROR, thread.id, error=described(error))
        change = replace(
            self._change(snapshot),
            due_at=wake_up.fire_at,
            not_before=not_before,
            wait_count=thread.wait_count + 1,
        )
        if isinstance(await settle(self.runtime.store, change), Conflict):
            return None
        emit("thread_waits", thread_id=thread.id, reason=str(held), seconds=(not_before - now) // 1000)
        return ExecutionResult(RunStatus.RETRY_LATER, thread.id, error=str(held))

    async def _take(self, snapshot: Snapshot, decision: Decision, run_id: str, task_name: str) -> LeasedThread | None:
        """The claim itself: lease, run and messages in one conditional commit; None if the condition was lost."""
        now, thread = self.runtime.clock(), snapshot.thread
        resumed = decision.step is NextStep.RESUME
        if decision.steered is not None:
            run = self._scripted(snapshot, decision.steered, run_id, task_name, now)
        else:
            run = (
                self._resumed(thread.run, task_name) if thread.run else self._started(snapshot, run_id, task_name, now)
            )
        lease = Lease(run.id, task_name, now + round(self.runtime.limits.lease_seconds * 1000))
        allowance = None if resumed else spend(snapshot.allowance, now, self.runtime.limits)
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
            counts_run=decision.step is NextStep.START and self.runtime.limits.runs_per_day_total > 0,
        )
        if decision.steered is not None and thread.run is not None:  # nothing of it went out, and nothing will
            given_up = replace(thread.run, ending=decision.steered.ending.value)
            change = replace(with_ended(change, thread, given_up, now + self.runtime.timing.retention_ms), run=run)
            change = with_alerts(self.runtime.alerts, change, thread, drafts.not_sent(given_up))
        try:
            version = await settle(self.runtime.store, change)
        except StoreUnavailable:  # it may be stored all the same
            self.runtime.local_leases.strand(thread.id, lease, now)
            raise
        if isinstance(version, Conflict):
            return None
        attempts = max((m.attempts + 1 for m in own), default=0)
        emit("run_claimed", thread_id=thread.id, run_id=run.id, attempt=attempts, resumed=resumed)
        claimed = replace(
            snapshot,
            version=version,
            unprocessed=tuple(_claimed(m) if m.id in mine else m for m in snapshot.unprocessed),
        )
        return LeasedThread(
            self.runtime.store,
            self.runtime.alerts,
            self.runtime.clock,
            self.runtime.ids,
            snapshot=claimed,
            run=run,
            lease=lease,
            resumed=resumed,
        )

    def _started(self, snapshot: Snapshot, run_id: str, task_name: str, now: int) -> Run:
        messages = snapshot.unprocessed
        ids = tuple(message.id for message in messages)
        run = Run(run_id, task_name, now, ids, self.runtime.agent.prompt_hash)
        return opened(self.runtime.agent, run, Situation(snapshot.thread, run, now, snapshot.recent, messages))

    def _scripted(self, snapshot: Snapshot, steered: Steered, run_id: str, task_name: str, now: int) -> Run:
        ids = tuple(message.id for message in steered.messages)
        run = Run(run_id, task_name, now, ids, self.runtime.agent.prompt_hash)
        run = replace(run, asked=Asked(snapshot.thread.revision, now), shown=shown(steered.messages))
        return scripted(run, steered, snapshot.thread, snapshot.recent, self.runtime.rules)

    @staticmethod
    def _resumed(run: Run, task_name: str) -> Run:
        return replace(upgraded(run), task_name=task_name)

    def _change(self, snapshot: Snapshot) -> ThreadChange:
        return ThreadChange(snapshot.thread.id, snapshot.version, self.runtime.ids(), self.runtime.clock())


_LEFT = frozenset({NextStep.NOTHING, NextStep.BUSY, NextStep.AGAIN, NextStep.WAIT, NextStep.DRAFT})


def _claimed(message: Message) -> Message:
    return replace(message, status=Status.PROCESSING, attempts=message.attempts + 1)


def _ended_run(
    run: Run | None, unprocessed: tuple[Message, ...], closed: tuple[Message, ...], ending: Ending
) -> Run | None:
    """The thread's run, if it is over with these: what is left then starts afresh, as its turns show what ended here.
    One of which something went out goes on while any of its DMs is left."""
    if run is None:
        return None
    left = [m for m in unprocessed if m.id in run.message_ids and m not in closed]
    return None if run.acted and left else replace(run, ending=ending.value)


def _given_up(snapshot: Snapshot, over: tuple[Message, ...], now: int) -> tuple[Ending, tuple[Message, ...]]:
    """How those end first whose last try was in vain: DMs of a run that replied, or may have, by themselves."""
    run = snapshot.thread.run
    own = tuple(message for message in over if run is not None and message.id in run.message_ids)
    if run is None or not own:
        return Ending.EXPIRED, over
    ending = last_word(heard(run, snapshot.recent, now), Ending.EXPIRED)
    return (ending, over) if ending is Ending.EXPIRED else (ending, own)


def _closed(message: Message, ending: Ending, now: int, limit: str) -> MessageChange:
    disposition = Disposition.UNSENT if message.unsent_at is not None else ending.disposition
    change = MessageChange(message.id, ending.message_status, now, processed_at=now, disposition=disposition)
    if ending is Ending.FAILED:
        return replace(change, error=message.error or CUT_SHORT)
    return replace(change, error=limit) if limit else change


def _closing_alerts(ending: Ending, messages: tuple[Message, ...], run: Run | None) -> tuple[AskedAlert, ...]:
    """What the manager must know of messages that are closed, with their run if it ends with them."""
    newest = messages[-1]
    if ending is Ending.EXPIRED:
        return (AskedAlert(f"{newest.id}/expired", EXPIRED_NOTICE, "expired"),)
    if ending is Ending.FAILED:
        notice = FAILED_NOTICE.format(attempts=newest.attempts, error=newest.error or CUT_SHORT)
        return (AskedAlert(f"{newest.id}/failed", notice, "failed"),)
    open_ones = [action for action in run.actions if action.is_open and action.kind is ActionKind.SEND] if run else []
    doubtful = next((action for action in open_ones if action.in_doubt), None)
    if run is None or doubtful is None:
        return ()
    notice = unsure(doubtful.text, [action.text for action in open_ones if action is not doubtful])
    return (AskedAlert(f"{run.id}/uncertain", notice, "uncertain", "urgent"),)
