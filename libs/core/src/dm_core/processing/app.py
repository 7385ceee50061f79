"""The processor's routes: a ``Request`` in, a ``Response`` out. Private: only the queue and the scheduler may call."""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from dm_core.errors import described
from dm_core.http import Request, Response
from dm_core.processing.alert_ticks import ALERT_ID, AlertTicks
from dm_core.processing.maintenance import Maintenance
from dm_core.processing.outbox.outbox import Outbox
from dm_core.processing.processor import Processor
from dm_core.processing.sweeper import Sweeper
from dm_core.processing.task_result import ExecutionResult, RunStatus
from dm_core.telemetry import emit

THREAD_ID = re.compile(r"[0-9A-Za-z.-]{1,128}_[0-9A-Za-z._-]{1,128}")
TASK_NAME_HEADER = "x-cloudtasks-taskname"


@dataclass(frozen=True, slots=True)
class ProcessorApp:
    """Routes one request."""

    processor: Processor
    sweeper: Sweeper
    maintenance: Maintenance
    ticks: AlertTicks
    outbox: Outbox

    async def handle(self, request: Request) -> Response:
        if request.path == "/health":
            return Response(200, "ok") if request.method in ("GET", "HEAD") else Response.not_allowed("GET", "HEAD")
        jobs: dict[str, Callable[[], Awaitable[dict[str, object]]]] = {
            "/sweep": self.sweeper.sweep,
            "/maintenance/refresh-token": self.maintenance.refresh_token,
            "/maintenance/check": self.maintenance.check,
        }
        if request.path not in ("/", "/alerts", "/outbox", *jobs):
            return Response(404, "no such path")
        if request.method != "POST":
            return Response.not_allowed("POST")
        if request.path == "/alerts":
            return await self._tick(request)
        if request.path == "/outbox":
            return await self._outbox(request)
        job = jobs.get(request.path)
        return await (_run_job(request.path, job) if job else self._task(request))

    async def _task(self, request: Request) -> Response:
        thread_id = _id(request.body, "threadId", THREAD_ID)
        if thread_id is None:
            emit("task_ignored", "ERROR", bytes=len(request.body))
            result = ExecutionResult(RunStatus.IGNORED, "", error='the body must be {"threadId": "account_person"}')
            return Response.json(200, result.to_json())
        result = await self.processor.process(thread_id, request.headers.get(TASK_NAME_HEADER, ""))
        return Response.json(result.status.http_status, result.to_json())

    async def _tick(self, request: Request) -> Response:
        alert_id = _id(request.body, "alertId", ALERT_ID)
        if alert_id is None:
            emit("tick_ignored", "ERROR", bytes=len(request.body))
            return Response.json(200, {"status": "ignored", "alertId": ""})
        try:
            status = await self.ticks.tick(alert_id)
        except Exception as error:  # a tick must be answered: with 500 the queue comes again
            emit("tick_failed", "ERROR", alert=alert_id[:12], error=described(error))
            return Response.json(500, {"status": "error", "alertId": alert_id, "error": described(error)})
        emit("tick_answered", alert=alert_id[:12], status=status)
        return Response.json(200, {"status": status, "alertId": alert_id})

    async def _outbox(self, request: Request) -> Response:
        item_id = _id(request.body, "outboxId", ALERT_ID)
        if item_id is None:
            emit("outbox_ignored", "ERROR", bytes=len(request.body))
            return Response.json(200, {"status": "ignored", "outboxId": ""})
        try:
            status = await self.outbox.handle(item_id)
        except Exception as error:  # a task must be answered: with 500 the queue comes again
            emit("outbox_failed", "ERROR", item=item_id[:12], error=described(error))
            return Response.json(500, {"status": "error", "outboxId": item_id, "error": described(error)})
        emit("outbox_answered", item=item_id[:12], status=status)
        return Response.json(409 if status == "conflict" else 200, {"status": status, "outboxId": item_id})


async def _run_job(path: str, job: Callable[[], Awaitable[dict[str, object]]]) -> Response:
    """A scheduled job; a failure is a 500, so that the scheduler tries again and an alert can count it."""
    try:
        return Response.json(200, await job())
    except Exception as error:  # whatever it is: the scheduler asks again
        emit("job_failed", "ERROR", path=path, error=described(error))
        return Response.json(500, {"status": "error", "error": described(error)})


def _id(body: bytes, name: str, pattern: re.Pattern[str]) -> str | None:
    """The id that a task's body names, if it is one."""
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    found: object = value.get(name)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return found if isinstance(found, str) and pattern.fullmatch(found) else None
