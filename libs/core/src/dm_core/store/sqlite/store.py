"""The store in one SQLite file: the sandbox, tests, and anybody without Google Cloud."""

from dm_core.clock import Clock, system_clock
from dm_core.store.sqlite.file import SqliteFile
from dm_core.store.transactional import TransactionalStore
from dm_core.store.usage import StoreUsage


class SqliteStore(TransactionalStore):
    """The store port on one file, safe for several processes. Opens it on the first call.

    A version is a number of the document's row, taken from a counter of the whole file. ``usage`` counts documents read
    and transactions.
    """

    def __init__(self, path: str, clock: Clock = system_clock) -> None:
        self.usage = StoreUsage()
        self._file = SqliteFile(path, clock, self.usage)
        super().__init__(self._file, clock)

    async def purge(self) -> int:
        """Delete some of the documents whose ``expireAt`` has passed, as Firestore's TTL does; also done when the file
        is opened. Returns how many; call again while it is not 0."""
        now = self._clock()
        return await self._file.write("purge", lambda tx: tx.purge(now))
