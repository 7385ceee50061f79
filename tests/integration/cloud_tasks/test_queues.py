# pyright: reportUnknownMemberType=false
# Google's client is partly untyped.
"""The operations on queues and tasks, through Google's own client."""

from datetime import datetime, timedelta
from typing import cast

import grpc.aio
import pytest
from google.api_core.exceptions import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    MethodNotImplemented,
    NotFound,
)
from google.cloud.tasks_v2 import (
    CloudTasksAsyncClient,
    GetTaskRequest,
    HttpMethod,
    HttpRequest,
    ListTasksRequest,
    Queue,
    RateLimits,
    RetryConfig,
    Task,
    UpdateQueueRequest,
)
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from dm_core.clock import system_clock
from dm_core.queue.cloud_tasks import CloudTasksQueue
from dm_core.queue.port import WakeUp
from dm_sandbox.cloud_tasks import CloudTasksEmulator, QueueConfig
from dm_sandbox.cloud_tasks.worker import Worker

FAR = 3_600_000
LOCATION = "projects/local/locations/europe-north1"


def _wake_up(name: str, *, ahead: int = 0) -> WakeUp:
    return WakeUp("178414_555", name, system_clock() + ahead)


def _task(url: str, name: str = "", deadline: timedelta | None = None) -> Task:
    return Task(name=name, dispatch_deadline=deadline, http_request=HttpRequest(url=url, http_method=HttpMethod.POST))


def _time(value: object) -> datetime:
    """proto-plus gives times as datetimes, whatever its types say."""
    return cast("datetime", value)


def _seconds(value: object) -> float:
    """proto-plus gives durations as timedeltas, whatever its types say."""
    return cast("timedelta", value).total_seconds()


async def test_a_paused_queue_sends_nothing_until_it_is_resumed(
    client: CloudTasksAsyncClient, queue: CloudTasksQueue, worker: Worker, parent: str
) -> None:
    paused = await client.pause_queue(name=parent)
    await queue.schedule(_wake_up("paused-1"))
    await client.create_task(parent="projects/local/locations/europe-north1/queues/other", task=_task(worker.url))
    await worker.received(1)

    resumed = await client.resume_queue(name=parent)

    deliveries = await worker.received(2)
    assert [delivery.headers["x-cloudtasks-queuename"] for delivery in deliveries] == ["other", "dm-processing"]
    assert (paused.state, resumed.state) == (Queue.State.PAUSED, Queue.State.RUNNING)


async def test_a_purged_queue_is_empty_and_its_names_stay_taken(
    client: CloudTasksAsyncClient, queue: CloudTasksQueue, worker: Worker, emulator: CloudTasksEmulator, parent: str
) -> None:
    await client.pause_queue(name=parent)
    await queue.schedule(_wake_up("purged-1"))
    await queue.schedule(_wake_up("purged-2", ahead=FAR))

    await client.purge_queue(name=parent)
    await queue.schedule(_wake_up("kept-1", ahead=20))
    await client.resume_queue(name=parent)

    assert [delivery.task for delivery in await worker.received(1)] == ["kept-1"]
    assert await queue.schedule(_wake_up("purged-2")) is False
    assert (await client.get_queue(name=parent)).purge_time is not None
    await worker.until(lambda: emulator.pending == 0)


async def test_a_deleted_task_is_not_sent_and_its_name_stays_taken(
    client: CloudTasksAsyncClient, queue: CloudTasksQueue, worker: Worker, parent: str
) -> None:
    await client.pause_queue(name=parent)
    await queue.schedule(_wake_up("deleted-1"))
    await queue.schedule(_wake_up("kept-1", ahead=20))

    await client.delete_task(name=f"{parent}/tasks/deleted-1")
    await client.resume_queue(name=parent)

    assert [delivery.task for delivery in await worker.received(1)] == ["kept-1"]
    assert await queue.schedule(_wake_up("deleted-1")) is False
    with pytest.raises(NotFound):
        await client.delete_task(name=f"{parent}/tasks/deleted-1")


@pytest.mark.parametrize("config", [QueueConfig(reservation_seconds=0)])
async def test_a_name_is_free_again_after_its_reservation(
    client: CloudTasksAsyncClient, queue: CloudTasksQueue, parent: str
) -> None:
    await queue.schedule(_wake_up("again-1", ahead=FAR))
    await client.delete_task(name=f"{parent}/tasks/again-1")

    assert await queue.schedule(_wake_up("again-1", ahead=FAR)) is True


async def test_a_finished_task_is_not_found(
    client: CloudTasksAsyncClient, queue: CloudTasksQueue, worker: Worker, emulator: CloudTasksEmulator, parent: str
) -> None:
    await queue.schedule(_wake_up("done-1"))
    await worker.until(lambda: emulator.counters.succeeded == 1)

    with pytest.raises(NotFound):
        await client.get_task(name=f"{parent}/tasks/done-1")


async def test_a_task_says_when_it_fires_and_shows_its_body_only_in_full(
    client: CloudTasksAsyncClient, queue: CloudTasksQueue, parent: str
) -> None:
    wake_up = _wake_up("look-1", ahead=FAR)
    await queue.schedule(wake_up)

    basic = await client.get_task(name=f"{parent}/tasks/look-1")
    full = await client.get_task(GetTaskRequest(name=f"{parent}/tasks/look-1", response_view=Task.View.FULL))

    assert round(_time(basic.schedule_time).timestamp() * 1000) == wake_up.fire_at
    assert _seconds(basic.dispatch_deadline) == 15
    assert basic.http_request.oidc_token.service_account_email == "tasks@local.invalid"
    assert basic.http_request.body == b""
    assert full.http_request.body == b'{"threadId": "178414_555"}'


async def test_a_failed_task_tells_of_its_attempts(
    client: CloudTasksAsyncClient, queue: CloudTasksQueue, worker: Worker, emulator: CloudTasksEmulator, parent: str
) -> None:
    slow = RetryConfig(min_backoff=Duration(seconds=60), max_backoff=Duration(seconds=60))
    await client.update_queue(queue=Queue(name=parent, retry_config=slow))
    worker.answers.append(409)

    await queue.schedule(_wake_up("tells-1"))
    await worker.until(lambda: emulator.counters.failed == 1)

    task = await client.get_task(name=f"{parent}/tasks/tells-1")
    assert (task.dispatch_count, task.response_count) == (1, 1)
    assert task.last_attempt.response_status.code == 10
    assert task.last_attempt.response_status.message == "HTTP status code 409"
    assert _time(task.schedule_time) > _time(task.last_attempt.response_time)


async def test_run_sends_a_task_now_even_in_a_paused_queue(
    client: CloudTasksAsyncClient, queue: CloudTasksQueue, worker: Worker, parent: str
) -> None:
    await client.pause_queue(name=parent)
    await queue.schedule(_wake_up("run-1", ahead=FAR))

    await client.run_task(name=f"{parent}/tasks/run-1")

    await worker.until(lambda: worker.answered == 1)
    assert [delivery.task for delivery in worker.deliveries] == ["run-1"]


async def test_tasks_are_listed_page_by_page(
    client: CloudTasksAsyncClient, queue: CloudTasksQueue, parent: str
) -> None:
    for number in range(5):
        await queue.schedule(_wake_up(f"page-{number}", ahead=FAR))

    pager = await client.list_tasks(ListTasksRequest(parent=parent, page_size=2))
    pages = [[task.name.rpartition("/")[2] for task in page.tasks] async for page in pager.pages]

    assert pages == [["page-0", "page-1"], ["page-2", "page-3"], ["page-4"]]


async def test_queues_are_made_on_first_use_and_listed(
    client: CloudTasksAsyncClient, queue: CloudTasksQueue, parent: str
) -> None:
    await queue.schedule(_wake_up("first-1", ahead=FAR))

    made = await client.get_queue(name=parent)
    listed = [queue.name async for queue in await client.list_queues(parent=LOCATION)]

    assert made.state == Queue.State.RUNNING
    assert made.rate_limits.max_dispatches_per_second == 500
    assert listed == [parent]


async def test_a_queue_can_be_created_once(client: CloudTasksAsyncClient, parent: str) -> None:
    wanted = Queue(name=parent, rate_limits=RateLimits(max_concurrent_dispatches=3))

    made = await client.create_queue(parent=LOCATION, queue=wanted)

    assert made.rate_limits.max_concurrent_dispatches == 3
    with pytest.raises(AlreadyExists):
        await client.create_queue(parent=LOCATION, queue=wanted)


@pytest.mark.parametrize(
    ("rates", "retries"),
    [
        (RateLimits(max_dispatches_per_second=501), RetryConfig()),
        (RateLimits(max_dispatches_per_second=-1), RetryConfig()),
        (RateLimits(max_concurrent_dispatches=5_001), RetryConfig()),
        (RateLimits(), RetryConfig(max_attempts=-2)),
        (RateLimits(), RetryConfig(min_backoff=Duration(seconds=-1))),
    ],
)
async def test_a_queue_out_of_bounds_is_refused_and_stays_as_it_was(
    client: CloudTasksAsyncClient, parent: str, rates: RateLimits, retries: RetryConfig
) -> None:
    wrong = Queue(name=parent, rate_limits=rates, retry_config=retries)

    with pytest.raises(InvalidArgument):
        await client.create_queue(parent=LOCATION, queue=wrong)
    made = await client.create_queue(parent=LOCATION, queue=Queue(name=parent))
    with pytest.raises(InvalidArgument):
        await client.update_queue(queue=wrong)

    assert await client.get_queue(name=parent) == made


async def test_a_deleted_queue_is_gone_with_its_tasks_and_its_name_blocked(
    client: CloudTasksAsyncClient, queue: CloudTasksQueue, emulator: CloudTasksEmulator, parent: str
) -> None:
    with pytest.raises(NotFound):
        await client.delete_queue(name=parent)
    await queue.schedule(_wake_up("goes-1", ahead=FAR))

    await client.delete_queue(name=parent)

    assert emulator.pending == 0
    with pytest.raises(NotFound):
        await client.get_queue(name=parent)
    await emulator.stop()
    await emulator.start()
    with pytest.raises(FailedPrecondition):
        await client.create_queue(parent=LOCATION, queue=Queue(name=parent))
    with pytest.raises(NotFound):
        await client.create_task(parent=parent, task=_task("http://127.0.0.1:9/"))


async def test_an_update_changes_only_what_its_mask_names(client: CloudTasksAsyncClient, parent: str) -> None:
    wanted = Queue(
        name=parent,
        rate_limits=RateLimits(max_dispatches_per_second=7),
        retry_config=RetryConfig(max_attempts=9, min_backoff=Duration(seconds=3)),
    )

    mask = FieldMask(paths=["rate_limits.max_dispatches_per_second", "retry_config.min_backoff"])
    updated = await client.update_queue(UpdateQueueRequest(queue=wanted, update_mask=mask))

    assert updated.rate_limits.max_dispatches_per_second == 7
    assert updated.rate_limits.max_burst_size == 7
    assert _seconds(updated.retry_config.min_backoff) == 3
    assert updated.retry_config.max_attempts == -1


@pytest.mark.parametrize(
    ("parent", "task"),
    [
        ("no-queue", _task("http://127.0.0.1:1/")),
        (f"{LOCATION}/queues/q", _task("ftp://127.0.0.1/")),
        (f"{LOCATION}/queues/q", _task("http://127.0.0.1:1/", name=f"{LOCATION}/queues/other/tasks/a")),
        (f"{LOCATION}/queues/q", _task("http://127.0.0.1:1/", name=f"{LOCATION}/queues/q/tasks/a.b")),
        (f"{LOCATION}/queues/q", _task("http://127.0.0.1:1/", deadline=timedelta(seconds=1801))),
        (f"{LOCATION}/queues/q", _task("http://127.0.0.1:1/", deadline=timedelta(milliseconds=1))),
        (
            f"{LOCATION}/queues/q",
            Task(http_request=HttpRequest(url="http://a/", http_method="GET", body=b"x")),
        ),
        (f"{LOCATION}/queues/q", Task()),
    ],
)
async def test_a_malformed_task_is_refused(client: CloudTasksAsyncClient, parent: str, task: Task) -> None:
    with pytest.raises(InvalidArgument):
        await client.create_task(parent=parent, task=task)


async def test_an_unnamed_task_gets_a_name(client: CloudTasksAsyncClient, worker: Worker, parent: str) -> None:
    task = await client.create_task(parent=parent, task=_task(f"{worker.url}/other"))

    (delivery,) = await worker.received(1)
    assert task.name == f"{parent}/tasks/{delivery.task}"
    assert "authorization" not in delivery.headers


async def test_an_unknown_method_is_unimplemented(client: CloudTasksAsyncClient, parent: str) -> None:
    with pytest.raises(MethodNotImplemented):
        await client.get_iam_policy(request={"resource": parent})


async def test_a_taken_port_is_reported(emulator: CloudTasksEmulator) -> None:
    second = CloudTasksEmulator(port=int(emulator.address.rpartition(":")[2]))

    with pytest.raises(OSError, match="cannot listen"):
        await second.start()


async def test_another_service_is_unimplemented(emulator: CloudTasksEmulator) -> None:
    async with grpc.aio.insecure_channel(emulator.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await channel.unary_unary("/google.cloud.location.Locations/GetLocation")(b"")

    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
