"""Erasure: each thread whole, in one transaction, so that a crash leaves nothing half erased."""

from dm_core.store import queries
from dm_core.store.document_values import text, whole
from dm_core.store.selections import Selection
from dm_core.store.thread_documents import parse_thread_id, tombstone_document
from dm_core.store.transactional.database import Transaction

ERASE_PAGE = 400
"""Documents beside the threads deleted between two looks."""


def erase_one(tx: Transaction, user_id: str, code: str, now: int) -> bool:
    """Erase one thread of a person or account, if there is one left."""
    found = tx.select(queries.of_person(user_id, 1)) or tx.select(queries.of_account(user_id, 1))
    for thread in found:
        tx.delete_below(thread.id)
        _delete_selected(tx, queries.alerts_of(thread.id, ERASE_PAGE))
        _delete_selected(tx, queries.outbox_of(thread.id, ERASE_PAGE))
        _delete_selected(tx, queries.audit_of(thread.id, ERASE_PAGE))
        _delete_selected(tx, queries.automatic_of(thread.id, ERASE_PAGE))
        tx.delete("limits", text(thread.doc, "userId", (parse_thread_id(thread.id) or ("", thread.id))[1]))
        tx.put("conversations", thread.id, tombstone_document(now))
        record = tx.get("deletions", code) if code else None
        if record is not None:
            tx.put("deletions", code, record.doc | {"threads": whole(record.doc, "threads") + 1})
    return bool(found)


def erase_beside(tx: Transaction, user_id: str) -> None:
    """What is kept of a person outside of threads."""
    tx.delete("limits", user_id)
    _delete_selected(tx, queries.quarantine_of(user_id, ERASE_PAGE))


def _delete_selected(tx: Transaction, selection: Selection) -> None:
    while found := tx.select(selection):
        for each in found:
            tx.delete(selection.collection, each.id)
