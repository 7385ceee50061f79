"""The documents of one SQLite connection, inside a transaction that is open."""

import json
import sqlite3
from typing import Final, cast

from dm_core.store.document_values import Document, as_map
from dm_core.store.selections import Selection
from dm_core.store.sqlite.statements import select_statement
from dm_core.store.transactional import Stored
from dm_core.store.usage import StoreUsage

PURGE_LIMIT: Final = 1_000
"""Most expired documents deleted in one go."""


class SqliteTransaction:
    """See ``Transaction``. ``usage`` counts what is read."""

    def __init__(self, connection: sqlite3.Connection, usage: StoreUsage) -> None:
        self._connection = connection
        self._usage = usage

    def get(self, collection: str, key: str, parent: str = "") -> Stored | None:
        self._usage.reads += 1
        row = self._connection.execute(
            "SELECT id, version, doc FROM documents WHERE collection = ? AND parent = ? AND id = ?",
            (collection, parent, key),
        ).fetchone()
        return None if row is None else _stored(row)

    def select(self, selection: Selection) -> list[Stored]:
        rows = self._connection.execute(*select_statement(selection)).fetchall()
        self._usage.reads += max(1, len(rows))
        return [_stored(row) for row in rows]

    def below(self, parent: str, collection: str) -> list[Stored]:
        """Every document of a thread's subcollection."""
        rows = self._connection.execute(
            "SELECT id, version, doc FROM documents WHERE collection = ? AND parent = ? ORDER BY id",
            (collection, parent),
        ).fetchall()
        self._usage.reads += max(1, len(rows))
        return [_stored(row) for row in rows]

    def put(self, collection: str, key: str, doc: Document, parent: str = "") -> int:
        """Write a whole document, whatever was there; its new version."""
        (version,) = self._connection.execute(
            "UPDATE counter SET last_version = last_version + 1 RETURNING last_version"
        ).fetchone()
        self._connection.execute(
            "INSERT INTO documents (collection, parent, id, version, expire_at, doc) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (collection, parent, id) DO UPDATE SET "
            "version = excluded.version, expire_at = excluded.expire_at, doc = excluded.doc",
            (collection, parent, key, version, doc.get("expireAt"), json.dumps(doc, ensure_ascii=False)),
        )
        return int(version)

    def delete(self, collection: str, key: str) -> None:
        self._connection.execute(
            "DELETE FROM documents WHERE collection = ? AND parent = '' AND id = ?", (collection, key)
        )

    def delete_below(self, parent: str) -> None:
        """Delete everything in a thread's subcollections."""
        for collection in ("messages", "runs"):
            self._connection.execute("DELETE FROM documents WHERE collection = ? AND parent = ?", (collection, parent))

    def purge(self, now: int) -> int:
        """Delete some of what has expired; how many."""
        return self._connection.execute(
            "DELETE FROM documents WHERE rowid IN "
            "(SELECT rowid FROM documents WHERE expire_at IS NOT NULL AND expire_at < ? LIMIT ?)",
            (now, PURGE_LIMIT),
        ).rowcount


def _stored(row: tuple[str, int, str]) -> Stored:
    return Stored(row[0], row[1], as_map(cast("object", json.loads(row[2]))))
