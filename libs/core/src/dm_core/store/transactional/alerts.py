"""The outbox to the manager: alerts written on their own versions. Conditions are checked before the first write."""

from collections.abc import Sequence

from dm_core.alerts import Alert, AlertStatus, ManagerContact
from dm_core.store import queries
from dm_core.store.alert_documents import (
    MANAGER,
    alert_document,
    contact_fields,
    parse_alert,
    parse_contact,
    status_fields,
)
from dm_core.store.document_values import clean_text, with_id
from dm_core.store.port import CONFLICT, MAX_CLAIM, Conflict, StoredAlert, Version
from dm_core.store.transactional.database import Stored, Transaction

ALERTS = "alerts"


def create_alert(tx: Transaction, alert: Alert) -> bool:
    """Create an alert; False, and nothing is written, if it exists already."""
    fresh = tx.get(ALERTS, alert.id) is None
    if fresh:
        tx.put(ALERTS, alert.id, alert_document(alert))
    return fresh


def get_alert(tx: Transaction, alert_id: str) -> StoredAlert | None:
    found = tx.get(ALERTS, clean_text(alert_id))
    return None if found is None else parse_stored(found)


def due_alerts(tx: Transaction, before: int, limit: int) -> tuple[StoredAlert, ...]:
    """Urgent ones first, then the longest due."""
    kinds = (queries.due_alerts(urgency, before, limit) for urgency in ("urgent", "normal"))
    return tuple(parse_stored(found) for selection in kinds for found in tx.select(selection))


def save_alerts(tx: Transaction, alerts: Sequence[StoredAlert], created: Sequence[Alert] = ()) -> Version | Conflict:
    """All of them, those created before the others, or nothing; the first one's new version."""
    found = [tx.get(ALERTS, stored.alert.id) for stored in alerts]
    held = all(each and each.version == stored.version.mark for each, stored in zip(found, alerts, strict=True))
    if not held or any(tx.get(ALERTS, alert.id) for alert in created):
        return CONFLICT
    written = (*created, *(stored.alert for stored in alerts))
    versions = [tx.put(ALERTS, alert.id, alert_document(alert)) for alert in written]
    return Version(versions[0])


def digest_members(tx: Transaction, digest_id: str) -> tuple[StoredAlert, ...]:
    """The alerts that travel in this digest, the oldest first."""
    found = tx.select(queries.digest_members(digest_id, MAX_CLAIM))
    return tuple(sorted(map(parse_stored, found), key=lambda stored: stored.alert.created_at))


def record_status(tx: Transaction, status: AlertStatus) -> bool:
    """Write a status into the fields of its kind; False if there is no such alert."""
    found = tx.get(ALERTS, clean_text(status.alert_id))
    if found is None:
        return False
    tx.put(ALERTS, found.id, found.doc | status_fields(status))
    return True


def manager_contact(tx: Transaction) -> ManagerContact:
    found = tx.get(*MANAGER)
    return parse_contact(found.doc if found else {})


def note_manager_contact(tx: Transaction, contact: ManagerContact, now: int) -> None:
    """Merge these times; none goes back."""
    old = contact_fields(manager_contact(tx))
    later = {key: max(value, old.get(key, value)) for key, value in contact_fields(contact).items()}
    tx.put(*MANAGER, {**old, **later, "updatedAt": now})


def parse_stored(found: Stored) -> StoredAlert:
    """An alert and its version."""
    return StoredAlert(parse_alert(with_id(found)), Version(found.version))
