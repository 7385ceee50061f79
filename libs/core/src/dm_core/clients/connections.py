"""HTTP/1.1 over connections that are kept open, one request at a time on each.

    idle ──▶ taken ──▶ written ──▶ head ──▶ body ──▶ whole: idle again, or closed if the server says so
     └─ closed by the server, or idle for too long: never written to again

A run makes three requests, and the layers of a general client took a quarter of its CPU: this does without what they
are for (redirects, cookies, proxies, HTTP/2). Answers are read by httptools, Node's own parser. Nothing is logged here,
and nothing is taken from the environment.
"""

import asyncio
import select
import ssl
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final, cast
from urllib.parse import quote, urlsplit

import httpx2
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from dm_core.clients.addresses import MAX_ADDRESSES, Resolve, resolve

IDLE_SECONDS: Final = 15.0
"""How long an idle connection is kept: well below the minute or more after which the platforms' servers hang up: a
request that meets that moment is lost, and a send then uncertain."""

_PORTS: Final = {"http": 80, "https": 443}
_AS_IT_IS: Final = "!#$%&'()*+,/:;=?@[]~"
"""Of a path and query: what is left unquoted, besides letters, digits and ``-._``."""
_NEVER_IN_A_HEADER: Final = frozenset("\r\n\0")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, whole. ``headers`` have lower-case names; ``body`` is decompressed, and empty when it was longer than
    the caller would read."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds to connect, and from the request to the whole answer; bytes of an answer that are read."""

    connect: float
    answer: float
    most_bytes: int


class Connections:
    """Connections to any number of servers. Made in the event loop that uses them, each when none is idle."""

    def __init__(self, resolver: Resolve = resolve) -> None:
        self._resolve = resolver
        self._idle: dict[_Origin, list[_Connection]] = {}

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        patience: Patience,
        *,
        writing: Callable[[], None] | None = None,
    ) -> Answer:
        """The answer. ``writing`` is called just before the first byte leaves: an error before that is one of a request
        that was not sent.

        Raises ValueError for a request that cannot be written, OSError (TimeoutError among them) for all else.
        """
        origin, written = _written(method, url, headers, body)
        kept, connection = self._idle, self._taken(origin)
        if connection is None:
            connection = await self._opened(origin, patience.connect)
        try:
            if writing is not None:
                writing()
            async with asyncio.timeout(patience.answer):
                answer = await connection.ask(written, patience.most_bytes)
        except BaseException:
            connection.abort()
            raise
        if self._idle is not kept:  # all were closed meanwhile
            connection.abort()
        elif connection.is_open:
            connection.idle_since = asyncio.get_running_loop().time()
            kept.setdefault(origin, []).append(connection)
        return answer

    async def close(self) -> None:
        """Close what is idle; the next request opens another."""
        idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.abort()
        await asyncio.sleep(0)  # their sockets are closed in the loop's next round, which may be its last

    async def _opened(self, origin: "_Origin", seconds: float) -> "_Connection":
        """A new one, to the first address that takes it: each has an equal share of the time that is left."""
        loop, secure = asyncio.get_running_loop(), trusted() if origin.scheme == "https" else None
        until = loop.time() + seconds
        async with asyncio.timeout_at(until):
            addresses = (await self._resolve(origin.host, origin.port))[:MAX_ADDRESSES]
        failure: OSError = ConnectionError("the host has no address")
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                async with asyncio.timeout((until - loop.time()) / left):
                    name = origin.host if secure else None
                    _, connection = await loop.create_connection(
                        _Connection, address, origin.port, ssl=secure, server_hostname=name
                    )
                    return connection
            except OSError as error:
                failure = error
        raise failure

    def _taken(self, origin: "_Origin") -> "_Connection | None":
        """The connection used last, as long as it is fresh; the others go when their time is over."""
        connections = self._idle.get(origin)
        oldest = asyncio.get_running_loop().time() - IDLE_SECONDS
        while connections and connections[0].idle_since < oldest:
            connections.pop(0).abort()
        while connections:
            connection = connections.pop()
            if connection.is_fresh:
                return connection
            connection.abort()
        return None


@dataclass(frozen=True, slots=True)
class _Origin:
    scheme: str
    host: str
    port: int


def _written(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> "tuple[_Origin, bytes]":
    """Where a request goes, and its bytes. Raises ValueError when it cannot be written as HTTP."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("not an address of http or https")
    port = parts.port or _PORTS[parts.scheme]
    target = quote(f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}", safe=_AS_IT_IS)
    lines = [f"{method} {target} HTTP/1.1", f"host: {parts.netloc.rpartition('@')[2]}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines.append("accept-encoding: gzip")
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    if not _NEVER_IN_A_HEADER.isdisjoint("".join(lines)):
        raise ValueError("a header with a line break")
    return _Origin(parts.scheme, parts.hostname, port), "\r\n".join((*lines, "\r\n")).encode("ascii") + (body or b"")


@cache
def trusted() -> ssl.SSLContext:
    """The certificates we trust; read once a process, because reading them takes tens of milliseconds."""
    context = httpx2.create_ssl_context(trust_env=False)
    context.set_alpn_protocols(["http/1.1"])
    return context


class _Connection(asyncio.Protocol):
    """One connection, and the answer that is being read from it; httptools calls its ``on_`` methods."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self.is_open = True
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._headers: dict[str, str] = {}
        self._chunks: list[bytes] = []
        self._left = 0
        self._in_body = False

    @property
    def is_fresh(self) -> bool:
        """Open, and the server has sent nothing since: neither the end of the connection nor what nobody asked for."""
        if not self.is_open or self._transport is None:
            return False
        poll = select.poll()
        poll.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    async def ask(self, request: bytes, most_bytes: int) -> Answer:
        """Write a request and wait for its answer. Raises OSError."""
        if self._transport is None or not self.is_open:
            raise ConnectionResetError("closed before the request was written")
        self._answer = asyncio.get_running_loop().create_future()
        self._left = most_bytes
        self._transport.write(request)
        return await self._answer

    def abort(self) -> None:
        """Close at once; what was not written is not written."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._fail(ConnectionError(f"not an answer of HTTP/1.1: {type(error).__name__}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._waiting is None:
            return
        if exc is None and self._in_body and not self._headers.keys() & {"content-length", "transfer-encoding"}:
            self._finish()  # an answer that lasts until the connection ends
        else:
            self._fail(ConnectionResetError("closed before the answer was complete"))

    @property
    def _waiting(self) -> "asyncio.Future[Answer] | None":
        return None if self._answer is None or self._answer.done() else self._answer

    def _fail(self, error: OSError) -> None:
        if (answer := self._waiting) is not None:
            answer.set_exception(error)
        self.abort()

    def on_message_begin(self) -> None:
        if self._waiting is None:  # more than was asked for
            self.abort()
        self._headers, self._chunks, self._in_body = {}, [], False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._left -= len(name) + len(value)
        if self._left < 0:
            raise ValueError("headers without end")
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text

    def on_headers_complete(self) -> None:
        self._in_body = True

    def on_body(self, body: bytes) -> None:
        self._left -= len(body)
        if self._left >= 0:
            self._chunks.append(body)
        elif self._waiting is not None:
            self._chunks.clear()
            self._finish()
            self.abort()

    def on_message_complete(self) -> None:
        if 100 <= self._parser.get_status_code() < 200:  # the answer is still to come
            return
        self.is_open = self.is_open and self._parser.should_keep_alive()
        self._finish()

    def _finish(self) -> None:
        answer = self._waiting
        if answer is None:
            return
        self._in_body = False
        body = b"".join(self._chunks)
        encoding = self._headers.pop("content-encoding", "identity").lower()
        try:
            body = _unzipped(body, self._left + len(body)) if encoding == "gzip" and body else body
        except zlib.error:
            self._fail(ConnectionError("an answer that cannot be decompressed"))
            return
        answer.set_result(Answer(self._parser.get_status_code(), self._headers, body))
        if not self.is_open and self._transport is not None:
            self._transport.close()


def _unzipped(body: bytes, most_bytes: int) -> bytes:
    """Decompressed; nothing when it comes to more than may be read."""
    whole = zlib.decompressobj(wbits=31)
    text = whole.decompress(body, most_bytes + 1)
    if len(text) > most_bytes:
        return b""
    if not whole.eof:
        raise zlib.error("not whole")
    return text
