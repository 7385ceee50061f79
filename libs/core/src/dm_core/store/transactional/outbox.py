"""What humans send and change: items written on their own versions, and the lines of the audit."""

from collections.abc import Sequence

from dm_core.alerts import Alert
from dm_core.outbox import AuditLine, OutboxItem
from dm_core.store import queries
from dm_core.store.document_values import clean_text
from dm_core.store.outbox_documents import outbox_document, parse_outbox
from dm_core.store.port import CONFLICT, Conflict, StoredOutbox, Version
from dm_core.store.thread_documents import is_erased, parse_thread
from dm_core.store.transactional.alerts import parse_stored
from dm_core.store.transactional.audit import put_audit
from dm_core.store.transactional.database import Transaction
from dm_core.threads import Thread

OUTBOX = "outbox"


def create_outbox(tx: Transaction, item: OutboxItem, audit: Sequence[AuditLine]) -> bool:
    """Create an item; False, and nothing is written, if it exists already."""
    fresh = tx.get(OUTBOX, item.id) is None
    if fresh:
        put_audit(tx, audit)
        tx.put(OUTBOX, item.id, outbox_document(item))
    return fresh


def get_outbox(tx: Transaction, item_id: str) -> StoredOutbox | None:
    found = tx.get(OUTBOX, clean_text(item_id))
    return None if found is None else StoredOutbox(parse_outbox(found.id, found.doc), Version(found.version))


def save_outbox(tx: Transaction, item: OutboxItem, version: Version) -> Version | Conflict:
    """CONFLICT when the item is no longer at this version, or gone."""
    found = tx.get(OUTBOX, item.id)
    if found is None or found.version != version.mark:
        return CONFLICT
    return Version(tx.put(OUTBOX, item.id, outbox_document(item)))


def due_outbox(tx: Transaction, before: int, limit: int) -> tuple[str, ...]:
    """Ids of items that are due before that time, the longest due first."""
    return tuple(found.id for found in tx.select(queries.due_outbox(before, limit)))


def drop_quarantined(tx: Transaction, item_id: str, version: Version, audit: Sequence[AuditLine]) -> bool:
    """False, and nothing is written, when the item is no longer at this version."""
    found = tx.get("quarantine", clean_text(item_id))
    if found is None or found.version != version.mark:
        return False
    put_audit(tx, audit)
    tx.delete("quarantine", found.id)
    return True


def alert_of_message(tx: Transaction, wamid: str) -> Alert | None:
    found = tx.select(queries.alert_of_message(clean_text(wamid)))
    return parse_stored(found[0]).alert if found else None


def newest_threads(tx: Transaction, limit: int, before: int | None) -> tuple[Thread, ...]:
    """Threads by their newest DM, the latest first."""
    found = tx.select(queries.newest_threads(limit, before))
    return tuple(parse_thread(each.id, each.doc) for each in found if not is_erased(each.doc))
