"""The documents beside the threads: counts, deletion requests, and plain JSON values."""

from collections.abc import Mapping, Sequence

from dm_core.outbox import AuditLine
from dm_core.store import queries
from dm_core.store.document_values import Document, clean_text, from_json, whole, with_id
from dm_core.store.port import Deletion, DocumentCollection, Revision
from dm_core.store.record_documents import (
    day_runs_id,
    deletion_document,
    json_document,
    parse_day_runs,
    parse_deletion,
)
from dm_core.store.transactional.audit import put_audit
from dm_core.store.transactional.database import Transaction
from dm_core.usage import DayRuns


def day_runs(tx: Transaction, day_start: int) -> DayRuns:
    """How many runs were counted on the day that begins then."""
    return parse_day_runs(_fields(tx, "limits", day_runs_id(day_start)) or {}, day_start)


def create_deletion(tx: Transaction, deletion: Deletion, audit: Sequence[AuditLine]) -> bool:
    """False, and nothing is written, if the request exists already."""
    fresh = tx.get("deletions", deletion.code) is None
    if fresh:
        put_audit(tx, audit)
        tx.put("deletions", deletion.code, deletion_document(deletion))
    return fresh


def get_deletion(tx: Transaction, code: str) -> Deletion | None:
    found = _fields(tx, "deletions", code)
    return None if found is None else parse_deletion(found)


def open_deletions(tx: Transaction, limit: int) -> tuple[Deletion, ...]:
    """Requests that are not completed."""
    return tuple(parse_deletion(with_id(stored, "code")) for stored in tx.select(queries.open_deletions(limit)))


def get_document(tx: Transaction, collection: DocumentCollection, key: str) -> Mapping[str, object] | None:
    found = _fields(tx, collection, key)
    return None if found is None else from_json(str(found.get("json")))


def revise_document(
    tx: Transaction,
    collection: DocumentCollection,
    key: str,
    revise: Revision,
    expire_at: int | None,
    audit: Sequence[AuditLine],
) -> Mapping[str, object]:
    """What is stored afterwards."""
    before = get_document(tx, collection, key) or {}
    after = revise(before)
    if after is None:
        return before
    put_audit(tx, audit)
    tx.put(collection, clean_text(key), json_document(after, expire_at))
    return after


def last_inbound_at(tx: Transaction) -> int | None:
    """The newest DM's time of any thread."""
    found = tx.select(queries.last_inbound())
    return whole(found[0].doc, "lastInboundAt") if found else None


def _fields(tx: Transaction, collection: str, key: str) -> Document | None:
    found = tx.get(collection, clean_text(key))
    return None if found is None else found.doc
