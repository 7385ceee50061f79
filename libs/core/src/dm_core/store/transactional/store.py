"""The store port, one transaction for each call: which function does what is all that is said here."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dm_core.alerts import Alert, AlertStatus, ManagerContact
from dm_core.clock import Clock
from dm_core.messages import Message
from dm_core.outbox import AuditLine, OutboxItem
from dm_core.store import queries
from dm_core.store.document_values import clean_text
from dm_core.store.port import (
    CONFLICT,
    Conflict,
    Deletion,
    DocumentCollection,
    Documents,
    EchoView,
    NewText,
    Recorded,
    Revision,
    Snapshot,
    StoredAlert,
    StoredOutbox,
    ThreadChange,
    ThreadEvents,
    Version,
)
from dm_core.store.record_documents import deletion_document, json_document, quarantine_document
from dm_core.store.thread_documents import is_erased, parse_thread, parse_thread_id
from dm_core.store.transactional import alerts, amendments, erasing, outbox, records, threads
from dm_core.store.transactional.audit import put_audit
from dm_core.store.transactional.database import Database, Transaction
from dm_core.store.transactional.documents import TransactionalDocuments
from dm_core.store.transactional.events import echo_view, record
from dm_core.threads import Profile, Thread
from dm_core.usage import DayRuns


class TransactionalStore:
    """The same documents as in Firestore. Every method raises StoreUnavailable."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def open(self, thread_id: str) -> Snapshot | None:
        return await self._database.read("open", lambda tx: threads.open_thread(tx, thread_id))

    async def commit(self, change: ThreadChange) -> Version | Conflict:
        if not isinstance(change.version.mark, int):
            return CONFLICT
        return await self._database.write("commit", lambda tx: threads.commit(tx, change))

    async def history(self, thread_id: str, limit: int) -> tuple[Message, ...]:
        if limit < 1 or parse_thread_id(thread_id) is None:
            return ()
        return await self._database.read("history", lambda tx: threads.newest(tx, thread_id, limit))

    async def overdue(self, before: int, limit: int) -> tuple[str, ...]:
        found = await self._database.read("overdue", lambda tx: tx.select(queries.overdue(before, limit)))
        return tuple(stored.id for stored in found)

    async def record(self, events: ThreadEvents) -> Recorded:
        recorded = await self._database.write("record", lambda tx: record(tx, events))
        return replace(recorded, at=self._clock()) if recorded.created else recorded

    async def echo_view(self, thread_id: str, message_id: str) -> EchoView:
        return await self._database.read("echo_view", lambda tx: echo_view(tx, thread_id, message_id))

    async def unsend(self, events: ThreadEvents, message_id: str) -> bool:
        return await self._database.write("unsend", lambda tx: amendments.unsend(tx, events, message_id))

    async def edit(self, events: ThreadEvents, message_id: str, new: NewText) -> bool:
        return await self._database.write("edit", lambda tx: amendments.edit(tx, events, message_id, new))

    async def lift_pause(self, thread_id: str, paused_until: int, before: int | None, now: int) -> bool:
        def lift(tx: Transaction) -> bool:
            return amendments.lift_pause(tx, thread_id, paused_until, before, now)

        return await self._database.write("lift_pause", lift)

    async def erase_person(self, user_id: str, limit: int | None = None, code: str = "") -> int:
        """A transaction for each thread, so a crash leaves the rest to be found by the next try."""
        person, erased = clean_text(user_id), 0
        while limit is None or erased < limit:
            now = self._clock()
            if not await self._database.write("erase", lambda tx, now=now: erasing.erase_one(tx, person, code, now)):
                await self._database.write("erase", lambda tx: erasing.erase_beside(tx, person))
                break
            erased += 1
        return erased

    async def create_deletion(self, deletion: Deletion, audit: Sequence[AuditLine] = ()) -> bool:
        return await self._database.write("create_deletion", lambda tx: records.create_deletion(tx, deletion, audit))

    async def put_deletion(self, deletion: Deletion) -> None:
        fields = deletion_document(deletion)
        await self._database.write("put_deletion", lambda tx: tx.put("deletions", deletion.code, fields))

    async def get_deletion(self, code: str) -> Deletion | None:
        return await self._database.read("get_deletion", lambda tx: records.get_deletion(tx, code))

    async def open_deletions(self, limit: int) -> tuple[Deletion, ...]:
        return await self._database.read("open_deletions", lambda tx: records.open_deletions(tx, limit))

    async def day_runs(self, day_start: int) -> DayRuns:
        return await self._database.read("day_runs", lambda tx: records.day_runs(tx, day_start))

    async def quarantine(
        self, item_id: str, raw: str, reason: str, now: int, expire_at: int, user_ids: Sequence[str] = ()
    ) -> None:
        fields = quarantine_document(raw, reason, now, expire_at, user_ids)
        await self._database.write("quarantine", lambda tx: tx.put("quarantine", item_id, fields))

    async def get_document(self, collection: DocumentCollection, key: str) -> Mapping[str, object] | None:
        return await self._database.read("get_document", lambda tx: records.get_document(tx, collection, key))

    async def put_document(
        self, collection: DocumentCollection, key: str, value: Mapping[str, object], expire_at: int | None = None
    ) -> None:
        fields = json_document(value, expire_at, updatedAt=self._clock())
        await self._database.write("put_document", lambda tx: tx.put(collection, clean_text(key), fields))

    async def revise_document(
        self,
        collection: DocumentCollection,
        key: str,
        revise: Revision,
        expire_at: int | None,
        audit: Sequence[AuditLine] = (),
    ) -> Mapping[str, object]:
        def write(tx: Transaction) -> Mapping[str, object]:
            return records.revise_document(tx, collection, key, revise, expire_at, audit)

        return await self._database.write("revise_document", write)

    async def last_inbound_at(self) -> int | None:
        return await self._database.read("last_inbound_at", records.last_inbound_at)

    async def create_alert(self, alert: Alert) -> bool:
        return await self._database.write("create_alert", lambda tx: alerts.create_alert(tx, alert))

    async def get_alert(self, alert_id: str) -> StoredAlert | None:
        return await self._database.read("get_alert", lambda tx: alerts.get_alert(tx, alert_id))

    async def due_alerts(self, before: int, limit: int) -> tuple[StoredAlert, ...]:
        return await self._database.read("due_alerts", lambda tx: alerts.due_alerts(tx, before, limit))

    async def save_alert(self, alert: Alert, version: Version) -> Version | Conflict:
        return await self._save_alerts([StoredAlert(alert, version)])

    async def create_digest(self, digest: Alert, members: Sequence[StoredAlert]) -> Version | Conflict:
        return await self._save_alerts(members, [digest])

    async def dissolve_digest(self, digest: StoredAlert, members: Sequence[StoredAlert]) -> Version | Conflict:
        return await self._save_alerts([digest, *members])

    async def _save_alerts(self, saved: Sequence[StoredAlert], created: Sequence[Alert] = ()) -> Version | Conflict:
        return await self._database.write("save_alerts", lambda tx: alerts.save_alerts(tx, saved, created))

    async def digest_members(self, digest_id: str) -> tuple[StoredAlert, ...]:
        return await self._database.read("digest_members", lambda tx: alerts.digest_members(tx, digest_id))

    async def record_status(self, status: AlertStatus) -> bool:
        return await self._database.write("record_status", lambda tx: alerts.record_status(tx, status))

    async def manager_contact(self) -> ManagerContact:
        return await self._database.read("manager_contact", alerts.manager_contact)

    async def note_manager_contact(self, contact: ManagerContact) -> None:
        now = self._clock()
        await self._database.write("note_manager_contact", lambda tx: alerts.note_manager_contact(tx, contact, now))

    async def get_thread(self, thread_id: str) -> Thread | None:
        found = await self._database.read("get_thread", lambda tx: tx.get("conversations", clean_text(thread_id)))
        return None if found is None or is_erased(found.doc) else parse_thread(thread_id, found.doc)

    async def thread_profile(self, thread_id: str) -> Profile | None:
        found = await self._database.read("thread_profile", lambda tx: tx.get("conversations", clean_text(thread_id)))
        return None if found is None else parse_thread(thread_id, found.doc).profile

    async def create_outbox(self, item: OutboxItem, audit: Sequence[AuditLine] = ()) -> bool:
        return await self._database.write("create_outbox", lambda tx: outbox.create_outbox(tx, item, audit))

    async def get_outbox(self, item_id: str) -> StoredOutbox | None:
        return await self._database.read("get_outbox", lambda tx: outbox.get_outbox(tx, item_id))

    async def save_outbox(self, item: OutboxItem, version: Version) -> Version | Conflict:
        return await self._database.write("save_outbox", lambda tx: outbox.save_outbox(tx, item, version))

    async def due_outbox(self, before: int, limit: int) -> tuple[str, ...]:
        return await self._database.read("due_outbox", lambda tx: outbox.due_outbox(tx, before, limit))

    async def add_audit(self, line: AuditLine) -> None:
        await self._database.write("add_audit", lambda tx: put_audit(tx, (line,)))

    async def drop_quarantined(self, item_id: str, version: Version, audit: Sequence[AuditLine]) -> bool:
        return await self._database.write("drop", lambda tx: outbox.drop_quarantined(tx, item_id, version, audit))

    @property
    def documents(self) -> Documents:
        return TransactionalDocuments(self._database)

    async def alert_of_message(self, wamid: str) -> Alert | None:
        return await self._database.read("alert_of_message", lambda tx: outbox.alert_of_message(tx, wamid))

    async def newest_threads(self, limit: int, before: int | None = None) -> tuple[Thread, ...]:
        return await self._database.read("newest_threads", lambda tx: outbox.newest_threads(tx, limit, before))

    async def close(self) -> None:
        """Release the database; it is opened again by the next call."""
        await self._database.close()
