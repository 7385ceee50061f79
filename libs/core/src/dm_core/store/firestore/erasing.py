"""Erasure on Firestore: thread by thread, each held by the erasure while what is below it goes."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

from dm_core.clock import Clock
from dm_core.errors import StoreUnavailable
from dm_core.store import queries
from dm_core.store.document_values import is_document_id, text
from dm_core.store.firestore import writes
from dm_core.store.firestore.client import WRITE_ATTEMPTS, FirestoreClient, Moved
from dm_core.store.firestore.protobuf import Found, Instant
from dm_core.store.port import PAGE_SIZE
from dm_core.store.selections import Selection
from dm_core.store.thread_documents import erasing_document, parse_thread_id, tombstone_document

ERASE_PAGE = 400
"""Documents deleted in one commit."""

ERASE_ROUNDS = 20
"""How often an erasure takes a thread in which something keeps coming."""


@dataclass(frozen=True, slots=True)
class FirestoreErasure:
    """Erases a person's threads, and what is kept of them beside the threads; see the port."""

    client: FirestoreClient
    clock: Clock

    async def erase_person(self, user_id: str, limit: int | None = None, code: str = "") -> int:
        """Thread by thread; a crash leaves the rest to be found by the next try."""
        counted = await self._is_stored(code) if code else False
        left, threads = sys.maxsize if limit is None else limit, 0
        for select in (queries.of_person, queries.of_account):
            while left > threads:
                page = await self.client.select(select(user_id, min(PAGE_SIZE, left - threads)))
                for thread in page.found:
                    threads += await self._erase_thread(thread, code if counted else "")
                if not page.found:
                    break
        if threads < left:
            await self._erase_beside(user_id)
        return threads

    async def _is_stored(self, code: str) -> bool:
        """Whether there is a deletion request with this code."""
        if not is_document_id(code):
            return False
        (found,) = await self.client.get(self.client.name("deletions", code))
        return found.doc is not None

    async def _erase_beside(self, user_id: str) -> None:
        """What is kept of a person outside of threads."""
        if is_document_id(user_id):
            await self.client.commit([writes.delete(self.client.name("limits", user_id))], WRITE_ATTEMPTS)
        await self._delete_selected(lambda: queries.quarantine_of(user_id, ERASE_PAGE))

    async def _erase_thread(self, thread: Found, code: str) -> bool:
        """Take the lease, delete what is below, then leave a tombstone, if nothing came meanwhile; else once more.

        The thread's owner goes last: until then a crashed erasure can be found and continued. From the first commit on
        nothing is stored below but a DM: a run's commit, an echo, an unsend, an edit depend on the thread as it was.
        False if another erasure was faster.
        """
        owner = self._owner(thread)
        last = [writes.delete(self.client.name("limits", owner[1]))] if is_document_id(owner[1]) else []
        if code:
            last.append(writes.increment(self.client.name("deletions", code), "threads"))
        place = self.client.thread(thread.id)
        for _ in range(ERASE_ROUNDS):
            if thread.doc is None or not (text(thread.doc, "userId") or text(thread.doc, "accountId")):
                return False
            version = await self._take(thread, owner)
            if version is not None:
                await self._delete_below(thread.id)
                tombstone = tombstone_document(self.clock())
                if await self.client.applied([writes.put(place, tombstone, unchanged_since=version), *last]):
                    return True
            (thread,) = await self.client.get(place)
        raise StoreUnavailable("a thread could not be erased: it kept changing")

    def _owner(self, thread: Found) -> tuple[str, str]:
        """Account and person of a thread."""
        account_id, user_id = parse_thread_id(thread.id) or ("", thread.id)
        fields = thread.doc or {}
        return text(fields, "accountId", account_id), text(fields, "userId", user_id)

    async def _take(self, thread: Found, owner: tuple[str, str]) -> Instant | None:
        """The thread's version once the erasure holds it; None if it changed meanwhile."""
        taken = erasing_document(*owner, self.clock())
        try:
            write = writes.put(self.client.thread(thread.id), taken, unchanged_since=thread.update_time)
            return (await self.client.commit([write]))[0]
        except Moved:
            return None

    async def _delete_below(self, thread_id: str) -> None:
        """Everything of a thread but itself."""
        await self._delete_all(thread_id, "messages")
        await self._delete_all(thread_id, "runs")
        await self._delete_selected(lambda: queries.alerts_of(thread_id, ERASE_PAGE))
        await self._delete_selected(lambda: queries.outbox_of(thread_id, ERASE_PAGE))
        await self._delete_selected(lambda: queries.audit_of(thread_id, ERASE_PAGE))
        await self._delete_selected(lambda: queries.automatic_of(thread_id, ERASE_PAGE))

    async def _delete_all(self, thread_id: str, collection: str) -> None:
        while ids := await self.client.ids(collection, ERASE_PAGE, "conversations", thread_id):
            names = [self.client.name("conversations", thread_id, collection, key) for key in ids]
            await self.client.commit([writes.delete(name) for name in names], WRITE_ATTEMPTS)

    async def _delete_selected(self, select: Callable[[], Selection]) -> None:
        """Delete what a selection of a collection beside the threads finds, until it finds nothing."""
        while found := (await self.client.select(select())).found:
            collection = select().collection
            names = [self.client.name(collection, each.id) for each in found]
            await self.client.commit([writes.delete(name) for name in names], WRITE_ATTEMPTS)
