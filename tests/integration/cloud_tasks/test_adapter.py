"""Our side of the queue when the other side misbehaves."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import grpc.aio
import pytest

from dm_core.clock import system_clock
from dm_core.errors import QueueUnavailable
from dm_core.queue.cloud_tasks import CloudTasksQueue
from dm_core.queue.port import WakeUp, WakeUpQueue
from dm_core.settings import QueueSettings
from dm_sandbox.cloud_tasks.worker import Worker
from dm_sandbox.tcp_ports import free_port

SETTINGS = QueueSettings(
    project="local",
    location="europe-north1",
    queue="dm-processing",
    target_url="http://127.0.0.1:1/process",
    invoker_email="tasks@local.invalid",
    emulator_host=None,
    debounce_min=5,
    debounce_max=15,
    dispatch_deadline=300,
)

Handle = Callable[[bytes, "grpc.aio.ServicerContext[bytes, bytes]"], Awaitable[bytes]]


def _wake_up() -> WakeUp:
    return WakeUp("178414_555", "name-1", system_clock())


@asynccontextmanager
async def _service(handle: Handle) -> AsyncGenerator[str]:
    """A Cloud Tasks service whose CreateTask does what the test says; yields its address."""
    server = grpc.aio.server()
    create_task: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(handle)
    handler = grpc.method_handlers_generic_handler("google.cloud.tasks.v2.CloudTasks", {"CreateTask": create_task})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


@asynccontextmanager
async def _queue(emulator_host: str | None, retry_seconds: float = 0.3) -> AsyncGenerator[WakeUpQueue]:
    queue = CloudTasksQueue(replace(SETTINGS, emulator_host=emulator_host), retry_seconds=retry_seconds)
    try:
        yield queue
    finally:
        await queue.close()


async def test_a_queue_that_is_down_is_unavailable() -> None:
    async with _queue(f"127.0.0.1:{free_port()}") as queue:
        with pytest.raises(QueueUnavailable):
            await queue.schedule(_wake_up())


@pytest.mark.parametrize(
    "lost",
    [
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.ABORTED,
    ],
)
async def test_a_create_that_was_applied_but_not_answered_is_success(lost: grpc.StatusCode) -> None:
    calls: list[bytes] = []

    async def lose_the_first_answer(request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        calls.append(request)
        status = lost if len(calls) == 1 else grpc.StatusCode.ALREADY_EXISTS
        return await context.abort(status, "")

    async with _service(lose_the_first_answer) as address, _queue(address, retry_seconds=5) as queue:
        assert await queue.schedule(_wake_up()) is False

    assert len(calls) == 2
    assert calls[0] == calls[1]


async def test_a_hanging_queue_is_unavailable() -> None:
    released = asyncio.Event()

    async def hang(_request: bytes, _context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        await released.wait()
        return b""

    async with _service(hang) as address, _queue(address, retry_seconds=-1.9) as queue:
        with pytest.raises(QueueUnavailable):
            await queue.schedule(_wake_up())
        released.set()


@pytest.mark.parametrize(
    "status", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.RESOURCE_EXHAUSTED]
)
async def test_other_errors_are_reported_without_another_try(status: grpc.StatusCode) -> None:
    calls: list[bytes] = []

    async def refuse(request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:
        calls.append(request)
        return await context.abort(status, "")

    async with _service(refuse) as address, _queue(address) as queue:
        with pytest.raises(QueueUnavailable):
            await queue.schedule(_wake_up())

    assert len(calls) == 1


async def test_missing_credentials_are_unavailability(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))

    async with _queue(None) as queue:
        with pytest.raises(QueueUnavailable):
            await queue.schedule(_wake_up())


async def test_the_emulator_needs_no_credentials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, queue: CloudTasksQueue
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))

    assert await queue.schedule(_wake_up()) is True


@pytest.mark.parametrize("variable", ["http_proxy", "https_proxy", "grpc_proxy"])
async def test_the_emulator_is_reached_past_a_proxy(
    monkeypatch: pytest.MonkeyPatch, queue: CloudTasksQueue, variable: str
) -> None:
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "http://127.0.0.1:9")

    assert await queue.schedule(_wake_up()) is True


async def test_a_closed_queue_opens_again(queue: CloudTasksQueue, worker: Worker) -> None:
    await queue.schedule(_wake_up())
    await queue.close()

    assert await queue.schedule(replace(_wake_up(), name="name-2")) is True
    await worker.until(lambda: worker.answered == 2)


def test_making_a_queue_needs_no_event_loop_and_opens_nothing() -> None:
    before = len(list(Path("/dev/fd").iterdir()))

    for _ in range(10):
        CloudTasksQueue(SETTINGS)

    assert len(list(Path("/dev/fd").iterdir())) == before
