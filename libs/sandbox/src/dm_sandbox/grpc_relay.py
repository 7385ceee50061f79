"""A gRPC relay on this machine that passes raw calls on, and does to them what networks do.

A test sets ``before`` and ``after``: coroutines called with the method's name before a call is passed on and after
its answer came. What they raise as ``Lost`` the caller sees as its status: before, the call never arrived; after, it
was applied and its answer was lost. ``rewrite`` changes the answers of a streaming method: another server would have
given them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, cast

import grpc

from dm_core.google_grpc import open_channel

type Hook = Callable[[str], Awaitable[None]]
type Rewrite = Callable[[str, bytes], bytes]
type _Context = grpc.aio.ServicerContext[bytes, bytes]
type _Unary = Callable[[bytes, _Context], Awaitable[bytes]]
type _Stream = Callable[[bytes, _Context], AsyncIterator[bytes]]

# grpc's own types are open here; the wire is bytes.
_UNARY_HANDLER = cast("Callable[[_Unary], object]", grpc.unary_unary_rpc_method_handler)
_STREAM_HANDLER = cast("Callable[[_Stream], object]", grpc.unary_stream_rpc_method_handler)


class Lost(Exception):
    """The network lost it, or the server answers with another status than it would have."""

    def __init__(self, status: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE, details: str = "lost") -> None:
        super().__init__(details)
        self.status = status
        self.details = details


async def _nothing(method: str) -> None:
    """Let the call pass."""


def _as_it_is(method: str, answer: bytes) -> bytes:  # noqa: ARG001 (the hook gives it)
    """Leave the answer alone."""
    return answer


class GrpcRelay(grpc.GenericRpcHandler):
    """Relays the unary and server-streaming methods of a plain-text gRPC server.

    ``async with GrpcRelay(host, streaming=...) as address``. ``streaming`` names the methods that answer in a stream.
    """

    def __init__(self, target: str, streaming: frozenset[str]) -> None:
        self.before: Hook = _nothing
        self.after: Hook = _nothing
        self.rewrite: Rewrite = _as_it_is
        self._target = target
        self._streaming = streaming
        self._channel: grpc.aio.Channel | None = None
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> str:
        self._channel = open_channel(None, self._target)
        self._server = grpc.aio.server()
        self._server.add_generic_rpc_handlers((self,))
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return f"127.0.0.1:{port}"

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            await self._server.stop(None)
        if self._channel is not None:
            await self._channel.close()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        path = str(handler_call_details.method)
        method = path.rsplit("/", 1)[-1]
        if method in self._streaming:
            return _STREAM_HANDLER(self._relay_stream(path, method))
        return _UNARY_HANDLER(self._relay_unary(path, method))

    def _relay_unary(self, path: str, method: str) -> _Unary:
        async def relay(request: bytes, context: _Context) -> bytes:
            try:
                await self.before(method)
                answer = await self._call(path, request, context)
                await self.after(method)
            except Lost as lost:
                await context.abort(lost.status, lost.details)
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details() or "")
            return answer

        return relay

    def _relay_stream(self, path: str, method: str) -> _Stream:
        async def relay(request: bytes, context: _Context) -> AsyncIterator[bytes]:
            try:
                await self.before(method)
                answers = [answer async for answer in self._call_stream(path, request, context)]
                await self.after(method)
            except Lost as lost:
                await context.abort(lost.status, lost.details)
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details() or "")
            for answer in answers:
                yield self.rewrite(method, answer)

        return relay

    def _open(self) -> grpc.aio.Channel:
        if self._channel is None:
            raise RuntimeError("the relay is not running")
        return self._channel

    def _call(self, path: str, request: bytes, context: _Context) -> Awaitable[bytes]:
        method = cast("Any", self._open().unary_unary)(path)
        return cast("Awaitable[bytes]", method(request, metadata=_metadata(context)))

    def _call_stream(self, path: str, request: bytes, context: _Context) -> AsyncIterator[bytes]:
        method = cast("Any", self._open().unary_stream)(path)
        return cast("AsyncIterator[bytes]", method(request, metadata=_metadata(context)))


def _metadata(context: _Context) -> tuple[tuple[str, str | bytes], ...]:
    """The caller's metadata, without what each connection sets itself."""
    given = cast("tuple[tuple[str, str | bytes], ...]", context.invocation_metadata() or ())
    return tuple((key, value) for key, value in given if key not in ("user-agent", "host") and key[:1] != ":")
