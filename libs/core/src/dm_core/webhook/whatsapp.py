"""WhatsApp's webhook: what became of the alerts, and when the manager wrote (docs/platforms/whatsapp.md#webhook).

    {"object": "whatsapp_business_account", "entry": [{"changes": [{"field": "messages", "value": {
        "metadata": {"phone_number_id"}, "statuses": [status, …], "messages": [message, …]}}]}]}

Statuses come out of order, twice and late; each writes its own fields, only where its alert exists. What can't be
stored is a 500, and Meta delivers all of it again. What is not understood goes to ``quarantine/`` piece by piece and
leaves the rest alone.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from dm_core.alerts import AlertStatus, ManagerContact
from dm_core.clock import Clock
from dm_core.durations import HOUR_MS
from dm_core.errors import QueueUnavailable, described
from dm_core.http import Response
from dm_core.outbox import OutboxItem
from dm_core.queue.port import AlertQueue
from dm_core.settings import WhatsAppWebhookSettings
from dm_core.settings.whatsapp import digits
from dm_core.store.port import AlertStore
from dm_core.telemetry import emit
from dm_core.webhook.events import Unknown
from dm_core.webhook.fields import JsonObject, as_list, as_object, identifier, number, text, text_or_number, time_ms
from dm_core.webhook.items import unknown
from dm_core.webhook.manager import NOT_WORDS, ManagerMessages
from dm_core.webhook.quarantine import MAX_QUARANTINED, QuarantineStore, quarantined
from dm_core.webhook.signature import matching_secret
from dm_core.webhook.work import all_of

WHATSAPP: Final = "whatsapp_business_account"
"""What a delivery says it is about."""
ADDRESS: Final = "/whatsapp"
"""Where Meta was told to deliver; what comes elsewhere is taken all the same."""

MAX_CALLS: Final = 32
"""Most statuses, or odd pieces, that one request stores at a time."""
MAX_NAMELESS: Final = 20
"""Most messages without a number of which one request asks whether they answer an alert."""
NOTED_MS: Final = HOUR_MS
"""How often an instance notes that statuses come."""

_KINDS: Final[dict[str, Literal["sent", "delivered", "read", "failed"]]] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "played": "read",
    "failed": "failed",
}
_OUTSIDE_WINDOW: Final = 131047
_MAX_ID_CHARS: Final = 512

_NATIONAL: Final = re.compile(r"(52)1(\d{10})|(54)9(\d{10})|(55\d\d)9([6-9]\d{7})")
"""Mobile numbers of Mexico, Argentina and Brazil with a digit that WhatsApp's own id may have or lack, whatever people
write (https://github.com/wwebjs/whatsapp-web.js/issues/596)."""


@dataclass(slots=True)
class _Received:
    """What one request holds for us. Times in ms since 1970."""

    statuses: list[AlertStatus] = field(default_factory=list[AlertStatus])
    heard_at: int | None = None
    written: list[OutboxItem] = field(default_factory=list[OutboxItem])
    nameless: list[JsonObject] = field(default_factory=list[JsonObject])
    odd: dict[str, Unknown] = field(default_factory=dict[str, Unknown])
    counts: Counter[str] = field(default_factory=Counter[str])

    def not_understood(self, piece: object, reason: str) -> None:
        """To be kept; ``reason`` in our words, never theirs."""
        fits = len(self.odd) < MAX_QUARANTINED
        self.counts["quarantined" if fits else "quarantine_full"] += 1
        if fits:
            item = unknown(piece, f"WhatsApp: {reason}")
            self.odd[item.key] = item


class WhatsAppReceiver:
    """Takes WhatsApp's deliveries; safe to call concurrently."""

    def __init__(
        self,
        store: AlertStore,
        queue: AlertQueue,
        clock: Clock,
        settings: WhatsAppWebhookSettings,
        messages: ManagerMessages,
        quarantine: QuarantineStore,
    ) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock
        self._settings = settings
        self._messages = messages
        self._quarantine = quarantine
        self._noted_at = 0

    @property
    def verify_token(self) -> str:
        return self._settings.verify_token

    def signed(self, signature: str | None, body: bytes) -> int | None:
        """Which of WhatsApp's secrets signed it."""
        return matching_secret(signature, body, self._settings.app_secrets)

    async def receive(self, payload: object, secret: int) -> Response:
        """The answer to one delivery, signed with that secret. Raises StoreUnavailable."""
        now = self._clock()
        received = self._parsed(payload, now)
        await self._add_nameless(received, now)
        known = await self._store_statuses(received)
        await self._note(received, known)
        await self._messages.take(received.written)
        await self._keep(received.odd.values(), now)
        emit("whatsapp_received", secret=secret, counts=dict(received.counts))
        for status in known:
            if status.kind == "failed":
                await self._wake(status)
        return Response(200, "EVENT_RECEIVED")

    async def _store_statuses(self, received: _Received) -> list[AlertStatus]:
        """Those whose alert exists. All are tried before the first failure is raised."""
        slots = asyncio.Semaphore(MAX_CALLS)

        async def record(status: AlertStatus) -> AlertStatus | None:
            async with slots:
                alert_id = status.alert_id or await self._messages.alert_sent_as(status.wamid)
                status = replace(status, alert_id=alert_id or "")
                return status if alert_id and await self._store.record_status(status) else None

        results = await asyncio.gather(*map(record, received.statuses), return_exceptions=True)
        known: list[AlertStatus] = []
        for status, result in zip(received.statuses, results, strict=True):
            if isinstance(result, BaseException):
                raise result
            if result is not None:
                known.append(result)
            received.counts[f"status_{status.kind}" if result else "status_unknown_alert"] += 1
        return known

    async def _keep(self, odd: Iterable[Unknown], now: int) -> None:
        """All are tried before the first failure is raised."""
        slots, expire_at = asyncio.Semaphore(MAX_CALLS), self._messages.expire_at(now)

        async def keep(item: Unknown) -> None:
            async with slots:
                await quarantined(self._quarantine, item, now, expire_at)

        await all_of([keep(item) for item in odd])

    async def _note(self, received: _Received, known: list[AlertStatus]) -> None:
        """When the manager wrote, that his window was found closed, and now and then that statuses come at all."""
        now = self._clock()
        closed = [s.at for s in known if s.kind == "failed" and s.code == _OUTSIDE_WINDOW]
        seen_at = now if known and now - self._noted_at >= NOTED_MS else None
        if received.heard_at is None and not closed and seen_at is None:
            return
        contact = ManagerContact(received.heard_at, max(closed, default=None), seen_at)
        await self._store.note_manager_contact(contact)
        self._noted_at = seen_at or self._noted_at

    async def _wake(self, status: AlertStatus) -> None:
        """A tick for an alert that failed late; best effort, for the sweep finds it by its ``due_at``."""
        emit("alert_failed", "WARNING", alert=status.alert_id[:12], code=status.code)
        try:
            await self._queue.schedule(status.alert_id, self._clock())
        except QueueUnavailable as error:
            emit("tick_not_scheduled", "WARNING", alert=status.alert_id[:12], error=described(error))

    # -- reading

    def _parsed(self, payload: object, now: int) -> _Received:
        received = _Received()
        for value in _values(payload, received):
            number_id = identifier((as_object(value.get("metadata")) or {}).get("phone_number_id"))
            if self._settings.phone_number_id and number_id not in (None, self._settings.phone_number_id):
                received.counts["unknown_number"] += 1
                continue
            for key, add in (("statuses", self._add_status), ("messages", self._add_message)):
                for item in _items(value, key, received):
                    try:
                        add(item, received, now)
                    except Exception as error:  # one poison item must not block the others, whatever it does to us
                        received.not_understood(item, f"parsing failed: {type(error).__name__}")
        return received

    def _add_status(self, item: JsonObject, received: _Received, now: int) -> None:
        """By its callback data it is known whose it is; by its message's id where it comes without."""
        alert_id = text(item.get("biz_opaque_callback_data"), _MAX_ID_CHARS) or ""
        wamid = text(item.get("id"), _MAX_ID_CHARS) or ""
        word = text(item.get("status"), 40)
        kind = _KINDS.get(word or "")
        if word is None:
            received.not_understood(item, "a status without its word")
            return
        if kind is None or not (alert_id or wamid):
            received.counts["status_unknown_alert" if kind else "status_ignored"] += 1
            return
        errors = [number((as_object(error) or {}).get("code")) for error in as_list(item.get("errors")) or ()]
        codes = [int(code) for code in errors if code is not None]
        code = _OUTSIDE_WINDOW if _OUTSIDE_WINDOW in codes else next(iter(codes), 0)
        at = time_ms(item.get("timestamp"), now)
        received.statuses.append(AlertStatus(alert_id, kind, at, wamid, code))

    def _add_message(self, item: JsonObject, received: _Received, now: int) -> None:
        """What a manager writes is kept to be read by the processor; what a stranger writes is not."""
        given = text_or_number(item.get("from"), 40) or ""
        if not re.search(r"[0-9]", given) or re.search(r"[A-Za-z]", given):
            received.nameless.append(item)
        elif any(_same(digits(given), number) for number in self._settings.manager_numbers):
            self._take_message(item, digits(given), received, now)
        else:
            received.counts["message_of_stranger"] += 1

    async def _add_nameless(self, received: _Received, now: int) -> None:
        """Somebody with a user name may come without a number (docs/platforms/whatsapp.md#webhook). Whoever quotes an
        alert of ours, or taps its button, had it: alerts go to the first manager alone. Raises StoreUnavailable."""
        for place, item in enumerate(received.nameless):
            if self._settings.manager_numbers and place < MAX_NAMELESS and await self._messages.had_alert(item):
                self._take_message(item, self._settings.manager_numbers[0], received, now)
            else:
                received.counts["message_of_stranger"] += 1

    def _take_message(self, item: JsonObject, sender: str, received: _Received, now: int) -> None:
        received.counts["message_of_manager"] += 1
        if text(item.get("type"), 40) not in NOT_WORDS:
            written = self._messages.item(item, sender, len(received.written))
            if written is None:
                received.not_understood(item, "a manager's message without an id")
            else:
                received.written.append(written)
        # Alerts go to the first number alone, so only what comes from there opens the window.
        if _same(sender, self._settings.manager_numbers[0]):
            received.heard_at = max(received.heard_at or 0, time_ms(item.get("timestamp"), now))


def _values(payload: object, received: _Received) -> Iterator[JsonObject]:
    """The values of all changes that are about messages; other fields are counted."""
    envelopes = as_list(payload)
    for envelope in (payload,) if envelopes is None else envelopes:
        entries = as_list((as_object(envelope) or {}).get("entry"))
        if entries is None:
            received.not_understood(envelope, "entry is not a list")
        for entry in entries or ():
            changes = as_list((as_object(entry) or {}).get("changes"))
            if changes is None:
                received.not_understood(entry, "changes is not a list")
            yield from _values_of(changes or (), received)


def _values_of(changes: Sequence[object], received: _Received) -> Iterator[JsonObject]:
    for change in changes:
        fields = as_object(change) or {}
        value = as_object(fields.get("value"))
        if isinstance(fields.get("field"), str) and fields["field"] != "messages":
            received.counts["ignored"] += 1
        elif value is None or fields.get("field") != "messages":
            received.not_understood(change, "a change without its field or its value")
        else:
            yield value


def _items(value: JsonObject, key: str, received: _Received) -> Iterator[JsonObject]:
    """What is listed under a key, which may be missing."""
    listed = as_list(value.get(key))
    if listed is None and value.get(key) is not None:
        received.not_understood(value, f"{key} is not a list")
    for each in listed or ():
        item = as_object(each)
        if item is None:
            received.not_understood(each, f"one of {key} is not an object")
        else:
            yield item


def _same(sender: str, configured: str) -> bool:
    """The same phone, also where WhatsApp writes its number with one digit more or less than people do."""
    return bool(sender) and _plain(sender) == _plain(configured)


def _plain(number: str) -> str:
    found = _NATIONAL.fullmatch(number)
    return "".join(part or "" for part in found.groups()) if found else number
