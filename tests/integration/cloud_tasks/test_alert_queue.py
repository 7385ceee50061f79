"""Ticks as Cloud Tasks: their own queue, target and deadline, one task for an alert and a time."""

import json
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from dm_core.clock import system_clock
from dm_core.errors import QueueUnavailable
from dm_core.queue.cloud_tasks import CloudTasksAlertQueue
from dm_core.settings import QueueSettings
from dm_sandbox.cloud_tasks import CloudTasksEmulator, QueueEvent
from dm_sandbox.cloud_tasks.worker import Worker
from dm_sandbox.tcp_ports import free_port

ALERT = "a" * 64


@pytest.fixture
async def alert_queue(settings: QueueSettings, worker: Worker) -> AsyncGenerator[CloudTasksAlertQueue]:
    queue = CloudTasksAlertQueue(replace(settings, queue="dm-alerts", target_url=f"{worker.url}/alerts"))
    try:
        yield queue
    finally:
        await queue.close()


async def test_a_tick_is_delivered_to_its_own_address(alert_queue: CloudTasksAlertQueue, worker: Worker) -> None:
    assert await alert_queue.schedule(ALERT, system_clock() - 5_000)

    await worker.until(lambda: worker.answered == 1)
    (delivery,) = worker.deliveries
    assert json.loads(delivery.body) == {"alertId": ALERT}
    assert delivery.headers["x-cloudtasks-queuename"] == "dm-alerts"
    assert delivery.headers["content-type"] == "application/json"


async def test_one_tick_asked_for_twice_is_one_task(
    alert_queue: CloudTasksAlertQueue, emulator: CloudTasksEmulator, events: list[QueueEvent]
) -> None:
    at = system_clock() + 60_000

    made = [await alert_queue.schedule(ALERT, at) for _ in range(3)]
    later = await alert_queue.schedule(ALERT, at + 1)
    other = await alert_queue.schedule("\ud800 odd", at)

    assert (made, later, other) == ([True, False, False], True, True)
    assert emulator.pending_in("dm-alerts") == 3
    assert [event.detail["fire_at"] for event in events if event.kind == "created"] == [at, at + 1, at]


async def test_a_queue_that_is_down_says_so(settings: QueueSettings) -> None:
    down = replace(settings, emulator_host=f"127.0.0.1:{free_port()}")
    queue = CloudTasksAlertQueue(down, retry_seconds=0.3)

    with pytest.raises(QueueUnavailable):
        await queue.schedule(ALERT, system_clock())
    await queue.close()
