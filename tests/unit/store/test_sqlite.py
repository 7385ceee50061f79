"""The SQLite file: its indexes are the port's queries, and what has expired goes."""

import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from dm_core.store import queries
from dm_core.store.firestore import FirestoreStore
from dm_core.store.port import Store
from dm_core.store.selections import Query, Selection
from dm_core.store.sqlite import SqliteStore
from dm_core.store.sqlite.statements import select_statement
from dm_sandbox.examples import EXPIRES, NOW, THREAD, closed, dm, events

SELECTIONS = (
    queries.newest(THREAD, 40),
    queries.unprocessed(THREAD),
    queries.overdue(NOW, 5),
    queries.last_inbound(),
    queries.of_person("1", 5),
    queries.of_account("1", 5),
    queries.open_deletions(5),
    queries.outbox_of(THREAD, 5),
    queries.due_outbox(NOW, 5),
    queries.quarantine_of("1", 5),
    queries.automatic_of(THREAD, 5),
    queries.runs_of_message(THREAD, "m", 5),
    queries.due_alerts("urgent", NOW, 5),
    queries.alerts_of(THREAD, 5),
    queries.digest_members("d", 5),
    queries.alert_of_message("wamid"),
    queries.waiting(5),
    queries.steered_since(Query.HANDED_OVER, 5),
    queries.steered_since(Query.PAUSED, 5),
    queries.steered_since(Query.TAKEN_OVER, 5, NOW),
    queries.steered_since(Query.STOPPED, 5),
    queries.of_modes(("off", "draft"), 5),
    queries.named("ana", 5),
    queries.newest_alerts(5),
    queries.alerts_of_cause("failed", 5),
    queries.audit_of(THREAD, 5),
    queries.newest_quarantined(5),
    queries.newest_runs(THREAD, 5, NOW),
    queries.newest_since(THREAD, 5, NOW),
    queries.messages_by_id(["a", "b"]),
    queries.messages_by_beginning("abcdef", 5),
)


def test_every_query_of_the_port_is_used_and_no_other() -> None:
    assert {selection.query for selection in SELECTIONS} == set(Query)


@pytest.mark.parametrize("selection", SELECTIONS, ids=lambda selection: selection.query.name)
async def test_a_query_walks_its_index_and_reads_no_more_than_it_returns(tmp_path: Path, selection: Selection) -> None:
    path = tmp_path / "store.sqlite3"
    store = SqliteStore(str(path), lambda: NOW)
    await store.record(events(dm(1)))
    await store.close()

    with contextlib.closing(sqlite3.connect(path)) as connection:
        statement, parameters = select_statement(selection)
        plan = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]

    assert plan[0].startswith(f"SEARCH documents USING INDEX {selection.query.name.lower()} ")
    # Two statuses are two walks, put in order afterwards; the elements of an array are a walk of their own.
    if selection.operator not in ("in", "contains"):
        assert len(plan) == 1


async def test_what_has_expired_goes_when_the_file_is_opened(tmp_path: Path) -> None:
    path = str(tmp_path / "store.sqlite3")
    early = SqliteStore(path, lambda: NOW)
    keep = replace(closed(dm(2)), expire_at=0)
    later = replace(closed(dm(3)), expire_at=EXPIRES + 9)
    await early.record(events(closed(dm(1)), keep, later))
    await early.close()

    late = SqliteStore(path, lambda: EXPIRES + 1)
    history = await late.history(THREAD, 5)
    again = await late.purge()
    await late.close()

    assert history == (keep, later)
    assert again == 0


async def test_a_store_that_was_closed_or_never_used_can_be_closed(tmp_path: Path) -> None:
    sqlite: Store = SqliteStore(str(tmp_path / "store.sqlite3"))
    firestore: Store = FirestoreStore("project")

    for store in (sqlite, firestore):
        await store.close()
        await store.close()


def test_a_store_touches_nothing_before_its_first_call(tmp_path: Path) -> None:
    SqliteStore(str(tmp_path / "store.sqlite3"))

    assert list(tmp_path.iterdir()) == []
