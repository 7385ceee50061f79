"""One task: claim its thread, conduct the run, finish, and see to what came meanwhile.

``Processor.process`` never raises: what went wrong is in the result, and the status tells Cloud Tasks what to do.
"""

import asyncio
from dataclasses import dataclass, replace
from functools import partial

from dm_core.errors import DmAgentError, Owner, QueueUnavailable, StoreUnavailable, described
from dm_core.processing.actions import ActionExecutor
from dm_core.processing.attached_media import AttachedMedia
from dm_core.processing.claims import Claims
from dm_core.processing.delivery import Delivery
from dm_core.processing.drafts import PROPOSED
from dm_core.processing.finish import RunCloser
from dm_core.processing.freshness import Stale
from dm_core.processing.leased_thread import LeasedThread, Superseded
from dm_core.processing.recovery import Recovery, tell_cause, tell_failed, tell_if_nobody_is_reached
from dm_core.processing.run_loop import RunLoop
from dm_core.processing.runtime import Runtime
from dm_core.processing.task_result import Ending, ExecutionResult, RunStatus
from dm_core.processing.timing import wake
from dm_core.telemetry import emit


@dataclass(frozen=True, slots=True)
class Processor:
    """Processes tasks. One instance serves many threads at once."""

    runtime: Runtime

    async def process(self, thread_id: str, task_name: str) -> ExecutionResult:
        """Everything one task does. ``task_name`` is the queue's short name of the task, or empty."""
        runtime = self.runtime
        started = runtime.clock()
        try:
            async with asyncio.timeout(runtime.timing.all_seconds(runtime.limits)):
                result = await self._process(thread_id, task_name, started)
        except Exception as error:  # a task must be answered: with 500 the queue comes again
            emit("task_failed", "ERROR", thread_id=thread_id, error=described(error))
            result = ExecutionResult(RunStatus.ERROR, thread_id, error=described(error))
        finally:
            runtime.brake.release(thread_id)
        result = replace(result, duration_ms=runtime.clock() - started)
        emit("task_answered", thread_id=thread_id, **{k: v for k, v in result.to_json().items() if k != "threadId"})
        return result

    async def _process(self, thread_id: str, task_name: str, started: int) -> ExecutionResult:
        runtime = self.runtime
        deadline = started + runtime.timing.run_ms(runtime.limits)
        async with runtime.local_leases.serialize(thread_id):
            if (known := runtime.local_leases.known_answer(thread_id, task_name, runtime.clock())) is not None:
                return known
            claimed = await Claims(runtime).claim(thread_id, task_name, deadline)
            if isinstance(claimed, ExecutionResult):
                return claimed
            runtime.local_leases.add(thread_id, claimed.lease)
        run_loop, closer = self._collaborators(claimed, deadline)
        try:
            return await self._conduct(run_loop, closer)
        except Superseded:
            return await self._superseded(claimed)
        except Exception as error:  # whatever it was: messages and lease must be given back
            try:
                return await Recovery(run_loop, closer, runtime.brake, runtime.alerts).rest(error)
            except Superseded:
                return await self._superseded(claimed)
            except StoreUnavailable:
                own_fault = not isinstance(error, DmAgentError) or error.owner not in (Owner.OUTAGE, Owner.ACCOUNT)
                runtime.local_leases.strand(thread_id, claimed.lease, runtime.clock(), own_fault=own_fault)
                raise
        finally:
            run_loop.media.close()
            runtime.local_leases.remove(thread_id, claimed.lease)

    def _collaborators(self, leased: LeasedThread, deadline: int) -> tuple[RunLoop, RunCloser]:
        """Everything that one run is made of."""
        rt = self.runtime
        stopped = partial(tell_cause, rt.alerts)
        delivery = Delivery(rt.store, rt.instagram, rt.clock, rt.limits, stopped=stopped)
        executor = ActionExecutor(leased, delivery, rt.brake, rt.clock, rt.limits, deadline, rt.switches)
        media = AttachedMedia(rt.media, rt.media_kinds, leased.thread.id)
        run_loop = RunLoop(leased, executor, rt.agent, rt.model, rt.prices, rt.instagram, rt.clock, rt.limits, media)
        closer = RunCloser(leased, rt.queue, rt.clock, rt.timing, rt.limits, rt.local_leases, rt.rules)
        return run_loop, closer

    async def _conduct(self, run_loop: RunLoop, closer: RunCloser) -> ExecutionResult:
        """To the end of the run. An attempt too many (earlier ones died) only finds out what went out."""
        leased = run_loop.leased
        worn_out = any(message.attempts > self.runtime.limits.max_attempts for message in leased.own)
        ending = await (run_loop.find_out() if worn_out else run_loop.conduct())
        while True:
            if ending is Ending.FAILED:
                tell_failed(run_loop)
            elif ending in (Ending.ANSWERED, Ending.NO_REPLY):
                run_loop.tell_unheard()
            elif ending in (Ending.REFUSED, Ending.EXPIRED):
                await tell_if_nobody_is_reached(self.runtime.alerts, self.runtime.brake, leased)
            notes = run_loop.notes(leased.run)
            result = await (closer.propose(notes) if ending is PROPOSED else closer.finish(ending, notes))
            if not isinstance(result, Stale):
                return result
            ending = await run_loop.reopen(result) or await run_loop.conduct()

    async def _superseded(self, leased: LeasedThread) -> ExecutionResult:
        """Tasks that were told "busy" counted on this run's finish, which will not come: somebody must look again."""
        rt = self.runtime
        emit("run_superseded", "WARNING", thread_id=leased.thread.id, run_id=leased.run.id)
        try:
            await wake(rt.queue, rt.timing, leased.thread.id, rt.clock())
        except QueueUnavailable as error:  # the sweeper looks too, a minute later
            emit("wake_up_failed", "WARNING", thread_id=leased.thread.id, error=described(error))
        return ExecutionResult(RunStatus.SUPERSEDED, leased.thread.id, leased.run.id)
