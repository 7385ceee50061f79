"""The store in one SQLite file: the sandbox, tests, and anybody without Google Cloud.

The same documents as in Firestore, one transaction for each call of the port. A version is a number of the thread's
row, taken from a counter of the whole file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from dm_core.clock import Clock, system_clock
from dm_core.messages import Message, Status
from dm_core.store import queries
from dm_core.store.document_values import Document, clean_text, document, from_json, text, to_json, whole, word
from dm_core.store.message_documents import (
    briefly,
    early_edit_document,
    edit_fields,
    is_message,
    is_standby_copy,
    message_document,
    message_fields,
    parse_message,
    since_erased,
    taken_over,
    unsent_fields,
)
from dm_core.store.port import (
    CONFLICT,
    PAGE_SIZE,
    UNSET,
    Conflict,
    Deletion,
    DocumentCollection,
    EchoView,
    NewText,
    Recorded,
    Revision,
    Snapshot,
    ThreadChange,
    ThreadEvents,
    Version,
    sorted_messages,
)
from dm_core.store.record_documents import (
    allowance_document,
    day_runs_fields,
    day_runs_id,
    deletion_document,
    parse_allowance,
    parse_day_runs,
    parse_deletion,
    quarantine_document,
)
from dm_core.store.run_documents import archive_document, emptied_fields
from dm_core.store.sqlite import alerts as sqlite_alerts
from dm_core.store.sqlite.alerts import SqliteAlerts
from dm_core.store.sqlite.file import Rollback, SqliteFile, Stored, Transaction
from dm_core.store.thread_documents import (
    brief_thread,
    erased_at,
    is_erased,
    kept_notes,
    merged_fields,
    parse_thread,
    parse_thread_id,
    platform_ids,
    texts_on_their_way,
    thread_fields,
    tombstone_document,
)
from dm_core.store.usage import StoreUsage
from dm_core.usage import DayRuns, day_of

ERASE_PAGE = 400
"""Documents beside the threads deleted between two looks."""

ALL_RUNS = 10_000
"""More archived runs than were ever shown one message."""


class SqliteStore(SqliteAlerts):
    """The store port on one file, safe for several processes. Opens it on the first call; every method raises
    StoreUnavailable.

    ``usage`` counts documents read and transactions.
    """

    def __init__(self, path: str, clock: Clock = system_clock) -> None:
        self.usage = StoreUsage()
        self._clock = clock
        self._file = SqliteFile(path, clock, self.usage)

    # -- what a run needs

    async def open(self, thread_id: str) -> Snapshot | None:
        """One transaction, so thread and messages are of one moment."""
        parts = parse_thread_id(thread_id)
        if parts is None:
            return None

        def read(tx: Transaction) -> Snapshot | None:
            found = tx.get("conversations", thread_id)
            if found is None or is_erased(found.doc):
                return None
            limits = tx.get("limits", parts[1])
            thread = parse_thread(thread_id, found.doc)
            recent = _messages(tx.select(queries.newest(thread_id, PAGE_SIZE)))
            unprocessed = tuple(message for message in recent if message.is_unprocessed)
            if len(unprocessed) < thread.pending_count and len(recent) == PAGE_SIZE:
                unprocessed = _messages(tx.select(queries.unprocessed(thread_id)))
            allowance = parse_allowance(limits.doc if limits else {})
            return Snapshot(thread, Version(found.version), unprocessed, recent, allowance)

        return await self._file.read(read)

    async def commit(self, change: ThreadChange) -> Version | Conflict:
        if not isinstance(change.version.mark, int):
            return CONFLICT
        try:
            return await self._file.write(lambda tx: _commit(tx, change))
        except Rollback:
            return CONFLICT

    async def day_runs(self, day_start: int) -> DayRuns:
        found = await self._get("limits", day_runs_id(day_start))
        return parse_day_runs(found or {}, day_start)

    async def history(self, thread_id: str, limit: int) -> tuple[Message, ...]:
        if limit < 1 or parse_thread_id(thread_id) is None:
            return ()
        return await self._file.read(lambda tx: _messages(tx.select(queries.newest(thread_id, limit))))

    async def overdue(self, before: int, limit: int) -> tuple[str, ...]:
        return await self._file.read(lambda tx: tuple(s.id for s in tx.select(queries.overdue(before, limit))))

    # -- what the webhook needs

    async def record(self, events: ThreadEvents) -> Recorded:
        return await self._file.write(lambda tx: _record(tx, events))

    async def echo_view(self, thread_id: str, message_id: str) -> EchoView:
        def read(tx: Transaction) -> EchoView:
            found = tx.get("conversations", thread_id)
            thread = parse_thread(thread_id, found.doc if found else {})
            message = tx.get("messages", message_id, thread_id)
            return EchoView(
                known=is_erased(found.doc if found else None)
                or (message is not None and is_message(message.doc) and not is_standby_copy(message.doc)),
                ours=texts_on_their_way(thread.run, thread.unconfirmed),
                mids=platform_ids(thread.run),
                paused_until=thread.paused_until,
                last_inbound_at=thread.last_inbound_at,
            )

        return await self._file.read(read)

    async def unsend(self, events: ThreadEvents, message_id: str) -> bool:
        return await self._file.write(lambda tx: _unsend(tx, events, message_id))

    async def edit(self, events: ThreadEvents, message_id: str, new: NewText) -> bool:
        return await self._file.write(lambda tx: _edit(tx, events, message_id, new))

    async def lift_pause(self, thread_id: str, paused_until: int, before: int | None, now: int) -> bool:
        def write(tx: Transaction) -> bool:
            found = tx.get("conversations", thread_id)
            if found is None or found.doc.get("pausedUntil") != paused_until:
                return False
            tx.put("conversations", thread_id, found.doc | {"pausedUntil": before})
            _move(tx, thread_id, now)
            return True

        return await self._file.write(write)

    async def quarantine(
        self, item_id: str, raw: str, reason: str, now: int, expire_at: int, user_ids: Sequence[str] = ()
    ) -> None:
        await self._put("quarantine", item_id, quarantine_document(raw, reason, now, expire_at, user_ids))

    async def revise_document(
        self, collection: DocumentCollection, key: str, revise: Revision, expire_at: int
    ) -> Mapping[str, object]:
        def write(tx: Transaction) -> Mapping[str, object]:
            found = tx.get(collection, clean_text(key))
            before = from_json(str(found.doc.get("json"))) if found else {}
            after = revise(before)
            if after is not None:
                tx.put(collection, clean_text(key), document(json=to_json(after), expireAt=expire_at))
            return before if after is None else after

        return await self._file.write(write)

    # -- what deletion requests need

    async def create_deletion(self, deletion: Deletion) -> bool:
        def write(tx: Transaction) -> bool:
            fresh = tx.get("deletions", deletion.code) is None
            if fresh:
                tx.put("deletions", deletion.code, deletion_document(deletion))
            return fresh

        return await self._file.write(write)

    async def put_deletion(self, deletion: Deletion) -> None:
        await self._put("deletions", deletion.code, deletion_document(deletion))

    async def get_deletion(self, code: str) -> Deletion | None:
        found = await self._get("deletions", code)
        return None if found is None else parse_deletion(found)

    async def open_deletions(self, limit: int) -> tuple[Deletion, ...]:
        found = await self._file.read(lambda tx: tx.select(queries.open_deletions(limit)))
        return tuple(parse_deletion(stored.doc) for stored in found)

    async def erase_person(self, user_id: str, limit: int | None = None, code: str = "") -> int:
        """Each thread whole, in a transaction of its own: a crash leaves nothing half erased."""
        person, threads = clean_text(user_id), 0
        while limit is None or threads < limit:
            if not await self._file.write(lambda tx: _erase_one(tx, person, code, self._clock())):
                break
            threads += 1
        else:
            return threads
        await self._file.write(lambda tx: _erase_beside(tx, person))
        return threads

    # -- documents beside the threads

    async def get_document(self, collection: DocumentCollection, key: str) -> Mapping[str, object] | None:
        found = await self._get(collection, key)
        return None if found is None else from_json(str(found.get("json")))

    async def put_document(self, collection: DocumentCollection, key: str, value: Mapping[str, object]) -> None:
        await self._put(collection, key, document(json=to_json(value), updatedAt=self._clock()))

    async def last_inbound_at(self) -> int | None:
        found = await self._file.read(lambda tx: tx.select(queries.last_inbound()))
        return whole(found[0].doc, "lastInboundAt") if found else None

    async def purge(self) -> int:
        """Delete some of the documents whose ``expireAt`` has passed, as Firestore's TTL does; also done when the file
        is opened. Returns how many; call again while it is not 0."""
        return await self._file.write(lambda tx: tx.purge(self._clock()))

    async def close(self) -> None:
        await self._file.close()

    async def _get(self, collection: str, key: str) -> Document | None:
        found = await self._file.read(lambda tx: tx.get(collection, clean_text(key)))
        return None if found is None else found.doc

    async def _put(self, collection: str, key: str, fields: Document) -> None:
        await self._file.write(lambda tx: tx.put(collection, key, fields))


def _messages(page: list[Stored]) -> tuple[Message, ...]:
    return sorted_messages([parse_message(stored.doc) for stored in page])


def _put_message(tx: Transaction, message: Message) -> None:
    tx.put("messages", message.id, message_document(message), message.thread_id)


def _move(tx: Transaction, thread_id: str, now: int) -> None:
    """Move a thread's version and revision, if there is one."""
    found = tx.get("conversations", thread_id)
    if found is not None:
        fields = {"updatedAt": now, "revision": whole(found.doc, "revision") + 1}
        tx.put("conversations", thread_id, found.doc | fields)


def _commit(tx: Transaction, change: ThreadChange) -> Version:
    """Raises Rollback when the thread, or a message of the change, is not as the change supposes."""
    found = tx.get("conversations", change.thread_id)
    if found is None or found.version != change.version.mark:
        raise Rollback
    version = tx.put("conversations", change.thread_id, found.doc | thread_fields(change))
    for message in change.messages:
        stored = tx.get("messages", message.id, change.thread_id)
        if stored is None:
            raise Rollback
        tx.put("messages", message.id, stored.doc | message_fields(message), change.thread_id)
    for upsert in change.upserts:
        _put_message(tx, replace(upsert, thread_id=change.thread_id))
    if change.archive is not None:
        archive = archive_document(change.archive, change.thread_id, change.now, change.archive_expire_at)
        tx.put("runs", change.archive.id, archive, change.thread_id)
    parts = parse_thread_id(change.thread_id)
    if change.allowance is not UNSET and parts is not None:
        tx.put("limits", parts[1], allowance_document(change.allowance, change.now))
    if change.counts_run:
        _count_run(tx, day_of(change.now))
    for alert in change.alerts:
        sqlite_alerts.create(tx, alert)
    return Version(version)


def _count_run(tx: Transaction, day_start: int) -> None:
    key = day_runs_id(day_start)
    found = tx.get("limits", key)
    runs = whole(found.doc if found else {}, "runs") + 1
    tx.put("limits", key, day_runs_fields(day_start) | {"runs": runs})


def _record(tx: Transaction, events: ThreadEvents) -> Recorded:
    """Create what is missing; pure duplicates leave the thread alone, but for a pause."""
    thread = tx.get("conversations", events.thread_id)
    if not events.starts_thread and (thread is None or not events.lasting):
        events = replace(events, messages=tuple(briefly(m, events.now) for m in events.messages))
    if not events.starts_thread and thread is not None:
        since = since_erased(events.messages, erased_at(thread.doc))
        if is_erased(thread.doc) or (events.messages and not since):
            return Recorded()
        events = replace(events, messages=since)
    created, existing = _sorted_out(tx, events)
    for message in created:
        _put_message(tx, message)
    if existing and not created:
        events = replace(events, messages=(), due_at=None, last_inbound_at=None)
        if events.paused_until is None:
            return Recorded((), existing)
    if events.touch_thread:
        _merge_thread(tx, events, sum(message.status is Status.PENDING for message in created))
    elif created and thread is None:
        # Whose thread it is, so that an erasure finds messages stored alone.
        tx.put("conversations", events.thread_id, brief_thread(events))
    return Recorded(tuple(message.id for message in created), existing)


def _sorted_out(tx: Transaction, events: ThreadEvents) -> tuple[list[Message], dict[str, Status]]:
    """What is to be stored, and the statuses of what is there already."""
    created: list[Message] = []
    existing: dict[str, Status] = {}
    for message in {message.id: message for message in reversed(events.messages)}.values():
        stored = tx.get("messages", message.id, events.thread_id)
        arrived = message if stored is None else taken_over(stored.doc, message)
        if stored is None or arrived is not None:
            created.append(replace(arrived or message, thread_id=events.thread_id))
        else:
            existing[message.id] = word(stored.doc, "status", Status.PROCESSED)
    created.reverse()
    return created, existing


def _edit(tx: Transaction, events: ThreadEvents, message_id: str, new: NewText) -> bool:
    found, thread = tx.get("messages", message_id, events.thread_id), tx.get("conversations", events.thread_id)
    known = found is not None and is_message(found.doc)
    if thread is not None and is_erased(thread.doc):
        return known
    if found is None:
        waiting = early_edit_document(message_id, events.thread_id, new, events.now)
        tx.put("messages", message_id, waiting, events.thread_id)
        _make_briefly(tx, events, thread)
    elif (fields := edit_fields(found.doc, new, events.now)) is not None:
        tx.put("messages", message_id, found.doc | fields, events.thread_id)
    else:
        return known
    _move(tx, events.thread_id, events.now)
    return known


def _unsend(tx: Transaction, events: ThreadEvents, message_id: str) -> bool:
    found, thread = tx.get("messages", message_id, events.thread_id), tx.get("conversations", events.thread_id)
    known = found is not None and is_message(found.doc)
    if thread is not None and is_erased(thread.doc):
        return known
    if found is not None and known:
        tx.put("messages", message_id, found.doc | unsent_fields(found.doc, events.now), events.thread_id)
        _empty_runs(tx, events, text(found.doc, "mid"))
    elif events.messages:
        mark = replace(events.messages[0], id=message_id, thread_id=events.thread_id)
        lasting = thread is not None and whole(thread.doc, "lastInboundAt")
        _put_message(tx, mark if lasting else briefly(mark, events.now))
        _make_briefly(tx, events, thread)
    _move(tx, events.thread_id, events.now)
    return known


def _make_briefly(tx: Transaction, events: ThreadEvents, thread: Stored | None) -> None:
    """A thread for what came alone, if there is none."""
    if thread is None:
        tx.put("conversations", events.thread_id, brief_thread(events))


def _empty_runs(tx: Transaction, events: ThreadEvents, mid: str) -> None:
    """Take the words out of the archived runs that were shown a message, and the notes they saved."""
    runs = tx.select(queries.runs_of_message(events.thread_id, mid, ALL_RUNS)) if mid else []
    thread = tx.get("conversations", events.thread_id)
    if thread is not None:
        notes = kept_notes(thread.doc, [run.doc for run in runs], mid)
        if notes is not None:
            tx.put("conversations", events.thread_id, thread.doc | {"notes": notes})
    for run in runs:
        tx.put("runs", run.id, run.doc | emptied_fields(run.doc, events.now), events.thread_id)


def _merge_thread(tx: Transaction, events: ThreadEvents, pending: int) -> None:
    found = tx.get("conversations", events.thread_id)
    old = found.doc if found else {} if events.starts_thread else brief_thread(events)
    merged = old | merged_fields(events)
    merged["createdAt"] = min(whole(old, "createdAt", events.now), events.now)
    merged["pendingCount"] = whole(old, "pendingCount") + pending
    merged["revision"] = whole(old, "revision") + 1
    if events.last_inbound_at is not None:
        merged["lastInboundAt"] = max(whole(old, "lastInboundAt", events.last_inbound_at), events.last_inbound_at)
    if events.due_at is not None:
        merged["dueAt"] = max(whole(old, "dueAt", events.due_at), events.due_at)
    tx.put("conversations", events.thread_id, merged)


def _erase_one(tx: Transaction, user_id: str, code: str, now: int) -> bool:
    """Erase one thread of a person or account, if there is one left."""
    found = tx.select(queries.of_person(user_id, 1)) or tx.select(queries.of_account(user_id, 1))
    for thread in found:
        tx.delete_below(thread.id)
        sqlite_alerts.delete_of_thread(tx, thread.id)
        _delete_selected(tx, queries.outbox_of(thread.id, ERASE_PAGE))
        tx.delete("limits", text(thread.doc, "userId", (parse_thread_id(thread.id) or ("", thread.id))[1]))
        tx.put("conversations", thread.id, tombstone_document(now))
        record = tx.get("deletions", code) if code else None
        if record is not None:
            tx.put("deletions", code, record.doc | {"threads": whole(record.doc, "threads") + 1})
    return bool(found)


def _erase_beside(tx: Transaction, user_id: str) -> None:
    """What is kept of a person outside of threads."""
    tx.delete("limits", user_id)
    _delete_selected(tx, queries.quarantine_of(user_id, ERASE_PAGE))


def _delete_selected(tx: Transaction, selection: queries.Selection) -> None:
    while found := tx.select(selection):
        for each in found:
            tx.delete(selection.collection, each.id)
