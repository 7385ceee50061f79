"""The store on Firestore: blind merges for the webhook, conditional batched writes for runs, no transaction anywhere.

A version is the thread document's ``update_time``. A write that changes nothing does not move it
(https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#writeresult), so every event also counts
``revision`` up.
"""

from collections.abc import Mapping, Sequence

from dm_core.alerts import Alert, AlertStatus, ManagerContact
from dm_core.clock import Clock, system_clock
from dm_core.messages import Message
from dm_core.outbox import AuditLine, OutboxItem
from dm_core.store.firestore.alerts import FirestoreAlerts
from dm_core.store.firestore.amendments import FirestoreAmendments
from dm_core.store.firestore.client import FirestoreClient
from dm_core.store.firestore.documents import FirestoreDocuments
from dm_core.store.firestore.erasing import FirestoreErasure
from dm_core.store.firestore.events import FirestoreEvents
from dm_core.store.firestore.outbox import FirestoreOutbox
from dm_core.store.firestore.records import FirestoreRecords
from dm_core.store.firestore.threads import FirestoreThreads
from dm_core.store.port import (
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
from dm_core.store.usage import StoreUsage
from dm_core.threads import Profile, Thread
from dm_core.usage import DayRuns


class FirestoreStore:
    """The store port on Firestore. Nothing connects before the first call; every method raises StoreUnavailable.

    Only says which part does what; the parts share one client. ``usage`` counts documents read and remote calls.
    """

    def __init__(
        self, project: str, database: str = "(default)", clock: Clock = system_clock, emulator_host: str | None = None
    ) -> None:
        self.usage = StoreUsage()
        client = FirestoreClient(project, database, emulator_host, self.usage)
        self._client = client
        self._threads, self._events = FirestoreThreads(client), FirestoreEvents(client)
        self._amendments, self._erasure = FirestoreAmendments(client), FirestoreErasure(client, clock)
        self._records, self._alerts = FirestoreRecords(client, clock), FirestoreAlerts(client, clock)
        self._outbox = FirestoreOutbox(client)

    async def open(self, thread_id: str) -> Snapshot | None:
        return await self._threads.open(thread_id)

    async def commit(self, change: ThreadChange) -> Version | Conflict:
        return await self._threads.commit(change)

    async def history(self, thread_id: str, limit: int) -> tuple[Message, ...]:
        return await self._threads.history(thread_id, limit)

    async def overdue(self, before: int, limit: int) -> tuple[str, ...]:
        return await self._threads.overdue(before, limit)

    async def record(self, events: ThreadEvents) -> Recorded:
        return await self._events.record(events)

    async def echo_view(self, thread_id: str, message_id: str) -> EchoView:
        return await self._events.echo_view(thread_id, message_id)

    async def unsend(self, events: ThreadEvents, message_id: str) -> bool:
        return await self._amendments.unsend(events, message_id)

    async def edit(self, events: ThreadEvents, message_id: str, new: NewText) -> bool:
        return await self._amendments.edit(events, message_id, new)

    async def lift_pause(self, thread_id: str, paused_until: int, before: int | None, now: int) -> bool:
        return await self._amendments.lift_pause(thread_id, paused_until, before, now)

    async def erase_person(self, user_id: str, limit: int | None = None, code: str = "") -> int:
        return await self._erasure.erase_person(user_id, limit, code)

    async def create_deletion(self, deletion: Deletion, audit: Sequence[AuditLine] = ()) -> bool:
        return await self._records.create_deletion(deletion, audit)

    async def put_deletion(self, deletion: Deletion) -> None:
        await self._records.put_deletion(deletion)

    async def get_deletion(self, code: str) -> Deletion | None:
        return await self._records.get_deletion(code)

    async def open_deletions(self, limit: int) -> tuple[Deletion, ...]:
        return await self._records.open_deletions(limit)

    async def day_runs(self, day_start: int) -> DayRuns:
        return await self._records.day_runs(day_start)

    async def quarantine(
        self, item_id: str, raw: str, reason: str, now: int, expire_at: int, user_ids: Sequence[str] = ()
    ) -> None:
        await self._records.quarantine(item_id, raw, reason, now, expire_at, user_ids)

    async def get_document(self, collection: DocumentCollection, key: str) -> Mapping[str, object] | None:
        return await self._records.get_document(collection, key)

    async def put_document(
        self, collection: DocumentCollection, key: str, value: Mapping[str, object], expire_at: int | None = None
    ) -> None:
        await self._records.put_document(collection, key, value, expire_at)

    async def revise_document(
        self,
        collection: DocumentCollection,
        key: str,
        revise: Revision,
        expire_at: int | None,
        audit: Sequence[AuditLine] = (),
    ) -> Mapping[str, object]:
        return await self._records.revise_document(collection, key, revise, expire_at, audit)

    async def last_inbound_at(self) -> int | None:
        return await self._records.last_inbound_at()

    async def create_alert(self, alert: Alert) -> bool:
        return await self._alerts.create_alert(alert)

    async def get_alert(self, alert_id: str) -> StoredAlert | None:
        return await self._alerts.get_alert(alert_id)

    async def due_alerts(self, before: int, limit: int) -> tuple[StoredAlert, ...]:
        return await self._alerts.due_alerts(before, limit)

    async def save_alert(self, alert: Alert, version: Version) -> Version | Conflict:
        return await self._alerts.save_alert(alert, version)

    async def create_digest(self, digest: Alert, members: Sequence[StoredAlert]) -> Version | Conflict:
        return await self._alerts.create_digest(digest, members)

    async def dissolve_digest(self, digest: StoredAlert, members: Sequence[StoredAlert]) -> Version | Conflict:
        return await self._alerts.dissolve_digest(digest, members)

    async def digest_members(self, digest_id: str) -> tuple[StoredAlert, ...]:
        return await self._alerts.digest_members(digest_id)

    async def record_status(self, status: AlertStatus) -> bool:
        return await self._alerts.record_status(status)

    async def manager_contact(self) -> ManagerContact:
        return await self._alerts.manager_contact()

    async def note_manager_contact(self, contact: ManagerContact) -> None:
        await self._alerts.note_manager_contact(contact)

    async def get_thread(self, thread_id: str) -> Thread | None:
        return await self._alerts.get_thread(thread_id)

    async def thread_profile(self, thread_id: str) -> Profile | None:
        return await self._alerts.thread_profile(thread_id)

    async def create_outbox(self, item: OutboxItem, audit: Sequence[AuditLine] = ()) -> bool:
        return await self._outbox.create_outbox(item, audit)

    async def get_outbox(self, item_id: str) -> StoredOutbox | None:
        return await self._outbox.get_outbox(item_id)

    async def save_outbox(self, item: OutboxItem, version: Version) -> Version | Conflict:
        return await self._outbox.save_outbox(item, version)

    async def due_outbox(self, before: int, limit: int) -> tuple[str, ...]:
        return await self._outbox.due_outbox(before, limit)

    async def add_audit(self, line: AuditLine) -> None:
        await self._outbox.add_audit(line)

    async def drop_quarantined(self, item_id: str, version: Version, audit: Sequence[AuditLine]) -> bool:
        return await self._outbox.drop_quarantined(item_id, version, audit)

    @property
    def documents(self) -> Documents:
        return FirestoreDocuments(self._client)

    async def alert_of_message(self, wamid: str) -> Alert | None:
        return await self._outbox.alert_of_message(wamid)

    async def newest_threads(self, limit: int, before: int | None = None) -> tuple[Thread, ...]:
        return await self._outbox.newest_threads(limit, before)

    async def close(self) -> None:
        """Close the channel."""
        await self._client.close()
