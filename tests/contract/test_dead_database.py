"""A database that is not there: one clear error, soon."""

import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from dm_core.alerts import AlertStatus, ManagerContact
from dm_core.errors import StoreUnavailable
from dm_core.store import queries
from dm_core.store.firestore import FirestoreStore
from dm_core.store.port import Deletion, NewText, Store, ThreadChange, Version
from dm_core.store.sqlite import SqliteStore
from dm_sandbox.examples import NOW, THREAD, dm, events

CALLS: dict[str, Callable[[Store], Awaitable[object]]] = {
    "open": lambda s: s.open(THREAD),
    "history": lambda s: s.history(THREAD, 5),
    "overdue": lambda s: s.overdue(NOW, 5),
    "record": lambda s: s.record(events(dm(1))),
    "echo_view": lambda s: s.echo_view(THREAD, "a"),
    "unsend": lambda s: s.unsend(events(dm(1)), dm(1).id),
    "edit": lambda s: s.edit(events(), dm(1).id, NewText("x", 1, NOW)),
    "lift_pause": lambda s: s.lift_pause(THREAD, NOW, None, NOW),
    "revise_document": lambda s: s.revise_document("automatic", "a", lambda _: {}, NOW),
    "quarantine": lambda s: s.quarantine("a", "raw", "why", NOW, NOW),
    "create_deletion": lambda s: s.create_deletion(Deletion("c", "u", NOW)),
    "put_deletion": lambda s: s.put_deletion(Deletion("c", "u", NOW)),
    "get_deletion": lambda s: s.get_deletion("c"),
    "erase_person": lambda s: s.erase_person("u"),
    "open_deletions": lambda s: s.open_deletions(5),
    "get_document": lambda s: s.get_document("schedule", "g"),
    "put_document": lambda s: s.put_document("schedule", "g", {}),
    "last_inbound_at": lambda s: s.last_inbound_at(),
    "day_runs": lambda s: s.day_runs(NOW),
    "get_alert": lambda s: s.get_alert("a"),
    "due_alerts": lambda s: s.due_alerts(NOW, 5),
    "digest_members": lambda s: s.digest_members("a"),
    "record_status": lambda s: s.record_status(AlertStatus("a", "delivered", NOW, "w")),
    "manager_contact": lambda s: s.manager_contact(),
    "note_manager_contact": lambda s: s.note_manager_contact(ManagerContact(1, 2, 3)),
    "get_thread": lambda s: s.get_thread(THREAD),
    "get_outbox": lambda s: s.get_outbox("a"),
    "due_outbox": lambda s: s.due_outbox(NOW, 5),
    "alert_of_message": lambda s: s.alert_of_message("w"),
    "newest_threads": lambda s: s.newest_threads(5),
    "documents": lambda s: s.documents.select(queries.waiting(5)),
}


@pytest.fixture(params=["unreachable", "no credentials", "not a database", "a directory"])
async def dead(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FirestoreStore | SqliteStore]:
    path = tmp_path / "store.sqlite3"
    store: FirestoreStore | SqliteStore
    match request.param:
        case "unreachable":
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
                store = FirestoreStore("p", "(default)", lambda: NOW, f"127.0.0.1:{taken.getsockname()[1]}")
                yield store
        case "no credentials":
            store = FirestoreStore("p", "(default)", lambda: NOW)
            yield store
        case "not a database":
            path.write_bytes(b"this is no database at all" * 100)
            store = SqliteStore(str(path), lambda: NOW)
            yield store
        case _:
            path.mkdir()
            store = SqliteStore(str(path), lambda: NOW)
            yield store
    await store.close()


@pytest.mark.parametrize("name", CALLS)
async def test_every_method_says_that_the_store_is_unavailable(dead: FirestoreStore | SqliteStore, name: str) -> None:
    started = time.monotonic()

    with pytest.raises(StoreUnavailable):
        await CALLS[name](dead)

    assert time.monotonic() - started < 5


async def test_a_conditional_commit_on_a_dead_database_is_unknown_and_not_a_conflict(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    path.write_bytes(b"this is no database at all" * 100)
    store = SqliteStore(str(path), lambda: NOW)

    with pytest.raises(StoreUnavailable):
        await store.commit(ThreadChange(THREAD, Version(1), "t", NOW))

    await store.close()
