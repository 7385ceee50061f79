"""The outbox to the manager, over the network: alerts in the store, and the queue of ticks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dm_core.alerts import Alert, AlertStatus, ManagerContact
from dm_core.store.port import Conflict, StoredAlert, Version
from dm_core.threads import Profile
from dm_sandbox.memory_alerts import MemoryAlerts

if TYPE_CHECKING:
    from dm_sandbox.simulation.ports import Wire


@dataclass(frozen=True, slots=True)
class AlertStorePort:
    """The alert store's methods. The sites are ``<function>.store.alert_<verb>``."""

    wire: "Wire"

    @property
    def _alerts(self) -> MemoryAlerts:
        return self.wire.shared.database.outbox

    async def _read_alerts[T](self, site: str, work: Callable[[], T]) -> T:
        return await self.wire.read_store(f"alert_{site}", work)

    async def _write_alerts[T](self, site: str, work: Callable[[], T]) -> T:
        return await self.wire.write_store(f"alert_{site}", work)

    async def create_alert(self, alert: Alert) -> bool:
        return await self._write_alerts("create", lambda: self._alerts.create(alert))

    async def get_alert(self, alert_id: str) -> StoredAlert | None:
        return await self._read_alerts("get", lambda: self._alerts.alerts.get(alert_id))

    async def due_alerts(self, before: int, limit: int) -> tuple[StoredAlert, ...]:
        return await self._read_alerts("due", lambda: self._alerts.due(before, limit))

    async def save_alert(self, alert: Alert, version: Version) -> Version | Conflict:
        return await self._write_alerts("save", lambda: self._alerts.save([StoredAlert(alert, version)]))

    async def create_digest(self, digest: Alert, members: Sequence[StoredAlert]) -> Version | Conflict:
        return await self._write_alerts("save", lambda: self._alerts.save(members, created=[digest]))

    async def dissolve_digest(self, digest: StoredAlert, members: Sequence[StoredAlert]) -> Version | Conflict:
        return await self._write_alerts("save", lambda: self._alerts.save([digest, *members]))

    async def digest_members(self, digest_id: str) -> tuple[StoredAlert, ...]:
        return await self._read_alerts("due", lambda: self._alerts.members(digest_id))

    async def record_status(self, status: AlertStatus) -> bool:
        return await self._write_alerts("status", lambda: self._alerts.record(status))

    async def manager_contact(self) -> ManagerContact:
        return await self._read_alerts("contact", lambda: self._alerts.contact)

    async def note_manager_contact(self, contact: ManagerContact) -> None:
        await self._write_alerts("contact", lambda: self._alerts.note(contact))

    async def thread_profile(self, thread_id: str) -> Profile | None:
        def read() -> Profile | None:
            stored = self.wire.shared.database.threads.get(thread_id)
            return None if stored is None else stored.thread.profile

        return await self._read_alerts("get", read)


@dataclass(frozen=True, slots=True)
class AlertQueuePort:
    """Ticks are kept in ``shared.ticks``, by alert and time; whoever plays the queue delivers them."""

    wire: "Wire"

    async def schedule(self, alert_id: str, not_before: int) -> bool:
        return await self.wire.create_tick(alert_id, not_before)

    async def close(self) -> None: ...
