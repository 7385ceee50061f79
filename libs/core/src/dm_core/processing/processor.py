"""One task: claim its thread, conduct the run, finish, and see to what came meanwhile.

``Processor.process`` never raises: what went wrong is in the result, and the status tells Cloud Tasks what to do.
"""

import asyncio
from dataclasses import dataclass, replace

from dm_core.errors import QueueUnavailable, described
from dm_core.processing.acting import Actor
from dm_core.processing.claims import Claims
from dm_core.processing.closing import Finisher
from dm_core.processing.delivery import Delivery
from dm_core.processing.freshness import Stale
from dm_core.processing.live import LiveThread, Superseded
from dm_core.processing.outcome import Ending, ExecutionResult, RunStatus
from dm_core.processing.recovery import Recovery, tell_failed
from dm_core.processing.run import Conductor
from dm_core.processing.runtime import Runtime
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
        async with runtime.holding.turn(thread_id):
            if (known := runtime.holding.answer(thread_id, task_name, runtime.clock())) is not None:
                return known
            claimed = await Claims(runtime).claim(thread_id, task_name, deadline)
            if isinstance(claimed, ExecutionResult):
                return claimed
            runtime.holding.enter(thread_id, claimed.lease)
        conductor, finisher = self._collaborators(claimed, deadline)
        try:
            return await self._conduct(conductor, finisher)
        except Superseded:
            return await self._superseded(claimed)
        except Exception as error:  # whatever it was: messages and lease must be given back
            try:
                return await Recovery(conductor, finisher, runtime.brake, runtime.alerts).rest(error)
            except Superseded:
                return await self._superseded(claimed)
        finally:
            runtime.holding.leave(thread_id, claimed.lease)

    def _collaborators(self, live: LiveThread, deadline: int) -> tuple[Conductor, Finisher]:
        """Everything that one run is made of."""
        rt = self.runtime
        delivery = Delivery(rt.store, rt.instagram, rt.clock, rt.limits)
        actor = Actor(live, delivery, rt.brake, rt.clock, rt.limits, deadline)
        conductor = Conductor(live, actor, rt.agent, rt.model, rt.prices, rt.instagram, rt.clock, rt.limits)
        finisher = Finisher(live, rt.queue, rt.clock, rt.timing, rt.limits, rt.holding, rt.rules)
        return conductor, finisher

    async def _conduct(self, conductor: Conductor, finisher: Finisher) -> ExecutionResult:
        """To the end of the run. An attempt too many (earlier ones died) only finds out what went out."""
        live = conductor.live
        worn_out = any(message.attempts > self.runtime.limits.max_attempts for message in live.own)
        ending = await (conductor.find_out() if worn_out else conductor.conduct())
        while True:
            if ending is Ending.FAILED:
                tell_failed(conductor)
            result = await finisher.finish(ending, conductor.notes(live.run))
            if not isinstance(result, Stale):
                return result
            ending = await conductor.reopen(result) or await conductor.conduct()

    async def _superseded(self, live: LiveThread) -> ExecutionResult:
        """Tasks that were told "busy" counted on this run's finish, which will not come: somebody must look again."""
        rt = self.runtime
        emit("run_superseded", "WARNING", thread_id=live.thread.id, run_id=live.run.id)
        try:
            await wake(rt.queue, rt.timing, live.thread.id, rt.clock())
        except QueueUnavailable as error:  # the sweeper looks too, a minute later
            emit("wake_up_failed", "WARNING", thread_id=live.thread.id, error=described(error))
        return ExecutionResult(RunStatus.SUPERSEDED, live.thread.id, live.run.id)
