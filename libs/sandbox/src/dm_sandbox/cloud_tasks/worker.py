"""A worker for tests of queues: a real HTTP server that answers as it is told and remembers what it got."""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from dm_core.clock import system_clock
from dm_sandbox.listening import stop_listening

_LOOK_SECONDS = 0.005
_PHRASES = {200: "OK", 409: "Conflict", 429: "Too Many Requests", 500: "Internal Server Error", 503: "Unavailable"}


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request. ``headers`` have lower-case names; ``at`` is when it was received, in ms since 1970."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: int

    @property
    def thread_id(self) -> str:
        return str(json.loads(self.body)["threadId"])

    @property
    def task(self) -> str:
        return self.headers["x-cloudtasks-taskname"]


class Worker:
    """Answers with the statuses in ``answers``, one each, then with 200. While ``gate`` is clear it answers nobody."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.answers: deque[int] = deque()
        self.gate = asyncio.Event()
        self.gate.set()
        self.answered = 0
        self.in_progress = 0
        self.most_in_progress = 0
        self.url = ""
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Cut all connections, answered or not."""
        if self._server is not None:
            await stop_listening(self._server)
            self._server.close_clients()
            self.gate.set()
            await self._server.wait_closed()

    async def received(self, count: int) -> list[Delivery]:
        """The deliveries, once there are that many."""
        await self.until(lambda: len(self.deliveries) >= count)
        return self.deliveries

    async def until(self, condition: Callable[[], bool], timeout: float = 10.0) -> None:
        """Wait for something to become true, looked at every few ms. Raises TimeoutError after ``timeout`` seconds."""
        async with asyncio.timeout(timeout):
            while not condition():  # noqa: ASYNC110 - any condition, not only ours
                await asyncio.sleep(_LOOK_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    delivery = await _read(reader)
                    status = await self._answer(delivery)
                    head = f"HTTP/1.1 {status} {_PHRASES.get(status, '-')}\r\nContent-Length: 0\r\n\r\n"
                    writer.write(head.encode())
                    await writer.drain()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, delivery: Delivery) -> int:
        self.deliveries.append(delivery)
        self.in_progress += 1
        self.most_in_progress = max(self.most_in_progress, self.in_progress)
        await self.gate.wait()
        self.in_progress -= 1
        self.answered += 1
        return self.answers.popleft() if self.answers else 200


async def _read(reader: asyncio.StreamReader) -> Delivery:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Delivery(head[0].split(" ")[1], headers, body, system_clock())


@contextlib.asynccontextmanager
async def running_worker() -> AsyncGenerator[Worker]:
    """A started worker, stopped at the end."""
    worker = Worker()
    await worker.start()
    try:
        yield worker
    finally:
        await worker.stop()
