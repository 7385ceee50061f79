"""The store on Firestore: blind merges for the webhook, conditional batched writes for runs, no transaction anywhere.

A version is the thread document's ``update_time``. A write that changes nothing does not move it
(https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#writeresult), so every event also counts
``revision`` up.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace

from dm_core.clock import Clock, system_clock
from dm_core.errors import StoreUnavailable
from dm_core.messages import Message
from dm_core.store import documents as doc
from dm_core.store import firestore_wire as wire
from dm_core.store import selections
from dm_core.store.cost import Cost
from dm_core.store.firestore_client import Exists, FirestoreClient, Moved, Page
from dm_core.store.firestore_events import MAX_ROUNDS
from dm_core.store.firestore_records import FirestoreRecords
from dm_core.store.firestore_wire import Found, Instant, Write
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
from dm_core.store.run_documents import archive_document
from dm_core.threads import Thread
from dm_core.usage import DayRuns, day_of


class FirestoreStore(FirestoreRecords):
    """The store port on Firestore. Nothing connects before the first call; every method raises StoreUnavailable.

    ``cost`` counts documents read and remote calls.
    """

    def __init__(
        self, project: str, database: str = "(default)", clock: Clock = system_clock, emulator_host: str | None = None
    ) -> None:
        self.cost = Cost()
        self._clock = clock
        self._client = FirestoreClient(project, database, emulator_host, self.cost)

    async def open(self, thread_id: str) -> Snapshot | None:
        """Two calls in parallel: the thread with its person's allowance, and the newest page.

        The version must not be newer than the messages, or a DM that came between the two reads would be counted as
        seen. Every event moves the thread in the same commit as its message, and Firestore's times are one order:

            thread.update_time ≤ page.read_time   every event up to the version is on the page; a later one makes the
                                                  next commit conflict
            thread.update_time > page.read_time   the page may lack what made the version: read it again, now
                                                  certainly later than the thread

        A page that shows fewer unprocessed messages than the thread counts is not enough: the rest is looked for after
        both, so that is later than the version as well. Google's emulator needs this even in a short thread: under
        load it was seen to give a page the time of a commit that the page lacks.
        """
        parts = doc.parse_thread_id(thread_id)
        if parts is None:
            return None
        documents, page = await _both(
            self._client.get(self._thread(thread_id), self._client.name("limits", parts[1])),
            self._client.select(selections.newest(thread_id, PAGE_SIZE)),
        )
        found, limits = documents
        if found.doc is None or doc.is_erased(found.doc):
            return None
        if found.update_time > page.read_time:
            page = await self._client.select(selections.newest(thread_id, PAGE_SIZE))
        thread, recent = doc.parse_thread(thread_id, found.doc), _messages(page)
        return Snapshot(
            thread=thread,
            version=Version(found.update_time),
            unprocessed=await self._unprocessed(thread, recent),
            recent=recent,
            allowance=doc.parse_allowance(limits.doc or {}),
        )

    async def _unprocessed(self, thread: Thread, recent: tuple[Message, ...]) -> tuple[Message, ...]:
        """From the page if that shows as many as the thread counts, else by a query of their own."""
        found = tuple(message for message in recent if message.is_unprocessed)
        if len(found) >= thread.pending_count:
            return found
        return _messages(await self._client.select(selections.unprocessed(thread.id)))

    async def commit(self, change: ThreadChange) -> Version | Conflict:
        """One batched write, one attempt: a repeated one could not tell a conflict from its own first success.

        Only a sure answer that nothing was applied, because an alert of the change exists already, is followed by
        another without it.
        """
        version = wire.as_instant(change.version.mark)
        if version is None:
            return CONFLICT
        for _ in range(MAX_ROUNDS):
            try:
                versions = await self._client.commit(self._writes(change, version))
            except Moved:
                return CONFLICT
            except Exists:
                change = replace(change, alerts=await self._missing_alerts(change.alerts))
            else:
                return Version(versions[0])
        raise StoreUnavailable("a thread's alerts kept changing")

    def _writes(self, change: ThreadChange, version: Instant) -> list[Write]:
        thread_id = change.thread_id
        return [
            wire.update(self._thread(thread_id), doc.thread_fields(change), unchanged_since=version),
            *(wire.update(self._message(thread_id, m.id), doc.message_fields(m)) for m in change.messages),
            *(wire.put(self._message(thread_id, m.id), doc.message_document(m)) for m in change.upserts),
            *self._records(change),
            *self._alert_creates(change.alerts),
            *(self._audit(line) for line in change.audit),
        ]

    def _records(self, change: ThreadChange) -> list[Write]:
        """The archived run, the person's allowance and the day's count, where the change has them."""
        writes: list[Write] = []
        if change.archive is not None:
            archive = archive_document(change.archive, change.thread_id, change.now, change.archive_expire_at)
            place = self._client.name("conversations", change.thread_id, "runs", change.archive.id)
            writes.append(wire.put(place, archive))
        parts = doc.parse_thread_id(change.thread_id)
        if change.allowance is not UNSET and parts is not None:
            allowance = doc.allowance_document(change.allowance, change.now)
            writes.append(wire.put(self._client.name("limits", parts[1]), allowance))
        if change.counts_run:
            day = day_of(change.now)
            place = self._client.name("limits", doc.day_runs_id(day))
            writes.append(wire.merge(place, doc.day_runs_fields(day), {"runs": ("increment", 1)}))
        return writes

    async def day_runs(self, day_start: int) -> DayRuns:
        """The counter's document; see the port."""
        (found,) = await self._client.get(self._client.name("limits", doc.day_runs_id(day_start)))
        return doc.parse_day_runs(found.doc or {}, day_start)

    async def history(self, thread_id: str, limit: int) -> tuple[Message, ...]:
        """The newest messages; see the port."""
        if limit < 1 or doc.parse_thread_id(thread_id) is None:
            return ()
        return _messages(await self._client.select(selections.newest(thread_id, limit)))

    async def overdue(self, before: int, limit: int) -> tuple[str, ...]:
        """Threads somebody should have looked at; see the port."""
        return tuple(found.id for found in (await self._client.select(selections.overdue(before, limit))).found)

    async def close(self) -> None:
        """Close the channel."""
        await self._client.close()


def _messages(page: Page) -> tuple[Message, ...]:
    return sorted_messages([doc.parse_message(found.doc or {}) for found in page.found])


async def _both(
    first: Coroutine[object, object, list[Found]], second: Coroutine[object, object, Page]
) -> tuple[list[Found], Page]:
    """Two reads at once; the first failure ends both. Raises StoreUnavailable."""
    try:
        async with asyncio.TaskGroup() as tasks:
            documents, page = tasks.create_task(first), tasks.create_task(second)
    except* StoreUnavailable as errors:
        raise StoreUnavailable(str(errors.exceptions[0])) from errors
    return documents.result(), page.result()
