"""A web server inside the caller's event loop, on a real socket of this machine, that can cut its connections."""

import asyncio
import socket

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from dm_sandbox.listening import stop_listening

IDLE_SECONDS = 75
"""How long an idle connection is kept open: like the platforms' front ends, longer than any client of ours keeps
one. With uvicorn's own 5 s a busy machine sends a request into a connection that is being closed."""
STOP_SECONDS = 2.0
"""Longest wait for handlers that are still at work when the server stops."""


class LocalServer:
    """An ASGI app on a port of 127.0.0.1, run in this event loop; signals stay with the caller."""

    def __init__(self, app: ASGIApp, port: int = 0) -> None:
        self._transports: dict[tuple[str, int], asyncio.Transport] = {}
        self.app, self._port = app, port
        self._server: uvicorn.Server | None = None
        self._changing = asyncio.Lock()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Listen, if it does not yet. Raises OSError when the port is taken."""
        async with self._changing:
            if self._server is None:
                await self._start()

    async def stop(self) -> None:
        """Stop listening, cut what is open, wait for the handlers to end."""
        async with self._changing:
            await self._stop()

    async def _start(self) -> None:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # else small answers wait for an ack
        try:
            listening.bind(("127.0.0.1", self._port))
        except OSError:
            listening.close()
            raise
        self._port = int(listening.getsockname()[1])
        config = uvicorn.Config(
            self._serve,
            http=_tracking(self._transports),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="error",
            access_log=False,
            timeout_keep_alive=IDLE_SECONDS,
            interface="asgi3",
            proxy_headers=False,
            server_header=False,
            date_header=False,
        )
        # Not serve(): it takes over Ctrl-C, and its own loop makes every start and stop wait for a tick.
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listening])
        self._server = server

    async def _stop(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        await stop_listening(*server.servers)
        for listener in server.servers:
            listener.abort_clients()
        if server.server_state.tasks:
            await asyncio.wait(set(server.server_state.tasks), timeout=STOP_SECONDS)
        for listener in server.servers:
            await listener.wait_closed()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``app`` may be replaced while the server runs."""
        await self.app(scope, receive, send)

    def cut(self, client: tuple[str, int]) -> None:
        """Cut the connection of this client, at once."""
        transport = self._transports.get(client)
        if transport is not None:
            transport.abort()


def _tracking(transports: dict[tuple[str, int], asyncio.Transport]) -> type[H11Protocol]:
    """The HTTP protocol, which also notes each open connection."""

    class Tracking(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            if self.client is not None:
                transports[self.client] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            if self.client is not None:
                transports.pop(self.client, None)
            super().connection_lost(exc)

    return Tracking
