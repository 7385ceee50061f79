"""The stores under contract: the same tests on a SQLite file, on Google's Firestore emulator, and in memory."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from dm_core.store.firestore import FirestoreStore
from dm_core.store.sqlite import SqliteStore
from dm_sandbox.examples import NOW
from dm_sandbox.memory_database import MemoryDatabase
from dm_sandbox.memory_store import MemoryStore

type AnyStore = FirestoreStore | SqliteStore | MemoryStore


@pytest.fixture(params=["sqlite", "firestore", "memory"])
async def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[], AnyStore]]:
    """Makes stores on one database, as several instances of a function have them."""
    host = str(request.getfixturevalue("firestore_host")) if request.param == "firestore" else ""
    project = f"test-{uuid.uuid4().hex[:20]}"
    database = MemoryDatabase()
    async with contextlib.AsyncExitStack() as stack:

        def make() -> AnyStore:
            store: AnyStore
            if request.param == "memory":
                store = MemoryStore(database, lambda: NOW)
            elif not host:
                store = SqliteStore(str(tmp_path / "store.sqlite3"), lambda: NOW)
            else:
                store = FirestoreStore(project, "(default)", lambda: NOW, host)
            stack.push_async_callback(store.close)
            return store

        yield make


@pytest.fixture
def store(new_store: Callable[[], AnyStore]) -> AnyStore:
    """One store on an empty database."""
    return new_store()
