"""The store of one instance: production's documents and code, on a database at the other end of the network."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from dm_core.store.port import CONFLICT, Conflict, Recorded, Snapshot, ThreadChange, ThreadEvents, Version
from dm_core.store.transactional import Transaction, TransactionalStore
from dm_core.store.transactional.events import record
from dm_core.store.transactional.threads import read_head, read_snapshot
from dm_sandbox.simulation.monitor import current_execution
from dm_sandbox.simulation.network import Line
from dm_sandbox.simulation.wire import READ, WRITE, Wire

_OWN_SITES: Final = ("open", "commit", "history", "record", "echo_view")
_OUTBOX: Final = ("create_outbox", "get_outbox", "save_outbox", "add_audit", "alert_of_message")
_ALERTS: Final = (
    "create_alert",
    "get_alert",
    "due_alerts",
    "save_alerts",
    "digest_members",
    "record_status",
    "manager_contact",
    "note_manager_contact",
    "get_thread",
    "thread_profile",
    "due_outbox",
    "newest_threads",
)


@dataclass(frozen=True, slots=True)
class RemoteDatabase:
    """The database that all instances share; the monitor looks at what every write does."""

    wire: Wire

    async def read[T](self, operation: str, work: Callable[[Transaction], T]) -> T:
        return await self._call(operation, READ, lambda: self.wire.shared.database.transact(work))

    async def write[T](self, operation: str, work: Callable[[Transaction], T]) -> T:
        return await self._call(operation, WRITE, lambda: self.wire.shared.monitor.write(operation, work))

    async def _call[T](self, operation: str, line: Line, effect: Callable[[], T]) -> T:
        return await self.wire.store(self._site(operation), line, effect)

    def _site(self, operation: str) -> str:
        """As named in ``schedule.SITES``."""
        if operation in _OWN_SITES:
            return operation
        if operation in _OUTBOX:
            return "outbox"
        if operation in _ALERTS:
            return "alerts"
        return "change" if self.wire.function == "webhook" else "documents"

    async def close(self) -> None: ...


class StorePort(TransactionalStore):
    """The monitor knows which commit, and which events, a write was for."""

    def __init__(self, wire: Wire) -> None:
        self.wire, self.monitor = wire, wire.shared.monitor
        super().__init__(RemoteDatabase(wire), lambda: self.monitor.now_ms)

    async def open(self, thread_id: str) -> Snapshot | None:
        """Some reads see the messages later than the version, as Firestore's may."""
        shared = self.wire.shared
        if shared.rng.random() >= shared.torn_reads:
            return await super().open(thread_id)
        head = await self._database.read("open", lambda tx: read_head(tx, thread_id))
        await asyncio.sleep(shared.rng.uniform(0, 0.05))
        return None if head is None else shared.database.transact(lambda tx: read_snapshot(tx, head))

    async def commit(self, change: ThreadChange) -> Version | Conflict:
        if not isinstance(change.version.mark, int):
            return CONFLICT
        execution = current_execution()
        return await self._database.write("commit", lambda tx: self.monitor.commit(tx, execution, change))

    async def record(self, events: ThreadEvents) -> Recorded:
        return await self._database.write("record", lambda tx: self.monitor.recorded(events, record(tx, events)))

    async def quarantine(
        self, item_id: str, raw: str, reason: str, now: int, expire_at: int, user_ids: Sequence[str] = ()
    ) -> None:
        self.monitor.quarantined(reason)
        await super().quarantine(item_id, raw, reason, now, expire_at, user_ids)
