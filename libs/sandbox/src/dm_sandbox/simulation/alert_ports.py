"""The way to the manager, over the network: the queue of ticks, and WhatsApp."""

from dataclasses import dataclass

from dm_core.clients.port import WhatsAppHealth
from dm_sandbox.simulation.monitor import current_execution
from dm_sandbox.simulation.schedule import Fault
from dm_sandbox.simulation.wire import MANAGER, QUEUE, Wire

TEMPLATE_ROOM = 824


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

    async def send_draft(self, text: str, reference: str) -> str:
        return await self._send(text, reference, template=False, has_buttons=True)

    async def answer(self, number: str, text: str, reference: str) -> str:  # noqa: ARG002 - one phone is simulated
        phone = self.wire.shared.phone
        return await self.wire.call("whatsapp.answer", MANAGER, lambda _: phone.answer(text, reference))

    async def send_template(self, text: str, reference: str) -> str:
        return await self._send(text, reference, template=True)

    async def _send(self, text: str, reference: str, *, template: bool, has_buttons: bool = False) -> str:
        shared = self.wire.shared
        shared.monitor.calls_manager(current_execution(), reference)

        def take(fault: Fault | None) -> str:
            kind = fault.kind if fault else None
            return shared.phone.take(text, reference, kind, template=template, has_buttons=has_buttons)

        return await self.wire.call("whatsapp.send", MANAGER, take)

    async def health(self) -> WhatsAppHealth:
        return WhatsAppHealth("AVAILABLE", template="APPROVED")

    async def close(self) -> None: ...
