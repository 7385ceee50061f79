"""Wake-ups and ticks as named Cloud Tasks.

A create is repeated where its answer got lost or late: one that was applied all the same comes back as ALREADY_EXISTS,
which is success, so a repetition can neither double a task nor misreport one.
"""

import asyncio
import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from google.cloud.tasks_v2 import CreateTaskRequest, HttpMethod, HttpRequest, OidcToken, Task
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcAsyncIOTransport
from grpc import StatusCode

from dm_core.errors import QueueUnavailable
from dm_core.google_grpc import BROKEN, CALLER, FAILURES, Calls, described_failure, generated, routed, status
from dm_core.queue.port import WakeUp
from dm_core.queue.wakeup import NAME_DIGITS, shard
from dm_core.settings import QueueSettings
from dm_core.settings.system import below

ATTEMPT_SECONDS = 4.0
"""How long one create may take. Named ones are slow (docs/platforms/google-cloud.md#cloud-tasks), not by seconds."""

RETRY_SECONDS = 8.0
"""No further attempt begins after this."""

GRACE_SECONDS = 2.0
"""What the last attempt may take after that; then the answer is QueueUnavailable, whatever is still under way."""

_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.1, 1.0
_REPEATED: Final = (*BROKEN, StatusCode.DEADLINE_EXCEEDED, StatusCode.ABORTED)
_SERVICE: Final = "google.cloud.tasks.v2.CloudTasks"
_Request, _Task = generated(CreateTaskRequest), generated(Task)


class _CloudTasks:
    """Queues of one kind, or those of the emulator at ``settings.emulator_host``.

    The client is made on first use, in the running event loop: gunicorn forks after import, and a client belongs to the
    loop it was made in. With the emulator no credentials are looked up.
    """

    def __init__(self, settings: QueueSettings, *, retry_seconds: float = RETRY_SECONDS) -> None:
        place = f"projects/{settings.project}/locations/{settings.location}/queues"
        self._parents = [f"{place}/{queue}" for queue in settings.queues]
        self._template = self._serialized(settings)
        self._retry_seconds = retry_seconds
        self._metadata = {parent: [CALLER, routed("parent", parent)] for parent in self._parents}
        self._calls = Calls(_SERVICE, CloudTasksGrpcAsyncIOTransport, settings.emulator_host, ATTEMPT_SECONDS)

    def _serialized(self, settings: QueueSettings) -> bytes:
        return CreateTaskRequest.serialize(CreateTaskRequest(task=_template(settings)))  # pyright: ignore[reportUnknownMemberType]

    async def close(self) -> None:
        """Release the connection; the next task would open another."""
        await self._calls.close()

    async def _create(
        self, name: str, fire_at: int, body: Mapping[str, str], template: bytes | None = None, shard: int = 0
    ) -> bool:
        """Create the task; False if one of this name exists already. Raises QueueUnavailable (within 10 s)."""
        request = self._request(self._parents[shard], name, fire_at, body, template or self._template)
        try:
            async with asyncio.timeout(self._retry_seconds + GRACE_SECONDS):
                await self._repeatedly(request)
        except FAILURES as error:
            if status(error) is StatusCode.ALREADY_EXISTS:
                return False
            raise QueueUnavailable(f"the task may not exist: {described_failure(error)}") from error
        return True

    async def _repeatedly(self, request: Any) -> None:
        """Until it is answered, or no further attempt may begin; after waits of a random length."""
        loop = asyncio.get_running_loop()
        last, longest = loop.time() + self._retry_seconds, _FIRST_WAIT_SECONDS
        while True:
            try:
                await self._calls.unary("CreateTask", request, _Task, self._metadata[request.parent])
            except FAILURES as error:
                wait = random.uniform(0, longest)  # noqa: S311
                if status(error) not in _REPEATED or loop.time() + wait > last:
                    raise
            else:
                return
            await asyncio.sleep(wait)
            longest = min(2 * longest, _LONGEST_WAIT_SECONDS)

    def _request(self, parent: str, name: str, fire_at: int, body: Mapping[str, str], template: bytes) -> Any:
        """The template with this task in it."""
        request = _Request.FromString(template)
        request.parent = parent
        task = request.task
        task.name = f"{parent}/tasks/{name}"
        task.schedule_time.FromMilliseconds(fire_at)
        task.http_request.body = json.dumps(dict(body)).encode()
        return request


class CloudTasksQueue(_CloudTasks):
    """Wake-ups of threads, and tasks for what humans send."""

    def __init__(self, settings: QueueSettings, *, retry_seconds: float = RETRY_SECONDS) -> None:
        super().__init__(settings, retry_seconds=retry_seconds)
        self._outbox = self._serialized(replace(settings, target_url=below(settings.target_url, "outbox")))

    async def schedule(self, wake_up: WakeUp) -> bool:
        """Create the task; False if one of this name exists already. Raises QueueUnavailable (within 10 s)."""
        queue = shard(wake_up, len(self._parents))
        if wake_up.outbox_id:
            return await self._create(
                wake_up.name, wake_up.fire_at, {"outboxId": wake_up.outbox_id}, self._outbox, queue
            )
        return await self._create(wake_up.name, wake_up.fire_at, {"threadId": wake_up.thread_id}, shard=queue)


class CloudTasksAlertQueue(_CloudTasks):
    """Ticks for alerts. The name is made of the alert and the time, so that one tick asked for twice is one task."""

    async def schedule(self, alert_id: str, not_before: int) -> bool:
        """Create the tick; False if it exists already. Raises QueueUnavailable (within 10 s)."""
        digest = hashlib.sha256(alert_id.encode("utf-8", "surrogatepass")).hexdigest()
        return await self._create(f"{digest[:NAME_DIGITS]}-{not_before}", not_before, {"alertId": alert_id})


def _template(settings: QueueSettings) -> Task:
    """What every task of this queue has in common."""
    return Task(
        dispatch_deadline=timedelta(seconds=settings.dispatch_deadline),
        http_request=HttpRequest(
            url=settings.target_url,
            http_method=HttpMethod.POST,
            headers={"Content-Type": "application/json"},
            oidc_token=OidcToken(service_account_email=settings.invoker_email, audience=settings.audience),
        ),
    )
