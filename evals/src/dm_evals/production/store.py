"""A stored thread with its archived runs, read and never written.

The store port has everything of a thread but its archived runs, which production never reads; those are taken from the
adapters' own layer below it. The archive keeps no words of people (``store/run_documents.py``): user turns are empty,
and so is what ``get_thread_messages`` brought.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dm_core.clock import system_clock
from dm_core.messages import Message
from dm_core.runs import Run
from dm_core.store.document_values import Document
from dm_core.store.run_documents import parse_run
from dm_core.store.thread_documents import parse_thread_id
from dm_core.store.usage import StoreUsage
from dm_core.threads import Thread

MAX_MESSAGES: Final = 500
"""Newest messages of a thread that are read."""
_SQLITE: Final = "sqlite:///"


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


async def read_thread(url: str, thread_id: str, env: Mapping[str, str]) -> StoredThread:
    """Read it from ``sqlite:///path`` or ``firestore:`` (project, database and emulator from ``env``).

    Raises NotThere, StoreUnavailable.
    """
    if parse_thread_id(thread_id) is None:
        raise NotThere(f"{thread_id!r} is no thread's id: it is {{accountId}}_{{userId}}")
    if url.startswith(_SQLITE):
        return await _from_sqlite(url.removeprefix(_SQLITE), thread_id)
    if url == "firestore:":
        return await _from_firestore(thread_id, env)
    raise NotThere(f"{url!r} is no store: write firestore: or sqlite:///path")


async def _from_sqlite(path: str, thread_id: str) -> StoredThread:
    from dm_core.store.sqlite import SqliteStore
    from dm_core.store.sqlite.file import SqliteFile

    _must_be_there(Path(path))
    store, file = SqliteStore(path), SqliteFile(path, system_clock, StoreUsage())

    async def documents(ids: Sequence[str]) -> list[Document | None]:
        found = await file.read("runs", lambda tx: [tx.get("runs", run_id, thread_id) for run_id in ids])
        return [each.doc if each is not None else None for each in found]

    try:
        snapshot = await store.open(thread_id)
        messages = await store.history(thread_id, MAX_MESSAGES)
        found = await documents(_run_ids(messages))
    finally:
        await store.close()
        await file.close()
    return _stored(snapshot.thread if snapshot else None, messages, found)


def _must_be_there(path: Path) -> None:
    """Opening one that is not there would make it."""
    if not path.is_file():
        raise NotThere(f"there is no file {path.name}")


async def _from_firestore(thread_id: str, env: Mapping[str, str]) -> StoredThread:
    from dm_core.store.firestore import FirestoreStore
    from dm_core.store.firestore.client import FirestoreClient

    project = env.get("GOOGLE_CLOUD_PROJECT", "")
    if not project:
        raise NotThere("GOOGLE_CLOUD_PROJECT is not set: whose Firestore?")
    database, emulator = env.get("FIRESTORE_DATABASE", "(default)"), env.get("FIRESTORE_EMULATOR_HOST") or None
    store = FirestoreStore(project, database, emulator_host=emulator)
    client = FirestoreClient(project, database, emulator, StoreUsage())
    try:
        snapshot = await store.open(thread_id)
        messages = await store.history(thread_id, MAX_MESSAGES)
        ids = _run_ids(messages)
        names = [client.name("conversations", thread_id, "runs", run_id) for run_id in ids]
        found = await client.get(*names) if names else []
    finally:
        await store.close()
        await client.close()
    return _stored(snapshot.thread if snapshot else None, messages, [each.doc for each in found])


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
