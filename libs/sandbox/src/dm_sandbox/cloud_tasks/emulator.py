"""The emulator as one object: a gRPC server over an engine."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import grpc.aio

from dm_core.clock import Clock, system_clock
from dm_sandbox.cloud_tasks.engine import Engine
from dm_sandbox.cloud_tasks.journal import Journal
from dm_sandbox.cloud_tasks.records import Counters, OnEvent, QueueConfig, QueueEvent, TaskRecord
from dm_sandbox.cloud_tasks.servicer import CloudTasksServicer


class CloudTasksEmulator:
    """A Cloud Tasks service on this machine.

    ``config`` is what every queue starts with, but for those that ``queues`` names by their short name. ``on_event`` is
    told of everything that happens (in the event loop: it must return at once). With ``path``, tasks, names in use and
    changed queues survive a restart. Start and stop it in one event loop; a stopped emulator can be started again.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        config: QueueConfig | None = None,
        queues: Mapping[str, QueueConfig] | None = None,
        on_event: OnEvent | None = None,
        path: Path | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self._host = host
        self._port = port
        self._config = config or QueueConfig()
        self._queues = dict(queues or {})
        self._on_event = on_event
        self._path = path
        self._clock = clock
        self._engine: Engine | None = None
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Raises OSError if the port is taken."""
        self._engine = Engine(self._config, Journal(self._path), self._clock, self._notify, self._queues)
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((CloudTasksServicer(self._engine, self._clock).handler(),))
        try:
            self._port = self._server.add_insecure_port(f"{self._host}:{self._port}")
        except RuntimeError as error:
            await self.stop()
            raise OSError(f"cannot listen on {self._host}:{self._port}") from error
        await self._server.start()

    async def stop(self) -> None:
        """Stop at once, as a crash would: attempts under way are dropped, their tasks are kept."""
        server, self._server = self._server, None
        engine, self._engine = self._engine, None
        if server is not None:
            await server.stop(None)
        if engine is not None:
            await engine.stop()

    @property
    def address(self) -> str:
        """``host:port``, for CLOUD_TASKS_EMULATOR_HOST; the port is the same after a restart."""
        return f"{self._host}:{self._port}"

    @property
    def counters(self) -> Counters:
        """Since the last start."""
        return self._running().counters

    @property
    def pending(self) -> int:
        """Tasks in all queues, those under way included."""
        return sum(len(queue.tasks) for queue in self._running().queues.values())

    def due_within(self, seconds: float) -> int:
        """Tasks whose next attempt is at most so far ahead, those under way included."""
        latest = self._clock() + seconds * 1000
        return sum(
            task.schedule_at <= latest for queue in self._running().queues.values() for task in queue.tasks.values()
        )

    def pending_in(self, queue: str) -> int:
        """Tasks in the queues of this short name, those under way included."""
        queues = self._running().queues.items()
        return sum(len(found.tasks) for name, found in queues if name.endswith(f"/queues/{queue}"))

    def deliver_twice(self, count: int = 1, *, together: bool = True) -> None:
        """The next ``count`` attempts reach the worker twice: at the same time, or one after the other's answer."""
        self._running().deliver_twice(count, together)

    def redirect(self, base_url: str) -> None:
        """What an earlier start left goes to this scheme, host and port: its worker may be elsewhere now."""
        for queue in self._running().queues.values():
            queue.redirect(base_url)

    def look_again(self) -> None:
        """The clock jumped: what became due starts now."""
        for queue in self._running().queues.values():
            queue.look_again()

    def tasks(self) -> list[TaskRecord]:
        """Everything that waits or is under way, the next one first."""
        queues = self._running().queues.values()
        return sorted((task for queue in queues for task in queue.tasks.values()), key=lambda task: task.schedule_at)

    def _running(self) -> Engine:
        if self._engine is None:
            raise RuntimeError("the emulator is not running")
        return self._engine

    def _notify(self, event: QueueEvent) -> None:
        """A failing listener must not stop a queue: its error goes where the loop's unhandled ones go."""
        listener: Callable[[QueueEvent], None] | None = self._on_event
        if listener is None:
            return
        try:
            listener(event)
        except Exception as error:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "the queue's event listener failed", "exception": error}
            )
