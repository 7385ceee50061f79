"""The webhook's side of the Firestore store: what came in for a thread, written without reading it first."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import batched

from dm_core.errors import StoreUnavailable
from dm_core.messages import Message, Status
from dm_core.store import documents as doc
from dm_core.store import firestore_wire as wire
from dm_core.store.firestore_client import Exists, FirestoreClient, Moved
from dm_core.store.firestore_wire import Transform, Transforms, Write
from dm_core.store.plain import Document, document, word
from dm_core.store.port import EchoView, Recorded, ThreadEvents

MAX_CREATES = 450
"""Messages created in one commit; a request's usual one or two are far below."""

MAX_ROUNDS = 5
"""How often a write is prepared anew because something else was faster."""

WRITE_ATTEMPTS = 3

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
        missing = messages
        existing: dict[str, Status] = {}
        for _ in range(MAX_ROUNDS):
            writes = self._record_writes(events, missing, duplicates=bool(existing))
            if not writes:
                return Recorded((), existing)
            try:
                await self._client.commit(writes, WRITE_ATTEMPTS)
            except Exists:
                existing = await self._statuses(events.thread_id, messages)
                missing = tuple(message for message in messages if message.id not in existing)
            except Moved as error:
                raise StoreUnavailable("Firestore refused to store a thread's events") from error
            else:
                return Recorded(tuple(message.id for message in missing), existing)
        raise StoreUnavailable("a thread's events could not be stored: its messages kept changing")

    def _record_writes(self, events: ThreadEvents, messages: Sequence[Message], *, duplicates: bool) -> list[Write]:
        """The commit for these messages. Pure duplicates leave the thread alone, so that they wake nobody; a pause is
        renewed all the same."""
        writes = [wire.create(self._message(events.thread_id, m.id), doc.message_document(m)) for m in messages]
        touch = events.touch_thread
        if duplicates and not messages:
            touch = touch and events.paused_until is not None
            events = replace(events, messages=(), due_at=None, last_inbound_at=None)
        place = self._thread(events.thread_id)
        if touch:
            writes.append(wire.merge(place, doc.merged_fields(events), _counters(events, messages)))
        elif messages:
            # Whose thread it is, so that an erasure finds messages stored alone. On a thread that exists this
            # changes nothing, and so moves no version.
            writes.append(wire.merge(place, document(accountId=events.account_id, userId=events.user_id)))
        return writes

    async def _statuses(self, thread_id: str, messages: Iterable[Message]) -> dict[str, Status]:
        found = await self._client.get(*(self._message(thread_id, message.id) for message in messages))
        return {f.id: word(f.doc, "status", Status.PROCESSED) for f in found if f.doc is not None}

    async def echo_view(self, thread_id: str, message_id: str) -> EchoView:
        """One read of two documents."""
        message, found = await self._client.get(self._message(thread_id, message_id), self._thread(thread_id))
        thread = doc.parse_thread(thread_id, found.doc or {})
        return EchoView(
            known=message.doc is not None,
            ours=doc.texts_on_their_way(thread.run, thread.unconfirmed),
            mids=doc.platform_ids(thread.run),
        )

    async def unsend(self, events: ThreadEvents, message_id: str) -> bool:
        """Reads the message first: what is written depends on it, and is conditional on it."""
        place = self._message(events.thread_id, message_id)
        for _ in range(MAX_ROUNDS):
            message, thread = await self._client.get(place, self._thread(events.thread_id))
            writes: list[Write] = []
            if message.doc is not None:
                fields = doc.unsent_fields(message.doc, events.now)
                writes.append(wire.update(place, fields, unchanged_since=message.update_time))
            elif events.messages:
                writes.append(wire.create(place, doc.message_document(replace(events.messages[0], id=message_id))))
            if thread.doc is not None:
                writes.append(self._move(events.thread_id, events.now))
            if not writes or await self._applied(writes):
                return message.doc is not None
        raise StoreUnavailable("an unsend could not be stored: its message kept changing")

    async def edit(self, thread_id: str, message_id: str, text: str, now: int) -> bool:
        """Reads the message first; the write is conditional on it."""
        place = self._message(thread_id, message_id)
        for _ in range(MAX_ROUNDS):
            message, thread = await self._client.get(place, self._thread(thread_id))
            if message.doc is None or message.doc.get("status") != Status.PENDING:
                return False
            fields = document(message={"text": text}, editedAt=now, updatedAt=now)
            only = ("message.text", "editedAt", "updatedAt")
            writes = [wire.update(place, fields, unchanged_since=message.update_time, only=only)]
            if thread.doc is not None:
                writes.append(self._move(thread_id, now))
            if await self._applied(writes):
                return True
        raise StoreUnavailable("an edit could not be stored: its message kept changing")

    def _move(self, thread_id: str, now: int) -> Write:
        """Move the version of a thread that exists."""
        return wire.update(self._thread(thread_id), document(updatedAt=now), MOVES)

    async def _applied(self, writes: Sequence[Write]) -> bool:
        """Commit; False when something else was faster and the write must be prepared anew."""
        try:
            await self._client.commit(writes)
        except (Exists, Moved):
            return False
        return True

    async def quarantine(self, item_id: str, raw: str, reason: str, now: int, expire_at: int) -> None:
        """One document an item."""
        await self._put(("quarantine", item_id), doc.quarantine_document(raw, reason, now, expire_at))

    async def _put(self, path: tuple[str, str], fields: Document) -> None:
        """A whole document, whatever was there; may be applied twice."""
        try:
            await self._client.commit([wire.put(self._client.name(*path), fields)], WRITE_ATTEMPTS)
        except Moved as error:
            raise StoreUnavailable("Firestore refused a document") from error


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
