"""The webhook function as it is deployed: a process of its own under functions-framework, on a free local port."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dm_sandbox.cloud_tasks import CloudTasksEmulator
from tests.integration.webhook.webhook_function import Events, WebhookFunction


@pytest.fixture
def events() -> Events:
    """What happened in the queue."""
    return Events()


@pytest.fixture
async def tasks(events: Events) -> AsyncIterator[CloudTasksEmulator]:
    emulator = CloudTasksEmulator(on_event=events.append)
    await emulator.start()
    yield emulator
    await emulator.stop()


@pytest.fixture
def function(tasks: CloudTasksEmulator, tmp_path: Path) -> Iterator[WebhookFunction]:
    """On SQLite, not started yet."""
    function = WebhookFunction(tasks.address, STORE_URL=f"sqlite:///{tmp_path / 'store.db'}")
    yield function
    function.stop()
