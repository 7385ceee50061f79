"""Firestore's own asynchronous client behind a typed border: names and plain documents in, documents out, our errors.

The library's own retries are off: they run for minutes, and a repeated commit whose first answer was lost reports a
failed condition for a write that was applied. What may be repeated says so (``attempts``).
"""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import grpc
from google.api_core import exceptions as google_errors
from google.auth import exceptions as auth_errors
from google.cloud.firestore_v1 import types
from google.cloud.firestore_v1.services.firestore import FirestoreAsyncClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport

from dm_core.errors import StoreUnavailable
from dm_core.store.document_values import Document
from dm_core.store.firestore import writes
from dm_core.store.firestore.protobuf import Found, Instant, found_document, instant
from dm_core.store.firestore.structured_query import names_only, page_by_name, structured_query
from dm_core.store.firestore.writes import Write
from dm_core.store.queries import Selection
from dm_core.store.usage import StoreUsage

TIMEOUT_SECONDS = 10.0
"""Longest wait for one remote call."""

READ_ATTEMPTS = 3
PAGE = 300
"""Documents asked for at once where all of a collection are wanted."""
WRITE_ATTEMPTS = 3
"""Of writes that may be applied twice, or say so when they were."""

MAX_ROUNDS = 12
"""How often a write is prepared anew because something else was faster. Somebody wins each round, so as many writers as
this may meet at one thread."""

FIRST_WAIT_SECONDS = 0.05

_TRANSIENT = (google_errors.ServiceUnavailable, google_errors.Aborted)
_FAILURES = (
    google_errors.GoogleAPIError,
    auth_errors.GoogleAuthError,
    grpc.RpcError,
    grpc.aio.UsageError,
    TimeoutError,
    OSError,
)
_SIZES = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
_KEEPALIVE = [("grpc.keepalive_time_ms", 30_000)]

_CommitRequest, _QueryRequest = cast("Any", types.CommitRequest), cast("Any", types.RunQueryRequest)
_GetRequest = cast("Any", types.BatchGetDocumentsRequest)


def _generated(message: object) -> Any:
    """The generated message inside one of the library's."""
    return cast("Any", type(message)).pb(message)


class Exists(Exception):
    """A document that was to be created is there already; nothing of the commit was applied."""


class Moved(Exception):
    """A condition of a commit did not hold; nothing of it was applied."""


class Missing(Moved):
    """A document that was to be updated is not there; nothing of the commit was applied."""


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to a query: true for the moment ``read_time``, also when it is empty."""

    found: tuple[Found, ...]
    read_time: Instant


class FirestoreClient:
    """One project's database. Connects on the first call, in the event loop of that call, and stays there."""

    def __init__(self, project: str, database: str, emulator_host: str | None, usage: StoreUsage) -> None:
        self._database = f"projects/{project}/databases/{database}"
        self._emulator_host = emulator_host
        self._metadata = [("google-cloud-resource-prefix", self._database)]
        self._usage = usage
        self._api: Any = None
        if emulator_host:
            self._metadata.append(("authorization", "Bearer owner"))

    def name(self, *path: str) -> str:
        """The full name of a document."""
        return "/".join((self._database, "documents", *path))

    def thread(self, thread_id: str) -> str:
        """The full name of a thread."""
        return self.name("conversations", thread_id)

    def message(self, thread_id: str, message_id: str) -> str:
        """The full name of a message."""
        return self.name("conversations", thread_id, "messages", message_id)

    async def get(self, *names: str) -> list[Found]:
        """These documents, in this order, in one call. Raises StoreUnavailable."""

        async def read() -> list[Found]:
            raw = _GetRequest.pb()(database=self._database, documents=names)
            found: dict[str, Found] = {}
            for answer in await self._stream(self._connected().batch_get_documents, _GetRequest.wrap(raw)):
                if answer.HasField("found"):
                    found[answer.found.name] = found_document(answer.found)
            return [found.get(name) or Found(name.rsplit("/", 1)[-1], None) for name in names]

        documents = await self._call(read, READ_ATTEMPTS)
        self._usage.reads += len(documents)
        return documents

    async def select(self, selection: Selection) -> Page:
        """The documents of a selection, in its order. Raises StoreUnavailable."""
        parent = ("conversations", selection.parent) if selection.parent else ()
        return await self._query(structured_query(selection), *parent)

    async def ids(self, collection: str, limit: int, *parent: str) -> list[str]:
        """The ids of some documents of a collection. Raises StoreUnavailable."""
        return [found.id for found in (await self._query(names_only(collection, limit), *parent)).found]

    async def all(self, collection: str, *parent: str) -> list[Found]:
        """Every document of a collection, in pages. Raises StoreUnavailable."""
        found: list[Found] = []
        while True:
            after = self.name(*parent, collection, found[-1].id) if found else None
            page = await self._query(page_by_name(collection, PAGE, after), *parent)
            found += page.found
            if len(page.found) < PAGE:
                return found

    async def _query(self, query: Any, *parent: str) -> Page:
        async def read() -> Page:
            raw = _QueryRequest.pb()(parent=self.name(*parent), structured_query=query)
            answers = await self._stream(self._connected().run_query, _QueryRequest.wrap(raw))
            found = tuple(found_document(a.document) for a in answers if a.HasField("document"))
            # Later answers of a stream may be of a later moment, so the first one's is true for all of them.
            return Page(found, instant(answers[0].read_time) if answers else (0, 0))

        page = await self._call(read, READ_ATTEMPTS)
        self._usage.reads += max(1, len(page.found))
        return page

    async def commit(self, batch: Sequence[Write], attempts: int = 1) -> list[Instant]:
        """Apply these writes together; the new versions, in their order.

        More than one attempt only for what may be applied twice, or says so when it was. Raises Exists, Moved or
        Missing when a condition did not hold, StoreUnavailable when that is unknown.
        """

        async def write() -> list[Instant]:
            raw = _CommitRequest.pb()(database=self._database, writes=batch)
            answer = await self._connected().commit(
                request=_CommitRequest.wrap(raw), retry=None, timeout=TIMEOUT_SECONDS, metadata=self._metadata
            )
            return [instant(result.update_time) for result in _generated(answer).write_results]

        return await self._call(write, attempts)

    async def applied(self, batch: Sequence[Write], attempts: int = 1) -> bool:
        """Commit; False when something else was faster and the writes must be prepared anew."""
        try:
            await self.commit(batch, attempts)
        except (Exists, Moved):
            return False
        return True

    async def repeat(self, *batch: Write) -> None:
        """Commit what depends on nothing and may be applied twice. Raises StoreUnavailable, and Exists for a create."""
        try:
            await self.commit(batch, WRITE_ATTEMPTS)
        except Moved as error:
            raise StoreUnavailable("Firestore refused a write") from error

    async def create(self, place: str, doc: Document, *more: Write) -> bool:
        """Create a document, ``more`` with it; False if it is there, and then nothing is written.

        What a lost first attempt created reads as existing.
        """
        try:
            await self.repeat(writes.create(place, doc), *more)
        except Exists:
            return False
        return True

    async def put(self, place: str, doc: Document) -> None:
        """Write a whole document, whatever was there. Raises StoreUnavailable."""
        await self.repeat(writes.put(place, doc))

    async def _stream(self, method: Any, request: object) -> list[Any]:
        """All answers of a streaming method, in the generated classes."""
        stream = await method(request=request, retry=None, timeout=TIMEOUT_SECONDS, metadata=self._metadata)
        return [_generated(answer) async for answer in cast("AsyncIterable[Any]", stream)]

    async def _call[T](self, call: Callable[[], Awaitable[T]], attempts: int) -> T:
        try:
            return await self._attempt(call, attempts)
        except google_errors.AlreadyExists as error:
            raise Exists from error
        except google_errors.NotFound as error:
            raise Missing from error
        except (google_errors.FailedPrecondition, google_errors.Aborted) as error:
            raise Moved from error
        except _FAILURES as error:
            raise StoreUnavailable(f"Firestore did not answer: {type(error).__name__}") from error

    async def _attempt[T](self, call: Callable[[], Awaitable[T]], attempts: int) -> T:
        for attempt in range(attempts - 1):
            self._usage.calls += 1
            try:
                return await call()
            except _TRANSIENT:
                await asyncio.sleep(FIRST_WAIT_SECONDS * 4**attempt)
        self._usage.calls += 1
        return await call()

    def _connected(self) -> Any:
        """The library's client. Raises GoogleAuthError when there are no credentials."""
        if self._api is None:
            transport = cast("Any", FirestoreGrpcAsyncIOTransport)
            if self._emulator_host:
                channel = grpc.aio.insecure_channel(self._emulator_host, options=_SIZES)
            else:
                channel = transport.create_channel(options=[*_SIZES, *_KEEPALIVE])
            self._api = FirestoreAsyncClient(transport=transport(channel=channel))
        return self._api

    async def close(self) -> None:
        """Close the channel, if there is one."""
        api, self._api = self._api, None
        if api is not None:
            await api.transport.close()
