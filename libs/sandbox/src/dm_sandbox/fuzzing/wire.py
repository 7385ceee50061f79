"""A server that answers with any bytes at all: broken HTTP, wrong lengths, odd statuses, any body.

Not one of the simulators: those speak their platform's protocol, and HTTP, correctly.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

from dm_sandbox.listening import stop_listening

_LENGTH: Final = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came."""

    head: bytes
    body: bytes

    @property
    def path(self) -> str:
        return self.head.split(b" ", 2)[1].decode("latin-1").partition("?")[0]

    @property
    def method(self) -> str:
        return self.head.partition(b" ")[0].decode("latin-1")


class WildServer:
    """Listens on a free port of 127.0.0.1. ``answer`` gives the bytes for each request; then the connection closes."""

    def __init__(self, answer: Callable[[Asked], bytes]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            await stop_listening(self._server)
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            asked = Asked(head, await reader.readexactly(int(length[1]) if length else 0))
            self.asked.append(asked)
            writer.write(self.answer(asked))
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
            pass
        finally:
            writer.close()


def answered(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    """An answer in proper HTTP. ``headers`` are whole lines, each with its line break."""
    start = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\n{headers}"
    return start.encode("latin-1", "replace") + b"content-length: %d\r\n\r\n" % len(body) + body
