"""One SQLite file of plain documents, shared by processes: the ground the SQLite store stands on.

One connection, owned by one worker thread, made on first use. WAL: readers never wait, one writer at a time, also
across processes; a writer waits up to ``BUSY_SECONDS``. ``synchronous=NORMAL``: in WAL a commit survives the death of
the process (kill -9 included); only a power cut may lose the newest ones (https://sqlite.org/pragma.html#pragma_synchronous).
Every transaction that may write begins IMMEDIATE, so what it reads stays true until it commits.
"""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, cast

from dm_core.clock import Clock
from dm_core.errors import StoreUnavailable
from dm_core.store.document_values import Document, as_map
from dm_core.store.queries import Query, Selection
from dm_core.store.usage import StoreUsage

BUSY_SECONDS: Final = 5.0
PURGE_LIMIT: Final = 1_000
"""Most expired documents deleted in one go."""

_TABLES = """
CREATE TABLE IF NOT EXISTS documents (
    collection TEXT NOT NULL,
    parent TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    expire_at INTEGER,
    doc TEXT NOT NULL,
    PRIMARY KEY (collection, parent, id)
);
CREATE INDEX IF NOT EXISTS expiring ON documents(expire_at) WHERE expire_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS counter (last_version INTEGER NOT NULL);
"""
"""``version`` comes from one counter for the whole file, so that a document made anew never repeats an old one."""


def _field(name: str) -> str:
    return f"json_extract(doc, '$.{name}')"


def _index(query: Query) -> str:
    """The index a query of the port needs, as SQL. Names come from the code, never from outside."""
    collection, fields = query.value
    columns = ", ".join(f"{_field(name)} {direction}" for name, direction in fields)
    return (
        f"CREATE INDEX IF NOT EXISTS {query.name.lower()} ON documents(parent, {columns}) "
        f"WHERE collection = '{collection}'"
    )


def select_statement(selection: Selection) -> tuple[str, list[object]]:
    """A selection as SQL with its parameters. ``INDEXED BY``: a scan instead of the index is an error, not a delay."""
    parameters: list[object] = [selection.parent]
    condition = ""
    match selection.operator:
        case "in":
            operands = cast("list[object]", selection.operand)
            condition = f" AND {_field(selection.field)} IN ({', '.join('?' * len(operands))})"
            parameters += operands
        case "==":
            condition = f" AND {_field(selection.field)} IS ?"
            parameters.append(selection.operand)
        case "contains":
            condition = f" AND EXISTS (SELECT 1 FROM json_each(doc, '$.{selection.field}') WHERE value = ?)"  # noqa: S608 - own names
            parameters.append(selection.operand)
        case "<":
            condition = f" AND {_field(selection.field)} < ?"
            parameters.append(selection.operand)
        case None:
            condition = f" AND {_field(selection.field)} IS NOT NULL"
    if selection.below is not None:
        condition += f" AND {_field(selection.order[0][0])} < ?"
        parameters.append(selection.below)
    order = ", ".join(f"{_field(name)} {direction}" for name, direction in selection.order)
    statement = (
        f"SELECT id, version, doc FROM documents INDEXED BY {selection.query.name.lower()} "  # noqa: S608 - own names
        f"WHERE collection = '{selection.collection}' AND parent = ?{condition}"
        f"{f' ORDER BY {order}' if order else ''} LIMIT ?"
    )
    return statement, [*parameters, selection.limit]


class Rollback(Exception):
    """Give up the transaction: a condition does not hold."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as read, and its version."""

    id: str
    version: int
    doc: Document


class Transaction:
    """What can be done with documents inside one transaction. ``parent`` is a thread's id, or empty."""

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


class SqliteFile:
    """Runs transactions on the file. Raises StoreUnavailable for everything SQLite cannot do."""

    def __init__(self, path: str, clock: Clock, usage: StoreUsage) -> None:
        self._path = path
        self._clock = clock
        self._usage = usage
        self._executor: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None

    async def read[T](self, work: Callable[[Transaction], T]) -> T:
        """Run reads that see one state of the file."""
        return await self._submit(lambda: self._transact("BEGIN", work))

    async def write[T](self, work: Callable[[Transaction], T]) -> T:
        """Run reads and writes that nothing comes between; applied whole when ``work`` returns, else not at all."""
        return await self._submit(lambda: self._transact("BEGIN IMMEDIATE", work))

    async def close(self) -> None:
        """Close the connection, if there is one."""
        executor, self._executor = self._executor, None
        if executor is not None:
            await asyncio.get_running_loop().run_in_executor(executor, self._disconnect)
            executor.shutdown()

    async def _submit[T](self, job: Callable[[], T]) -> T:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, job)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"SQLite failed: {type(error).__name__}") from error

    # -- below: only ever on the worker thread

    def _transact[T](self, begin: str, work: Callable[[Transaction], T]) -> T:
        self._usage.calls += 1
        connection = self._connected()
        try:
            connection.execute(begin)
            result = work(Transaction(connection, self._usage))
            connection.execute("COMMIT")
        except BaseException as error:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                self._disconnect()  # whatever is wrong with it, the next call starts afresh
            raise
        return result

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                _prepare(connection)
                Transaction(connection, self._usage).purge(self._clock())
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _prepare(connection: sqlite3.Connection) -> None:
    """WAL, tables and indexes. Two processes may do this at once."""
    _use_wal(connection)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("BEGIN IMMEDIATE")
    for statement in (*filter(str.strip, _TABLES.split(";")), *(_index(query) for query in Query)):
        connection.execute(statement)
    connection.execute("INSERT INTO counter SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM counter)")
    connection.execute("COMMIT")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; the switch itself does not wait for other connections, so it is tried again here."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return
