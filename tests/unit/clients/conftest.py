"""A platform of our own on 127.0.0.1: it answers as scripted, breaks connections as scripted, and counts both."""

import asyncio
import json
import socket
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import parse_qsl, urlsplit

import grpc.aio
import pytest

from dm_core.clients.http import HttpClient, Timeouts
from dm_core.clients.token_store import SecretManagerTokenStore
from tests.unit.clients.secret_manager import SECRET, SecretManager

NOW = 1_790_000_000_000
"""2026-09-21T14:13:20Z, in ms."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came over the wire."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        return cast("dict[str, object]", json.loads(self.body))


@dataclass(frozen=True, slots=True)
class Step:
    """What to do with one request: answer it, or with ``fault`` stall (keep silent) or reset (hang up)."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    fault: str = ""


class Platform:
    """Scripted steps are used up in order; the last one is repeated. Without any: 200 ``{}``."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.url = ""
        self._steps: deque[Step] = deque()
        self._by_path: dict[str, deque[Step]] = {}
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def answers(
        self, body: object = None, status: int = 200, headers: Mapping[str, str] | None = None, path: str = ""
    ) -> None:
        """Script a JSON answer (bytes are sent as they are); with ``path`` for requests whose path ends in it."""
        raw = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        self._script(Step(status, raw, headers or {}), path)

    def stalls(self, path: str = "") -> None:
        self._script(Step(fault="stall"), path)

    def resets(self, path: str = "") -> None:
        self._script(Step(fault="reset"), path)

    def breaks_off(self, path: str = "") -> None:
        """Announce a body and hang up in the middle of it."""
        self._script(Step(fault="break off"), path)

    def forget(self) -> None:
        """Drop what is scripted; requests and counts stay."""
        self._steps.clear()
        self._by_path.clear()

    def seen(self, path: str) -> list[Received]:
        return [request for request in self.requests if request.path.endswith(path)]

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _script(self, step: Step, path: str) -> None:
        (self._by_path.setdefault(path, deque()) if path else self._steps).append(step)

    def _next(self, path: str) -> Step:
        steps = next((found for end, found in self._by_path.items() if path.endswith(end)), self._steps)
        if not steps:
            return Step(body=b"{}")
        return steps.popleft() if len(steps) > 1 else steps[0]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                if not await _play(self._next(request.path), writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Received | None:
    line = (await reader.readline()).decode()
    if not line:
        return None
    method, target, _ = line.split(" ", 2)
    headers: dict[str, str] = {}
    while (header := (await reader.readline()).decode().strip()) != "":
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Received(method, parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers, body)


async def _play(step: Step, writer: asyncio.StreamWriter) -> bool:
    """False when the connection is over."""
    if step.fault == "stall":
        await asyncio.Event().wait()
    if step.fault == "reset":
        return False
    if step.fault == "break off":
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{")
        await writer.drain()
        return False
    named = {"content-type": "application/json", **step.headers, "content-length": str(len(step.body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    writer.write(f"HTTP/1.1 {step.status} X\r\n{head}\r\n".encode() + step.body)
    await writer.drain()
    return True


class Pauses:
    """Stands in for sleeping: remembers how long, and waits not at all."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)


class Now:
    """A clock that a test moves. Ms since 1970."""

    def __init__(self) -> None:
        self.ms = NOW

    def __call__(self) -> int:
        return self.ms

    def pass_seconds(self, seconds: float) -> None:
        self.ms += int(seconds * 1_000)


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    scripted = Platform()
    await scripted.start()
    yield scripted
    await scripted.stop()


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
async def http(pauses: Pauses, now: Now) -> AsyncIterator[HttpClient]:
    """Real connections, pauses that take no time, and timeouts short enough to wait for."""
    timeouts = Timeouts(connect=2.0, read=0.2, quick=0.1)
    client = HttpClient(clock=now, sleep=pauses.sleep, jitter=lambda: 0.5, timeouts=timeouts)
    yield client
    await client.close()


@pytest.fixture
def nowhere() -> str:
    """A base URL where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
async def manager() -> AsyncIterator[SecretManager]:
    fake = SecretManager()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((fake.handler(),))
    fake.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield fake
    await server.stop(None)


@pytest.fixture
async def token_store(manager: SecretManager) -> AsyncIterator[SecretManagerTokenStore]:
    kept = SecretManagerTokenStore(SECRET, make_client=manager.client)
    yield kept
    await kept.close()
