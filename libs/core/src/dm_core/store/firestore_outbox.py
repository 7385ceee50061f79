"""What humans send and change, on Firestore: conditional writes on each item's own version."""

from dm_core.alerts import Alert
from dm_core.errors import StoreUnavailable
from dm_core.outbox import AuditLine, OutboxItem
from dm_core.store import firestore_wire as wire
from dm_core.store import outbox_documents as doc
from dm_core.store import selections
from dm_core.store.alert_documents import parse_alert
from dm_core.store.documents import is_erased, parse_thread
from dm_core.store.firestore_client import Exists, FirestoreClient, Moved
from dm_core.store.firestore_events import WRITE_ATTEMPTS
from dm_core.store.firestore_wire import Write
from dm_core.store.plain import clean_text, is_document_id
from dm_core.store.port import CONFLICT, Conflict, StoredOutbox, Version
from dm_core.threads import Thread


class FirestoreOutbox:
    """The outbox store's methods; see the port."""

    _client: FirestoreClient

    async def create_outbox(self, item: OutboxItem) -> bool:
        """May be repeated after a lost answer: what the first attempt created then reads as existing."""
        write = wire.create(self._client.name("outbox", item.id), doc.outbox_document(item))
        try:
            await self._client.commit([write], WRITE_ATTEMPTS)
        except Exists:
            return False
        except Moved as error:
            raise StoreUnavailable("Firestore refused an outgoing message") from error
        return True

    async def get_outbox(self, item_id: str) -> StoredOutbox | None:
        if not is_document_id(item_id):
            return None
        (found,) = await self._client.get(self._client.name("outbox", item_id))
        if found.doc is None:
            return None
        return StoredOutbox(doc.parse_outbox(found.id, found.doc), Version(found.update_time))

    async def save_outbox(self, item: OutboxItem, version: Version) -> Version | Conflict:
        """One batched write, one attempt: a repeated one could not tell a conflict from its own first success."""
        seen = wire.as_instant(version.mark)
        if seen is None:
            return CONFLICT
        write = wire.update(self._client.name("outbox", item.id), doc.outbox_document(item), unchanged_since=seen)
        try:
            versions = await self._client.commit([write])
        except Moved:
            return CONFLICT
        return Version(versions[0])

    async def add_audit(self, line: AuditLine) -> None:
        try:
            await self._client.commit([self._audit(line)], WRITE_ATTEMPTS)
        except Moved as error:
            raise StoreUnavailable("Firestore refused a line of the audit") from error

    def _audit(self, line: AuditLine) -> Write:
        return wire.put(self._client.name("audit", line.id), doc.audit_document(line))

    async def alert_of_message(self, wamid: str) -> Alert | None:
        page = await self._client.select(selections.alert_of_message(clean_text(wamid)))
        return next((parse_alert({"id": found.id, **(found.doc or {})}) for found in page.found), None)

    async def newest_threads(self, limit: int, before: int | None = None) -> tuple[Thread, ...]:
        page = await self._client.select(selections.newest_threads(limit, before))
        return tuple(
            parse_thread(found.id, found.doc) for found in page.found if found.doc and not is_erased(found.doc)
        )
