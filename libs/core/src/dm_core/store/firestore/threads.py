"""A run's side of the Firestore store: a thread as it is, and the conditional commit."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace

from dm_core.alerts import Alert
from dm_core.errors import StoreUnavailable
from dm_core.messages import Message
from dm_core.store import queries
from dm_core.store.alert_documents import alert_document
from dm_core.store.document_values import with_id
from dm_core.store.firestore import writes
from dm_core.store.firestore.audit import audit_writes
from dm_core.store.firestore.client import MAX_ROUNDS, Exists, FirestoreClient, Moved, Page
from dm_core.store.firestore.protobuf import Found, Instant, as_instant
from dm_core.store.firestore.writes import Write
from dm_core.store.message_documents import message_document, message_fields, parse_message
from dm_core.store.port import CONFLICT, PAGE_SIZE, UNSET, Conflict, Snapshot, ThreadChange, Version, sorted_messages
from dm_core.store.record_documents import allowance_document, day_runs_fields, day_runs_id, parse_allowance
from dm_core.store.run_documents import archive_document
from dm_core.store.thread_documents import is_erased, parse_thread, parse_thread_id, thread_fields
from dm_core.threads import Thread
from dm_core.usage import day_of


@dataclass(frozen=True, slots=True)
class FirestoreThreads:
    """Opens threads and commits to them; see the port."""

    client: FirestoreClient

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
        parts = parse_thread_id(thread_id)
        if parts is None:
            return None
        documents, page = await _both(
            self.client.get(self.client.thread(thread_id), self.client.name("limits", parts[1])),
            self.client.select(queries.newest(thread_id, PAGE_SIZE)),
        )
        found, limits = documents
        if found.doc is None or is_erased(found.doc):
            return None
        if found.update_time > page.read_time:
            page = await self.client.select(queries.newest(thread_id, PAGE_SIZE))
        thread, recent = parse_thread(thread_id, found.doc), _messages(page)
        return Snapshot(
            thread=thread,
            version=Version(found.update_time),
            unprocessed=await self._unprocessed(thread, recent),
            recent=recent,
            allowance=parse_allowance(limits.doc or {}),
        )

    async def _unprocessed(self, thread: Thread, recent: tuple[Message, ...]) -> tuple[Message, ...]:
        """From the page if that shows as many as the thread counts, else by a query of their own."""
        found = tuple(message for message in recent if message.is_unprocessed)
        if len(found) >= thread.pending_count:
            return found
        return _messages(await self.client.select(queries.unprocessed(thread.id)))

    async def commit(self, change: ThreadChange) -> Version | Conflict:
        """One batched write, one attempt: a repeated one could not tell a conflict from its own first success.

        Only a sure answer that nothing was applied, because an alert of the change exists already, is followed by
        another without it.
        """
        version = as_instant(change.version.mark)
        if version is None:
            return CONFLICT
        for _ in range(MAX_ROUNDS):
            try:
                versions = await self.client.commit(self._writes(change, version))
            except Moved:
                return CONFLICT
            except Exists:
                change = replace(change, alerts=await self._missing(change.alerts))
            else:
                return Version(versions[0])
        raise StoreUnavailable("a thread's alerts kept changing")

    def _writes(self, change: ThreadChange, version: Instant) -> list[Write]:
        thread_id = change.thread_id
        return [
            writes.update(self.client.thread(thread_id), thread_fields(change), unchanged_since=version),
            *(writes.update(self.client.message(thread_id, m.id), message_fields(m)) for m in change.messages),
            *(writes.put(self.client.message(thread_id, m.id), message_document(m)) for m in change.upserts),
            *self._records(change),
            *self._creates(change.alerts),
            *audit_writes(self.client, change.audit),
        ]

    def _records(self, change: ThreadChange) -> list[Write]:
        """The archived run, the person's allowance and the day's count, where the change has them."""
        batch: list[Write] = []
        if change.archive is not None:
            archive = archive_document(change.archive, change.thread_id, change.now, change.archive_expire_at)
            place = self.client.name("conversations", change.thread_id, "runs", change.archive.id)
            batch.append(writes.put(place, archive))
        parts = parse_thread_id(change.thread_id)
        if change.allowance is not UNSET and parts is not None:
            allowance = allowance_document(change.allowance, change.now)
            batch.append(writes.put(self.client.name("limits", parts[1]), allowance))
        if change.counts_run:
            day = day_of(change.now)
            place = self.client.name("limits", day_runs_id(day))
            batch.append(writes.merge(place, day_runs_fields(day), {"runs": ("increment", 1)}))
        return batch

    def _creates(self, alerts: Sequence[Alert]) -> list[Write]:
        return [writes.create(self.client.name("alerts", alert.id), alert_document(alert)) for alert in alerts]

    async def _missing(self, alerts: Sequence[Alert]) -> tuple[Alert, ...]:
        """Those that are not there yet."""
        found = await self.client.get(*(self.client.name("alerts", alert.id) for alert in alerts))
        return tuple(alert for alert, each in zip(alerts, found, strict=True) if each.doc is None)

    async def history(self, thread_id: str, limit: int) -> tuple[Message, ...]:
        """The newest messages; see the port."""
        if limit < 1 or parse_thread_id(thread_id) is None:
            return ()
        return _messages(await self.client.select(queries.newest(thread_id, limit)))

    async def overdue(self, before: int, limit: int) -> tuple[str, ...]:
        """Threads somebody should have looked at; see the port."""
        return tuple(found.id for found in (await self.client.select(queries.overdue(before, limit))).found)


def _messages(page: Page) -> tuple[Message, ...]:
    return sorted_messages([parse_message(with_id(found)) for found in page.found])


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
