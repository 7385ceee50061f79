"""Firestore's protocol behind a typed border: names and plain documents in, documents out, our errors.

Nothing is repeated by itself: a repeated commit whose first answer was lost reports a failed condition for a write that
was applied. What may be repeated says so (``attempts``).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from google.cloud.firestore_v1 import types
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcAsyncIOTransport
from grpc import StatusCode

from dm_core.errors import Cause, StoreUnavailable
from dm_core.google_grpc import BROKEN, CALLER, FAILURES, Calls, described_failure, generated, routed, status
from dm_core.store.document_values import Document
from dm_core.store.firestore import writes
from dm_core.store.firestore.protobuf import Found, Instant, found_document, instant
from dm_core.store.firestore.structured_query import names_only, page_by_name, structured_query
from dm_core.store.firestore.writes import Write
from dm_core.store.selections import Selection
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

_TRANSIENT = (*BROKEN, StatusCode.ABORTED)
_SERVICE = "google.firestore.v1.Firestore"

_CommitRequest, _CommitResponse = generated(types.CommitRequest), generated(types.CommitResponse)
_QueryRequest, _QueryResponse = generated(types.RunQueryRequest), generated(types.RunQueryResponse)
_GetRequest, _GetResponse = generated(types.BatchGetDocumentsRequest), generated(types.BatchGetDocumentsResponse)


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
        self._metadata = [("google-cloud-resource-prefix", self._database), CALLER]
        if emulator_host:
            self._metadata.append(("authorization", "Bearer owner"))
        self._of_database = [*self._metadata, routed("database", self._database)]
        self._usage = usage
        self._calls = Calls(_SERVICE, FirestoreGrpcAsyncIOTransport, emulator_host, TIMEOUT_SECONDS)

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
            request = _GetRequest(database=self._database, documents=names)
            found: dict[str, Found] = {}
            for answer in await self._calls.stream("BatchGetDocuments", request, _GetResponse, self._of_database):
                if answer.HasField("found"):
                    found[answer.found.name] = found_document(answer.found)
            return [found.get(name) or Found(name.rsplit("/", 1)[-1], None) for name in names]

        documents = await self._read(read)
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
            request = _QueryRequest(parent=self.name(*parent), structured_query=query)
            metadata = [*self._metadata, routed("parent", request.parent)]
            answers = await self._calls.stream("RunQuery", request, _QueryResponse, metadata)
            found = tuple(found_document(a.document) for a in answers if a.HasField("document"))
            # Later answers of a stream may be of a later moment, so the first one's is true for all of them.
            return Page(found, instant(answers[0].read_time) if answers else (0, 0))

        page = await self._read(read)
        self._usage.reads += max(1, len(page.found))
        return page

    async def commit(self, batch: Sequence[Write], attempts: int = 1) -> list[Instant]:
        """Apply these writes together; the new versions, in their order.

        More than one attempt only for what may be applied twice, or says so when it was. Raises Exists, Moved or
        Missing when a condition did not hold, StoreUnavailable when that is unknown.
        """

        async def write() -> list[Instant]:
            request = _CommitRequest(database=self._database, writes=batch)
            answer = await self._calls.unary("Commit", request, _CommitResponse, self._of_database)
            return [instant(result.update_time) for result in answer.write_results]

        try:
            return await self._attempt(write, attempts)
        except FAILURES as error:
            raise _outcome(error) from error

    async def applied(self, batch: Sequence[Write], attempts: int = 1) -> bool:
        """Commit; False when something else was faster and the writes must be prepared anew."""
        try:
            await self.commit(batch, attempts)
        except (Exists, Moved):
            return False
        return True

    async def repeat(self, *batch: Write) -> None:
        """Commit what depends on nothing and may be applied twice. Raises StoreUnavailable."""
        if not await self.applied(batch, WRITE_ATTEMPTS):
            raise StoreUnavailable("Firestore refused a write that depends on nothing")

    async def create(self, place: str, doc: Document, *more: Write) -> bool:
        """Create a document, ``more`` with it; False if it is there, and then nothing is written.

        What a lost first attempt created reads as existing.
        """
        try:
            await self.commit([writes.create(place, doc), *more], WRITE_ATTEMPTS)
        except Exists:
            return False
        except Moved as error:
            raise StoreUnavailable("Firestore refused a create") from error
        return True

    async def put(self, place: str, doc: Document) -> None:
        """Write a whole document, whatever was there. Raises StoreUnavailable."""
        await self.repeat(writes.put(place, doc))

    async def _read[T](self, call: Callable[[], Awaitable[T]]) -> T:
        """A read has no condition that could fail: whatever its status, the store can't be read. Raises
        StoreUnavailable."""
        try:
            return await self._attempt(call, READ_ATTEMPTS)
        except FAILURES as error:
            raise _unavailable(error) from error

    async def _attempt[T](self, call: Callable[[], Awaitable[T]], attempts: int) -> T:
        for attempt in range(attempts - 1):
            self._usage.calls += 1
            try:
                return await call()
            except FAILURES as error:
                if status(error) not in _TRANSIENT:
                    raise
                await asyncio.sleep(FIRST_WAIT_SECONDS * 4**attempt)
        self._usage.calls += 1
        return await call()

    async def close(self) -> None:
        """Close the channel, if there is one."""
        await self._calls.close()


def _outcome(error: BaseException) -> Exception:
    """What a commit's failure says of its conditions. A database that is not there has the status of a document that
    is not."""
    code = status(error)
    if code is StatusCode.ALREADY_EXISTS:
        return Exists()
    if code is StatusCode.NOT_FOUND and Cause.NO_DATABASE not in described_failure(error):
        return Missing()
    if code in (StatusCode.FAILED_PRECONDITION, StatusCode.ABORTED):
        return Moved()
    return _unavailable(error)


def _unavailable(error: BaseException) -> StoreUnavailable:
    return StoreUnavailable(f"Firestore did not do it: {described_failure(error)}")
