"""The documents beside the threads on Firestore: deletion requests, quarantine, counts, and plain JSON values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dm_core.clock import Clock
from dm_core.errors import StoreUnavailable
from dm_core.outbox import AuditLine
from dm_core.store import queries
from dm_core.store.document_values import from_json, is_document_id, whole, with_id
from dm_core.store.firestore import writes
from dm_core.store.firestore.audit import audit_writes
from dm_core.store.firestore.client import MAX_ROUNDS, FirestoreClient
from dm_core.store.port import Deletion, DocumentCollection, Revision
from dm_core.store.record_documents import (
    day_runs_id,
    deletion_document,
    json_document,
    parse_day_runs,
    parse_deletion,
    quarantine_document,
)
from dm_core.usage import DayRuns


@dataclass(frozen=True, slots=True)
class FirestoreRecords:
    """Documents that belong to no thread; see the port."""

    client: FirestoreClient
    clock: Clock

    async def create_deletion(self, deletion: Deletion, audit: Sequence[AuditLine]) -> bool:
        """May be repeated after a lost answer: what the first attempt created then reads as existing."""
        place = self.client.name("deletions", deletion.code)
        return await self.client.create(place, deletion_document(deletion), *audit_writes(self.client, audit))

    async def put_deletion(self, deletion: Deletion) -> None:
        """Write or overwrite a request."""
        await self.client.put(self.client.name("deletions", deletion.code), deletion_document(deletion))

    async def get_deletion(self, code: str) -> Deletion | None:
        """A request by its code, which comes from outside: anything may be asked for."""
        if not is_document_id(code):
            return None
        (found,) = await self.client.get(self.client.name("deletions", code))
        return None if found.doc is None else parse_deletion(found.doc)

    async def open_deletions(self, limit: int) -> tuple[Deletion, ...]:
        """Requests that are not completed."""
        page = await self.client.select(queries.open_deletions(limit))
        return tuple(parse_deletion(with_id(found, "code")) for found in page.found)

    async def quarantine(
        self, item_id: str, raw: str, reason: str, now: int, expire_at: int, user_ids: Sequence[str] = ()
    ) -> None:
        """One document an item."""
        await self.client.put(
            self.client.name("quarantine", item_id),
            quarantine_document(raw, reason, now, expire_at, user_ids),
        )

    async def get_document(self, collection: DocumentCollection, key: str) -> Mapping[str, object] | None:
        """A document of plain JSON values."""
        (found,) = await self.client.get(self.client.name(collection, key))
        return None if found.doc is None else from_json(str(found.doc.get("json")))

    async def revise_document(
        self,
        collection: DocumentCollection,
        key: str,
        revise: Revision,
        expire_at: int | None,
        audit: Sequence[AuditLine],
    ) -> Mapping[str, object]:
        """Conditional on the document as it was read."""
        place = self.client.name(collection, key)
        for _ in range(MAX_ROUNDS):
            (found,) = await self.client.get(place)
            before = from_json(str((found.doc or {}).get("json")))
            after = revise(before)
            if after is None:
                return before
            fields, lines = json_document(after, expire_at), audit_writes(self.client, audit)
            revised = writes.put(place, fields, unchanged_since=found.update_time)
            if await self.client.applied([writes.create(place, fields) if found.doc is None else revised, *lines]):
                return after
        raise StoreUnavailable("a document could not be revised: it kept changing")

    async def day_runs(self, day_start: int) -> DayRuns:
        """The counter's document; see the port."""
        (found,) = await self.client.get(self.client.name("limits", day_runs_id(day_start)))
        return parse_day_runs(found.doc or {}, day_start)

    async def put_document(
        self, collection: DocumentCollection, key: str, value: Mapping[str, object], expire_at: int | None
    ) -> None:
        """A whole document of plain JSON values."""
        fields = json_document(value, expire_at, updatedAt=self.clock())
        await self.client.put(self.client.name(collection, key), fields)

    async def last_inbound_at(self) -> int | None:
        """The newest DM's time of any thread."""
        found = (await self.client.select(queries.last_inbound())).found
        return whole(found[0].doc or {}, "lastInboundAt") if found else None
