"""What becomes of a run that came to no end, by whose fault that is (docs/architecture.md#whose-fault).

outage, account ──▶ wait ──the last try is over──▶ expired
anything else   ──▶ an attempt ──the last one──▶ failed
                                                   unless a reply went out: answered
"""

from dataclasses import dataclass, replace

from dm_core.errors import (
    AccountStopped,
    DmAgentError,
    ModelRefused,
    Owner,
    PlatformError,
    Service,
    StoreUnavailable,
    described,
)
from dm_core.processing import waits
from dm_core.processing.alerts import Alerts
from dm_core.processing.brake import REQUESTS, Brake, Key, people_of
from dm_core.processing.finish import RunCloser
from dm_core.processing.leased_thread import LeasedThread
from dm_core.processing.notices import CUT_SHORT, EXPIRED_NOTICE, FAILED_NOTICE, NOBODY_REACHED
from dm_core.processing.run_loop import RunLoop
from dm_core.processing.task_result import Ending, ExecutionResult
from dm_core.runs import ActionState
from dm_core.store.port import UNSET
from dm_core.telemetry import emit
from dm_core.threads import Thread

THROTTLED = 429
"""A model's throttle is never the fault of a DM."""


@dataclass(slots=True)
class Recovery:
    """Brings one run to rest after an error."""

    run_loop: RunLoop
    closer: RunCloser
    brake: Brake
    alerts: Alerts

    async def rest(self, error: Exception) -> ExecutionResult:
        """Wait, fail, or give everything back for a retry. Raises Superseded, StoreUnavailable."""
        leased = self.run_loop.leased
        if isinstance(error, ModelRefused) and self._refuses_everybody():
            error = AccountStopped("the model refuses every request", service=Service.MODEL, code=error.code)
        owner = error.owner if isinstance(error, DmAgentError) else Owner.MESSAGE
        emit(
            "run_stopped",
            "ERROR",
            thread_id=leased.thread.id,
            run_id=leased.run.id,
            owner=owner,
            error=described(error),
        )
        if owner in (Owner.OUTAGE, Owner.ACCOUNT):
            return await self._wait(error)
        return await self._fail(described(error))

    def _refuses_everybody(self) -> bool:
        """The model refused this thread and another one, and answered nobody between: not for what these DMs say."""
        self.brake.failed(REQUESTS, self.run_loop.leased.thread.id)
        return self.brake.is_on(REQUESTS)

    async def _wait(self, error: Exception) -> ExecutionResult:
        try:
            own_fault = isinstance(error, PlatformError) and await self._failed(error)
        except StoreUnavailable:  # the manager may not be told, and the wait must not begin before that
            return await self.closer.put_back(f"{described(error)}; its alert could not be stored")
        if own_fault and self._worn_out:
            return await self._fail(described(error))
        waiting = await self.closer.wait(
            described(error), told_wait(error, self.run_loop.leased.thread), own_fault=own_fault
        )
        return waiting or await self._expire()

    async def _failed(self, error: PlatformError) -> bool:
        """Tell the brake, and the manager what only a person can mend. True: the model fails on these DMs alone."""
        leased = self.run_loop.leased
        await tell_cause(self.alerts, error, leased.thread.account_id)
        is_model = error.service is Service.MODEL
        key: Key = (error.service, "" if is_model else leased.thread.account_id)
        alone = self.brake.failed(key, leased.thread.id)
        return alone and is_model and error.owner is Owner.OUTAGE and error.code != THROTTLED

    async def _expire(self) -> ExecutionResult:
        """The last try was in vain. A DM whose reply went out has been answered all the same."""
        doubtful = self.run_loop.executor.give_up("the wait is over")
        if self.run_loop.leased.run.replied:
            return await self._end(Ending.ANSWERED)
        if doubtful:
            return await self._end(Ending.UNCERTAIN)
        self.run_loop.executor.tell("expired", EXPIRED_NOTICE, urgency="normal")
        return await self._end(Ending.EXPIRED)

    async def _fail(self, error: str) -> ExecutionResult:
        """An attempt of the DMs is used up. Those that have none left fail, unless a reply may have gone out."""
        leased = self.run_loop.leased
        if not self._worn_out or any(action.in_doubt for action in leased.run.actions):
            return await self.closer.give_back(error)
        self.run_loop.executor.drop_open("every attempt was used up")
        leased.run = replace(leased.run, error=error)
        if leased.run.replied:
            return await self._end(Ending.ANSWERED)
        tell_failed(self.run_loop)
        return await self._end(Ending.FAILED)

    @property
    def _worn_out(self) -> bool:
        return any(m.attempts >= self.closer.limits.max_attempts for m in self.run_loop.leased.own)

    async def _end(self, ending: Ending) -> ExecutionResult:
        result = await self.closer.finish(ending, UNSET)
        assert isinstance(result, ExecutionResult), "only a silence can be stale"  # noqa: S101
        return result


def tell_failed(run_loop: RunLoop) -> None:
    """The manager is told of the DMs that could not be answered."""
    leased = run_loop.leased
    attempts = max((message.attempts for message in leased.own), default=0)
    error = leased.run.error or CUT_SHORT
    run_loop.executor.tell("failed", FAILED_NOTICE.format(attempts=attempts, error=error), urgency="normal")


def told_wait(error: Exception, thread: Thread) -> float | None:
    """The wait that the service asked for, in seconds, or that we set ourselves."""
    told = getattr(error, "wait_seconds", None)
    if not isinstance(told, (int, float)):
        return None
    return waits.believed(thread, told) if isinstance(error, PlatformError) else told


async def tell_if_nobody_is_reached(alerts: Alerts, brake: Brake, leased: LeasedThread) -> None:
    """The manager learns, once a day, that Instagram refuses one person after the other, whatever it says of each: an
    app that may not write to the public is told that users do not exist, or that their 24 hours are over
    (https://github.com/megaapp977/stack/issues/186, https://github.com/ComposioHQ/composio/issues/3974).

    Raises StoreUnavailable.
    """
    account_id, key = leased.thread.account_id, people_of(leased.thread.account_id)
    refusals = [action.error for action in leased.run.actions if action.state is ActionState.REFUSED and action.error]
    code = next((error.split()[1] for error in refusals if error.startswith("Unreachable ")), None)
    if code is None:
        return
    brake.failed(key, leased.thread.id)
    if brake.is_on(key) and await alerts.cause_alert(
        Service.INSTAGRAM, account_id, code, text=NOBODY_REACHED.format(code=code)
    ):
        emit("account_stopped", "ERROR", service=Service.INSTAGRAM, error=f"Unreachable {code}")


async def tell_cause(alerts: Alerts, error: PlatformError, account_id: str) -> None:
    """The manager learns, once a day, what a person must mend. Raises StoreUnavailable."""
    if error.owner is not Owner.ACCOUNT:
        return
    code = f"{error.code}/{error.subcode}" if error.subcode else str(error.code)
    account = "" if error.service is Service.MODEL else account_id
    if await alerts.cause_alert(error.service, account, code):
        emit("account_stopped", "ERROR", service=error.service, error=described(error))
