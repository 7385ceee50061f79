"""Firestore and Cloud Tasks as gRPC servers that answer at once, or after a fixed time a hop.

They keep the last request of each method, and count them.

The real emulator on the same two cores would be the bottleneck long before the webhook is; behind these the function
is, so that two functions can be compared.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import grpc
from google.cloud.firestore_v1 import types
from google.protobuf.timestamp_pb2 import Timestamp

_FIRESTORE = "google.firestore.v1.Firestore"
_TASKS = "google.cloud.tasks.v2.CloudTasks"
MAX_WRITES = 8

type _Context = grpc.aio.ServicerContext[bytes, bytes]
_UNARY = cast("Callable[[Callable[[bytes, _Context], Awaitable[bytes]]], object]", grpc.unary_unary_rpc_method_handler)
_STREAM = cast(
    "Callable[[Callable[[bytes, _Context], AsyncIterator[bytes]]], object]", grpc.unary_stream_rpc_method_handler
)


class FastGoogle:
    """``async with FastGoogle() as address``. ``hop`` is what each answer takes, in seconds."""

    def __init__(self, hop: float = 0.0) -> None:
        self.hop = hop
        self.calls: Counter[str] = Counter()
        self.last: dict[str, bytes] = {}
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> str:
        server = self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        answers = {"Commit": _committed(), "BeginTransaction": _begun(), "Rollback": b""}
        firestore: dict[str, object] = {name: _UNARY(self._unary(name, answer)) for name, answer in answers.items()}
        firestore["BatchGetDocuments"] = _STREAM(self._batch_get)
        tasks = {"CreateTask": _UNARY(self._unary("CreateTask", b""))}
        for service, methods in ((_FIRESTORE, firestore), (_TASKS, tasks)):
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, cast("Any", methods)),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return f"127.0.0.1:{port}"

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            await self._server.stop(None)

    def _unary(self, method: str, answer: bytes) -> Callable[[bytes, _Context], Awaitable[bytes]]:
        async def call(request: bytes, context: _Context) -> bytes:  # noqa: ARG001
            self.calls[method] += 1
            self.last[method] = request
            if self.hop:
                await asyncio.sleep(self.hop)
            return answer

        return call

    async def _batch_get(self, request: bytes, context: _Context) -> AsyncIterator[bytes]:  # noqa: ARG002
        """No document asked for is there."""
        self.calls["BatchGetDocuments"] += 1
        if self.hop:
            await asyncio.sleep(self.hop)
        asked = cast("Any", types.BatchGetDocumentsRequest).pb().FromString(request)
        for name in asked.documents:
            missing = cast("Any", types.BatchGetDocumentsResponse).pb()(missing=name, read_time=_NOW)
            yield missing.SerializeToString()


_NOW = cast("Any", Timestamp)(seconds=1_800_000_000)


def _committed() -> bytes:
    """The answer to a commit of up to ``MAX_WRITES`` writes."""
    result = cast("Any", types.WriteResult).pb()(update_time=_NOW)
    return (
        cast("Any", types.CommitResponse)
        .pb()(write_results=[result] * MAX_WRITES, commit_time=_NOW)
        .SerializeToString()
    )


def _begun() -> bytes:
    return cast("Any", types.BeginTransactionResponse).pb()(transaction=b"t").SerializeToString()
