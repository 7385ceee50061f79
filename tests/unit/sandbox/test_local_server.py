"""The simulators' web server: that it stops, whenever a connection comes."""

import asyncio
import gc
import socket
import sys

import pytest
from starlette.types import Receive, Scope, Send

from dm_sandbox.platforms.local_server import LocalServer


async def no_content(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


@pytest.mark.parametrize("ticks", range(6))
async def test_it_stops_and_leaves_nothing_open_however_new_a_connection_is(
    monkeypatch: pytest.MonkeyPatch, ticks: int
) -> None:
    """Between two ticks of the loop a connection is accepted, gets its transport, then its protocol."""
    left: list[object] = []

    def note(raised: "sys.UnraisableHookArgs") -> None:
        if "subprocess" not in str(raised.exc_value):  # of another test, collected here
            left.append(raised.exc_value)

    monkeypatch.setattr(sys, "unraisablehook", note)
    server = LocalServer(no_content)
    await server.start()

    with socket.create_connection(("127.0.0.1", int(server.base_url.rpartition(":")[2]))):
        for _ in range(ticks):
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await server.stop()
        await asyncio.sleep(0.01)
        gc.collect()

    assert left == []
