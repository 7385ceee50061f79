"""What WhatsApp tells of a message afterwards: statuses, by webhook, in any order and number."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from dm_sandbox.platforms.meta import WebhookSender

Manner = Literal["prompt", "late", "twice", "reversed", "never"]
"""How statuses come: at once; after ``late_seconds``; each twice; the last one first; not at all."""


@dataclass(slots=True)
class Statuses:
    """Tells ``webhook``, when there is one. ``late_seconds`` is for the manner ``late``."""

    phone_number_id: str
    account_id: str
    clock: Callable[[], int]
    manner: Manner = "prompt"
    late_seconds: float = 1.0
    webhook: WebhookSender | None = None
    on_told: Callable[[str, str], None] = lambda _wamid, _status: None
    _under_way: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def tell(self, wamid: str, number: str, reference: str, failed_code: int = 0) -> None:
        """Sent and delivered, or failed with a code; in the background."""
        if self.webhook is None or self.manner == "never":
            return
        names = ["failed"] if failed_code else ["sent", "delivered"]
        items = [self.item(name, wamid, number, reference, failed_code) for name in names]
        if self.manner == "reversed":
            items.reverse()
        if self.manner == "twice":
            items = [*items, *items]
        task = asyncio.create_task(self._deliver(items, self.webhook))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def item(self, name: str, wamid: str, number: str, reference: str, failed_code: int = 0) -> dict[str, object]:
        """One status."""
        status: dict[str, object] = {
            "id": wamid,
            "status": name,
            "timestamp": str(self.clock() // 1000),
            "recipient_id": number,
        }
        if reference:
            status["biz_opaque_callback_data"] = reference
        if failed_code:
            details = {"details": "Message failed to send"}
            status["errors"] = [{"code": failed_code, "title": "Message undeliverable", "error_data": details}]
        return status

    def payload(self, *, statuses: list[dict[str, object]] | None = None, **value: object) -> dict[str, object]:
        """A whole delivery about this number."""
        told: dict[str, object] = {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "15550000000", "phone_number_id": self.phone_number_id},
            **value,
        }
        if statuses:
            told["statuses"] = statuses
        entry = {"id": self.account_id, "changes": [{"field": "messages", "value": told}]}
        return {"object": "whatsapp_business_account", "entry": [entry]}

    async def settle(self) -> None:
        """Wait until all that is under way has been told; nothing is told afterwards."""
        self.webhook = None
        for task in list(self._under_way):
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def told(self) -> None:
        """Return once everything that is under way has been delivered."""
        while self._under_way:
            await asyncio.gather(*self._under_way, return_exceptions=True)
            await asyncio.sleep(0)  # gathering what is over yields to nobody, and nobody would take it off the list

    async def _deliver(self, items: list[dict[str, object]], webhook: WebhookSender) -> None:
        if self.manner == "late":
            await asyncio.sleep(self.late_seconds)
        for item in items:
            self.on_told(str(item["id"]), str(item["status"]))
            await webhook.deliver(self.payload(statuses=[item]))
