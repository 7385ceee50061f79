"""Google's APIs by their own channels and generated classes, without the clients the libraries build on top.

Those wrap every call (messages of their own, retries, tracing, logging) at about the CPU of the call itself, and what
they add we switch off or do ourselves. Their transports still open the channel: address, credentials, scopes.
"""

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final, cast

import grpc
import grpc.aio
from google.api_core.gapic_v1 import routing_header
from google.api_core.gapic_v1.client_info import ClientInfo
from google.auth.exceptions import GoogleAuthError

from dm_core.errors import Cause

FAILURES: Final = (GoogleAuthError, grpc.RpcError, grpc.aio.UsageError, TimeoutError, OSError)
"""What a call may raise."""

type Metadata = tuple[str, str]

BROKEN: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
"""What a connection that broke is called, by whoever noticed: an instance that slept finds its own removed
(https://github.com/grpc/grpc/issues/34076, https://github.com/googleapis/python-firestore/issues/512). Whether the call
was carried out is not said."""

_SIZES: Final = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
_KEEPALIVE: Final = [("grpc.keepalive_time_ms", 30_000)]
_OWN: Final = [("grpc.use_local_subchannel_pool", 1)]
"""A new channel is a new connection: by default all channels of a process to one address share theirs."""
_DIRECTLY: Final = [("grpc.enable_http_proxy", 0)]
"""An emulator is on this machine, where a proxy named by ``http_proxy`` can't reach it
(https://github.com/firebase/quickstart-nodejs/issues/44)."""

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
        return grpc.aio.insecure_channel(emulator_host, options=[*_SIZES, *_OWN, *_DIRECTLY])
    return cast("Any", transport).create_channel(options=[*_SIZES, *_OWN, *_KEEPALIVE])


def routed(field: str, value: str) -> Metadata:
    """The header by which Google routes a call (https://google.aip.dev/client-libraries/4222)."""
    return cast("Any", routing_header).to_grpc_metadata(((field, value),))


def status(error: BaseException) -> grpc.StatusCode | None:
    """The status of a call that failed; None if it never got one."""
    return error.code() if isinstance(error, grpc.aio.AioRpcError) else None


_CAUSES: Final = (
    ("metadata from plugin failed", Cause.NO_ACCESS_TOKEN),
    ("has not been used in project", Cause.API_OFF),
    ("actas", Cause.NO_ACT_AS),
    (" index", Cause.NO_INDEX),
    ("does not exist for project", Cause.NO_DATABASE),
    ("queue does not exist", Cause.NO_QUEUE),
    ("queue no longer exists", Cause.NO_QUEUE),
)
"""What Google's details hold, in small letters, and what a person must see to: several have one status
(https://github.com/googleapis/google-cloud-python/issues/10651,
https://github.com/GoogleCloudPlatform/python-docs-samples/issues/4034)."""


def described_failure(error: BaseException) -> str:
    """A failure in a few words: its status, else its type, and its cause where a person must mend that.

    Google's own words are never quoted: they name documents, and so people.
    """
    if not isinstance(error, grpc.aio.AioRpcError):
        return type(error).__name__
    details = (error.details() or "").lower()
    cause = next((cause for words, cause in _CAUSES if words in details), "")
    return f"{error.code().name} ({cause})" if cause else error.code().name


def _readable(answer: Any) -> Any:
    """gRPC answers None where an answer can't be decoded. Raises OSError."""
    if answer is None:
        raise OSError("an answer that can't be decoded")
    return answer


MAX_TIMEOUTS: Final = 3
"""So many calls in a row that time out, and the connection is given up."""


class Calls:
    """The methods of one service. Connects on the first call, in the event loop of that call, and stays there.

    A connection on which call after call times out is left for a new one: some look alive and carry nothing any more
    (https://github.com/firebase/firebase-admin-node/issues/2978).
    """

    def __init__(self, service: str, transport: object, emulator_host: str | None, timeout: float) -> None:
        self._service, self._transport, self._emulator_host, self._timeout = service, transport, emulator_host, timeout
        self._channel: Any = None
        self._methods: dict[str, Any] = {}
        self._timeouts = 0
        self._closing: set[asyncio.Task[None]] = set()

    async def unary(self, method: str, request: Any, answer: Any, metadata: Sequence[Metadata]) -> Any:
        """One request, one answer of the generated class ``answer``. Raises any of FAILURES."""
        call = self._methods.get(method) or self._method(method, type(request), answer, streams=False)
        with self._watched():
            return _readable(await call(request, timeout=self._timeout, metadata=metadata))

    async def stream(self, method: str, request: Any, answer: Any, metadata: Sequence[Metadata]) -> list[Any]:
        """One request, every answer to it. Raises any of FAILURES."""
        call = self._methods.get(method) or self._method(method, type(request), answer, streams=True)
        with self._watched():
            return [_readable(each) async for each in call(request, timeout=self._timeout, metadata=metadata)]

    @contextmanager
    def _watched(self) -> Generator[None]:
        """Count time-outs in a row."""
        try:
            yield
        except grpc.aio.AioRpcError as error:
            self._timeouts = self._timeouts + 1 if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED else 0
            if self._timeouts >= MAX_TIMEOUTS:
                self._leave_channel()
            raise
        self._timeouts = 0

    def _leave_channel(self) -> None:
        """The next call opens another; what is under way on this one ends by its own time-out."""
        channel, self._channel, self._timeouts = self._channel, None, 0
        self._methods.clear()
        if channel is not None:
            closing = asyncio.create_task(channel.close(grace=2 * self._timeout))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

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
        if self._closing:
            await asyncio.wait(self._closing)
