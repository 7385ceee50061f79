# pyright: reportUnknownMemberType=false
# Google's client is partly untyped.
"""What reaches the worker, when, and how often."""

import asyncio
import base64
import json
from dataclasses import replace

from google.cloud.tasks_v2 import CloudTasksAsyncClient

from dm_core.clock import system_clock
from dm_core.queue.cloud_tasks import CloudTasksQueue
from dm_core.queue.port import WakeUp
from dm_core.queue.wakeup import plan_wake_up
from dm_core.settings import QueueSettings
from dm_sandbox.cloud_tasks import CloudTasksEmulator, QueueEvent
from dm_sandbox.cloud_tasks.worker import Worker


def _wake_up(name: str, *, ahead: int = 0, thread_id: str = "178414_555") -> WakeUp:
    return WakeUp(thread_id, name, system_clock() + ahead)


async def test_a_planned_wake_up_arrives_once_and_not_before_its_time(queue: CloudTasksQueue, worker: Worker) -> None:
    wake_up = plan_wake_up("178414_555", system_clock(), 0.1, 0.3)

    assert await queue.schedule(wake_up)

    (delivery,) = await worker.received(1)
    assert delivery.at >= wake_up.fire_at
    assert delivery.path == "/process"
    assert delivery.body == b'{"threadId": "178414_555"}'


async def test_a_worker_sees_the_headers_of_the_real_service(queue: CloudTasksQueue, worker: Worker) -> None:
    wake_up = _wake_up("first-1")

    await queue.schedule(wake_up)

    (delivery,) = await worker.received(1)
    headers = delivery.headers
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"] == "Google-Cloud-Tasks"
    assert headers["x-cloudtasks-queuename"] == "dm-processing"
    assert headers["x-cloudtasks-taskname"] == "first-1"
    assert headers["x-cloudtasks-taskretrycount"] == "0"
    assert headers["x-cloudtasks-taskexecutioncount"] == "0"
    assert 0 <= float(headers["x-cloudtasks-tasketa"]) * 1000 - wake_up.fire_at < 1000
    assert "x-cloudtasks-taskretryreason" not in headers
    assert "x-cloudtasks-taskpreviousresponse" not in headers


async def test_the_token_names_the_invoker_and_the_audience_without_a_path(
    queue: CloudTasksQueue, worker: Worker, settings: QueueSettings
) -> None:
    await queue.schedule(_wake_up("token-1"))

    (delivery,) = await worker.received(1)
    header, claims, signature = delivery.headers["authorization"].removeprefix("Bearer ").split(".")
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert decoded["email"] == settings.invoker_email
    assert decoded["aud"] == worker.url
    assert decoded["iss"] == "https://cloud-tasks-emulator.invalid"
    assert json.loads(base64.urlsafe_b64decode(header + "=="))["alg"] == "none"
    assert signature == ""


async def test_the_same_name_twice_is_one_delivery(
    queue: CloudTasksQueue, worker: Worker, emulator: CloudTasksEmulator
) -> None:
    wake_up = _wake_up("same-1", ahead=50)

    assert await queue.schedule(wake_up) is True
    assert await queue.schedule(wake_up) is False
    await queue.schedule(_wake_up("after-1", ahead=60))

    assert [delivery.task for delivery in await worker.received(2)] == ["same-1", "after-1"]
    assert emulator.counters.deduplicated == 1


async def test_tasks_go_out_in_the_order_of_their_times(
    queue: CloudTasksQueue, client: CloudTasksAsyncClient, worker: Worker, parent: str
) -> None:
    await client.pause_queue(name=parent)
    now = system_clock()

    await queue.schedule(WakeUp("178414_555", "late-1", now + 200))
    await queue.schedule(WakeUp("178414_555", "soon-1", now + 100))
    await client.resume_queue(name=parent)

    assert [delivery.task for delivery in await worker.received(2)] == ["soon-1", "late-1"]


async def test_a_double_delivery_reaches_the_worker_at_the_same_time(
    queue: CloudTasksQueue, worker: Worker, emulator: CloudTasksEmulator
) -> None:
    worker.gate.clear()
    emulator.deliver_twice()

    await queue.schedule(_wake_up("double-1"))

    await worker.until(lambda: worker.in_progress == 2)
    worker.gate.set()
    await worker.until(lambda: worker.answered == 2)
    assert {delivery.task for delivery in worker.deliveries} == {"double-1"}
    assert {delivery.headers["x-cloudtasks-taskretrycount"] for delivery in worker.deliveries} == {"0"}


async def test_a_double_delivery_can_come_after_the_first_answer(
    queue: CloudTasksQueue, worker: Worker, emulator: CloudTasksEmulator
) -> None:
    emulator.deliver_twice(together=False)

    await queue.schedule(_wake_up("double-2"))
    await worker.until(lambda: worker.answered == 2)

    assert worker.most_in_progress == 1
    assert emulator.counters.dispatched == 2


async def test_every_step_is_an_event(
    queue: CloudTasksQueue, client: CloudTasksAsyncClient, worker: Worker, events: list[QueueEvent], parent: str
) -> None:
    worker.answers.append(409)
    await client.pause_queue(name=parent)

    await queue.schedule(_wake_up("events-1"))
    await queue.schedule(_wake_up("events-1"))
    await client.resume_queue(name=parent)
    await worker.until(lambda: events[-1].kind == "succeeded")

    of_queue = ["paused", "created", "deduplicated", "resumed"]
    of_task = ["dispatched", "failed", "dispatched", "succeeded"]
    assert [event.kind for event in events] == of_queue + of_task
    assert json.loads(str(events[1].detail["body"])) == {"threadId": "178414_555"}


async def test_more_queues_lose_no_wake_up_that_waits_in_the_old_one(
    queue: CloudTasksQueue, settings: QueueSettings, worker: Worker, events: list[QueueEvent]
) -> None:
    """Before and after the change the same bucket's task: each queue fires its own, and in its queue each is one."""
    spread = CloudTasksQueue(replace(settings, shards=3))
    threads = [f"178414_{number}" for number in range(12)]
    try:
        before = [await queue.schedule(WakeUp(thread, f"{thread}-1", 0)) for thread in threads]
        after = [await spread.schedule(WakeUp(thread, f"{thread}-1", 0)) for thread in threads for _ in range(2)]
        stayed = after[::2].count(False)
        await worker.until(lambda: worker.answered == len(threads) + len(threads) - stayed)
    finally:
        await spread.close()

    assert all(before)
    assert 0 < stayed < len(threads)
    assert not any(after[1::2])
    created = [event for event in events if event.kind == "created"]
    assert {event.queue.rpartition("/")[2] for event in created[len(threads) :]} == {
        "dm-processing-1",
        "dm-processing-2",
    }


async def test_a_failing_listener_does_not_stop_the_queue(worker: Worker, settings: QueueSettings) -> None:
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["exception"]))

    def fail(event: QueueEvent) -> None:
        raise LookupError(event.kind)

    emulator = CloudTasksEmulator(on_event=fail)
    await emulator.start()
    queue = CloudTasksQueue(replace(settings, emulator_host=emulator.address))
    try:
        await queue.schedule(_wake_up("listener-1"))
        await worker.until(lambda: worker.answered == 1)
    finally:
        await queue.close()
        await emulator.stop()

    assert errors
    assert all(isinstance(error, LookupError) for error in errors)
