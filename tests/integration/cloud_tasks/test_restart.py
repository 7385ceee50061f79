# pyright: reportUnknownMemberType=false
# Google's client is partly untyped.
"""A queue that dies and comes back."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from google.cloud.tasks_v2 import CloudTasksAsyncClient, Queue

from dm_core.clock import system_clock
from dm_core.errors import QueueUnavailable
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


async def test_a_disk_that_takes_nothing_refuses_new_tasks_and_stops_no_other(
    queue: CloudTasksQueue, worker: Worker, emulator: CloudTasksEmulator, tmp_path: Path
) -> None:
    worker.answers.append(500)
    worker.gate.clear()
    await queue.schedule(_wake_up("before-1"))
    await worker.until(lambda: worker.in_progress == 1)

    with closing(sqlite3.connect(tmp_path / "queue.sqlite", isolation_level=None)) as other:
        other.execute("ALTER TABLE tasks RENAME TO away")  # every write fails, as on a full disk
        with pytest.raises(QueueUnavailable):
            await queue.schedule(_wake_up("during-1"))
        worker.gate.set()
        await worker.until(lambda: emulator.counters.succeeded == 1)
        other.execute("ALTER TABLE away RENAME TO tasks")
    await queue.schedule(_wake_up("during-1"))

    await worker.until(lambda: emulator.counters.succeeded == 2)
    assert [delivery.task for delivery in worker.deliveries] == ["before-1", "before-1", "during-1"]
