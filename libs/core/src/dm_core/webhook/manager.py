"""What a manager writes on WhatsApp, stored as it came, and a task that reads it
(docs/architecture.md#the-way-of-a-managers-message).

    {"from", "id", "timestamp", "type", "text": {"body"}, "context": {"id": the quoted message},
     "interactive": {"button_reply": {"id", "title"}}, "button": {"text", "payload"}}

https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/payload-examples
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

from dm_core.clock import Clock
from dm_core.durations import DAY_MS
from dm_core.outbox import OutboxItem, outbox_id
from dm_core.queue.port import WakeUpQueue
from dm_core.queue.wakeup import plan_outbox
from dm_core.store.port import AlertStore, OutboxStore
from dm_core.webhook.fields import JsonObject, as_object, text, text_or_number, time_ms

MAX_TEXT_CHARS: Final = 4_096
_MAX_ID_CHARS: Final = 512


NOT_WORDS: Final = frozenset(("reaction", "system", "request_welcome"))
"""Types of messages that nobody wrote to be read."""


class ManagerStore(OutboxStore, AlertStore, Protocol):
    """What managers write, and the alerts that they had."""


@dataclass(frozen=True, slots=True)
class ManagerMessages:
    """Stores what managers write, each message once however often it is delivered."""

    store: ManagerStore
    queue: WakeUpQueue
    clock: Clock
    retention_days: int

    def item(self, message: JsonObject, sender: str, place: int) -> OutboxItem | None:
        """A message as an item, by its place among those of a delivery; None for one without an id."""
        message_id = text_or_number(message.get("id"), _MAX_ID_CHARS)
        if not message_id:
            return None
        now = self.clock()
        interactive = as_object(message.get("interactive")) or {}
        tapped = as_object(interactive.get("button_reply")) or {}
        button = as_object(message.get("button")) or {}
        words = (as_object(message.get("text")) or {}).get("body") or tapped.get("title") or button.get("text")
        return OutboxItem(
            id=outbox_id("whatsapp", message_id),
            sender=sender,
            text=text(words, MAX_TEXT_CHARS) or "",
            created_at=now,
            expire_at=self.expire_at(now),
            sent_at=time_ms(message.get("timestamp"), now) + place,
            quoted=text(_quoted(message), _MAX_ID_CHARS) or "",
            button=text(tapped.get("id") or button.get("payload"), _MAX_ID_CHARS) or "",
        )

    def expire_at(self, now: int) -> int:
        """How long what came now is kept. Both in ms since 1970."""
        return now + self.retention_days * DAY_MS

    async def had_alert(self, message: JsonObject) -> bool:
        """Whether a message quotes an alert of ours, or is a tap on its button: nobody else can know either.

        Raises StoreUnavailable.
        """
        quoted = text(_quoted(message), _MAX_ID_CHARS)
        if quoted and await self.store.alert_of_message(quoted) is not None:
            return True
        tapped = as_object((as_object(message.get("interactive")) or {}).get("button_reply")) or {}
        alert_id = (text(tapped.get("id"), _MAX_ID_CHARS) or "").partition(":")[2]
        return bool(alert_id) and await self.store.get_alert(alert_id) is not None

    async def alert_sent_as(self, wamid: str) -> str | None:
        """The id of the alert that went out as this message. Raises StoreUnavailable."""
        alert = await self.store.alert_of_message(wamid)
        return alert.id if alert is not None else None

    async def take(self, items: Sequence[OutboxItem]) -> None:
        """Store them, and have them read at once, should our clock be ahead of WhatsApp's too.

        Raises StoreUnavailable, QueueUnavailable: Meta then delivers again.
        """
        for item in items:
            await self.store.create_outbox(item)
            task = plan_outbox(item.id, self.clock())
            await self.queue.schedule(replace(task, fire_at=min(task.fire_at, item.sent_at)))


def _quoted(message: JsonObject) -> object:
    """What a message answers; of one that edits or takes back another (``edit``, ``revoke``) that other one, which is
    no alert: so the manager is told that nothing was sent (https://github.com/chatwoot/chatwoot/pull/15771)."""
    parts = (as_object(message.get(name)) or {} for name in ("context", "edit", "revoke"))
    return next((found for part in parts if (found := part.get("id") or part.get("original_message_id"))), None)
