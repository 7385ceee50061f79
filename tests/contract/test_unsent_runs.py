"""An unsend reaches the archived runs that were shown the message: no word is left in them, and nothing else goes."""

import contextlib
import json
import sqlite3
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from dm_core.alerts import AskedAlert
from dm_core.messages import Content, Disposition
from dm_core.runs import Run
from dm_core.store.firestore import FirestoreStore
from dm_core.store.firestore.client import FirestoreClient
from dm_core.store.port import Conflict, ThreadChange
from dm_core.store.sqlite import SqliteStore
from dm_core.store.usage import StoreUsage
from dm_sandbox.examples import EXPIRES, NOW, THREAD, closed, dm, events, full_run

WORDS = ("Hi \U0001f600", "c2lnbmF0dXJl", "a thought", "sessions", "likes tennis", "Call Mia")
"""What the runs say: an argument, contents, a text, a result, a note, an alert."""


class Archive:
    """A store, and a look at the documents of its archived runs."""

    def __init__(self, store: SqliteStore | FirestoreStore, path: Path, client: FirestoreClient | None) -> None:
        self.store, self._path, self._client = store, path, client

    async def run(self, run_id: str) -> dict[str, object]:
        if self._client is not None:
            (found,) = await self._client.get(self._client.name("conversations", THREAD, "runs", run_id))
            assert found.doc is not None
            return found.doc
        with contextlib.closing(sqlite3.connect(self._path)) as connection:
            select = "SELECT doc FROM documents WHERE collection = 'runs' AND id = ?"
            return dict(json.loads(connection.execute(select, (run_id,)).fetchone()[0]))

    async def add(self, run: Run) -> None:
        snapshot = await self.store.open(THREAD)
        assert snapshot is not None
        change = ThreadChange(THREAD, snapshot.version, run.id, NOW, archive=run, archive_expire_at=EXPIRES)
        assert not isinstance(await self.store.commit(change), Conflict)


@pytest.fixture(params=["sqlite", "firestore"])
async def archive(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Archive]:
    path = tmp_path / "store.sqlite3"
    if request.param == "sqlite":
        sqlite = SqliteStore(str(path), lambda: NOW)
        yield Archive(sqlite, path, None)
        await sqlite.close()
        return
    host, project = str(request.getfixturevalue("firestore_host")), f"test-{uuid.uuid4().hex[:20]}"
    firestore = FirestoreStore(project, "(default)", lambda: NOW, host)
    client = FirestoreClient(project, "(default)", host, StoreUsage())
    yield Archive(firestore, path, client)
    await client.close()
    await firestore.close()


def shown(run_id: str, *mids: str) -> Run:
    """A run with every kind of word in it, that was shown these messages."""
    handles = {f"m{n}": mid for n, mid in enumerate(mids, 1)}
    return replace(full_run(run_id), handles=handles, alerts=(AskedAlert(f"{run_id}/0", "Call Mia"),))


def words_in(doc: dict[str, object]) -> set[str]:
    told = json.dumps(doc, ensure_ascii=False, default=str).encode("utf-8", "replace").decode()
    return {word for word in WORDS if word in told or json.dumps(word)[1:-1] in told.replace("\\\\", "\\")}


async def test_no_word_is_left_in_a_run_that_was_shown_the_message(archive: Archive) -> None:
    await archive.store.record(events(closed(dm(1)), closed(dm(2))))
    await archive.add(shown("r1", dm(1).mid))
    await archive.add(shown("r2", dm(2).mid))
    before = await archive.run("r1")
    assert words_in(before) == set(WORDS)

    assert await archive.store.unsend(events(), dm(1).id)

    after, other = await archive.run("r1"), await archive.run("r2")
    assert words_in(after) == set()
    assert words_in(other) == set(WORDS)
    assert after["emptiedAt"] == NOW
    kept = ("id", "conversationId", "messageIds", "promptHash", "tokens", "timings", "expireAt", "guards", "handles")
    assert {key: after[key] for key in kept} == {key: before[key] for key in kept}
    assert [turn["type"] for turn in after["turns"]] == [turn["type"] for turn in before["turns"]]  # pyright: ignore
    assert "send_instagram_message" in json.dumps(after)


async def test_many_runs_are_all_emptied(archive: Archive) -> None:
    await archive.store.record(events(closed(dm(1))))
    for n in range(45):
        await archive.add(shown(f"r{n}", "another", dm(1).mid))

    await archive.store.unsend(events(), dm(1).id)

    assert [words_in(await archive.run(f"r{n}")) for n in range(45)] == [set()] * 45


async def test_an_unsend_of_something_unknown_empties_no_run(archive: Archive) -> None:
    await archive.store.record(events(closed(dm(1))))
    await archive.add(shown("r1", dm(1).mid))
    mark = replace(closed(dm(9)), content=Content(), disposition=Disposition.UNSENT, unsent_at=NOW)

    assert not await archive.store.unsend(events(mark), mark.id)

    assert words_in(await archive.run("r1")) == set(WORDS)
