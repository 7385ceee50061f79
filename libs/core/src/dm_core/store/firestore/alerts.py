"""The outbox to the manager on Firestore: conditional writes on each alert's own version."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from dm_core.alerts import Alert, AlertStatus, ManagerContact
from dm_core.clock import Clock
from dm_core.errors import StoreUnavailable
from dm_core.store import alert_documents as doc
from dm_core.store import queries
from dm_core.store.document_values import document, is_document_id, with_id
from dm_core.store.firestore import writes
from dm_core.store.firestore.client import WRITE_ATTEMPTS, Exists, FirestoreClient, Missing, Moved, Page
from dm_core.store.firestore.protobuf import Found, as_instant
from dm_core.store.firestore.writes import Transform, Write
from dm_core.store.port import CONFLICT, MAX_CLAIM, Conflict, StoredAlert, Version
from dm_core.store.thread_documents import is_erased, parse_thread
from dm_core.threads import Profile, Thread


@dataclass(frozen=True, slots=True)
class FirestoreAlerts:
    """The outbox; see the port."""

    client: FirestoreClient
    clock: Clock

    def _alert(self, alert_id: str) -> str:
        return self.client.name("alerts", alert_id)

    async def create_alert(self, alert: Alert) -> bool:
        """May be repeated after a lost answer: what the first attempt created then reads as existing."""
        return await self.client.create(self._alert(alert.id), doc.alert_document(alert))

    async def get_alert(self, alert_id: str) -> StoredAlert | None:
        if not is_document_id(alert_id):
            return None
        (found,) = await self.client.get(self._alert(alert_id))
        return None if found.doc is None else _stored(found)

    async def due_alerts(self, before: int, limit: int) -> tuple[StoredAlert, ...]:
        """Two queries at once: an inequality would have to come first in the order of one."""
        urgent, normal = await asyncio.gather(
            self.client.select(queries.due_alerts("urgent", before, limit)),
            self.client.select(queries.due_alerts("normal", before, limit)),
        )
        return (*_all(urgent), *_all(normal))

    async def save_alert(self, alert: Alert, version: Version) -> Version | Conflict:
        return await self._write_alerts([], [StoredAlert(alert, version)])

    async def create_digest(self, digest: Alert, members: Sequence[StoredAlert]) -> Version | Conflict:
        return await self._write_alerts([writes.create(self._alert(digest.id), doc.alert_document(digest))], members)

    async def dissolve_digest(self, digest: StoredAlert, members: Sequence[StoredAlert]) -> Version | Conflict:
        return await self._write_alerts([], [digest, *members])

    async def _write_alerts(self, creates: list[Write], alerts: Sequence[StoredAlert]) -> Version | Conflict:
        """One batched write, one attempt; the first document's new version."""
        updates: list[Write] = []
        for stored in alerts:
            version = as_instant(stored.version.mark)
            if version is None:
                return CONFLICT
            place, fields = self._alert(stored.alert.id), doc.alert_document(stored.alert)
            updates.append(writes.update(place, fields, unchanged_since=version))
        try:
            versions = await self.client.commit([*creates, *updates])
        except (Exists, Moved):
            return CONFLICT
        return Version(versions[0])

    async def digest_members(self, digest_id: str) -> tuple[StoredAlert, ...]:
        page = await self.client.select(queries.digest_members(digest_id, MAX_CLAIM))
        return tuple(sorted(_all(page), key=lambda stored: stored.alert.created_at))

    async def record_status(self, status: AlertStatus) -> bool:
        """Blind: the condition is only that the alert exists, so statuses never wait for each other."""
        if not is_document_id(status.alert_id):
            return False
        status_write = writes.update(self._alert(status.alert_id), doc.status_fields(status))
        try:
            await self.client.commit([status_write], WRITE_ATTEMPTS)
        except Missing:
            return False
        except (Exists, Moved) as error:
            raise StoreUnavailable("Firestore refused a status") from error
        return True

    async def manager_contact(self) -> ManagerContact:
        (found,) = await self.client.get(self.client.name(*doc.MANAGER))
        return doc.parse_contact(found.doc or {})

    async def note_manager_contact(self, contact: ManagerContact) -> None:
        """The server takes the later time of each field: no read, and no order of arrival matters."""
        times: dict[str, Transform] = {key: ("maximum", value) for key, value in doc.contact_fields(contact).items()}
        await self.client.repeat(writes.merge(self.client.name(*doc.MANAGER), document(updatedAt=self.clock()), times))

    async def get_thread(self, thread_id: str) -> Thread | None:
        if not is_document_id(thread_id):
            return None
        (found,) = await self.client.get(self.client.thread(thread_id))
        return None if found.doc is None or is_erased(found.doc) else parse_thread(thread_id, found.doc)

    async def thread_profile(self, thread_id: str) -> Profile | None:
        if not is_document_id(thread_id):
            return None
        (found,) = await self.client.get(self.client.name("conversations", thread_id))
        return None if found.doc is None else parse_thread(thread_id, found.doc).profile


def _stored(found: Found) -> StoredAlert:
    return StoredAlert(doc.parse_alert(with_id(found)), Version(found.update_time))


def _all(page: Page) -> list[StoredAlert]:
    return [_stored(found) for found in page.found]
