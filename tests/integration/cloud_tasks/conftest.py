"""Our queue adapter and Google's own client, on the emulator, with a worker that does as it is told.

A test that needs another configuration, or another dispatch deadline, parametrizes ``config`` or ``deadline``.
"""

from collections.abc import AsyncGenerator
from pathlib import Path

import grpc.aio
import pytest
from google.cloud.tasks_v2 import CloudTasksAsyncClient
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcAsyncIOTransport

from dm_core.queue.cloud_tasks import CloudTasksQueue
from dm_core.settings import QueueSettings
from dm_sandbox.cloud_tasks import CloudTasksEmulator, QueueConfig, QueueEvent
from dm_sandbox.cloud_tasks.worker import Worker, running_worker


@pytest.fixture
def config() -> QueueConfig:
    return QueueConfig(min_backoff=0.02, max_backoff=0.1, min_dispatch_deadline=0.05)


@pytest.fixture
def deadline() -> float:
    return 15.0


@pytest.fixture
def events() -> list[QueueEvent]:
    return []


@pytest.fixture
async def worker() -> AsyncGenerator[Worker]:
    async with running_worker() as worker:
        yield worker


@pytest.fixture
async def emulator(config: QueueConfig, events: list[QueueEvent], tmp_path: Path) -> AsyncGenerator[CloudTasksEmulator]:
    emulator = CloudTasksEmulator(config=config, on_event=events.append, path=tmp_path / "queue.sqlite")
    await emulator.start()
    try:
        yield emulator
    finally:
        await emulator.stop()


@pytest.fixture
def settings(emulator: CloudTasksEmulator, worker: Worker, deadline: float) -> QueueSettings:
    return QueueSettings(
        project="local",
        location="europe-north1",
        queue="dm-processing",
        target_url=f"{worker.url}/process",
        invoker_email="tasks@local.invalid",
        emulator_host=emulator.address,
        debounce_min=0.1,
        debounce_max=0.3,
        dispatch_deadline=deadline,
    )


@pytest.fixture
async def queue(settings: QueueSettings) -> AsyncGenerator[CloudTasksQueue]:
    queue = CloudTasksQueue(settings, retry_seconds=5.0)
    try:
        yield queue
    finally:
        await queue.close()


@pytest.fixture
async def client(emulator: CloudTasksEmulator) -> AsyncGenerator[CloudTasksAsyncClient]:
    channel = grpc.aio.insecure_channel(emulator.address)
    client = CloudTasksAsyncClient(transport=CloudTasksGrpcAsyncIOTransport(channel=channel))
    try:
        yield client
    finally:
        await client.transport.close()


@pytest.fixture
def parent() -> str:
    """The full name of the queue that ``queue`` writes to."""
    return "projects/local/locations/europe-north1/queues/dm-processing"
