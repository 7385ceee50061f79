"""A load generator that costs little: HTTP/1.1 on kept-open connections; each sends its next request when answered."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


@dataclass(slots=True)
class Load:
    """What came of it. ``seconds`` from the first request to the last answer; ``latencies`` in seconds, by request."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter[int])
    latencies: list[float] = field(default_factory=list[float])

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds


class NotAllAnswered(Exception):
    """Some request was not answered with 200; a figure made from such a run would mean nothing."""


def http_post(host: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """The bytes of one POST."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + _END + body


async def drive(port: int, requests: Sequence[bytes], connections: int, seconds: float = 120.0) -> Load:
    """Send all requests over so many connections. Raises NotAllAnswered, and TimeoutError after ``seconds``."""
    loop = asyncio.get_running_loop()
    load, waiting = Load(), iter(requests)
    done = [loop.create_future() for _ in range(connections)]
    lines = [_Line(waiting, load, end) for end in done]
    for line in lines:
        await loop.create_connection(lambda line=line: line, "127.0.0.1", port)
    begun = loop.time()
    for line in lines:
        line.next()
    try:
        async with asyncio.timeout(seconds):
            await asyncio.gather(*done)
    finally:
        for line in lines:
            line.close()
    load.seconds = loop.time() - begun
    if load.statuses[200] != len(requests):
        raise NotAllAnswered(f"{len(requests)} requests, answers: {dict(load.statuses)}")
    return load


class _Line(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self, waiting: Iterator[bytes], load: Load, done: "asyncio.Future[None]") -> None:
        self._waiting, self._load, self._done = waiting, load, done
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._got = b""
        self._sent_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def next(self) -> None:
        """Send the next request, or end."""
        request = next(self._waiting, None)
        if request is None or self._transport is None:
            self.close()
            return
        self._sent_at = self._loop.time()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head = self._got.find(_END)
        if head < 0:
            return
        if len(self._got) < head + len(_END) + _content_length(self._got[:head]):
            return
        self._load.latencies.append(self._loop.time() - self._sent_at)
        self._load.statuses[int(self._got[9:12])] += 1
        self._got = b""
        self.next()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self._done.done():
            self._load.statuses[0] += 1
            self._done.set_result(None)

    def close(self) -> None:
        """No more from this one."""
        if not self._done.done():
            self._done.set_result(None)
        if self._transport is not None:
            self._transport.close()


def _content_length(head: bytes) -> int:
    at = head.lower().find(_LENGTH)
    return int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0


class Caller:
    """One kept-open connection for requests one after the other."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def connect(self) -> "Caller":
        """Raises ConnectionRefusedError while nobody listens."""
        self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    def close(self) -> None:
        """End the connection."""
        if self._streams is not None:
            self._streams[1].close()

    async def __aenter__(self) -> "Caller":
        return self if self._streams else await self.connect()

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        assert self._streams is not None
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(_END)
        return int(head[9:12]), await reader.readexactly(_content_length(head))
