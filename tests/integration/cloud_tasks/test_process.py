"""The emulator as a process of its own."""

import asyncio
import json
import sys
from dataclasses import replace

from dm_core.clock import system_clock
from dm_core.queue.cloud_tasks import CloudTasksQueue
from dm_core.queue.port import WakeUp
from dm_core.settings import QueueSettings
from dm_sandbox.cloud_tasks.worker import Worker


async def test_the_emulator_runs_from_the_command_line(worker: Worker, settings: QueueSettings) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dm_sandbox.cloud_tasks", "--port", "0"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    first = json.loads(await process.stdout.readline())
    queue = CloudTasksQueue(replace(settings, emulator_host=first["address"]))

    try:
        await queue.schedule(WakeUp("178414_555", "process-1", system_clock()))
        await worker.received(1)
        created = json.loads(await process.stdout.readline())
    finally:
        await queue.close()
        process.terminate()

    assert first["kind"] == "listening"
    assert (created["kind"], created["task"]) == ("created", "process-1")
    assert await process.wait() == 0
