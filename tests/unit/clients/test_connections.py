"""Answers as servers really send them, byte by byte, and connections that end when they like."""

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator, Callable

import pytest
import trustme

from dm_core.clients import connections as module
from dm_core.clients.connections import Answer, Connections, Patience

PATIENCE = Patience(connect=2.0, answer=0.5, most_bytes=1_000)
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers the n-th request of all with the n-th script, the last for ever; ``None`` in a script hangs up."""

    def __init__(self) -> None:
        self.scripts: list[tuple[bytes | None, ...]] = [(PLAIN,)]
        self.heads: list[bytes] = []
        self.connections = 0
        self.url = ""
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, secure: ssl.SSLContext | None = None) -> asyncio.Server:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=secure)
        self.url = f"{'https' if secure else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}/path"
        return server

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._tasks.add(asyncio.get_running_loop().create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                for piece in self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]:
                    if piece is None:
                        return
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    scripted = Server()
    listening = await scripted.start()
    yield scripted
    listening.close()
    await scripted.stop()


@pytest.fixture
async def connections() -> AsyncIterator[Connections]:
    kept = Connections()
    yield kept
    await kept.close()


async def get(connections: Connections, url: str, writing: Callable[[], None] | None = None) -> Answer:
    return await connections.request("GET", url, {}, None, PATIENCE, writing=writing)


async def settled() -> None:
    """Both ends have done what they can: turns of the loop, since a busy machine may pass any time in one of them."""
    for _ in range(50):
        await asyncio.sleep(0.001)


ZIPPED = gzip.compress(b"ok")

WHOLE = {
    "a length": (PLAIN,),
    "byte by byte": tuple(bytes([byte]) for byte in PLAIN),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\n", b"k\r\n0\r\n\r\n"),
    "until the connection ends": (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\no", b"k", None),
    "early hints before it": (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", PLAIN),
    "two times continue before it": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + PLAIN,),
    "compressed": (b"HTTP/1.1 200 OK\r\nContent-Encoding: GZIP\r\nContent-Length: %d\r\n\r\n" % len(ZIPPED) + ZIPPED,),
}


@pytest.mark.parametrize("script", WHOLE.values(), ids=WHOLE)
async def test_an_answer_is_read_however_its_end_is_told(
    server: Server, connections: Connections, script: tuple[bytes | None, ...]
) -> None:
    server.scripts = [script, (PLAIN,)]

    answers = [await get(connections, server.url) for _ in range(2)]

    assert [(answer.status, answer.body) for answer in answers] == [(200, b"ok"), (200, b"ok")]


BROKEN = {
    "nothing": (None,),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", None),
    "half a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", None),
    "half a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf", None),
    "headers without end": (b"HTTP/1.1 200 OK\r\n", *[b"X: %s\r\n" % (b"x" * 500)] * 9, b"Content-Length: 2\r\n\r\nok"),
    "another protocol": (b"SSH-2.0-OpenSSH_9.9\r\n",),
    "an upgrade": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",),
    "half a compression": (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 12\r\n\r\n" + ZIPPED[:12],),
    "silence": (),
}


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
async def test_an_answer_that_is_not_whole_is_an_error_and_its_connection_is_not_used_again(
    server: Server, connections: Connections, script: tuple[bytes | None, ...]
) -> None:
    server.scripts = [script, (PLAIN,)]

    with pytest.raises(OSError):
        await get(connections, server.url)

    assert (await get(connections, server.url)).body == b"ok"
    assert server.connections == 2


UNUSABLE = {
    "closed though it was to be kept": (
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        None,
    ),
    "closed after an answer without a body": (b"HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n", None),
    "more than was asked for": (PLAIN + PLAIN,),
    "to be closed": (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",),
    "of HTTP/1.0": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",),
}


@pytest.mark.parametrize("script", UNUSABLE.values(), ids=UNUSABLE)
async def test_a_connection_that_is_over_is_not_written_to(
    server: Server, connections: Connections, script: tuple[bytes | None, ...]
) -> None:
    server.scripts = [script, (PLAIN,)]
    assert (await get(connections, server.url)).status in (200, 204)
    await settled()  # the end of the connection has come

    assert (await get(connections, server.url)).body == b"ok"

    assert server.connections == 2


async def test_a_connection_that_ended_while_nobody_read_it_is_not_written_to(
    server: Server, connections: Connections
) -> None:
    """A busy loop has not been told yet; the socket knows."""
    server.scripts = [(PLAIN, None), (PLAIN,)]
    await get(connections, server.url)
    [kept] = next(iter(connections._idle.values()))  # pyright: ignore[reportPrivateUsage]
    transport = kept._transport  # pyright: ignore[reportPrivateUsage]
    assert transport is not None
    transport.pause_reading()
    await settled()

    assert kept.is_open
    assert (await get(connections, server.url)).body == b"ok"
    assert server.connections == 2


async def test_connections_are_used_again_until_they_were_idle_for_too_long(
    server: Server, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await get(connections, server.url)
    assert server.connections == 1

    monkeypatch.setattr(module, "IDLE_SECONDS", -1.0)
    await get(connections, server.url)

    assert server.connections == 2


async def test_requests_at_once_have_a_connection_each(server: Server, connections: Connections) -> None:
    await asyncio.gather(*(get(connections, server.url) for _ in range(5)))
    await asyncio.gather(*(get(connections, server.url) for _ in range(5)))

    assert server.connections == 5


@pytest.mark.parametrize(
    "script",
    [
        (b"HTTP/1.1 400 Bad\r\nContent-Length: 5000\r\n\r\n", b"x" * 5_000),
        (b"HTTP/1.1 400 Bad\r\n\r\n", *[b"x" * 500] * 9),
        (
            b"HTTP/1.1 400 Bad\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
            % len(gzip.compress(bytes(100_000))),
            gzip.compress(bytes(100_000)),
        ),
    ],
    ids=["long", "endless", "a bomb"],
)
async def test_more_than_is_read_is_an_answer_without_its_body(
    server: Server, connections: Connections, script: tuple[bytes, ...]
) -> None:
    server.scripts = [script, (PLAIN,)]

    answer = await get(connections, server.url)

    assert (answer.status, answer.body) == (400, b"")
    assert (await get(connections, server.url)).body == b"ok"


async def test_a_cancelled_request_leaves_no_connection_to_its_late_answer(
    server: Server, connections: Connections
) -> None:
    server.scripts = [(), (PLAIN,)]
    asked = asyncio.create_task(get(connections, server.url))
    await settled()
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)

    assert (await get(connections, server.url)).body == b"ok"
    assert server.connections == 2


async def test_what_was_under_way_while_all_were_closed_is_answered_and_keeps_no_connection(
    server: Server, connections: Connections
) -> None:
    begun = asyncio.Event()
    asked = asyncio.create_task(get(connections, server.url, begun.set))
    await begun.wait()
    await connections.close()

    assert (await asked).body == b"ok"
    assert (await get(connections, server.url)).body == b"ok"
    assert server.connections == 2


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("ftp://127.0.0.1/", {}),
        ("http:///nowhere", {}),
        ("http://127.0.0.1:99999/", {}),
        ("", {}),
        ("http://127.0.0.1:9/", {"x": "a\r\nx-injected: 1"}),
        ("http://127.0.0.1:9/", {"x\n": "a"}),
        ("http://127.0.0.1:9/", {"x": "schlüssel"}),
        ("http://127.0.0.1:9/\ud800", {}),
    ],
)
async def test_what_cannot_be_written_as_a_request_is_not_sent(
    connections: Connections, url: str, headers: dict[str, str]
) -> None:
    written: list[None] = []

    with pytest.raises(ValueError):
        await connections.request("GET", url, headers, None, PATIENCE, writing=lambda: written.append(None))

    assert written == []


async def test_a_path_with_anything_in_it_is_one_line_of_a_request(server: Server, connections: Connections) -> None:
    await get(connections, server.url + "/ü x%20y?a=b%26c&d=\r\nx: y")

    assert server.heads[0].startswith(b"GET /path/%C3%BC%20x%20y?a=b%26c&d=x:%20y HTTP/1.1\r\nhost: 127.0.0.1:")


async def test_headers_of_one_name_are_joined(server: Server, connections: Connections) -> None:
    server.scripts = [(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n",)]

    assert (await get(connections, server.url)).headers["x-a"] == "1, 2"


async def test_the_next_address_is_tried_where_the_first_takes_nobody(server: Server) -> None:
    async def two(host: str, port: int) -> list[str]:
        return ["127.0.0.2", host]

    connections = Connections(two)

    assert (await get(connections, server.url)).body == b"ok"
    await connections.close()


async def test_a_host_that_nobody_knows_is_an_error_before_anything_is_written() -> None:
    async def none(host: str, port: int) -> list[str]:
        return []

    written: list[None] = []

    with pytest.raises(ConnectionError):
        await get(Connections(none), "http://nobody.invalid/", lambda: written.append(None))
    assert written == []


async def test_a_certificate_nobody_vouches_for_is_an_error_before_anything_is_written(
    connections: Connections,
) -> None:
    written: list[None] = []
    scripted = Server()
    listening = await scripted.start(_self_signed()[0])

    with pytest.raises(ssl.SSLCertVerificationError):
        await get(connections, scripted.url, lambda: written.append(None))

    listening.close()
    await scripted.stop()
    assert (written, scripted.heads) == ([], [])


async def test_over_tls_answers_are_read_and_connections_used_again(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted = Server()
    context, authority = _self_signed()
    listening = await scripted.start(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)  # pyright: ignore[reportUnknownMemberType]
    monkeypatch.setattr(module, "trusted", lambda: trusting)

    bodies = [(await get(connections, scripted.url)).body for _ in range(3)]

    await connections.close()
    listening.close()
    await scripted.stop()
    assert (bodies, scripted.connections) == ([b"ok"] * 3, 1)


def _self_signed() -> tuple[ssl.SSLContext, trustme.CA]:
    """A server's context for 127.0.0.1, and who vouches for it."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    return context, authority
