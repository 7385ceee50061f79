"""Protobuf messages to our values and back.

The plain protobuf classes below google-cloud-tasks' proto-plus ones are used (an order of magnitude faster). Their
fields have the same names and types, so they are typed as the proto-plus classes.
"""

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol, cast

from google.cloud.tasks_v2 import CreateTaskRequest, HttpMethod, Queue, Task, UpdateQueueRequest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from dm_sandbox.cloud_tasks.limits import RateLimiter
from dm_sandbox.cloud_tasks.records import Invalid, QueueConfig, TaskRecord

DEFAULT_DEADLINE_SECONDS = 600.0
USER_AGENT = "Google-Cloud-Tasks"
"""Shown with a task's own headers, and sent in place of theirs."""


class _PlainClass(Protocol):
    def __call__(self) -> Message: ...

    def FromString(self, data: bytes) -> Message: ...  # noqa: N802 - protobuf's name


def _plain(kind: type) -> _PlainClass:
    return cast("Callable[[], _PlainClass]", kind.pb)()  # type: ignore[attr-defined]


def new[M](kind: type[M]) -> M:
    """An empty message."""
    return cast("M", _plain(kind)())


def decoder[M](kind: type[M]) -> Callable[[bytes], M]:
    return cast("Callable[[bytes], M]", _plain(kind).FromString)


def encode(message: object) -> bytes:
    return cast("Message", message).SerializeToString()


def _has(message: object, field: str) -> bool:
    return cast("Message", message).HasField(field)


def task_from(request: CreateTaskRequest, now: int) -> TaskRecord:
    """The task of a CreateTask request. Raises Invalid if it is not an HTTP task."""
    task, http = request.task, request.task.http_request
    if not _has(task, "http_request"):
        raise Invalid("only HTTP tasks are emulated")
    deadline = task.dispatch_deadline.ToMilliseconds() / 1000 if _has(task, "dispatch_deadline") else 0.0
    return TaskRecord(
        name=task.name or f"{request.parent}/tasks/{uuid.uuid4().int % 10**20}",
        url=http.url,
        method=HttpMethod(http.http_method or HttpMethod.POST).name,
        headers=dict(http.headers),
        body=http.body,
        schedule_at=task.schedule_time.ToMilliseconds() if _has(task, "schedule_time") else now,
        created_at=now,
        dispatch_deadline=deadline or DEFAULT_DEADLINE_SECONDS,
        email=http.oidc_token.service_account_email,
        audience=http.oidc_token.audience,
    )


def stored_bytes(record: TaskRecord) -> int:
    """How large a task is for the service: as a message with its body, without what is only said in an answer."""
    stored = task_to(record, Task.View.FULL)
    cast("Message", stored).ClearField("view")
    return cast("Message", stored).ByteSize()


def task_to(record: TaskRecord, view: Task.View) -> Task:
    """The basic view leaves out the body."""
    full = view == Task.View.FULL
    task = new(Task)
    task.name, task.view = record.name, Task.View.FULL if full else Task.View.BASIC
    task.schedule_time.FromMilliseconds(record.schedule_at)
    task.create_time.FromMilliseconds(record.created_at)
    task.dispatch_deadline.FromMilliseconds(round(record.dispatch_deadline * 1000))
    task.dispatch_count, task.response_count = record.dispatch_count, record.response_count
    http = task.http_request
    http.url, http.http_method = record.url, HttpMethod[record.method]
    http.headers.update({name: value for name, value in record.headers.items() if name.lower() != "user-agent"})
    http.headers["User-Agent"] = USER_AGENT
    if full:
        http.body = record.body
    if record.email:
        http.oidc_token.service_account_email, http.oidc_token.audience = record.email, record.audience
    if record.first_attempt_at:
        task.first_attempt.dispatch_time.FromMilliseconds(record.first_attempt_at)
    _set_last_attempt(task, record)
    return task


def _set_last_attempt(task: Task, record: TaskRecord) -> None:
    if record.last is None:
        return
    last = task.last_attempt
    last.schedule_time.FromMilliseconds(record.last.scheduled_at)
    last.dispatch_time.FromMilliseconds(record.last.dispatched_at)
    last.response_time.FromMilliseconds(record.last.responded_at)
    last.response_status.code, last.response_status.message = record.last.code, record.last.reason


def queue_to(name: str, config: QueueConfig, limiter: RateLimiter, *, paused: bool, purged_at: int) -> Queue:
    queue = new(Queue)
    queue.name, queue.state = name, Queue.State.PAUSED if paused else Queue.State.RUNNING
    queue.rate_limits.max_dispatches_per_second = config.max_dispatches_per_second
    queue.rate_limits.max_concurrent_dispatches = config.max_concurrent_dispatches
    queue.rate_limits.max_burst_size = limiter.burst
    retry = queue.retry_config
    retry.max_attempts, retry.max_doublings = config.max_attempts, config.max_doublings
    for field, seconds in (
        (retry.max_retry_duration, config.max_retry_duration),
        (retry.min_backoff, config.min_backoff),
        (retry.max_backoff, config.max_backoff),
    ):
        field.FromMilliseconds(round(seconds * 1000))
    if purged_at:
        queue.purge_time.FromMilliseconds(purged_at)
    return queue


def config_from(queue: Queue, base: QueueConfig) -> QueueConfig:
    """``base`` with what the message sets; fields it leaves out stay."""
    rates, retry = queue.rate_limits, queue.retry_config
    return replace(
        base,
        max_dispatches_per_second=rates.max_dispatches_per_second or base.max_dispatches_per_second,
        max_concurrent_dispatches=rates.max_concurrent_dispatches or base.max_concurrent_dispatches,
        max_attempts=retry.max_attempts or base.max_attempts,
        max_doublings=retry.max_doublings or base.max_doublings,
        max_retry_duration=_seconds(retry, "max_retry_duration", retry.max_retry_duration, base.max_retry_duration),
        min_backoff=_seconds(retry, "min_backoff", retry.min_backoff, base.min_backoff),
        max_backoff=_seconds(retry, "max_backoff", retry.max_backoff, base.max_backoff),
    )


def masked(request: UpdateQueueRequest) -> Queue:
    """The queue of an UpdateQueue request with only the fields its mask names (all, without a mask)."""
    if not request.update_mask.paths:
        return request.queue
    queue = new(Queue)
    request.update_mask.MergeMessage(cast("Message", request.queue), cast("Message", queue))
    return queue


def _seconds(message: object, field: str, value: Duration, default: float) -> float:
    return value.ToMilliseconds() / 1000 if _has(message, field) else default
