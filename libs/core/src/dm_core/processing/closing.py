"""How a run ends: the finish, the wait for a platform, and the giving back after a failure.

Each is a conditional commit that frees the lease. A finish that loses its condition reads again: if the lease is
still ours it finishes on the new version and schedules a follow-up for what came; if not, it writes nothing.
"""

from dataclasses import dataclass, replace

from dm_core.clock import Clock
from dm_core.errors import QueueUnavailable
from dm_core.messages import DAY_MS, Content, Direction, Disposition, EventKind, Message, Status, message_id
from dm_core.processing.acting import count_conflict
from dm_core.processing.live import LiveThread
from dm_core.processing.outcome import Ending, ExecutionResult, RunStatus
from dm_core.queue.port import WakeUpQueue
from dm_core.queue.wakeup import plan, plan_not_before
from dm_core.runs import Action, ActionKind, ActionState, Phase, Run
from dm_core.settings import RunLimits
from dm_core.store.port import MAX_CLAIM, UNSET, MessageChange, ThreadChange, Unset
from dm_core.telemetry import emit
from dm_core.threads import Note, Unconfirmed

RETRY_DUE_MS = 60_000
"""A failed run is due again after this; Cloud Tasks normally comes sooner, the sweeper if it doesn't."""
MAX_WAIT_SECONDS = 3_600.0
"""Longest wait a platform can ask for before we look again."""
MAX_UNCONFIRMED = 5


@dataclass(frozen=True, slots=True)
class Timing:
    """Delays and margins. Seconds where named so, else ms."""

    debounce_min: float
    debounce_max: float
    retention_ms: int
    max_claim: int = MAX_CLAIM

    def run_ms(self, limits: RunLimits) -> int:
        """How long a run may begin things, from the request's start: the timeout less time to end properly."""
        timeout = limits.function_timeout
        return round((timeout - min(20.0, timeout * 0.2)) * 1000)

    def hard_ms(self, limits: RunLimits) -> int:
        """The last moment for the manager's notice of a run that failed."""
        timeout = limits.function_timeout
        return round((timeout - min(5.0, timeout * 0.05)) * 1000)


@dataclass(slots=True)
class Finisher:
    """Ends one run, one way or the other."""

    live: LiveThread
    queue: WakeUpQueue
    clock: Clock
    timing: Timing

    async def finish(self, ending: Ending, notes: tuple[Note, ...] | Unset) -> ExecutionResult:
        """Messages processed, replies stored, run archived, lease freed: one commit; then the follow-up."""
        conflicts = 0
        while not await self.live.apply(change := self._finished(ending, notes)):
            conflicts = count_conflict(conflicts)
            await self.live.refresh()
        run, thread_id = self.live.run, self.live.thread.id
        follow_up = change.due_at is not None
        emit("run_finished", thread_id=thread_id, run_id=run.id, ending=ending, **_figures(run))
        status = RunStatus.FAILED if ending is Ending.FAILED else RunStatus.PROCESSED
        if follow_up:
            try:
                await self.wake(self.queue, self.timing, thread_id, self.clock())
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
        live, now = self.live, self.clock()
        run = replace(live.run, ending=ending.value, timings={"startedAt": live.run.started_at, "endedAt": now})
        full = len(live.own) + len(live.others) >= self.timing.max_claim
        left = max(len(live.others), live.thread.pending_count - len(live.own)) if full else len(live.others)
        due = plan(live.thread.id, now, self.timing.debounce_min, self.timing.debounce_max).fire_at if left else None
        return replace(
            live.change(),
            lease=None,
            run=None,
            due_at=due,
            pending_count=left,
            notes=notes,
            profile=UNSET if live.profile is None else live.profile,
            unconfirmed=self._unconfirmed(run, now),
            messages=tuple(_ended(message, ending, run, now) for message in live.own),
            upserts=tuple(self._reply(action) for action in run.actions if _is_sent(action)),
            archive=run,
            archive_expire_at=now + self.timing.retention_ms,
        )

    def _reply(self, action: Action) -> Message:
        """A reply of ours as a message of the thread, under the platform's id: its echo finds it there."""
        at, mid = action.ended_at or self.clock(), action.platform_id or action.key
        return Message(
            id=message_id(EventKind.MESSAGE, mid),
            thread_id=self.live.thread.id,
            mid=mid,
            direction=Direction.OUTBOUND,
            status=Status.PROCESSED,
            content=Content(text=action.text),
            sent_at=at,
            created_at=at,
            updated_at=self.clock(),
            processed_at=at,
            run_id=self.live.run.id,
            expire_at=at + self.timing.retention_ms,
        )

    def _unconfirmed(self, run: Run, now: int) -> tuple[Unconfirmed, ...]:
        kept = tuple(entry for entry in self.live.thread.unconfirmed if now - entry.at < DAY_MS)
        sends = (action for action in run.actions if action.kind is ActionKind.SEND)
        fresh = tuple(Unconfirmed(a.text, now) for a in sends if a.state is ActionState.UNCERTAIN)
        return (*kept, *(entry for entry in fresh if entry.text not in {k.text for k in kept}))[-MAX_UNCONFIRMED:]

    async def postpone(self, wait_seconds: float) -> ExecutionResult:
        """A platform asked for a wait: keep the run, cost no attempt, come back when the wait is over."""
        not_before = self.clock() + round(min(max(wait_seconds, 1.0), MAX_WAIT_SECONDS) * 1000)
        wake_up = plan_not_before(self.live.thread.id, not_before, self.timing.debounce_min, self.timing.debounce_max)
        run = replace(self.live.run, attempt=max(0, self.live.run.attempt - 1))
        await self._free(run, due_at=wake_up.fire_at, attempts=run.attempt, error=None)
        try:
            await self.queue.schedule(wake_up)
        except QueueUnavailable:
            emit("wake_up_failed", "ERROR", thread_id=self.live.thread.id)  # overdue then: the sweeper comes
        return ExecutionResult(
            RunStatus.RETRY_LATER, self.live.thread.id, run.id, len(run.message_ids), model_turns=run.model_calls
        )

    async def give_back(self, error: str) -> ExecutionResult:
        """The attempt failed: messages pending again, lease freed. What went out, or may have, stays unfinished."""
        closing = self.live.run.phase is Phase.CLOSING
        error = (self.live.run.error or error) if closing else error  # why the DMs failed, not why their notice did
        run = replace(self.live.run, error=error)
        keep = run.acted or closing
        await self._free(run if keep else None, due_at=self.clock() + RETRY_DUE_MS, attempts=None, error=error)
        return ExecutionResult(
            RunStatus.ERROR, self.live.thread.id, run.id, len(run.message_ids), model_turns=run.model_calls, error=error
        )

    async def _free(self, run: Run | None, *, due_at: int, attempts: int | None, error: str | None) -> None:
        conflicts = 0
        while True:
            now = self.clock()
            messages = tuple(
                replace(
                    MessageChange(message.id, Status.PENDING, now, error=error),
                    **({} if attempts is None else {"attempts": attempts}),
                )
                for message in self.live.own
                if message.status is not Status.FAILED
            )
            change = replace(self.live.change(), lease=None, run=run, due_at=due_at, messages=messages)
            if await self.live.apply(change):
                return
            conflicts = count_conflict(conflicts)
            await self.live.refresh()

    @staticmethod
    async def wake(queue: WakeUpQueue, timing: Timing, thread_id: str, now: int) -> None:
        """Schedule the thread's next wake-up. Raises QueueUnavailable: the task is then retried, nothing is lost."""
        await queue.schedule(plan(thread_id, now, timing.debounce_min, timing.debounce_max))


def _ended(message: Message, ending: Ending, run: Run, now: int) -> MessageChange:
    unsent = message.unsent_at is not None
    return MessageChange(
        message.id,
        Status.PROCESSED if unsent else ending.message_status,
        now,
        processed_at=now,
        error=run.error if ending is Ending.FAILED else None,
        disposition=Disposition.UNSENT if unsent else ending.disposition,
    )


def _is_sent(action: Action) -> bool:
    return action.kind is ActionKind.SEND and action.state is ActionState.DONE


def _figures(run: Run) -> dict[str, object]:
    """What a run cost, for logs and metrics."""
    turns = run.model_turns
    return {
        "messages": len(run.message_ids),
        "attempt": run.attempt,
        "modelCalls": run.model_calls,
        "actions": [action.state.value for action in run.actions],
        "guards": list(run.guards),
        "modelMs": sum(turn.latency_ms for turn in turns),
        "inputTokens": sum(turn.usage.input_tokens or 0 for turn in turns),
        "outputTokens": sum((turn.usage.output_tokens or 0) + (turn.usage.thought_tokens or 0) for turn in turns),
        "promptHash": run.prompt_hash,
    }
