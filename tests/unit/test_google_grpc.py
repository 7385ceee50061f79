"""A connection that looks alive and carries nothing any more, as an instance finds it that slept.

Seen of Firestore on Cloud Run: every call timed out for hours, until the function was deployed anew
(https://github.com/firebase/firebase-admin-node/issues/2978).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

import grpc
import pytest

from dm_core.google_grpc import MAX_TIMEOUTS, Calls, status


class Message:
    """As much of a generated message as a call needs."""

    def SerializeToString(self) -> bytes:  # noqa: N802 (protobuf's name)
        return b"x"

    @classmethod
    def FromString(cls, raw: bytes) -> bytes:  # noqa: N802
        return raw


class Answering(grpc.GenericRpcHandler):
    """Answers every unary call with what it was asked."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        del handler_call_details

        async def answer(request: bytes, _: object) -> bytes:
            return request

        return cast("Any", grpc).unary_unary_rpc_method_handler(answer)


@dataclass(slots=True)
class Wire:
    """Passes bytes on to a port, until the connections there are then are stopped without being closed."""

    port: int
    stopped: bool = False
    connections: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.port)
        for pair in ((reader, there_writer), (there_reader, writer)):
            self.tasks.append(asyncio.create_task(self._pass_on(*pair, self.connections)))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        try:
            while data := await reader.read(65536):
                if not (self.stopped and number == 1):
                    writer.write(data)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@pytest.fixture
async def wire() -> AsyncIterator[tuple[Wire, Calls]]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Answering(),))
    wire = Wire(server.add_insecure_port("127.0.0.1:0"))
    await server.start()
    passing = await asyncio.start_server(wire.connected, "127.0.0.1", 0)
    calls = Calls("service", None, f"127.0.0.1:{passing.sockets[0].getsockname()[1]}", 0.3)
    yield wire, calls
    await calls.close()
    passing.close()
    for task in wire.tasks:
        task.cancel()
    await asyncio.gather(*wire.tasks, return_exceptions=True)
    await server.stop(None)


async def test_a_connection_on_which_call_after_call_times_out_is_given_up(wire: tuple[Wire, Calls]) -> None:
    between, calls = wire
    assert await calls.unary("Get", Message(), Message, []) == b"x"

    between.stopped = True
    for _ in range(MAX_TIMEOUTS):
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await calls.unary("Get", Message(), Message, [])
        assert status(raised.value) is grpc.StatusCode.DEADLINE_EXCEEDED

    assert await calls.unary("Get", Message(), Message, []) == b"x"
    assert between.connections == 2


async def test_calls_under_way_on_a_connection_that_is_given_up_end_by_themselves(wire: tuple[Wire, Calls]) -> None:
    between, calls = wire
    await calls.unary("Get", Message(), Message, [])
    between.stopped = True

    many = (calls.unary("Get", Message(), Message, []) for _ in range(3 * MAX_TIMEOUTS))
    ended = await asyncio.gather(*many, return_exceptions=True)

    assert {status(each) for each in ended if isinstance(each, BaseException)} == {grpc.StatusCode.DEADLINE_EXCEEDED}
    assert await calls.unary("Get", Message(), Message, []) == b"x"
