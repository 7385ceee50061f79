"""The outbox to the manager on Firestore: conditional writes on each alert's own version."""

import asyncio
from collections.abc import Iterable, Sequence

from dm_core.alerts import Alert, AlertStatus, ManagerContact
from dm_core.clock import Clock
from dm_core.errors import StoreUnavailable
from dm_core.store import alert_documents as doc
from dm_core.store import firestore_wire as wire
from dm_core.store import selections
from dm_core.store.documents import is_erased, parse_thread
from dm_core.store.firestore_client import Exists, FirestoreClient, Missing, Moved, Page
from dm_core.store.firestore_events import WRITE_ATTEMPTS
from dm_core.store.firestore_wire import Found, Transform, Write
from dm_core.store.plain import document, is_document_id
from dm_core.store.port import CONFLICT, MAX_CLAIM, Conflict, StoredAlert, Version
from dm_core.threads import Profile, Thread


class FirestoreAlerts:
    """The alert store's methods; see the port."""

    _client: FirestoreClient
    _clock: Clock

    def _alert(self, alert_id: str) -> str:
        return self._client.name("alerts", alert_id)

    async def create_alert(self, alert: Alert) -> bool:
        """May be repeated after a lost answer: what the first attempt created then reads as existing."""
        try:
            await self._client.commit(self._alert_creates([alert]), WRITE_ATTEMPTS)
        except Exists:
            return False
        except Moved as error:
            raise StoreUnavailable("Firestore refused an alert") from error
        return True

    def _alert_creates(self, alerts: Iterable[Alert]) -> list[Write]:
        return [wire.create(self._alert(alert.id), doc.alert_document(alert)) for alert in alerts]

    async def _missing_alerts(self, alerts: Sequence[Alert]) -> tuple[Alert, ...]:
        """Those that are not there yet."""
        found = await self._client.get(*(self._alert(alert.id) for alert in alerts))
        return tuple(alert for alert, each in zip(alerts, found, strict=True) if each.doc is None)

    async def get_alert(self, alert_id: str) -> StoredAlert | None:
        if not is_document_id(alert_id):
            return None
        (found,) = await self._client.get(self._alert(alert_id))
        return None if found.doc is None else _stored(found)

    async def due_alerts(self, before: int, limit: int) -> tuple[StoredAlert, ...]:
        """Two queries at once: an inequality would have to come first in the order of one."""
        urgent, normal = await asyncio.gather(
            self._client.select(selections.due_alerts("urgent", before, limit)),
            self._client.select(selections.due_alerts("normal", before, limit)),
        )
        return (*_all(urgent), *_all(normal))

    async def save_alert(self, alert: Alert, version: Version) -> Version | Conflict:
        return await self._write_alerts([], [StoredAlert(alert, version)])

    async def create_digest(self, digest: Alert, members: Sequence[StoredAlert]) -> Version | Conflict:
        return await self._write_alerts(self._alert_creates([digest]), members)

    async def dissolve_digest(self, digest: StoredAlert, members: Sequence[StoredAlert]) -> Version | Conflict:
        return await self._write_alerts([], [digest, *members])

    async def _write_alerts(self, creates: list[Write], alerts: Sequence[StoredAlert]) -> Version | Conflict:
        """One batched write, one attempt; the first document's new version."""
        updates: list[Write] = []
        for stored in alerts:
            version = wire.as_instant(stored.version.mark)
            if version is None:
                return CONFLICT
            place, fields = self._alert(stored.alert.id), doc.alert_document(stored.alert)
            updates.append(wire.update(place, fields, unchanged_since=version))
        try:
            versions = await self._client.commit([*creates, *updates])
        except (Exists, Moved):
            return CONFLICT
        return Version(versions[0])

    async def digest_members(self, digest_id: str) -> tuple[StoredAlert, ...]:
        page = await self._client.select(selections.digest_members(digest_id, MAX_CLAIM))
        return tuple(sorted(_all(page), key=lambda stored: stored.alert.created_at))

    async def record_status(self, status: AlertStatus) -> bool:
        """Blind: the condition is only that the alert exists, so statuses never wait for each other."""
        if not is_document_id(status.alert_id):
            return False
        write = wire.update(self._alert(status.alert_id), doc.status_fields(status))
        try:
            await self._client.commit([write], WRITE_ATTEMPTS)
        except Missing:
            return False
        except Moved as error:
            raise StoreUnavailable("Firestore refused a status") from error
        return True

    async def manager_contact(self) -> ManagerContact:
        (found,) = await self._client.get(self._client.name(*doc.MANAGER))
        return doc.parse_contact(found.doc or {})

    async def note_manager_contact(self, contact: ManagerContact) -> None:
        """The server takes the later time of each field: no read, and no order of arrival matters."""
        times: dict[str, Transform] = {key: ("maximum", value) for key, value in doc.contact_fields(contact).items()}
        write = wire.merge(self._client.name(*doc.MANAGER), document(updatedAt=self._clock()), times)
        try:
            await self._client.commit([write], WRITE_ATTEMPTS)
        except Moved as error:
            raise StoreUnavailable("Firestore refused the manager's times") from error

    async def get_thread(self, thread_id: str) -> Thread | None:
        if not is_document_id(thread_id):
            return None
        (found,) = await self._client.get(self._client.name("conversations", thread_id))
        return None if found.doc is None or is_erased(found.doc) else parse_thread(thread_id, found.doc)

    async def thread_profile(self, thread_id: str) -> Profile | None:
        if not is_document_id(thread_id):
            return None
        (found,) = await self._client.get(self._client.name("conversations", thread_id))
        return None if found.doc is None else parse_thread(thread_id, found.doc).profile


def _stored(found: Found) -> StoredAlert:
    return StoredAlert(doc.parse_alert({"id": found.id, **(found.doc or {})}), Version(found.update_time))


def _all(page: Page) -> list[StoredAlert]:
    return [_stored(found) for found in page.found]
