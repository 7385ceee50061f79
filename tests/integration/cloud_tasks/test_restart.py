# pyright: reportUnknownMemberType=false
# Google's client is partly untyped.
"""A queue that dies and comes back."""

from google.cloud.tasks_v2 import CloudTasksAsyncClient, Queue

from dm_core.clock import system_clock
from dm_core.queue.cloud_tasks import CloudTasksQueue
from dm_core.queue.port import WakeUp
from dm_sandbox.cloud_tasks import CloudTasksEmulator
from dm_sandbox.cloud_tasks.worker import Worker


def _wake_up(name: str, *, ahead: int = 0) -> WakeUp:
    return WakeUp("178414_555", name, system_clock() + ahead)


async def test_a_waiting_task_survives(
    queue: CloudTasksQueue, client: CloudTasksAsyncClient, worker: Worker, emulator: CloudTasksEmulator, parent: str
) -> None:
    await queue.schedule(_wake_up("waits-1", ahead=3_600_000))
    before = await client.get_task(name=f"{parent}/tasks/waits-1")

    await emulator.stop()
    await emulator.start()
    after = await client.get_task(name=f"{parent}/tasks/waits-1")
    await client.run_task(name=f"{parent}/tasks/waits-1")

    (delivery,) = await worker.received(1)
    assert after == before
    assert delivery.body == b'{"threadId": "178414_555"}'
    assert delivery.headers["authorization"].startswith("Bearer ")


async def test_a_task_under_way_is_delivered_again(
    queue: CloudTasksQueue, worker: Worker, emulator: CloudTasksEmulator
) -> None:
    worker.gate.clear()
    await queue.schedule(_wake_up("under-way-1"))
    await worker.until(lambda: worker.in_progress == 1)

    await emulator.stop()
    await emulator.start()

    await worker.received(2)
    worker.gate.set()
    assert [delivery.headers["x-cloudtasks-taskretrycount"] for delivery in worker.deliveries] == ["0", "1"]


async def test_used_names_stay_taken(queue: CloudTasksQueue, worker: Worker, emulator: CloudTasksEmulator) -> None:
    await queue.schedule(_wake_up("used-1"))
    await worker.until(lambda: emulator.counters.succeeded == 1)

    await emulator.stop()
    await emulator.start()

    assert await queue.schedule(_wake_up("used-1")) is False
    assert len(worker.deliveries) == 1


async def test_a_paused_queue_stays_paused(
    client: CloudTasksAsyncClient, emulator: CloudTasksEmulator, parent: str
) -> None:
    await client.pause_queue(name=parent)

    await emulator.stop()
    await emulator.start()

    assert (await client.get_queue(name=parent)).state == Queue.State.PAUSED


async def test_the_address_stays_the_same(emulator: CloudTasksEmulator) -> None:
    before = emulator.address

    await emulator.stop()
    await emulator.start()

    assert emulator.address == before
