"""A stored thread with its archived runs, read and never written.

The store port has everything of a thread but its archived runs, which production never reads; those are taken from the
adapters' own layer below it. The archive keeps no words of people (``store/run_documents.py``): user turns are empty,
and so is what ``get_thread_messages`` brought.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dm_core.clock import system_clock
from dm_core.messages import Message
from dm_core.runs import Run
from dm_core.store.document_values import Document
from dm_core.store.port import Store
from dm_core.store.run_documents import parse_run
from dm_core.store.thread_documents import parse_thread_id
from dm_core.store.usage import StoreUsage
from dm_core.threads import Thread

MAX_MESSAGES: Final = 500
"""Newest messages of a thread that are read."""
PAGE: Final = 100
_SQLITE: Final = "sqlite:///"
Archive = Callable[[str, Sequence[str]], Awaitable[list[Document | None]]]
Close = Callable[[], Awaitable[None]]


class NotThere(Exception):
    """The store or the thread can't be read; the message says why."""


@dataclass(frozen=True, slots=True)
class ArchivedRun:
    """A run that ended, and when (ms since 1970)."""

    run: Run
    ended_at: int


@dataclass(frozen=True, slots=True)
class StoredThread:
    """``runs`` oldest first. ``lost``: how many runs the messages name that the archive does not have any more."""

    thread: Thread
    messages: tuple[Message, ...]
    runs: tuple[ArchivedRun, ...]
    lost: int


@asynccontextmanager
async def opened(url: str, env: Mapping[str, str]) -> AsyncGenerator["Reader"]:
    """``sqlite:///path`` or ``firestore:`` (project, database and emulator from ``env``). Raises NotThere."""
    if url.startswith(_SQLITE):
        store, archive, close = _sqlite(url.removeprefix(_SQLITE))
    elif url == "firestore:":
        store, archive, close = _firestore(env)
    else:
        raise NotThere(f"{url!r} is no store: write firestore: or sqlite:///path")
    try:
        yield Reader(store, archive)
    finally:
        await store.close()
        await close()


async def read_thread(url: str, thread_id: str, env: Mapping[str, str]) -> StoredThread:
    """One thread. Raises NotThere, StoreUnavailable."""
    if parse_thread_id(thread_id) is None:
        raise NotThere(f"{thread_id!r} is no thread's id: it is {{accountId}}_{{userId}}")
    async with opened(url, env) as reader:
        return await reader.thread(thread_id)


@dataclass(frozen=True, slots=True)
class Reader:
    """A store that is only read, and its archive of runs: documents by thread and run ids."""

    store: Store
    archive: Archive

    async def thread(self, thread_id: str) -> StoredThread:
        """Raises NotThere, StoreUnavailable."""
        snapshot = await self.store.open(thread_id)
        messages = await self.store.history(thread_id, MAX_MESSAGES)
        ids = _run_ids(messages)
        found = await self.archive(thread_id, ids) if ids else []
        return _stored(snapshot.thread if snapshot else None, messages, found)

    async def since(self, since: int) -> list[Thread]:
        """The threads with a DM from then on (ms since 1970), the latest first."""
        found: dict[str, Thread] = {}
        before: int | None = None
        while page := await self.store.newest_threads(PAGE, before):
            before = page[-1].last_inbound_at
            found |= {thread.id: thread for thread in page if thread.last_inbound_at >= since}
            if before < since:
                break
        return list(found.values())


def _sqlite(path: str) -> tuple[Store, Archive, Close]:
    from dm_core.store.sqlite import SqliteStore
    from dm_core.store.sqlite.file import SqliteFile

    if not Path(path).is_file():  # opening one that is not there would make it
        raise NotThere(f"there is no file {Path(path).name}")
    file = SqliteFile(path, system_clock, StoreUsage())

    async def archive(thread_id: str, ids: Sequence[str]) -> list[Document | None]:
        found = await file.read("runs", lambda tx: [tx.get("runs", run_id, thread_id) for run_id in ids])
        return [each.doc if each is not None else None for each in found]

    return SqliteStore(path), archive, file.close


def _firestore(env: Mapping[str, str]) -> tuple[Store, Archive, Close]:
    from dm_core.store.firestore import FirestoreStore
    from dm_core.store.firestore.client import FirestoreClient

    project = env.get("GOOGLE_CLOUD_PROJECT", "")
    if not project:
        raise NotThere("GOOGLE_CLOUD_PROJECT is not set: whose Firestore?")
    database, emulator = env.get("FIRESTORE_DATABASE", "(default)"), env.get("FIRESTORE_EMULATOR_HOST") or None
    client = FirestoreClient(project, database, emulator, StoreUsage())

    async def archive(thread_id: str, ids: Sequence[str]) -> list[Document | None]:
        found = await client.get(*(client.name("conversations", thread_id, "runs", run_id) for run_id in ids))
        return [each.doc for each in found]

    return FirestoreStore(project, database, emulator_host=emulator), archive, client.close


def _run_ids(messages: Sequence[Message]) -> list[str]:
    return list(dict.fromkeys(message.run_id for message in messages if message.run_id))


def _stored(thread: Thread | None, messages: tuple[Message, ...], documents: Sequence[Document | None]) -> StoredThread:
    if thread is None:
        raise NotThere("there is no such thread in this store")
    kept = [document for document in documents if document]
    runs = [ArchivedRun(parse_run(document), _whole(document.get("endedAt"))) for document in kept]
    ordered = tuple(sorted(runs, key=lambda each: (each.run.started_at, each.run.id)))
    return StoredThread(thread, messages, ordered, len(documents) - len(kept))


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
