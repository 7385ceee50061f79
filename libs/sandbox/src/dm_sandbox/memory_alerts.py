"""The outbox to the manager in this process's memory: the part of ``memory_database`` that keeps alerts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from dm_core.alerts import Alert, AlertStatus, ManagerContact
from dm_core.store.alert_documents import alert_document, contact_fields, parse_alert, parse_contact
from dm_core.store.document_values import clean_text
from dm_core.store.port import CONFLICT, Conflict, StoredAlert, Version


@dataclass(slots=True)
class MemoryAlerts:
    """Alerts by id with their versions, and the way to the manager's phone."""

    alerts: dict[str, StoredAlert] = field(default_factory=dict[str, StoredAlert])
    contact: ManagerContact = field(default_factory=ManagerContact)
    last_version: int = 0

    def put(self, alert: Alert) -> Version:
        """Write it whole, as a document could hold it."""
        self.last_version += 1
        kept = alert if alert.text.isascii() else parse_alert(alert_document(alert))
        stored = self.alerts[alert.id] = StoredAlert(kept, Version(self.last_version))
        return stored.version

    def create(self, alert: Alert) -> bool:
        fresh = alert.id not in self.alerts
        if fresh:
            self.put(alert)
        return fresh

    def due(self, before: int, limit: int) -> tuple[StoredAlert, ...]:
        """Urgent ones first, then the longest due."""
        found = [s for s in self.alerts.values() if s.alert.due_at is not None and s.alert.due_at < before]
        found.sort(key=lambda stored: stored.alert.due_at or 0)
        urgent = [stored for stored in found if stored.alert.is_urgent]
        normal = [stored for stored in found if not stored.alert.is_urgent]
        return (*urgent[:limit], *normal[:limit])

    def save(self, alerts: Sequence[StoredAlert], created: Iterable[Alert] = ()) -> Version | Conflict:
        """All of them, or nothing; the first one's new version."""
        created = tuple(created)
        held = all(self._version(stored) == stored.version for stored in alerts)
        if not held or any(alert.id in self.alerts for alert in created):
            return CONFLICT
        versions = [self.put(alert) for alert in (*created, *(stored.alert for stored in alerts))]
        return versions[0]

    def members(self, digest_id: str) -> tuple[StoredAlert, ...]:
        found = (stored for stored in self.alerts.values() if stored.alert.digest_id == digest_id)
        return tuple(sorted(found, key=lambda stored: stored.alert.created_at))

    def record(self, status: AlertStatus) -> bool:
        stored = self.alerts.get(clean_text(status.alert_id))
        if stored is None:
            return False
        alert, at = stored.alert, status.at
        match status.kind:
            case "sent":
                alert = replace(alert, sent_at=at)
            case "delivered":
                alert = replace(alert, delivered_at=at)
            case "read":
                alert = replace(alert, read_at=at)
            case "failed":
                alert = replace(alert, failed_at=at, failed_code=status.code, failed_wamid=status.wamid, due_at=at)
        self.put(alert)
        return True

    def note(self, contact: ManagerContact) -> None:
        old = contact_fields(self.contact)
        later = {key: max(value, old.get(key, value)) for key, value in contact_fields(contact).items()}
        self.contact = parse_contact({**old, **later})

    def erase(self, thread_id: str) -> None:
        self.alerts = {key: stored for key, stored in self.alerts.items() if stored.alert.thread_id != thread_id}

    def _version(self, stored: StoredAlert) -> Version | None:
        found = self.alerts.get(stored.alert.id)
        return None if found is None else found.version
