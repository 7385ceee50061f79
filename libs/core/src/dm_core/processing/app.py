"""The processor's routes: a ``Request`` in, an ``Answer`` out. Private: only the queue and the scheduler may call."""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from dm_core.errors import DmAgentError, described
from dm_core.http import Answer, Request
from dm_core.processing.maintenance import Maintenance
from dm_core.processing.outcome import ExecutionResult, RunStatus
from dm_core.processing.processor import Processor
from dm_core.processing.sweeper import Sweeper
from dm_core.telemetry import emit

THREAD_ID = re.compile(r"[0-9A-Za-z.-]{1,128}_[0-9A-Za-z._-]{1,128}")
TASK_NAME_HEADER = "x-cloudtasks-taskname"


@dataclass(frozen=True, slots=True)
class ProcessorApp:
    """Routes one request."""

    processor: Processor
    sweeper: Sweeper
    maintenance: Maintenance

    async def handle(self, request: Request) -> Answer:
        if request.path == "/health":
            return Answer(200, "ok") if request.method in ("GET", "HEAD") else Answer(405, "use GET")
        jobs: dict[str, Callable[[], Awaitable[dict[str, object]]]] = {
            "/sweep": self.sweeper.sweep,
            "/maintenance/refresh-token": self.maintenance.refresh_token,
            "/maintenance/check": self.maintenance.check,
        }
        if request.path not in ("/", *jobs):
            return Answer(404, "no such path")
        if request.method != "POST":
            return Answer(405, "use POST")
        job = jobs.get(request.path)
        return await (_run_job(request.path, job) if job else self._task(request))

    async def _task(self, request: Request) -> Answer:
        thread_id = _thread_id(request.body)
        if thread_id is None:
            emit("task_ignored", "ERROR", bytes=len(request.body))
            result = ExecutionResult(RunStatus.IGNORED, "", error='the body must be {"threadId": "account_person"}')
            return Answer.json(200, result.to_json())
        try:
            await self.maintenance.tokens.ensure()
        except DmAgentError as error:
            result = ExecutionResult(RunStatus.ERROR, thread_id, error=described(error))
            return Answer.json(500, result.to_json())
        result = await self.processor.process(thread_id, request.headers.get(TASK_NAME_HEADER, ""))
        return Answer.json(result.status.http_status, result.to_json())


async def _run_job(path: str, job: Callable[[], Awaitable[dict[str, object]]]) -> Answer:
    """A scheduled job; a failure is a 500, so that the scheduler tries again and an alert can count it."""
    try:
        return Answer.json(200, await job())
    except DmAgentError as error:
        emit("job_failed", "ERROR", path=path, error=type(error).__name__)
        return Answer.json(500, {"status": "error", "error": type(error).__name__})


def _thread_id(body: bytes) -> str | None:
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    thread_id: object = value.get("threadId")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return thread_id if isinstance(thread_id, str) and THREAD_ID.fullmatch(thread_id) else None
