"""A run's side: a thread as it is, and the conditional commit. Conditions are checked before the first write."""

from dataclasses import replace

from dm_core.messages import Message
from dm_core.store import queries
from dm_core.store.document_values import whole, with_id
from dm_core.store.message_documents import message_document, message_fields, parse_message
from dm_core.store.port import (
    CONFLICT,
    PAGE_SIZE,
    UNSET,
    Conflict,
    Snapshot,
    ThreadChange,
    Version,
    sorted_messages,
)
from dm_core.store.record_documents import allowance_document, day_runs_fields, day_runs_id, parse_allowance
from dm_core.store.run_documents import archive_document
from dm_core.store.thread_documents import is_erased, parse_thread, parse_thread_id, thread_fields
from dm_core.store.transactional.alerts import create_alert
from dm_core.store.transactional.audit import put_audit
from dm_core.store.transactional.database import Stored, Transaction
from dm_core.threads import Allowance, Thread
from dm_core.usage import day_of

type Head = tuple[Thread, Version, Allowance]
"""The first half of a snapshot."""


def read_head(tx: Transaction, thread_id: str) -> Head | None:
    """A thread with its version and its person's allowance; None if there is no such thread."""
    parts = parse_thread_id(thread_id)
    found = None if parts is None else tx.get("conversations", thread_id)
    if parts is None or found is None or is_erased(found.doc):
        return None
    limits = tx.get("limits", parts[1])
    allowance = parse_allowance(limits.doc if limits else {})
    return parse_thread(thread_id, found.doc), Version(found.version), allowance


def read_snapshot(tx: Transaction, head: Head) -> Snapshot:
    """The second half: the messages as they are now, which is no earlier than the version."""
    thread, version, allowance = head
    recent = newest(tx, thread.id, PAGE_SIZE)
    unprocessed = tuple(message for message in recent if message.is_unprocessed)
    if len(unprocessed) < thread.pending_count and len(recent) == PAGE_SIZE:
        unprocessed = _messages(tx.select(queries.unprocessed(thread.id)))
    return Snapshot(thread, version, unprocessed, recent, allowance)


def open_thread(tx: Transaction, thread_id: str) -> Snapshot | None:
    """Thread and messages of one moment."""
    head = read_head(tx, thread_id)
    return None if head is None else read_snapshot(tx, head)


def newest(tx: Transaction, thread_id: str, limit: int) -> tuple[Message, ...]:
    """The newest messages by arrival, in the order of a thread."""
    return _messages(tx.select(queries.newest(thread_id, limit)))


def _messages(page: list[Stored]) -> tuple[Message, ...]:
    return sorted_messages([parse_message(with_id(stored)) for stored in page])


def move(tx: Transaction, thread_id: str, now: int) -> None:
    """Move a thread's version and revision, if there is one."""
    found = tx.get("conversations", thread_id)
    if found is not None:
        fields = {"updatedAt": now, "revision": whole(found.doc, "revision") + 1}
        tx.put("conversations", thread_id, found.doc | fields)


def commit(tx: Transaction, change: ThreadChange) -> Version | Conflict:
    """CONFLICT when the thread, or a message of the change, is not as the change supposes."""
    found = tx.get("conversations", change.thread_id)
    if found is None or found.version != change.version.mark:
        return CONFLICT
    stored = [tx.get("messages", message.id, change.thread_id) for message in change.messages]
    known = [each for each in stored if each is not None]
    if len(known) < len(stored):
        return CONFLICT
    version = tx.put("conversations", change.thread_id, found.doc | thread_fields(change))
    for message, each in zip(change.messages, known, strict=True):
        tx.put("messages", message.id, each.doc | message_fields(message), change.thread_id)
    for upsert in change.upserts:
        put_message(tx, replace(upsert, thread_id=change.thread_id))
    _put_records(tx, change)
    for alert in change.alerts:
        create_alert(tx, alert)
    put_audit(tx, change.audit)
    return Version(version)


def put_message(tx: Transaction, message: Message) -> None:
    """Write a whole message, whatever was there."""
    tx.put("messages", message.id, message_document(message), message.thread_id)


def _put_records(tx: Transaction, change: ThreadChange) -> None:
    """The archived run, the person's allowance and the day's count, where the change has them."""
    if change.archive is not None:
        archive = archive_document(change.archive, change.thread_id, change.now, change.archive_expire_at)
        tx.put("runs", change.archive.id, archive, change.thread_id)
    parts = parse_thread_id(change.thread_id)
    if change.allowance is not UNSET and parts is not None:
        tx.put("limits", parts[1], allowance_document(change.allowance, change.now))
    if change.counts_run:
        day_start = day_of(change.now)
        key = day_runs_id(day_start)
        found = tx.get("limits", key)
        runs = whole(found.doc if found else {}, "runs") + 1
        tx.put("limits", key, day_runs_fields(day_start) | {"runs": runs})
