"""The webhook's side of the Firestore store: what came in for a thread, written without reading it first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import batched

from dm_core.errors import StoreUnavailable
from dm_core.messages import Message, Status
from dm_core.store import documents as doc
from dm_core.store import firestore_wire as wire
from dm_core.store import run_documents as doc_of_runs
from dm_core.store import selections
from dm_core.store.firestore_client import Exists, FirestoreClient, Moved
from dm_core.store.firestore_wire import Found, Instant, Transform, Transforms, Write
from dm_core.store.plain import Document, document, from_json, text, to_json, whole, word
from dm_core.store.port import (
    UNKNOWN_VERSION,
    DocumentCollection,
    EchoView,
    NewText,
    Recorded,
    Revision,
    ThreadEvents,
    Version,
)

MAX_CREATES = 450
"""Messages created in one commit; a request's usual one or two are far below."""

MAX_ROUNDS = 12
"""How often a write is prepared anew because something else was faster. Somebody wins each round, so as many writers as
this may meet at one thread."""

WRITE_ATTEMPTS = 3

RUNS_PAGE = 20
"""Archived runs emptied in one commit; each is far below 1 MiB."""

MAX_PAGES = 50
"""Commits for the runs of one message; an answer is shown a dozen messages, so few runs were shown one."""

MOVES: Transforms = {"revision": ("increment", 1)}
"""What moves a thread's version even if nothing else of it changes; our own commits and echoes never do it."""


class FirestoreEvents:
    """The event store's methods; see the port."""

    _client: FirestoreClient

    def _thread(self, thread_id: str) -> str:
        return self._client.name("conversations", thread_id)

    def _message(self, thread_id: str, message_id: str) -> str:
        return self._client.name("conversations", thread_id, "messages", message_id)

    async def record(self, events: ThreadEvents) -> Recorded:
        """Blind: creates and a merge in one commit. Only a duplicate costs a read and a second commit.

        May be repeated after a lost answer: what the first attempt created then reads as existing.
        """
        unique = tuple({message.id: message for message in reversed(events.messages)}.values())[::-1]
        chunks = batched(unique, MAX_CREATES, strict=False) if unique else ((),)
        parts = [await self._record_some(events, chunk) for chunk in chunks]
        existing: dict[str, Status] = {}
        for part in parts:
            existing |= part.existing
        return Recorded(tuple(key for part in parts for key in part.created), existing)

    async def _record_some(self, events: ThreadEvents, messages: tuple[Message, ...]) -> Recorded:
        there = _There()
        if not events.starts_thread and events.seen is None:
            there = await self._there(events.thread_id, messages)
        elif not events.starts_thread and events.seen is not None:
            there = _There(thread=wire.as_instant(events.seen.mark))
        for _ in range(MAX_ROUNDS):
            if not events.starts_thread:
                messages = doc.since_erased(messages, there.erased_at)
                if there.erased or (events.messages and not messages):
                    return Recorded()
            writes = self._record_writes(events, messages, there)
            if not writes or await self._applied(writes, WRITE_ATTEMPTS):
                statuses = there.statuses
                return Recorded(tuple(message.id for message in messages if message.id not in statuses), statuses)
            there = await self._there(events.thread_id, messages)
        raise StoreUnavailable("a thread's events could not be stored: its messages kept changing")

    def _record_writes(self, events: ThreadEvents, messages: Sequence[Message], there: "_There") -> list[Write]:
        """The commit for these messages. Pure duplicates leave the thread alone, so that they wake nobody; a pause is
        renewed all the same."""
        new = [message for message in messages if message.id not in there.statuses]
        if not events.starts_thread and (there.thread is None or not events.lasting):
            new = [doc.briefly(message, events.now) for message in new]
        writes = [self._arrival(events.thread_id, message, there.parts.get(message.id)) for message in new]
        touch = events.touch_thread
        if there.statuses and not new:
            touch = touch and events.paused_until is not None
            events = replace(events, due_at=None, last_inbound_at=None)
        if touch or new:
            writes.append(self._thread_write(events, new, there.thread, touch=touch))
        return writes

    def _thread_write(
        self, events: ThreadEvents, new: Sequence[Message], version: Instant | None, *, touch: bool
    ) -> Write:
        """Blind for what a person wrote; anything else depends on the thread as it was looked at.

        Messages stored alone say whose thread it is, so that an erasure finds them. On a thread that exists this
        changes nothing, and so moves no version.
        """
        place = self._thread(events.thread_id)
        fields = doc.merged_fields(events) if touch else document(accountId=events.account_id, userId=events.user_id)
        counters: Transforms = _counters(events, new) if touch else {}
        if events.starts_thread:
            return wire.merge(place, fields, counters)
        if version is None:
            return wire.create(place, fields | doc.brief_thread(events), counters)
        return wire.update(place, fields, counters, unchanged_since=version)

    def _arrival(self, thread_id: str, message: Message, part: Found | None) -> Write:
        """Create a message, or let it take over what is there of it."""
        place = self._message(thread_id, message.id)
        taken = None if part is None else doc.taken_over(part.doc or {}, message)
        if part is None or taken is None:
            return wire.create(place, doc.message_document(message))
        return wire.put(place, doc.message_document(taken), unchanged_since=part.update_time)

    async def _there(self, thread_id: str, messages: Sequence[Message]) -> "_There":
        names = (self._message(thread_id, message.id) for message in messages)
        *found, thread = await self._client.get(*names, self._thread(thread_id))
        exists = thread.doc is not None
        there = _There(
            thread=thread.update_time if exists else None,
            erased=doc.is_erased(thread.doc),
            erased_at=doc.erased_at(thread.doc or {}),
        )
        for message, each in zip(messages, found, strict=True):
            if each.doc is None:
                continue
            if doc.taken_over(each.doc, message) is None:
                there.statuses[message.id] = word(each.doc, "status", Status.PROCESSED)
            else:
                there.parts[message.id] = each
        return there

    async def echo_view(self, thread_id: str, message_id: str) -> EchoView:
        """One read of two documents."""
        message, found = await self._client.get(self._message(thread_id, message_id), self._thread(thread_id))
        thread = doc.parse_thread(thread_id, found.doc or {})
        return EchoView(
            known=doc.is_erased(found.doc)
            or (doc.is_message(message.doc) and not doc.is_standby_copy(message.doc or {})),
            ours=doc.texts_on_their_way(thread.run, thread.unconfirmed),
            mids=doc.platform_ids(thread.run),
            paused_until=thread.paused_until,
            last_inbound_at=thread.last_inbound_at,
            version=_seen(found),
        )

    async def unsend(self, events: ThreadEvents, message_id: str) -> bool:
        """Reads the message first: what is written depends on it, and is conditional on it."""
        for _ in range(MAX_ROUNDS):
            message, thread = await self._client.get(
                self._message(events.thread_id, message_id), self._thread(events.thread_id)
            )
            known = doc.is_message(message.doc)
            writes = self._unsend_writes(events, message_id, message, thread)
            if not writes or await self._applied(writes):
                if known and not doc.is_erased(thread.doc):
                    await self._empty_runs(events, text(message.doc or {}, "mid"))
                return known
        raise StoreUnavailable("an unsend could not be stored: its message kept changing")

    def _unsend_writes(self, events: ThreadEvents, message_id: str, message: Found, thread: Found) -> list[Write]:
        """Empty a known message, or leave a tombstone, which goes within a day if no DM is known of the thread."""
        if doc.is_erased(thread.doc):
            return []
        place = self._message(events.thread_id, message_id)
        if doc.is_message(message.doc):
            fields = doc.unsent_fields(message.doc or {}, events.now)
            emptied = wire.update(place, fields, unchanged_since=message.update_time)
            return [emptied, *([self._move(events.thread_id, events.now)] if thread.doc is not None else [])]
        if not events.messages:
            return [] if thread.doc is None else [self._move(events.thread_id, events.now)]
        mark = replace(events.messages[0], id=message_id)
        if not whole(thread.doc or {}, "lastInboundAt"):
            mark = doc.briefly(mark, events.now)
        tombstone = doc.message_document(mark)
        if message.doc is None:
            stored = wire.create(place, tombstone)
        else:
            stored = wire.put(place, tombstone, unchanged_since=message.update_time)
        return [stored, self._moved_from(events, thread)]

    async def _empty_runs(self, events: ThreadEvents, mid: str) -> None:
        """Take the words out of the archived runs that were shown a message, and the notes they saved."""
        for _ in range(MAX_PAGES):
            if not mid:
                return
            page = await self._client.select(selections.runs_of_message(events.thread_id, mid, RUNS_PAGE))
            (thread,) = await self._client.get(self._thread(events.thread_id))
            writes = [
                wire.update(
                    self._client.name("conversations", events.thread_id, "runs", run.id),
                    doc_of_runs.emptied_fields(run.doc or {}, events.now),
                    unchanged_since=run.update_time,
                )
                for run in page.found
            ]
            notes = doc.kept_notes(thread.doc or {}, [{**(run.doc or {}), "id": run.id} for run in page.found], mid)
            if notes is not None:
                fields = document(notes=notes)
                writes.append(wire.update(self._thread(events.thread_id), fields, unchanged_since=thread.update_time))
            done = not writes or await self._applied(writes)
            if done and len(page.found) < RUNS_PAGE:
                return
        raise StoreUnavailable("a message's runs could not be emptied: they kept changing")

    async def edit(self, events: ThreadEvents, message_id: str, new: NewText) -> bool:
        """Reads the message first: what is written depends on it, and is conditional on it."""
        thread_id, now = events.thread_id, events.now
        place = self._message(thread_id, message_id)
        for _ in range(MAX_ROUNDS):
            message, thread = await self._client.get(place, self._thread(thread_id))
            known = doc.is_message(message.doc)
            if doc.is_erased(thread.doc):
                return known
            if message.doc is None:
                early = doc.early_edit_document(message_id, thread_id, new, now)
                writes = [wire.create(place, early), self._moved_from(events, thread)]
            elif (fields := doc.edit_fields(message.doc, new, now)) is not None:
                writes = [wire.update(place, fields, unchanged_since=message.update_time)]
                writes += [self._move(thread_id, now)] if thread.doc is not None else []
            else:
                return known
            if await self._applied(writes):
                return known
        raise StoreUnavailable("an edit could not be stored: its message kept changing")

    def _moved_from(self, events: ThreadEvents, thread: Found) -> Write:
        """Move the version of a thread that is still as it was read, so that nothing new is stored below one that is
        being erased; make one that goes within a day if there is none."""
        if thread.doc is None:
            return wire.create(self._thread(events.thread_id), doc.brief_thread(events), MOVES)
        fields = document(updatedAt=events.now)
        return wire.update(self._thread(events.thread_id), fields, MOVES, unchanged_since=thread.update_time)

    async def lift_pause(self, thread_id: str, paused_until: int, before: int | None, now: int) -> bool:
        """Conditional on the thread as it was read."""
        place = self._thread(thread_id)
        for _ in range(MAX_ROUNDS):
            (thread,) = await self._client.get(place)
            if thread.doc is None or thread.doc.get("pausedUntil") != paused_until:
                return False
            fields = document(pausedUntil=before, updatedAt=now)
            if await self._applied([wire.update(place, fields, MOVES, unchanged_since=thread.update_time)]):
                return True
        raise StoreUnavailable("a pause could not be lifted: its thread kept changing")

    def _move(self, thread_id: str, now: int) -> Write:
        """Move the version of a thread that exists."""
        return wire.update(self._thread(thread_id), document(updatedAt=now), MOVES)

    async def _applied(self, writes: Sequence[Write], attempts: int = 1) -> bool:
        """Commit; False when something else was faster and the write must be prepared anew."""
        try:
            await self._client.commit(writes, attempts)
        except (Exists, Moved):
            return False
        return True

    async def quarantine(
        self, item_id: str, raw: str, reason: str, now: int, expire_at: int, user_ids: Sequence[str] = ()
    ) -> None:
        """One document an item."""
        await self._put(("quarantine", item_id), doc.quarantine_document(raw, reason, now, expire_at, user_ids))

    async def get_document(self, collection: DocumentCollection, key: str) -> Mapping[str, object] | None:
        """A document of plain JSON values."""
        (found,) = await self._client.get(self._client.name(collection, key))
        return None if found.doc is None else from_json(str(found.doc.get("json")))

    async def revise_document(
        self, collection: DocumentCollection, key: str, revise: Revision, expire_at: int
    ) -> Mapping[str, object]:
        """Conditional on the document as it was read."""
        place = self._client.name(collection, key)
        for _ in range(MAX_ROUNDS):
            (found,) = await self._client.get(place)
            before = from_json(str((found.doc or {}).get("json")))
            after = revise(before)
            if after is None:
                return before
            fields = document(json=to_json(after), expireAt=expire_at)
            write = wire.put(place, fields, unchanged_since=found.update_time)
            if await self._applied([wire.create(place, fields) if found.doc is None else write]):
                return after
        raise StoreUnavailable("a document could not be revised: it kept changing")

    async def _put(self, path: tuple[str, str], fields: Document) -> None:
        """A whole document, whatever was there; may be applied twice."""
        try:
            await self._client.commit([wire.put(self._client.name(*path), fields)], WRITE_ATTEMPTS)
        except Moved as error:
            raise StoreUnavailable("Firestore refused a document") from error


@dataclass(slots=True)
class _There:
    """What a look found of a request's messages: whole ones by their status, and what they take over. And the version
    of their thread, None if there is none."""

    statuses: dict[str, Status] = field(default_factory=dict[str, Status])
    parts: dict[str, Found] = field(default_factory=dict[str, Found])
    thread: Instant | None = None
    erased: bool = False
    erased_at: int | None = None


def _seen(thread: Found) -> Version | None:
    """The version that saves a look; none for a thread whose erasure must be looked at."""
    if thread.doc is None:
        return UNKNOWN_VERSION
    return Version(thread.update_time) if doc.erased_at(thread.doc) is None else None


def _counters(events: ThreadEvents, messages: Sequence[Message]) -> Transforms:
    """The values of a merge that depend on the old ones, computed by the server: no read."""
    pending = sum(message.status is Status.PENDING for message in messages)
    counters: dict[str, Transform] = {
        **MOVES,
        "createdAt": ("minimum", events.now),
        "pendingCount": ("increment", pending),
    }
    if events.last_inbound_at is not None:
        counters["lastInboundAt"] = ("maximum", events.last_inbound_at)
    if events.due_at is not None:
        counters["dueAt"] = ("maximum", events.due_at)
    return counters
