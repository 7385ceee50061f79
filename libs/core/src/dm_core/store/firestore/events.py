"""The webhook's side of the Firestore store: what came in for a thread, written without reading it first."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import batched

from dm_core.errors import StoreUnavailable
from dm_core.messages import Message, Status
from dm_core.store.document_values import document, word
from dm_core.store.firestore import writes
from dm_core.store.firestore.client import MAX_ROUNDS, WRITE_ATTEMPTS, Exists, FirestoreClient, Moved
from dm_core.store.firestore.protobuf import Found, Instant, as_instant, milliseconds
from dm_core.store.firestore.writes import MOVES, Transform, Transforms, Write
from dm_core.store.message_documents import (
    briefly,
    is_message,
    is_standby_copy,
    message_document,
    since_erased,
    taken_over,
)
from dm_core.store.port import UNKNOWN_VERSION, EchoView, Recorded, ThreadEvents, Version
from dm_core.store.thread_documents import (
    brief_thread,
    erased_at,
    is_erased,
    merged_fields,
    parse_thread,
    platform_ids,
    texts_on_their_way,
)

MAX_CREATES = 450
"""Messages created in one commit; a request's usual one or two are far below."""


@dataclass(frozen=True, slots=True)
class FirestoreEvents:
    """Records events, and looks at a thread before an echo is recorded; see the port."""

    client: FirestoreClient

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
        return Recorded(tuple(key for part in parts for key in part.created), existing, parts[-1].at)

    async def _record_some(self, events: ThreadEvents, messages: tuple[Message, ...]) -> Recorded:
        there = _There()
        if not events.starts_thread and events.seen is None:
            there = await self._there(events.thread_id, messages)
        elif not events.starts_thread and events.seen is not None:
            there = _There(thread=as_instant(events.seen.mark))
        for _ in range(MAX_ROUNDS):
            if not events.starts_thread:
                messages = since_erased(messages, there.erased_at)
                if there.erased or (events.messages and not messages):
                    return Recorded()
            batch = self._record_writes(events, messages, there)
            try:
                versions = await self.client.commit(batch, WRITE_ATTEMPTS) if batch else []
            except (Exists, Moved):
                there = await self._there(events.thread_id, messages)
                continue
            statuses = there.statuses
            created = tuple(message.id for message in messages if message.id not in statuses)
            return Recorded(created, statuses, milliseconds(max(versions)) if created else None)
        raise StoreUnavailable("a thread's events could not be stored: its messages kept changing")

    def _record_writes(self, events: ThreadEvents, messages: Sequence[Message], there: "_There") -> list[Write]:
        """The commit for these messages. Pure duplicates leave the thread alone, so that they wake nobody; a pause is
        renewed all the same."""
        new = [message for message in messages if message.id not in there.statuses]
        if not events.starts_thread and (there.thread is None or not events.lasting):
            new = [briefly(message, events.now) for message in new]
        batch = [self._arrival(events.thread_id, message, there.parts.get(message.id)) for message in new]
        touch = events.touch_thread
        if there.statuses and not new:
            touch = touch and events.paused_until is not None
            events = replace(events, due_at=None, last_inbound_at=None)
        if touch or new:
            batch.append(self._thread_write(events, new, there.thread, touch=touch))
        return batch

    def _thread_write(
        self, events: ThreadEvents, new: Sequence[Message], version: Instant | None, *, touch: bool
    ) -> Write:
        """Blind for what a person wrote; anything else depends on the thread as it was looked at.

        Messages stored alone say whose thread it is, so that an erasure finds them. On a thread that exists this
        changes nothing, and so moves no version.
        """
        place = self.client.thread(events.thread_id)
        owner = document(accountId=events.account_id, userId=events.user_id)
        fields = merged_fields(events) if touch else owner
        counters: Transforms = _counters(events, new) if touch else {}
        if events.starts_thread:
            return writes.merge(place, fields, counters)
        if version is None:
            return writes.create(place, fields | brief_thread(events), counters)
        return writes.update(place, fields, counters, unchanged_since=version)

    def _arrival(self, thread_id: str, message: Message, part: Found | None) -> Write:
        """Create a message, or let it take over what is there of it."""
        place = self.client.message(thread_id, message.id)
        taken = None if part is None else taken_over(part.doc or {}, message)
        if part is None or taken is None:
            return writes.create(place, message_document(message))
        return writes.put(place, message_document(taken), unchanged_since=part.update_time)

    async def _there(self, thread_id: str, messages: Sequence[Message]) -> "_There":
        names = (self.client.message(thread_id, message.id) for message in messages)
        *found, thread = await self.client.get(*names, self.client.thread(thread_id))
        exists = thread.doc is not None
        there = _There(
            thread=thread.update_time if exists else None,
            erased=is_erased(thread.doc),
            erased_at=erased_at(thread.doc or {}),
        )
        for message, each in zip(messages, found, strict=True):
            if each.doc is None:
                continue
            if taken_over(each.doc, message) is None:
                there.statuses[message.id] = word(each.doc, "status", Status.PROCESSED)
            else:
                there.parts[message.id] = each
        return there

    async def echo_view(self, thread_id: str, message_id: str) -> EchoView:
        """One read of two documents."""
        message, found = await self.client.get(
            self.client.message(thread_id, message_id), self.client.thread(thread_id)
        )
        thread = parse_thread(thread_id, found.doc or {})
        return EchoView(
            known=is_erased(found.doc) or (is_message(message.doc) and not is_standby_copy(message.doc or {})),
            ours=texts_on_their_way(thread.run, thread.unconfirmed),
            mids=platform_ids(thread.run),
            paused_until=thread.paused_until,
            last_inbound_at=thread.last_inbound_at,
            version=_seen(found),
        )


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
    return Version(thread.update_time) if erased_at(thread.doc) is None else None


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
    if events.human_at is not None:
        counters["humanAt"] = ("maximum", events.human_at)
    return counters
