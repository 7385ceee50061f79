"""Meta's CDN on this machine: a real HTTPS server with a certificate for its names, that answers as scripted."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

import httpcore2
import pytest
import trustme

from dm_core.clients.media.fetcher import MediaClient, Times
from dm_core.clients.media.limits import MAX_RUN_BYTES
from dm_core.clients.media.public_network import PublicBackend
from dm_core.media import Media, MediaKind, NotShown

HOST = "scontent.cdninstagram.com"
PUBLIC = "157.240.1.35"
ALL = frozenset(MediaKind)
QUICK = Times(connect=3.0, read=2.0, again=0.0, file=4.0, run=8.0, room=0.3)

Handler = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Got:
    """One request: its target, the Host header, and the name that TLS was asked for."""

    target: str
    host: str
    server_name: str | None


@dataclass(slots=True)
class Cdn:
    """``files`` by target; ``dialled``: the addresses that were connected to, of which those that are ``down`` refuse;
    ``resolved``: what a name leads to."""

    port: int = 0
    files: dict[str, Handler] = field(default_factory=dict[str, Handler])
    requests: list[Got] = field(default_factory=list[Got])
    dialled: list[str] = field(default_factory=list[str])
    down: frozenset[str] = frozenset()
    resolved: dict[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    lookups: list[str] = field(default_factory=list[str])
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    names: dict[ssl.SSLObject, str] = field(default_factory=dict[ssl.SSLObject, str])

    def serves(self, target: str, data: bytes, status: int = 200, **headers: str) -> str:
        """A file; its address."""
        more = {name.replace("_", "-"): text for name, text in headers.items()}
        named = {"connection": "close", "content-length": str(len(data)), **more}
        head = "".join(f"{name}: {text}\r\n" for name, text in named.items())

        async def answer(writer: asyncio.StreamWriter) -> None:
            writer.write(f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + data)
            await writer.drain()

        return self.handles(target, answer)

    def handles(self, target: str, handler: Handler) -> str:
        self.files[target] = handler
        return f"https://{HOST}{target}"

    async def resolve(self, host: str, _: int) -> Sequence[str]:
        self.lookups.append(host)
        return self.resolved.get(host, (PUBLIC,))

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target = (await reader.readline()).decode().split(" ")[1]
            host = ""
            while (line := (await reader.readline()).decode().strip()) != "":
                if line.lower().startswith("host:"):
                    host = line[5:].strip()
            tls = writer.get_extra_info("ssl_object")
            self.requests.append(Got(target, host, self.names.get(tls)))
            self.asked.set()
            await self.files[target](writer)
        except (ConnectionError, IndexError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


class _Sockets(httpcore2.AsyncNetworkBackend):
    """Notes the address that is dialled, and connects to the server of this machine."""

    def __init__(self, cdn: Cdn) -> None:
        self._cdn = cdn
        self._real = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,  # noqa: ARG002
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        self._cdn.dialled.append(host)
        if host in self._cdn.down:
            raise httpcore2.ConnectError
        return await self._real.connect_tcp("127.0.0.1", self._cdn.port, timeout, local_address, socket_options)


class Fetch(Protocol):
    """Fetches by a client that trusts the stand-in's certificates."""

    async def __call__(
        self, *urls: str, kinds: frozenset[MediaKind] = ALL, most: int = MAX_RUN_BYTES
    ) -> list[Media | NotShown]: ...


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def cdn(authority: trustme.CA) -> AsyncIterator[Cdn]:
    made = Cdn()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("*.cdninstagram.com", "*.fbcdn.net", "lookaside.fbsbx.com").configure_cert(  # pyright: ignore[reportUnknownMemberType]
        context
    )

    def named(tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        made.names[tls] = name or ""

    context.sni_callback = named
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0, ssl=context)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close_clients()
    server.close()


@pytest.fixture
async def client(cdn: Cdn, authority: trustme.CA) -> AsyncIterator[MediaClient]:
    def context() -> ssl.SSLContext:
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)  # pyright: ignore[reportUnknownMemberType]
        return trusting

    made = MediaClient(context=context, backend=lambda: PublicBackend(cdn.resolve, _Sockets(cdn)), times=QUICK)
    yield made
    await made.close()


@pytest.fixture
def fetch(client: MediaClient) -> Fetch:
    async def fetch(*urls: str, kinds: frozenset[MediaKind] = ALL, most: int = MAX_RUN_BYTES) -> list[Media | NotShown]:
        return await client.fetch(urls, kinds, most)

    return fetch
