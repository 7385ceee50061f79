"""The outbox to the manager, over the network: alerts in the store, the queue of ticks, and WhatsApp."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dm_core.alerts import Alert, AlertStatus, ManagerContact
from dm_core.clients.port import WhatsAppHealth
from dm_core.outbox import AuditLine, OutboxItem
from dm_core.store.port import Conflict, StoredAlert, StoredOutbox, Version
from dm_core.threads import Profile, Thread
from dm_sandbox.memory_alerts import MemoryAlerts
from dm_sandbox.memory_outbox import MemoryOutbox
from dm_sandbox.simulation.monitor import current_execution
from dm_sandbox.simulation.schedule import Fault
from dm_sandbox.simulation.wire import MANAGER, QUEUE, READ, WRITE, Wire

TEMPLATE_ROOM = 824


@dataclass(frozen=True, slots=True)
class AlertStorePort:
    """The alert store's methods. The monitor looks at every write."""

    wire: Wire

    @property
    def _alerts(self) -> MemoryAlerts:
        return self.wire.shared.database.outbox

    @property
    def _sent(self) -> MemoryOutbox:
        return self.wire.shared.database.sent

    async def _read_alerts[T](self, work: Callable[[], T]) -> T:
        return await self.wire.store("alerts", READ, work)

    async def _write_alerts[T](self, work: Callable[[], T]) -> T:
        return await self.wire.store("alerts", WRITE, work)

    async def create_alert(self, alert: Alert) -> bool:
        monitor = self.wire.shared.monitor
        return await self._write_alerts(lambda: monitor.created((alert,), lambda: self._alerts.create(alert)))

    async def get_alert(self, alert_id: str) -> StoredAlert | None:
        return await self._read_alerts(lambda: self._alerts.alerts.get(alert_id))

    async def due_alerts(self, before: int, limit: int) -> tuple[StoredAlert, ...]:
        return await self._read_alerts(lambda: self._alerts.due(before, limit))

    async def save_alert(self, alert: Alert, version: Version) -> Version | Conflict:
        return await self._saved([StoredAlert(alert, version)])

    async def create_digest(self, digest: Alert, members: Sequence[StoredAlert]) -> Version | Conflict:
        return await self._saved(members, created=[digest])

    async def dissolve_digest(self, digest: StoredAlert, members: Sequence[StoredAlert]) -> Version | Conflict:
        return await self._saved([digest, *members])

    async def _saved(self, alerts: Sequence[StoredAlert], created: Sequence[Alert] = ()) -> Version | Conflict:
        """Written whole on its conditions, or not at all."""
        monitor = self.wire.shared.monitor

        def write() -> Version | Conflict:
            outcome = self._alerts.save(alerts, created)
            if not isinstance(outcome, Conflict):
                monitor.saved([*created, *(stored.alert for stored in alerts)])
            return outcome

        return await self._write_alerts(write)

    async def digest_members(self, digest_id: str) -> tuple[StoredAlert, ...]:
        return await self._read_alerts(lambda: self._alerts.members(digest_id))

    async def record_status(self, status: AlertStatus) -> bool:
        return await self._write_alerts(lambda: self.wire.shared.monitor.told_status(status))

    async def manager_contact(self) -> ManagerContact:
        return await self._read_alerts(lambda: self._alerts.contact)

    async def note_manager_contact(self, contact: ManagerContact) -> None:
        await self._write_alerts(lambda: self._alerts.note(contact))

    async def get_thread(self, thread_id: str) -> Thread | None:
        def read() -> Thread | None:
            stored = self.wire.shared.database.threads.get(thread_id)
            return None if stored is None else stored.thread

        return await self._read_alerts(read)

    async def create_outbox(self, item: OutboxItem) -> bool:
        return await self._write_alerts(lambda: self._sent.create(item))

    async def get_outbox(self, item_id: str) -> StoredOutbox | None:
        return await self._read_alerts(lambda: self._sent.items.get(item_id))

    async def save_outbox(self, item: OutboxItem, version: Version) -> Version | Conflict:
        return await self._write_alerts(lambda: self._sent.save(item, version))

    async def add_audit(self, line: AuditLine) -> None:
        await self._write_alerts(lambda: self._sent.audit.update({line.id: line}))

    async def alert_of_message(self, wamid: str) -> Alert | None:
        alerts = self._alerts.alerts
        return await self._read_alerts(
            lambda: next((s.alert for s in alerts.values() if wamid in s.alert.wamids), None)
        )

    async def newest_threads(self, limit: int, before: int | None = None) -> tuple[Thread, ...]:
        def read() -> tuple[Thread, ...]:
            threads = [stored.thread for stored in self.wire.shared.database.threads.values()]
            found = [t for t in threads if t.last_inbound_at and (before is None or t.last_inbound_at < before)]
            return tuple(sorted(found, key=lambda thread: -thread.last_inbound_at)[:limit])

        return await self._read_alerts(read)

    async def thread_profile(self, thread_id: str) -> Profile | None:
        def read() -> Profile | None:
            stored = self.wire.shared.database.threads.get(thread_id)
            return None if stored is None else stored.thread.profile

        return await self._read_alerts(read)


@dataclass(frozen=True, slots=True)
class AlertQueuePort:
    """The second queue, whose tasks are ticks."""

    wire: Wire

    async def schedule(self, alert_id: str, not_before: int) -> bool:
        site = f"{self.wire.function}.alert_queue.schedule"
        return await self.wire.call(site, QUEUE, lambda _: self.wire.shared.ticks.create(alert_id, not_before))

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class WhatsAppPort:
    """The phone's record is the truth. No run may call here: an alert never holds up a reply."""

    wire: Wire

    @property
    def template_room(self) -> int | None:
        return TEMPLATE_ROOM

    async def send_text(self, text: str, reference: str) -> str:
        return await self._send(text, reference, template=False)

    async def answer(self, number: str, text: str, reference: str) -> str:  # noqa: ARG002 - one phone is simulated
        return await self.send_text(text, reference)

    async def send_template(self, text: str, reference: str) -> str:
        return await self._send(text, reference, template=True)

    async def _send(self, text: str, reference: str, *, template: bool) -> str:
        shared = self.wire.shared
        shared.monitor.calls_manager(current_execution(), reference)

        def take(fault: Fault | None) -> str:
            return shared.phone.take(text, reference, fault.kind if fault else None, template=template)

        return await self.wire.call("whatsapp.send", MANAGER, take)

    async def health(self) -> WhatsAppHealth:
        return WhatsAppHealth("AVAILABLE", template="APPROVED")

    async def close(self) -> None: ...
