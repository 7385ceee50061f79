"""One SQLite file of plain documents, shared by processes: the ground the SQLite store stands on.

One connection, owned by one worker thread, made on first use. WAL: readers never wait, one writer at a time, also
across processes; a writer waits up to ``BUSY_SECONDS``. ``synchronous=NORMAL``: in WAL a commit survives the death of
the process (kill -9 included); only a power cut may lose the newest ones (https://sqlite.org/pragma.html#pragma_synchronous).
Every transaction that may write begins IMMEDIATE, so what it reads stays true until it commits.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from dm_core.clock import Clock
from dm_core.errors import StoreUnavailable
from dm_core.store.selections import Query
from dm_core.store.sqlite.statements import TABLES, index_statement
from dm_core.store.sqlite.transaction import SqliteTransaction
from dm_core.store.usage import StoreUsage

BUSY_SECONDS: Final = 5.0


class SqliteFile:
    """Runs transactions on the file. Raises StoreUnavailable for everything SQLite cannot do."""

    def __init__(self, path: str, clock: Clock, usage: StoreUsage) -> None:
        self._path = path
        self._clock = clock
        self._usage = usage
        self._executor: ThreadPoolExecutor | None = None
        self._connection: sqlite3.Connection | None = None

    async def read[T](self, operation: str, work: Callable[[SqliteTransaction], T]) -> T:
        """Run reads that see one state of the file."""
        return await self._submit(operation, lambda: self._transact("BEGIN", work))

    async def write[T](self, operation: str, work: Callable[[SqliteTransaction], T]) -> T:
        """Run reads and writes that nothing comes between; applied whole when ``work`` returns, else not at all."""
        return await self._submit(operation, lambda: self._transact("BEGIN IMMEDIATE", work))

    async def close(self) -> None:
        """Close the connection, if there is one."""
        executor, self._executor = self._executor, None
        if executor is not None:
            await asyncio.get_running_loop().run_in_executor(executor, self._disconnect)
            executor.shutdown()

    async def _submit[T](self, operation: str, job: Callable[[], T]) -> T:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, job)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"SQLite failed in {operation}: {type(error).__name__}") from error

    # -- below: only ever on the worker thread

    def _transact[T](self, begin: str, work: Callable[[SqliteTransaction], T]) -> T:
        self._usage.calls += 1
        connection = self._connected()
        try:
            connection.execute(begin)
            result = work(SqliteTransaction(connection, self._usage))
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
                SqliteTransaction(connection, self._usage).purge(self._clock())
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
    for statement in (*filter(str.strip, TABLES.split(";")), *(index_statement(query) for query in Query)):
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
