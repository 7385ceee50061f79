"""Wake-ups and ticks as named Cloud Tasks.

A create is repeated on UNAVAILABLE and DEADLINE_EXCEEDED: one that was applied although its answer got lost comes back
as ALREADY_EXISTS, which is success, so a repetition can neither double a task nor misreport one.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import cast

import grpc
import grpc.aio
from google.api_core.exceptions import AlreadyExists, DeadlineExceeded, GoogleAPIError, ServiceUnavailable
from google.api_core.retry import if_exception_type
from google.api_core.retry_async import AsyncRetry
from google.auth.exceptions import GoogleAuthError
from google.cloud.tasks_v2 import CloudTasksAsyncClient, CreateTaskRequest, HttpMethod, HttpRequest, OidcToken, Task
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcAsyncIOTransport

from dm_core.errors import QueueUnavailable
from dm_core.queue.port import WakeUp
from dm_core.queue.wakeup import NAME_DIGITS
from dm_core.settings import QueueSettings
from dm_core.settings.system import below

ATTEMPT_SECONDS = 4.0
"""How long one create may take. Named ones are slow (docs/platforms/google-cloud.md#cloud-tasks), not by seconds."""

RETRY_SECONDS = 8.0
"""No further attempt begins after this."""

GRACE_SECONDS = 2.0
"""What the last attempt may take after that; then the answer is QueueUnavailable, whatever is still under way."""


class _CloudTasks:
    """One queue of the deployment, or of the emulator at ``settings.emulator_host``.

    The client is made on first use, in the running event loop: gunicorn forks after import, and a client belongs to the
    loop it was made in. With the emulator no credentials are looked up.
    """

    def __init__(self, settings: QueueSettings, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self._emulator_host = settings.emulator_host
        self._parent = f"projects/{settings.project}/locations/{settings.location}/queues/{settings.queue}"
        self._template = self._serialized(settings)
        self._total = retry_seconds + GRACE_SECONDS
        self._retry = AsyncRetry(
            predicate=if_exception_type(ServiceUnavailable, DeadlineExceeded),
            initial=0.1,
            maximum=1.0,
            multiplier=2.0,
            timeout=retry_seconds,
        )
        self._client: CloudTasksAsyncClient | None = None

    def _serialized(self, settings: QueueSettings) -> bytes:
        template = CreateTaskRequest(parent=self._parent, task=_template(settings))
        return CreateTaskRequest.serialize(template)  # pyright: ignore[reportUnknownMemberType]

    async def close(self) -> None:
        """Release the connection; the next task would open another."""
        client, self._client = self._client, None
        if client is not None:
            await client.transport.close()

    async def _create(self, name: str, fire_at: int, body: Mapping[str, str], template: bytes | None = None) -> bool:
        """Create the task; False if one of this name exists already. Raises QueueUnavailable (within 10 s)."""
        try:
            async with asyncio.timeout(self._total):
                await self._connected().create_task(  # pyright: ignore[reportUnknownMemberType]
                    self._request(name, fire_at, body, template), retry=self._retry, timeout=ATTEMPT_SECONDS
                )
        except AlreadyExists:
            return False
        except (GoogleAPIError, GoogleAuthError, grpc.RpcError, TimeoutError, OSError) as error:
            raise QueueUnavailable(f"the task may not exist: {type(error).__name__}") from error
        return True

    def _request(
        self, name: str, fire_at: int, body: Mapping[str, str], template: bytes | None = None
    ) -> CreateTaskRequest:
        """The template with this task in it: 15 us; built field by field through proto-plus it takes 150 us."""
        request = cast("CreateTaskRequest", CreateTaskRequest.deserialize(template or self._template))
        task = cast("Task", CreateTaskRequest.pb(request).task)  # pyright: ignore[reportUnknownMemberType]
        task.name = f"{self._parent}/tasks/{name}"
        task.schedule_time.FromMilliseconds(fire_at)
        task.http_request.body = json.dumps(dict(body)).encode()
        return request

    def _connected(self) -> CloudTasksAsyncClient:
        if self._client is None:
            self._client = _connect(self._emulator_host)
        return self._client


class CloudTasksQueue(_CloudTasks):
    """Wake-ups of threads, and tasks for what humans send."""

    def __init__(self, settings: QueueSettings, *, retry_seconds: float = RETRY_SECONDS) -> None:
        super().__init__(settings, retry_seconds=retry_seconds)
        self._outbox = self._serialized(replace(settings, target_url=below(settings.target_url, "outbox")))

    async def schedule(self, wake_up: WakeUp) -> bool:
        """Create the task; False if one of this name exists already. Raises QueueUnavailable (within 10 s)."""
        if wake_up.outbox_id:
            body = {"outboxId": wake_up.outbox_id}
            return await self._create(wake_up.name, wake_up.fire_at, body, self._outbox)
        return await self._create(wake_up.name, wake_up.fire_at, {"threadId": wake_up.thread_id})


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


def _connect(emulator_host: str | None) -> CloudTasksAsyncClient:
    if emulator_host is None:
        return CloudTasksAsyncClient()
    channel = grpc.aio.insecure_channel(emulator_host)
    return CloudTasksAsyncClient(transport=CloudTasksGrpcAsyncIOTransport(channel=channel))
