"""Deletion requests, erasure, and the documents beside the threads, on Firestore."""

from collections.abc import Mapping

from dm_core.clock import Clock
from dm_core.errors import StoreUnavailable
from dm_core.store import documents as doc
from dm_core.store import firestore_wire as wire
from dm_core.store import selections
from dm_core.store.firestore_alerts import FirestoreAlerts
from dm_core.store.firestore_client import Missing, Moved
from dm_core.store.firestore_events import MAX_ROUNDS, MOVES, WRITE_ATTEMPTS, FirestoreEvents
from dm_core.store.plain import document, from_json, is_document_id, to_json, whole
from dm_core.store.port import PAGE_SIZE, Deletion, DocumentCollection

ERASE_PAGE = 400
"""Documents deleted in one commit."""


class FirestoreRecords(FirestoreEvents, FirestoreAlerts):
    """The compliance and document stores' methods; see the port."""

    _clock: Clock

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

    async def erase_person(self, user_id: str) -> int:
        """Thread by thread; a crash leaves the rest to be found by the next try."""
        threads = 0
        for select in (selections.of_person, selections.of_account):
            while found := (await self._client.select(select(user_id, PAGE_SIZE))).found:
                for thread in found:
                    await self._erase_thread(thread.id)
                threads += len(found)
        if is_document_id(user_id):
            await self._client.commit([wire.delete(self._client.name("limits", user_id))], WRITE_ATTEMPTS)
        return threads

    async def _erase_thread(self, thread_id: str) -> None:
        """Take the lease, delete what is below, then the thread, if nothing came meanwhile; else once more.

        The thread goes last: until then a crashed erasure can be found and continued.
        """
        place = self._thread(thread_id)
        limits = self._client.name("limits", (doc.parse_thread_id(thread_id) or ("", thread_id))[1])
        for _ in range(MAX_ROUNDS):
            taken = document(**doc.ERASED_THREAD, updatedAt=self._clock())
            try:
                (version,) = await self._client.commit([wire.update(place, taken, MOVES)], WRITE_ATTEMPTS)
            except Missing:
                return
            except Moved as error:
                raise StoreUnavailable("Firestore refused to erase a thread") from error
            await self._delete_all(thread_id, "messages")
            await self._delete_all(thread_id, "runs")
            await self._delete_alerts(thread_id)
            if await self._applied([wire.delete(place, unchanged_since=version), wire.delete(limits)]):
                return
        raise StoreUnavailable("a thread could not be erased: it kept changing")

    async def _delete_all(self, thread_id: str, collection: str) -> None:
        while ids := await self._client.ids(collection, ERASE_PAGE, "conversations", thread_id):
            names = [self._client.name("conversations", thread_id, collection, key) for key in ids]
            await self._client.commit([wire.delete(name) for name in names], WRITE_ATTEMPTS)

    async def _delete_alerts(self, thread_id: str) -> None:
        while found := (await self._client.select(selections.alerts_of(thread_id, ERASE_PAGE))).found:
            await self._client.commit([wire.delete(self._alert(alert.id)) for alert in found], WRITE_ATTEMPTS)

    async def get_document(self, collection: DocumentCollection, key: str) -> Mapping[str, object] | None:
        """A document of plain JSON values."""
        (found,) = await self._client.get(self._client.name(collection, key))
        return None if found.doc is None else from_json(str(found.doc.get("json")))

    async def put_document(self, collection: DocumentCollection, key: str, value: Mapping[str, object]) -> None:
        """Kept as JSON text: its shape is not ours."""
        await self._put((collection, key), document(json=to_json(value), updatedAt=self._clock()))

    async def last_inbound_at(self) -> int | None:
        """The newest DM's time of any thread."""
        found = (await self._client.select(selections.last_inbound())).found
        return whole(found[0].doc or {}, "lastInboundAt") if found else None
