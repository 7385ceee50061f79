"""What a person takes back or writes anew, and a pause that is lifted: writes that depend on what is there."""

from dataclasses import dataclass, replace

from dm_core.errors import StoreUnavailable
from dm_core.store import queries
from dm_core.store.document_values import document, text, whole, with_id
from dm_core.store.firestore import writes
from dm_core.store.firestore.client import MAX_ROUNDS, WRITE_ATTEMPTS, FirestoreClient
from dm_core.store.firestore.protobuf import Found
from dm_core.store.firestore.writes import MOVES, Write
from dm_core.store.message_documents import (
    briefly,
    early_edit_document,
    edit_fields,
    is_message,
    message_document,
    unsent_fields,
)
from dm_core.store.port import NewText, ThreadEvents
from dm_core.store.record_documents import QUARANTINED_OF_ONE, holds_message
from dm_core.store.run_documents import emptied_fields
from dm_core.store.thread_documents import brief_thread, is_erased, kept_notes

RUNS_PAGE = 20
"""Archived runs emptied in one commit; each is far below 1 MiB."""

MAX_PAGES = 50
"""Commits for the runs of one message; an answer is shown a dozen messages, so few runs were shown one."""


@dataclass(frozen=True, slots=True)
class FirestoreAmendments:
    """Unsends, edits and lifted pauses; see the port."""

    client: FirestoreClient

    async def unsend(self, events: ThreadEvents, message_id: str) -> bool:
        """Reads the message first: what is written depends on it, and is conditional on it."""
        for _ in range(MAX_ROUNDS):
            message, thread = await self.client.get(
                self.client.message(events.thread_id, message_id), self.client.thread(events.thread_id)
            )
            known = is_message(message.doc)
            batch = self._unsend_writes(events, message_id, message, thread)
            if not batch or await self.client.applied(batch):
                if not is_erased(thread.doc):
                    await self._empty_rest(events, text(message.doc or {}, "mid"))
                return known
        raise StoreUnavailable("an unsend could not be stored: its message kept changing")

    def _unsend_writes(self, events: ThreadEvents, message_id: str, message: Found, thread: Found) -> list[Write]:
        """Empty a known message, or leave a tombstone, which goes within a day if no DM is known of the thread."""
        if is_erased(thread.doc):
            return []
        place = self.client.message(events.thread_id, message_id)
        if is_message(message.doc):
            fields = unsent_fields(message.doc or {}, events.now)
            emptied = writes.update(place, fields, unchanged_since=message.update_time)
            return [emptied, *([self._move(events.thread_id, events.now)] if thread.doc is not None else [])]
        if not events.messages:
            return [] if thread.doc is None else [self._move(events.thread_id, events.now)]
        mark = replace(events.messages[0], id=message_id)
        if not whole(thread.doc or {}, "lastInboundAt"):
            mark = briefly(mark, events.now)
        tombstone = message_document(mark)
        if message.doc is None:
            stored = writes.create(place, tombstone)
        else:
            stored = writes.put(place, tombstone, unchanged_since=message.update_time)
        return [stored, self._moved_from(events, thread)]

    async def _empty_rest(self, events: ThreadEvents, mid: str) -> None:
        """What the words of a message were copied to: archived runs of a known one, and what of it was quarantined."""
        await self._empty_runs(events, mid)
        mid = mid or next((message.mid for message in events.messages), "")
        if mid:
            found = (await self.client.select(queries.quarantine_of(events.user_id, QUARANTINED_OF_ONE))).found
            names = [self.client.name("quarantine", each.id) for each in found if holds_message(each.doc or {}, mid)]
            if names:
                await self.client.commit([writes.delete(name) for name in names], WRITE_ATTEMPTS)

    async def _empty_runs(self, events: ThreadEvents, mid: str) -> None:
        """Take the words out of the archived runs that were shown a message, and the notes they saved."""
        for _ in range(MAX_PAGES):
            if not mid:
                return
            page = await self.client.select(queries.runs_of_message(events.thread_id, mid, RUNS_PAGE))
            (thread,) = await self.client.get(self.client.thread(events.thread_id))
            batch = [
                writes.update(
                    self.client.name("conversations", events.thread_id, "runs", run.id),
                    emptied_fields(run.doc or {}, events.now),
                    unchanged_since=run.update_time,
                )
                for run in page.found
            ]
            notes = kept_notes(thread.doc or {}, [with_id(run) for run in page.found], mid)
            if notes is not None:
                fields = document(notes=notes)
                batch.append(
                    writes.update(self.client.thread(events.thread_id), fields, unchanged_since=thread.update_time)
                )
            done = not batch or await self.client.applied(batch)
            if done and len(page.found) < RUNS_PAGE:
                return
        raise StoreUnavailable("a message's runs could not be emptied: they kept changing")

    async def edit(self, events: ThreadEvents, message_id: str, new: NewText) -> bool:
        """Reads the message first: what is written depends on it, and is conditional on it."""
        thread_id, now = events.thread_id, events.now
        place = self.client.message(thread_id, message_id)
        for _ in range(MAX_ROUNDS):
            message, thread = await self.client.get(place, self.client.thread(thread_id))
            known = is_message(message.doc)
            if is_erased(thread.doc):
                return known
            if message.doc is None:
                early = early_edit_document(message_id, thread_id, new, now)
                batch = [writes.create(place, early), self._moved_from(events, thread)]
            elif (fields := edit_fields(message.doc, new, now)) is not None:
                batch = [writes.update(place, fields, unchanged_since=message.update_time)]
                batch += [self._move(thread_id, now)] if thread.doc is not None else []
            else:
                return known
            if await self.client.applied(batch):
                return known
        raise StoreUnavailable("an edit could not be stored: its message kept changing")

    def _moved_from(self, events: ThreadEvents, thread: Found) -> Write:
        """Move the version of a thread that is still as it was read, so that nothing new is stored below one that is
        being erased; make one that goes within a day if there is none."""
        if thread.doc is None:
            return writes.create(self.client.thread(events.thread_id), brief_thread(events), MOVES)
        fields = document(updatedAt=events.now)
        return writes.update(self.client.thread(events.thread_id), fields, MOVES, unchanged_since=thread.update_time)

    async def lift_pause(self, thread_id: str, paused_until: int, before: int | None, now: int) -> bool:
        """Conditional on the thread as it was read."""
        place = self.client.thread(thread_id)
        for _ in range(MAX_ROUNDS):
            (thread,) = await self.client.get(place)
            if thread.doc is None or thread.doc.get("pausedUntil") != paused_until:
                return False
            fields = document(pausedUntil=before, updatedAt=now)
            if await self.client.applied([writes.update(place, fields, MOVES, unchanged_since=thread.update_time)]):
                return True
        raise StoreUnavailable("a pause could not be lifted: its thread kept changing")

    def _move(self, thread_id: str, now: int) -> Write:
        """Move the version of a thread that exists."""
        return writes.update(self.client.thread(thread_id), document(updatedAt=now), MOVES)
