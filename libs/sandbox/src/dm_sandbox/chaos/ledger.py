"""What the store says at the end, read through its own adapter: threads, their messages, and the runs archived."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from dm_core.bootstrap.parts import open_store
from dm_core.clock import system_clock
from dm_core.messages import Message
from dm_core.runs import Run
from dm_core.settings import StoreSettings, WebhookSettings
from dm_core.store.firestore.client import FirestoreClient
from dm_core.store.run_documents import parse_run
from dm_core.store.usage import StoreUsage
from dm_core.threads import Thread

MOST_MESSAGES = 5_000
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Account:
    """All there is of one thread. ``thread`` None: the store does not know it."""

    thread: Thread | None
    messages: tuple[Message, ...]
    runs: tuple[Run, ...] = ()

    @property
    def at_rest(self) -> bool:
        """Nobody runs it and nobody needs to look at it again."""
        thread = self.thread
        return thread is not None and (thread.lease, thread.run, thread.due_at) == (None, None, None)


class Ledger:
    """Reads the store that both functions are pointed at by this environment."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._settings: StoreSettings = WebhookSettings.load(env).store
        self._store = open_store(self._settings, system_clock)

    async def glance(self, thread_id: str) -> Account:
        """The thread and its messages, without the archive. Raises StoreUnavailable."""
        snapshot = await self._store.open(thread_id)
        messages = await self._store.history(thread_id, MOST_MESSAGES)
        return Account(snapshot.thread if snapshot else None, messages)

    async def read(self, thread_id: str) -> Account:
        """All of it. Raises StoreUnavailable."""
        seen = await self.glance(thread_id)
        return Account(seen.thread, seen.messages, await self._runs(thread_id))

    async def close(self) -> None:
        await self._store.close()

    async def _runs(self, thread_id: str) -> tuple[Run, ...]:
        """The port has no need to list archived runs, so this reads the documents."""
        path = self._settings.sqlite_path
        if path is None:
            documents = await self._firestore_runs(thread_id)
        else:
            documents = _sqlite_runs(path, thread_id)
        return tuple(sorted((parse_run(document) for document in documents), key=lambda run: run.started_at))

    async def _firestore_runs(self, thread_id: str) -> list[Mapping[str, object]]:
        settings = self._settings
        client = FirestoreClient(settings.project, settings.database, settings.emulator_host, StoreUsage())
        try:
            ids = await client.ids("runs", MOST_MESSAGES, "conversations", thread_id)
            names = [client.name("conversations", thread_id, "runs", run_id) for run_id in ids]
            pages = [await client.get(*names[start : start + _PAGE]) for start in range(0, len(names), _PAGE)]
            return [found.doc for page in pages for found in page if found.doc is not None]
        finally:
            await client.close()


def _sqlite_runs(path: str, thread_id: str) -> list[Mapping[str, object]]:
    file = sqlite3.connect(path)
    try:
        rows = file.execute("SELECT doc FROM documents WHERE collection = 'runs' AND parent = ?", (thread_id,))
        return [cast("Mapping[str, object]", json.loads(doc)) for (doc,) in rows]
    finally:
        file.close()
