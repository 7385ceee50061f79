"""The outbox to the manager in the SQLite file: one transaction for each call of the port."""

from collections.abc import Callable, Sequence

from dm_core.alerts import Alert, AlertStatus, ManagerContact
from dm_core.clock import Clock
from dm_core.store import alert_documents as doc
from dm_core.store import queries
from dm_core.store.document_values import clean_text
from dm_core.store.port import CONFLICT, MAX_CLAIM, Conflict, StoredAlert, Version
from dm_core.store.sqlite.file import Rollback, SqliteFile, Stored, Transaction
from dm_core.store.thread_documents import parse_thread
from dm_core.threads import Profile

ALERTS = "alerts"


class SqliteAlerts:
    """The alert store's methods; see the port."""

    _file: SqliteFile
    _clock: Clock

    async def create_alert(self, alert: Alert) -> bool:
        return await self._file.write(lambda tx: create(tx, alert))

    async def get_alert(self, alert_id: str) -> StoredAlert | None:
        found = await self._file.read(lambda tx: tx.get(ALERTS, clean_text(alert_id)))
        return None if found is None else _stored(found)

    async def due_alerts(self, before: int, limit: int) -> tuple[StoredAlert, ...]:
        def read(tx: Transaction) -> tuple[StoredAlert, ...]:
            kinds = (queries.due_alerts(urgency, before, limit) for urgency in ("urgent", "normal"))
            return tuple(_stored(found) for selection in kinds for found in tx.select(selection))

        return await self._file.read(read)

    async def save_alert(self, alert: Alert, version: Version) -> Version | Conflict:
        return await self._conditional(lambda tx: _save(tx, StoredAlert(alert, version)))

    async def create_digest(self, digest: Alert, members: Sequence[StoredAlert]) -> Version | Conflict:
        def write(tx: Transaction) -> Version:
            if not create(tx, digest):
                raise Rollback
            for member in members:
                _save(tx, member)
            found = tx.get(ALERTS, digest.id)
            return Version(found.version if found else None)

        return await self._conditional(write)

    async def dissolve_digest(self, digest: StoredAlert, members: Sequence[StoredAlert]) -> Version | Conflict:
        def write(tx: Transaction) -> Version:
            for member in members:
                _save(tx, member)
            return _save(tx, digest)

        return await self._conditional(write)

    async def _conditional(self, work: Callable[[Transaction], Version]) -> Version | Conflict:
        try:
            return await self._file.write(work)
        except Rollback:
            return CONFLICT

    async def digest_members(self, digest_id: str) -> tuple[StoredAlert, ...]:
        selection = queries.digest_members(digest_id, MAX_CLAIM)
        found = await self._file.read(lambda tx: tx.select(selection))
        return tuple(sorted(map(_stored, found), key=lambda stored: stored.alert.created_at))

    async def record_status(self, status: AlertStatus) -> bool:
        def write(tx: Transaction) -> bool:
            found = tx.get(ALERTS, clean_text(status.alert_id))
            if found is None:
                return False
            tx.put(ALERTS, found.id, found.doc | doc.status_fields(status))
            return True

        return await self._file.write(write)

    async def manager_contact(self) -> ManagerContact:
        found = await self._file.read(lambda tx: tx.get(*doc.MANAGER))
        return doc.parse_contact(found.doc if found else {})

    async def note_manager_contact(self, contact: ManagerContact) -> None:
        def write(tx: Transaction) -> None:
            found = tx.get(*doc.MANAGER)
            old = doc.contact_fields(doc.parse_contact(found.doc)) if found else {}
            later = {key: max(value, old.get(key, value)) for key, value in doc.contact_fields(contact).items()}
            tx.put(*doc.MANAGER, {**old, **later, "updatedAt": self._clock()})

        await self._file.write(write)

    async def thread_profile(self, thread_id: str) -> Profile | None:
        found = await self._file.read(lambda tx: tx.get("conversations", clean_text(thread_id)))
        return None if found is None else parse_thread(thread_id, found.doc).profile


def create(tx: Transaction, alert: Alert) -> bool:
    """Create an alert; False, and nothing is written, if it exists already."""
    fresh = tx.get(ALERTS, alert.id) is None
    if fresh:
        tx.put(ALERTS, alert.id, doc.alert_document(alert))
    return fresh


def delete_of_thread(tx: Transaction, thread_id: str) -> None:
    """Delete every alert of a thread."""
    while found := tx.select(queries.alerts_of(thread_id, MAX_CLAIM)):
        for stored in found:
            tx.delete(ALERTS, stored.id)


def _save(tx: Transaction, stored: StoredAlert) -> Version:
    """Raises Rollback when the alert is no longer at its version."""
    found = tx.get(ALERTS, stored.alert.id)
    if found is None or found.version != stored.version.mark:
        raise Rollback
    return Version(tx.put(ALERTS, stored.alert.id, doc.alert_document(stored.alert)))


def _stored(found: Stored) -> StoredAlert:
    return StoredAlert(doc.parse_alert({"id": found.id, **found.doc}), Version(found.version))
