"""Google's APIs by their own channels and generated classes, without the clients the libraries build on top.

Those wrap every call (messages of their own, retries, tracing, logging) at about the CPU of the call itself, and what
they add we switch off or do ourselves. Their transports still open the channel: address, credentials, scopes.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

import grpc
import grpc.aio
from google.api_core.gapic_v1 import routing_header
from google.api_core.gapic_v1.client_info import ClientInfo
from google.auth.exceptions import GoogleAuthError

FAILURES: Final = (GoogleAuthError, grpc.RpcError, grpc.aio.UsageError, TimeoutError, OSError)
"""What a call may raise."""

type Metadata = tuple[str, str]

_SIZES: Final = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
_KEEPALIVE: Final = [("grpc.keepalive_time_ms", 30_000)]

CALLER: Final = cast("Metadata", ClientInfo().to_grpc_metadata())
"""Tells Google which language and gRPC call it, as its libraries do."""


def generated(message: object) -> Any:
    """The generated class below a class of a library."""
    return cast("Any", message).pb()


def open_channel(transport: object, emulator_host: str | None) -> Any:
    """The channel of a library's transport, or a plain one to an emulator, where no credentials are looked up.

    Raises GoogleAuthError when there are none.
    """
    if emulator_host:
        return grpc.aio.insecure_channel(emulator_host, options=_SIZES)
    return cast("Any", transport).create_channel(options=[*_SIZES, *_KEEPALIVE])


def routed(field: str, value: str) -> Metadata:
    """The header by which Google routes a call (https://google.aip.dev/client-libraries/4222)."""
    return cast("Any", routing_header).to_grpc_metadata(((field, value),))


def status(error: BaseException) -> grpc.StatusCode | None:
    """The status of a call that failed; None if it never got one."""
    return error.code() if isinstance(error, grpc.aio.AioRpcError) else None


def described_failure(error: BaseException) -> str:
    """A failure in a word: its status, else its type."""
    code = status(error)
    return type(error).__name__ if code is None else code.name


class Calls:
    """The methods of one service. Connects on the first call, in the event loop of that call, and stays there."""

    def __init__(self, service: str, transport: object, emulator_host: str | None, timeout: float) -> None:
        self._service, self._transport, self._emulator_host, self._timeout = service, transport, emulator_host, timeout
        self._channel: Any = None
        self._methods: dict[str, Any] = {}

    async def unary(self, method: str, request: Any, answer: Any, metadata: Sequence[Metadata]) -> Any:
        """One request, one answer of the generated class ``answer``. Raises any of FAILURES."""
        call = self._methods.get(method) or self._method(method, type(request), answer, streams=False)
        return await call(request, timeout=self._timeout, metadata=metadata)

    async def stream(self, method: str, request: Any, answer: Any, metadata: Sequence[Metadata]) -> list[Any]:
        """One request, every answer to it. Raises any of FAILURES."""
        call = self._methods.get(method) or self._method(method, type(request), answer, streams=True)
        return [each async for each in call(request, timeout=self._timeout, metadata=metadata)]

    def _method(self, name: str, request: Any, answer: Any, *, streams: bool) -> Any:
        if self._channel is None:
            self._channel = open_channel(self._transport, self._emulator_host)
        kind = self._channel.unary_stream if streams else self._channel.unary_unary
        self._methods[name] = kind(
            f"/{self._service}/{name}",
            request_serializer=request.SerializeToString,
            response_deserializer=answer.FromString,
        )
        return self._methods[name]

    async def close(self) -> None:
        """Close the channel, if there is one; a later call opens another."""
        channel, self._channel = self._channel, None
        self._methods.clear()
        if channel is not None:
            await channel.close()
