"""The store in this process's memory, for simulations that make thousands of threads a second.

``tests/contract`` holds it to what the other two stores keep.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from dm_core.alerts import Alert, AlertStatus, ManagerContact
from dm_core.clock import Clock, system_clock
from dm_core.messages import Message
from dm_core.store.document_values import clean_text, to_json
from dm_core.store.port import (
    CONFLICT,
    Conflict,
    Deletion,
    DocumentCollection,
    EchoView,
    NewText,
    Recorded,
    Revision,
    Snapshot,
    StoredAlert,
    ThreadChange,
    ThreadEvents,
    Version,
)
from dm_core.store.usage import StoreUsage
from dm_core.threads import Profile
from dm_core.usage import DayRuns
from dm_sandbox.memory_database import MemoryDatabase


class MemoryStore:
    """The store port on a database in memory. Every call lets others go first, as a remote one would.

    ``usage`` counts documents read and calls.
    """

    def __init__(self, database: MemoryDatabase | None = None, clock: Clock = system_clock) -> None:
        self.usage = StoreUsage()
        self.database = database or MemoryDatabase()
        self._clock = clock

    async def _call[T](self, work: Callable[[], T], reads: int = 0) -> T:
        await asyncio.sleep(0)
        self.usage.calls += 1
        self.usage.reads += reads
        return work()

    # -- what a run needs

    async def open(self, thread_id: str) -> Snapshot | None:
        def read() -> Snapshot | None:
            head = self.database.thread(thread_id)
            return None if head is None else self.database.snapshot(head)

        snapshot = await self._call(read, reads=2)
        self.usage.reads += len(snapshot.recent) if snapshot else 0
        return snapshot

    async def commit(self, change: ThreadChange) -> Version | Conflict:
        if not isinstance(change.version.mark, int):
            return CONFLICT
        return await self._call(lambda: self.database.commit(change))

    async def day_runs(self, day_start: int) -> DayRuns:
        return await self._call(lambda: DayRuns(day_start, self.database.day_runs[day_start]), reads=1)

    async def history(self, thread_id: str, limit: int) -> tuple[Message, ...]:
        found = await self._call(lambda: self.database.newest(thread_id, limit))
        self.usage.reads += max(1, len(found))
        return found

    async def overdue(self, before: int, limit: int) -> tuple[str, ...]:
        return await self._call(lambda: self.database.overdue(before, limit), reads=1)

    # -- what the webhook needs

    async def record(self, events: ThreadEvents) -> Recorded:
        return await self._call(lambda: self.database.record(events))

    async def echo_view(self, thread_id: str, message_id: str) -> EchoView:
        return await self._call(lambda: self.database.echo_view(thread_id, message_id), reads=2)

    async def unsend(self, events: ThreadEvents, message_id: str) -> bool:
        return await self._call(lambda: self.database.unsend(events, message_id), reads=2)

    async def edit(self, events: ThreadEvents, message_id: str, new: NewText) -> bool:
        return await self._call(lambda: self.database.edit(events, message_id, new), reads=2)

    async def lift_pause(self, thread_id: str, paused_until: int, before: int | None, now: int) -> bool:  # noqa: ARG002
        return await self._call(lambda: self.database.lift_pause(thread_id, paused_until, before), reads=1)

    async def quarantine(
        self,
        item_id: str,
        raw: str,
        reason: str,
        now: int,  # noqa: ARG002
        expire_at: int,  # noqa: ARG002
        user_ids: Sequence[str] = (),
    ) -> None:
        """Nothing expires in memory."""
        await self._call(lambda: self.database.quarantine(item_id, raw, reason, user_ids))

    async def revise_document(
        self,
        collection: DocumentCollection,
        key: str,
        revise: Revision,
        expire_at: int,  # noqa: ARG002
    ) -> Mapping[str, object]:
        return await self._call(lambda: self.database.revise_document(collection, key, revise), reads=1)

    # -- what deletion requests need

    async def put_deletion(self, deletion: Deletion) -> None:
        await self._call(lambda: self.database.deletions.update({deletion.code: deletion}))

    async def get_deletion(self, code: str) -> Deletion | None:
        return await self._call(lambda: self.database.deletions.get(clean_text(code)), reads=1)

    async def open_deletions(self, limit: int) -> tuple[Deletion, ...]:
        return await self._call(lambda: self.database.open_deletions(limit), reads=1)

    async def create_deletion(self, deletion: Deletion) -> bool:
        return await self._call(lambda: self.database.create_deletion(deletion))

    async def erase_person(self, user_id: str, limit: int | None = None, code: str = "") -> int:
        return await self._call(lambda: self.database.erase_person(user_id, limit, code, self._clock()), reads=1)

    # -- the outbox to the manager

    async def create_alert(self, alert: Alert) -> bool:
        return await self._call(lambda: self.database.outbox.create(alert))

    async def get_alert(self, alert_id: str) -> StoredAlert | None:
        return await self._call(lambda: self.database.outbox.alerts.get(clean_text(alert_id)), reads=1)

    async def due_alerts(self, before: int, limit: int) -> tuple[StoredAlert, ...]:
        return await self._call(lambda: self.database.outbox.due(before, limit), reads=2)

    async def save_alert(self, alert: Alert, version: Version) -> Version | Conflict:
        return await self._call(lambda: self.database.outbox.save([StoredAlert(alert, version)]))

    async def create_digest(self, digest: Alert, members: Sequence[StoredAlert]) -> Version | Conflict:
        return await self._call(lambda: self.database.outbox.save(members, created=[digest]))

    async def dissolve_digest(self, digest: StoredAlert, members: Sequence[StoredAlert]) -> Version | Conflict:
        return await self._call(lambda: self.database.outbox.save([digest, *members]))

    async def digest_members(self, digest_id: str) -> tuple[StoredAlert, ...]:
        return await self._call(lambda: self.database.outbox.members(digest_id), reads=1)

    async def record_status(self, status: AlertStatus) -> bool:
        return await self._call(lambda: self.database.outbox.record(status))

    async def manager_contact(self) -> ManagerContact:
        return await self._call(lambda: self.database.outbox.contact, reads=1)

    async def note_manager_contact(self, contact: ManagerContact) -> None:
        await self._call(lambda: self.database.outbox.note(contact))

    async def thread_profile(self, thread_id: str) -> Profile | None:
        stored = await self._call(lambda: self.database.threads.get(thread_id), reads=1)
        return None if stored is None else stored.thread.profile

    # -- documents beside the threads

    async def get_document(self, collection: DocumentCollection, key: str) -> Mapping[str, object] | None:
        kept = await self._call(lambda: self.database.documents.get((collection, clean_text(key))), reads=1)
        return None if kept is None else cast("dict[str, object]", json.loads(kept))

    async def put_document(self, collection: DocumentCollection, key: str, value: Mapping[str, object]) -> None:
        place, kept = (collection, clean_text(key)), to_json(value)
        await self._call(lambda: self.database.documents.update({place: kept}))

    async def last_inbound_at(self) -> int | None:
        return await self._call(self.database.last_inbound_at, reads=1)

    async def close(self) -> None:
        """Nothing to release; the database stays."""
