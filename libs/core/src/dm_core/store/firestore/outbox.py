"""What humans send and change, on Firestore: conditional writes on each item's own version."""

from collections.abc import Sequence
from dataclasses import dataclass

from dm_core.alerts import Alert
from dm_core.outbox import AuditLine, OutboxItem
from dm_core.store import queries
from dm_core.store.alert_documents import parse_alert
from dm_core.store.document_values import clean_text, is_document_id, with_id
from dm_core.store.firestore import writes
from dm_core.store.firestore.audit import audit_writes
from dm_core.store.firestore.client import FirestoreClient, Moved
from dm_core.store.firestore.protobuf import as_instant
from dm_core.store.outbox_documents import outbox_document, parse_outbox
from dm_core.store.port import CONFLICT, Conflict, StoredOutbox, Version
from dm_core.store.thread_documents import is_erased, parse_thread
from dm_core.threads import Thread


@dataclass(frozen=True, slots=True)
class FirestoreOutbox:
    """The outbox store's methods; see the port."""

    client: FirestoreClient

    def _item(self, item_id: str) -> str:
        return self.client.name("outbox", item_id)

    async def create_outbox(self, item: OutboxItem, audit: Sequence[AuditLine]) -> bool:
        """May be repeated after a lost answer: what the first attempt created then reads as existing."""
        return await self.client.create(self._item(item.id), outbox_document(item), *audit_writes(self.client, audit))

    async def get_outbox(self, item_id: str) -> StoredOutbox | None:
        if not is_document_id(item_id):
            return None
        (found,) = await self.client.get(self._item(item_id))
        if found.doc is None:
            return None
        return StoredOutbox(parse_outbox(found.id, found.doc), Version(found.update_time))

    async def save_outbox(self, item: OutboxItem, version: Version) -> Version | Conflict:
        """One batched write, one attempt: a repeated one could not tell a conflict from its own first success."""
        seen = as_instant(version.mark)
        if seen is None:
            return CONFLICT
        write = writes.update(self._item(item.id), outbox_document(item), unchanged_since=seen)
        try:
            versions = await self.client.commit([write])
        except Moved:
            return CONFLICT
        return Version(versions[0])

    async def due_outbox(self, before: int, limit: int) -> tuple[str, ...]:
        page = await self.client.select(queries.due_outbox(before, limit))
        return tuple(found.id for found in page.found)

    async def add_audit(self, line: AuditLine) -> None:
        await self.client.repeat(*audit_writes(self.client, (line,)))

    async def drop_quarantined(self, item_id: str, version: Version, audit: Sequence[AuditLine]) -> bool:
        """One attempt: a repeated one could not tell a conflict from its own first success."""
        seen = as_instant(version.mark)
        if seen is None or not is_document_id(item_id):
            return False
        item = writes.delete(self.client.name("quarantine", item_id), unchanged_since=seen)
        return await self.client.applied([item, *audit_writes(self.client, audit)])

    async def alert_of_message(self, wamid: str) -> Alert | None:
        page = await self.client.select(queries.alert_of_message(clean_text(wamid)))
        return next((parse_alert(with_id(found)) for found in page.found), None)

    async def newest_threads(self, limit: int, before: int | None = None) -> tuple[Thread, ...]:
        page = await self.client.select(queries.newest_threads(limit, before))
        return tuple(
            parse_thread(found.id, found.doc) for found in page.found if found.doc and not is_erased(found.doc)
        )
