"""The store in this process's memory; ``tests/contract`` holds it to what the other two keep."""

import asyncio
from collections.abc import Callable

from dm_core.clock import Clock, system_clock
from dm_core.store.transactional import Transaction, TransactionalStore
from dm_core.store.usage import StoreUsage
from dm_sandbox.memory_database import MemoryDatabase


class MemoryStore(TransactionalStore):
    """The store port on a database in memory. Every call lets others go first, as a remote one would.

    ``usage`` counts documents read and calls.
    """

    def __init__(self, database: MemoryDatabase | None = None, clock: Clock = system_clock) -> None:
        self._connection = _Connection(database or MemoryDatabase())
        super().__init__(self._connection, clock)

    @property
    def usage(self) -> StoreUsage:
        return self._connection.usage

    @property
    def database(self) -> MemoryDatabase:
        return self._connection.database

    @database.setter
    def database(self, database: MemoryDatabase) -> None:
        self._connection.database = database


class _Connection:
    """One store's way to the database."""

    def __init__(self, database: MemoryDatabase) -> None:
        self.database, self.usage = database, StoreUsage()

    async def read[T](self, operation: str, work: Callable[[Transaction], T]) -> T:
        return await self.write(operation, work)

    async def write[T](self, operation: str, work: Callable[[Transaction], T]) -> T:  # noqa: ARG002 - nothing fails
        await asyncio.sleep(0)
        self.usage.calls += 1
        return self.database.transact(work, self.usage)

    async def close(self) -> None:
        """Nothing to release; the database stays."""
