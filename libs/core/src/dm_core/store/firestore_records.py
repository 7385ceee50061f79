"""Deletion requests, erasure, and the documents beside the threads, on Firestore."""

import sys
from collections.abc import Callable, Mapping

from dm_core.clock import Clock
from dm_core.errors import StoreUnavailable
from dm_core.store import documents as doc
from dm_core.store import firestore_wire as wire
from dm_core.store import selections
from dm_core.store.firestore_alerts import FirestoreAlerts
from dm_core.store.firestore_client import Exists, Moved
from dm_core.store.firestore_events import WRITE_ATTEMPTS, FirestoreEvents
from dm_core.store.firestore_outbox import FirestoreOutbox
from dm_core.store.firestore_wire import Found, Instant, Write
from dm_core.store.plain import document, is_document_id, text, to_json, whole
from dm_core.store.port import PAGE_SIZE, Deletion, DocumentCollection

ERASE_PAGE = 400
"""Documents deleted in one commit."""

ERASE_ROUNDS = 20
"""How often an erasure takes a thread in which something keeps coming."""


class FirestoreRecords(FirestoreEvents, FirestoreAlerts, FirestoreOutbox):
    """The compliance and document stores' methods; see the port."""

    _clock: Clock

    async def create_deletion(self, deletion: Deletion) -> bool:
        """May be repeated after a lost answer: what the first attempt created then reads as existing."""
        place = self._client.name("deletions", deletion.code)
        return await self._created(wire.create(place, doc.deletion_document(deletion)))

    async def _created(self, write: Write) -> bool:
        try:
            await self._client.commit([write], WRITE_ATTEMPTS)
        except Exists:
            return False
        except Moved as error:
            raise StoreUnavailable("Firestore refused a document") from error
        return True

    async def put_deletion(self, deletion: Deletion) -> None:
        """Write or overwrite a request."""
        await self._put(("deletions", deletion.code), doc.deletion_document(deletion))

    async def get_deletion(self, code: str) -> Deletion | None:
        """A request by its code, which comes from outside: anything may be asked for."""
        if not is_document_id(code):
            return None
        (found,) = await self._client.get(self._client.name("deletions", code))
        return None if found.doc is None else doc.parse_deletion(found.doc)

    async def open_deletions(self, limit: int) -> tuple[Deletion, ...]:
        """Requests that are not completed."""
        page = await self._client.select(selections.open_deletions(limit))
        return tuple(doc.parse_deletion(found.doc or {}) for found in page.found)

    async def erase_person(self, user_id: str, limit: int | None = None, code: str = "") -> int:
        """Thread by thread; a crash leaves the rest to be found by the next try."""
        counted = await self.get_deletion(code) if code else None
        left, threads = sys.maxsize if limit is None else limit, 0
        for select in (selections.of_person, selections.of_account):
            while left > threads:
                page = await self._client.select(select(user_id, min(PAGE_SIZE, left - threads)))
                for thread in page.found:
                    threads += await self._erase_thread(thread, code if counted else "")
                if not page.found:
                    break
        if threads < left:
            await self._erase_beside(user_id)
        return threads

    async def _erase_beside(self, user_id: str) -> None:
        """What is kept of a person outside of threads."""
        if is_document_id(user_id):
            await self._client.commit([wire.delete(self._client.name("limits", user_id))], WRITE_ATTEMPTS)
        await self._delete_selected(lambda: selections.quarantine_of(user_id, ERASE_PAGE))

    async def _erase_thread(self, thread: Found, code: str) -> bool:
        """Take the lease, delete what is below, then leave a tombstone, if nothing came meanwhile; else once more.

        The thread's owner goes last: until then a crashed erasure can be found and continued. From the first commit on
        nothing is stored below but a DM: a run's commit, an echo, an unsend, an edit depend on the thread as it was.
        False if another erasure was faster.
        """
        owner = self._owner(thread)
        last = [wire.delete(self._client.name("limits", owner[1]))] if is_document_id(owner[1]) else []
        if code:
            last.append(wire.increment(self._client.name("deletions", code), "threads"))
        place = self._thread(thread.id)
        for _ in range(ERASE_ROUNDS):
            if thread.doc is None or not (text(thread.doc, "userId") or text(thread.doc, "accountId")):
                return False
            version = await self._take(thread, owner)
            if version is not None:
                await self._delete_below(thread.id)
                tombstone = doc.tombstone_document(self._clock())
                if await self._applied([wire.put(place, tombstone, unchanged_since=version), *last]):
                    return True
            (thread,) = await self._client.get(place)
        raise StoreUnavailable("a thread could not be erased: it kept changing")

    def _owner(self, thread: Found) -> tuple[str, str]:
        """Account and person of a thread."""
        account_id, user_id = doc.parse_thread_id(thread.id) or ("", thread.id)
        fields = thread.doc or {}
        return text(fields, "accountId", account_id), text(fields, "userId", user_id)

    async def _take(self, thread: Found, owner: tuple[str, str]) -> Instant | None:
        """The thread's version once the erasure holds it; None if it changed meanwhile."""
        taken = doc.erasing_document(*owner, self._clock())
        try:
            write = wire.put(self._thread(thread.id), taken, unchanged_since=thread.update_time)
            return (await self._client.commit([write]))[0]
        except Moved:
            return None

    async def _delete_below(self, thread_id: str) -> None:
        """Everything of a thread but itself."""
        await self._delete_all(thread_id, "messages")
        await self._delete_all(thread_id, "runs")
        await self._delete_selected(lambda: selections.alerts_of(thread_id, ERASE_PAGE))
        await self._delete_selected(lambda: selections.outbox_of(thread_id, ERASE_PAGE))

    async def _delete_all(self, thread_id: str, collection: str) -> None:
        while ids := await self._client.ids(collection, ERASE_PAGE, "conversations", thread_id):
            names = [self._client.name("conversations", thread_id, collection, key) for key in ids]
            await self._client.commit([wire.delete(name) for name in names], WRITE_ATTEMPTS)

    async def _delete_selected(self, select: Callable[[], selections.Selection]) -> None:
        """Delete what a selection of a collection beside the threads finds, until it finds nothing."""
        while found := (await self._client.select(select())).found:
            collection = select().collection
            names = [self._client.name(collection, each.id) for each in found]
            await self._client.commit([wire.delete(name) for name in names], WRITE_ATTEMPTS)

    async def put_document(self, collection: DocumentCollection, key: str, value: Mapping[str, object]) -> None:
        """Kept as JSON text: its shape is not ours."""
        await self._put((collection, key), document(json=to_json(value), updatedAt=self._clock()))

    async def last_inbound_at(self) -> int | None:
        """The newest DM's time of any thread."""
        found = (await self._client.select(selections.last_inbound())).found
        return whole(found[0].doc or {}, "lastInboundAt") if found else None
