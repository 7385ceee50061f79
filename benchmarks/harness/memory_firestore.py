"""As much of Firestore as a run uses, in memory, behind its real protocol: commits with their conditions, gets, the
newest page of a thread, and for the rivals transactions without a conflict and messages of one status.

Google's emulator takes several ms of CPU a call, so on two cores 200 conversations at once would measure the emulator.
This one takes a fraction of that. It is no test double: what it does not know it refuses, and no test relies on it.
"""

import heapq
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import grpc
from google.cloud.firestore_v1 import types

_SERVICE = "google.firestore.v1.Firestore"

type _Context = grpc.aio.ServicerContext[bytes, bytes]
_UNARY = cast("Callable[[Callable[[bytes, _Context], Awaitable[bytes]]], object]", grpc.unary_unary_rpc_method_handler)
_STREAM = cast(
    "Callable[[Callable[[bytes, _Context], AsyncIterator[bytes]]], object]", grpc.unary_stream_rpc_method_handler
)


def _generated(kind: object) -> Any:
    return cast("Any", kind).pb()


_Commit, _Committed = _generated(types.CommitRequest), _generated(types.CommitResponse)
_Get, _Got = _generated(types.BatchGetDocumentsRequest), _generated(types.BatchGetDocumentsResponse)
_Query, _Row = _generated(types.RunQueryRequest), _generated(types.RunQueryResponse)
_Document, _Begun = _generated(types.Document), _generated(types.BeginTransactionResponse)
_TRANSACTION = b"t"


class _Refused(Exception):
    """A condition does not hold."""


class MemoryFirestore:
    """``async with MemoryFirestore() as address``."""

    def __init__(self) -> None:
        self._documents: dict[str, Any] = {}
        self._children: dict[str, list[str]] = defaultdict(list)
        self._time = 1_800_000_000
        self._server: grpc.aio.Server | None = None

    async def __aenter__(self) -> str:
        server = self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        methods = {
            "Commit": _UNARY(self._commit),
            "BatchGetDocuments": _STREAM(self._get),
            "RunQuery": _STREAM(self._run),
            "BeginTransaction": _UNARY(self._begin),
            "Rollback": _UNARY(self._roll_back),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, cast("Any", methods)),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return f"127.0.0.1:{port}"

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            await self._server.stop(None)

    async def _commit(self, request: bytes, context: _Context) -> bytes:
        commit = _Commit.FromString(request)
        try:
            for write in commit.writes:
                self._check(write)
        except _Refused as refused:
            await context.abort(cast("grpc.StatusCode", refused.args[0]), "a condition does not hold")
        self._time += 1
        for write in commit.writes:
            self._apply(write)
        answer = _Committed()
        answer.commit_time.seconds = self._time
        for _ in commit.writes:
            answer.write_results.add().update_time.seconds = self._time
        return answer.SerializeToString()

    def _check(self, write: Any) -> None:
        there = self._documents.get(write.update.name)
        match write.current_document.WhichOneof("condition_type"):
            case "exists" if write.current_document.exists and there is None:
                raise _Refused(grpc.StatusCode.NOT_FOUND)
            case "exists" if not write.current_document.exists and there is not None:
                raise _Refused(grpc.StatusCode.ALREADY_EXISTS)
            case "update_time" if there is None or there.update_time != write.current_document.update_time:
                raise _Refused(grpc.StatusCode.FAILED_PRECONDITION)
            case _:
                return

    def _apply(self, write: Any) -> None:
        name, masked = write.update.name, write.HasField("update_mask")
        document = self._documents.get(name)
        if document is None:
            document = self._documents[name] = _Document(name=name)
            document.create_time.seconds = self._time
            self._children[name.rsplit("/", 1)[0]].append(name)
        if not masked:
            document.fields.clear()
        for field in write.update_mask.field_paths if masked else write.update.fields:
            document.fields[field].CopyFrom(write.update.fields[field])
        for transform in write.update_transforms:
            _transform(document.fields[transform.field_path], transform)
        document.update_time.seconds = self._time

    async def _begin(self, request: bytes, _: _Context) -> bytes:  # noqa: ARG002
        return _Begun(transaction=_TRANSACTION).SerializeToString()

    async def _roll_back(self, request: bytes, _: _Context) -> bytes:  # noqa: ARG002
        return b""

    async def _get(self, request: bytes, _: _Context) -> AsyncIterator[bytes]:
        asked = _Get.FromString(request)
        if asked.HasField("new_transaction"):
            yield _Got(transaction=_TRANSACTION).SerializeToString()
        for name in asked.documents:
            found = self._documents.get(name)
            answer = _Got(missing=name) if found is None else _Got(found=found)
            answer.read_time.seconds = self._time
            yield answer.SerializeToString()

    async def _run(self, request: bytes, _: _Context) -> AsyncIterator[bytes]:
        """One ordered field, descending, or one field that equals a word."""
        asked = _Query.FromString(request)
        if asked.HasField("new_transaction"):
            yield _Row(transaction=_TRANSACTION).SerializeToString()
        query = asked.structured_query
        rows = [self._documents[name] for name in self._children[f"{asked.parent}/{query.from_[0].collection_id}"]]
        for row in _chosen(query, rows) or [None]:
            answer = _Row() if row is None else _Row(document=row)
            answer.read_time.seconds = self._time
            yield answer.SerializeToString()


def _chosen(query: Any, rows: list[Any]) -> list[Any]:
    if query.HasField("where"):
        condition = query.where.field_filter
        field, word = condition.field.field_path, condition.value.string_value
        return [row for row in rows if row.fields[field].string_value == word]
    orders = [order.field.field_path for order in query.order_by if order.field.field_path != "__name__"]
    if len(orders) != 1:
        raise NotImplementedError("only the newest page")
    return heapq.nlargest(query.limit.value, rows, key=lambda row: row.fields[orders[0]].integer_value)


def _transform(field: Any, transform: Any) -> None:
    kind = transform.WhichOneof("transform_type")
    given, fresh = getattr(transform, kind).integer_value, field.WhichOneof("value_type") is None
    old = field.integer_value
    values = {"increment": old + given, "maximum": max(old, given), "minimum": min(old, given)}
    field.integer_value = given if fresh else values[kind]
