"""How a run comes to rest: the finish, the wait for a service, and the giving back after a failure.

Each is a conditional commit that frees the lease. One that loses its condition reads again: if the lease is still ours
it is made anew on the new version; if not, nothing is written.
"""

from dataclasses import dataclass, replace

from dm_core.agent.rules import Rules
from dm_core.alerts import AskedAlert
from dm_core.clock import Clock
from dm_core.durations import DAY_MS, MINUTE_MS
from dm_core.errors import QueueUnavailable, StoreUnavailable, described
from dm_core.messages import Content, Direction, Disposition, EventKind, Message, Status, message_id
from dm_core.processing import drafts, waits
from dm_core.processing.freshness import Stale, came, stale
from dm_core.processing.leased_thread import LeasedThread, Superseded, with_ended
from dm_core.processing.local_leases import LocalLeases
from dm_core.processing.notices import EXPIRED_NOTICE, tell_if_prolonged
from dm_core.processing.steering import handed_over_by, reminder_of, steering_after
from dm_core.processing.task_result import Ending, ExecutionResult, RunStatus, figures
from dm_core.processing.timing import Timing, wake
from dm_core.queue.port import WakeUpQueue
from dm_core.runs import Action, ActionKind, ActionState, DraftState, Run
from dm_core.settings import RunLimits
from dm_core.steering import Steering
from dm_core.store.port import UNSET, MessageChange, ThreadChange, Unset
from dm_core.telemetry import emit
from dm_core.threads import Note, Thread, Unconfirmed

RETRY_DUE_MS = MINUTE_MS
"""A failed run is due again after this; Cloud Tasks normally comes sooner, the sweeper if it doesn't."""
MAX_UNCONFIRMED = 5
DROPPED = "dropped"
"""The ending of a run that failed before anything went out: its DMs get another one, afresh."""


@dataclass(slots=True)
class RunCloser:
    """Ends one run, one way or the other."""

    leased: LeasedThread
    queue: WakeUpQueue
    clock: Clock
    timing: Timing
    limits: RunLimits
    local_leases: LocalLeases
    rules: Rules

    async def finish(self, ending: Ending, notes: tuple[Note, ...] | Unset) -> ExecutionResult | Stale:
        """Messages processed, replies stored, run archived, lease freed: one commit; then the follow-up.

        A silence is a decision like any other: when something came, or it is old, the run must go on.
        """
        written: list[ThreadChange] = []
        self._leave()

        def make() -> ThreadChange | Stale:
            if ending is Ending.NO_REPLY and (why := stale(self.leased, self.clock(), self.limits)) is not None:
                return why
            written.append(self._finished(ending, notes))
            return written[-1]

        if (why := await self.leased.commit(make)) is not None:
            return why
        run, thread_id = self.leased.run, self.leased.thread.id
        follow_up = written[-1].due_at is not None
        emit("run_finished", thread_id=thread_id, run_id=run.id, ending=ending, **figures(run))
        status = RunStatus.FAILED if ending is Ending.FAILED else RunStatus.PROCESSED
        if follow_up:
            try:
                await wake(self.queue, self.timing, thread_id, self.clock())
            except QueueUnavailable:  # the run has ended all the same: only the task is tried again, for what came
                status = RunStatus.ERROR
        return ExecutionResult(
            status,
            thread_id,
            run.id,
            messages=len(run.message_ids),
            actions=sum(action.state is ActionState.DONE for action in run.actions),
            model_turns=run.model_calls,
            ending=ending,
            follow_up=follow_up,
            error=run.error if ending is Ending.FAILED else None,
        )

    def _finished(self, ending: Ending, notes: tuple[Note, ...] | Unset) -> ThreadChange:
        leased, now = self.leased, self.clock()
        times = {"startedAt": leased.run.started_at, "endedAt": now}
        run = replace(leased.run, ending=ending.value, timings=times, withdrawn=leased.shows_unsent)
        messages = tuple(self._ended(message, ending, run, now) for message in leased.own)
        steering = self._steering(run, ending, messages)
        told = (*drafts.not_sent(run), *reminder_of(self.rules, leased.thread.steering, steering, run))
        run = replace(run, alerts=(*run.alerts, *told))
        waiting = len(leased.others) + sum(message.status is Status.PENDING for message in messages)
        full = len(leased.own) + len(leased.others) >= self.timing.max_claim
        left = max(waiting, leased.thread.pending_count - len(leased.own)) if full else waiting
        due = self.timing.wake_up(leased.thread.id, now).fire_at if left else None
        change = replace(
            leased.change(),
            lease=None,
            due_at=due,
            wait_count=0,
            pending_count=left,
            notes=notes,
            steering=UNSET if steering == leased.thread.steering else steering,
            unconfirmed=unconfirmed(leased.thread, run, now),
            messages=messages,
            upserts=tuple(self._reply(action) for action in run.actions if _is_sent(action)),
        )
        return with_ended(change, leased.thread, run, now + self.timing.retention_ms)

    def _steering(self, run: Run, ending: Ending, changes: tuple[MessageChange, ...]) -> Steering:
        """What the ending makes of the thread's steering."""
        ended = {change.id for change in changes if change.status is not Status.PENDING}
        own = [message for message in self.leased.own if message.id in ended]
        handover = handed_over_by(run, ending, f"{run.id}/given_up")
        return steering_after(self.rules, self.leased.thread, run, own, self.clock(), handover)

    def _ended(self, message: Message, ending: Ending, run: Run, now: int) -> MessageChange:
        """What becomes of one DM; those that this ending is not about go on by themselves."""
        if message.unsent_at is not None:
            return _closed(message, Status.PROCESSED, Disposition.UNSENT, now)
        dropped = run.draft is not None and run.draft.state is DraftState.DROP
        not_human = ending is Ending.HUMAN and not dropped and not self.leased.thread.taken_over(message)
        closed_before = self.leased.run.ending is not None  # by an older revision: it ends as that decided
        not_worn_out = ending is Ending.FAILED and message.attempts < self.limits.max_attempts and not closed_before
        if not_human or not_worn_out:
            return MessageChange(message.id, Status.PENDING, now)
        error = run.error if ending is Ending.FAILED else None
        return replace(_closed(message, ending.message_status, ending.disposition, now), error=error)

    def _reply(self, action: Action) -> Message:
        """A reply of ours as a message of the thread, under the platform's id: its echo finds it there."""
        at, mid = action.ended_at or self.clock(), action.platform_id or action.key
        return Message(
            id=message_id(EventKind.MESSAGE, mid),
            thread_id=self.leased.thread.id,
            mid=mid,
            direction=Direction.OUTBOUND,
            status=Status.PROCESSED,
            content=Content(text=action.text),
            sent_at=at,
            created_at=at,
            updated_at=self.clock(),
            processed_at=at,
            run_id=self.leased.run.id,
            expire_at=at + self.timing.retention_ms,
        )

    async def propose(self, notes: tuple[Note, ...] | Unset) -> ExecutionResult | Stale:
        """What the run would send waits for the manager: its DMs pending, the lease freed, the draft told: one commit.

        Nothing is lost without the wake-up: the sweep looks by ``due_at``.
        """
        leased, now = self.leased, self.clock()
        look = self.timing.wake_up_not_before(leased.thread.id, drafts.look_at(leased.thread, now))
        try:
            await self.queue.schedule(look)
        except QueueUnavailable as error:
            emit("wake_up_failed", "WARNING", thread_id=leased.thread.id, error=described(error))
        self._leave()
        why = await self.leased.commit(
            lambda: came(leased) or replace(self._freed(leased.run, look.fire_at, give_back=True), notes=notes)
        )
        if why is not None:
            return why
        emit("draft_proposed", thread_id=leased.thread.id, run_id=leased.run.id)
        return replace(self._result(RunStatus.RETRY_LATER, ""), error=None)

    async def wait(self, reason: str, told_seconds: float | None, *, own_fault: bool = False) -> ExecutionResult | None:
        """A service cannot be used: keep the run, free the lease, come back when the wait is over.

        The attempt is given back unless it was the DMs' ``own_fault``. DMs whose last try this was end as expired; None
        when all of them did: the run must be finished as that. The wake-up is made first, so that a stored
        ``not_before`` always has one; without it the queue's own retry must do.
        """
        leased, now = self.leased, self.clock()
        over = waits.over(leased.own, leased.thread, now, self.limits)
        left = tuple(message for message in leased.own if message not in over)
        if over and not left:
            return None
        told = waits.wait_ms(leased.thread.id, leased.thread.wait_count, told_seconds)
        not_before = waits.next_try(left, leased.thread, now, told, self.limits)
        wake_up = self.timing.wake_up_not_before(leased.thread.id, not_before + waits.CLOCKS_MS)
        tell_if_prolonged(leased.thread.id, left, now, reason)
        try:
            await self.queue.schedule(wake_up)
        except QueueUnavailable:
            return await self.put_back(f"{reason}; no wake-up could be made", own_fault=own_fault)
        expired = tuple(message.id for message in over)
        run = self._without(leased.run, expired)
        await self._free(
            run,
            due_at=wake_up.fire_at,
            not_before=not_before,
            give_back=not own_fault,
            error=None,
            expired=frozenset(expired),
        )
        if self.clock() < wake_up.fire_at:
            return self._result(RunStatus.RETRY_LATER, reason)
        # A slow store: the wake-up may have come while the lease was still ours, and was told busy.
        try:
            await wake(self.queue, self.timing, leased.thread.id, self.clock())
        except QueueUnavailable:
            return self._result(RunStatus.ERROR, f"{reason}; no wake-up could be made")
        return self._result(RunStatus.RETRY_LATER, reason)

    async def put_back(self, reason: str, *, own_fault: bool = False) -> ExecutionResult:
        """The run kept, the lease freed, the attempt given back unless it was the DMs' ``own_fault``: the queue's own
        retry goes on with it."""
        due_at = self.clock() + RETRY_DUE_MS
        await self._free(self.leased.run, due_at=due_at, give_back=not own_fault, error=None)
        return self._result(RunStatus.ERROR, reason)

    def _without(self, run: Run, expired: tuple[str, ...]) -> Run:
        """The run that goes on for the other DMs; the manager is told of those that waited too long."""
        if not expired:
            return run
        alert = AskedAlert(f"{run.id}/expired/{expired[0]}", EXPIRED_NOTICE, "expired")
        ids = tuple(each for each in run.message_ids if each not in expired)
        return replace(run, message_ids=ids, alerts=(*run.alerts, alert), shown="")

    async def give_back(self, error: str) -> ExecutionResult:
        """The attempt failed: messages pending again, lease freed. What went out, or may have, stays unfinished.

        A run that did nothing outside is dropped: archived, for what it cost. One that can't be archived (what is wrong
        with it may be what it failed on) is dropped all the same: the error of the attempt is what counts.
        """
        run = replace(self.leased.run, error=error)
        due_at = self.clock() + RETRY_DUE_MS
        if run.acted:
            await self._free(run, due_at=due_at, give_back=False, error=error)
            return self._result(RunStatus.ERROR, error)
        run = _dropped(run)
        try:
            await self._free(run, due_at=due_at, give_back=False, error=error)
        except (Superseded, StoreUnavailable):
            raise
        except Exception as unfit:
            emit("run_not_archived", "ERROR", thread_id=self.leased.thread.id, run_id=run.id, error=described(unfit))
            await self._free(_bare(run), due_at=due_at, give_back=False, error=error)
        emit("run_dropped", "WARNING", thread_id=self.leased.thread.id, run_id=run.id, **figures(run))
        return self._result(RunStatus.ERROR, error)

    async def _free(
        self,
        run: Run,
        *,
        due_at: int,
        give_back: bool,
        error: str | None,
        not_before: int | None = None,
        expired: frozenset[str] = frozenset(),
    ) -> None:
        """Free the lease; the run stays with the thread unless it was dropped."""
        self._leave()

        def make() -> ThreadChange:
            change = self._freed(run, due_at, give_back=give_back, error=error, expired=expired)
            waited = self.leased.thread.wait_count + (not_before is not None)
            change = replace(change, not_before=not_before, wait_count=waited)
            if run.ending != DROPPED:
                return change
            return with_ended(change, self.leased.thread, run, self.clock() + self.timing.retention_ms)

        await self.leased.commit(make)

    def _freed(
        self,
        run: Run,
        due_at: int,
        *,
        give_back: bool,
        error: str | None = None,
        expired: frozenset[str] = frozenset(),
    ) -> ThreadChange:
        """Lease freed, DMs pending again, but for those that expired."""
        leased, now = self.leased, self.clock()
        messages = tuple(
            _closed(message, Status.PROCESSED, Disposition.EXPIRED, now)
            if message.id in expired
            else MessageChange(
                message.id, Status.PENDING, now, error=error, attempts=max(0, message.attempts - give_back)
            )
            for message in leased.own
        )
        pending = max(0, leased.thread.pending_count - len(expired))
        return replace(leased.change(), lease=None, run=run, due_at=due_at, messages=messages, pending_count=pending)

    def _leave(self) -> None:
        """From here on only the store knows whether the thread is held: our commit may not know of a task's DM."""
        self.local_leases.remove(self.leased.thread.id, self.leased.lease)

    def _result(self, status: RunStatus, error: str) -> ExecutionResult:
        run = self.leased.run
        return ExecutionResult(
            status, self.leased.thread.id, run.id, len(run.message_ids), model_turns=run.model_calls, error=error
        )


def unconfirmed(thread: Thread, run: Run, now: int) -> tuple[Unconfirmed, ...]:
    """Texts whose echo may still come: uncertain ones, and refused ones, which were seen to be delivered."""
    kept = tuple(entry for entry in thread.unconfirmed if now - entry.at < DAY_MS)
    doubtful = (ActionState.UNCERTAIN, ActionState.REFUSED)
    sends = (a for a in run.actions if a.kind is ActionKind.SEND and (a.state in doubtful or a.in_doubt))
    fresh = {action.text for action in sends} - {entry.text for entry in kept}
    return (*kept, *(Unconfirmed(text, now) for text in sorted(fresh)))[-MAX_UNCONFIRMED:]


def _closed(message: Message, status: Status, disposition: Disposition | None, now: int) -> MessageChange:
    return MessageChange(message.id, status, now, processed_at=now, error=None, disposition=disposition)


def _dropped(run: Run) -> Run:
    """As it is archived: nothing of it goes out any more."""
    dropped = (replace(action, state=ActionState.DROPPED) if action.is_open else action for action in run.actions)
    return replace(run, ending=DROPPED, actions=tuple(dropped))


def _bare(run: Run) -> Run:
    """No more of a run than which it was, why it ended and what it cost."""
    bare = Run(run.id, run.task_name, run.started_at, run.message_ids, run.prompt_hash)
    return replace(bare, ending=run.ending, error=run.error, model_calls=run.model_calls, spent=run.spent)


def _is_sent(action: Action) -> bool:
    return action.kind is ActionKind.SEND and action.state is ActionState.DONE
