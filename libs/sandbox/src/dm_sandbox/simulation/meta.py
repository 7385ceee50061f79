"""Meta's side of the webhook: signed deliveries, late, twice, out of order, and again until the answer is 200."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import Final

from dm_core.clock import Clock
from dm_core.http import Request
from dm_sandbox.environment import APP_SECRET
from dm_sandbox.platforms.meta import Item, envelope, signature, wire_bytes
from dm_sandbox.simulation.instances import Instances
from dm_sandbox.simulation.journal import Journal
from dm_sandbox.simulation.phone import PhoneStatus
from dm_sandbox.simulation.platforms import Effect
from dm_sandbox.simulation.schedule import Fault, FaultKind

TIMEOUT: Final = 10.0
"""How long Meta waits for an answer, in s."""
PAUSES: Final = (1.0, 5.0, 20.0, 60.0, 120.0)
"""Seconds before each redelivery; the last one again and again (docs/platforms/instagram.md#delivery)."""
SLOW_SHARE: Final = 0.06
"""How many deliveries are some seconds late, and so overtaken by others."""


def _nothing() -> None: ...


def echo_item(account_id: str, user_id: str, mid: str, text: str, at: int) -> Item:
    """The echo of what the account sent, without ``app_id``, as on Instagram."""
    parties = {"sender": {"id": account_id}, "recipient": {"id": user_id}}
    return {**parties, "timestamp": at, "message": {"mid": mid, "text": text, "is_echo": True}}


@dataclass(slots=True)
class Meta:
    """Delivers webhooks, Instagram's and WhatsApp's.

    ``statuses``: kinds that were acknowledged, by alert; ``first_status_at``: when the first of all was (s from the
    start).
    """

    loop: asyncio.AbstractEventLoop
    rng: Random
    journal: Journal
    instances: Instances
    strike: Callable[[str], Fault | None]
    clock: Clock
    account_id: str
    statuses: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    first_status_at: float = inf
    _running: dict[asyncio.Task[None], None] = field(default_factory=dict[asyncio.Task[None], None])

    @property
    def is_idle(self) -> bool:
        return not self._running

    def post(self, items: Sequence[Item], label: str, acknowledged: Callable[[], None] = _nothing) -> None:
        """Deliver items of one entry until they are acknowledged."""
        self._send("meta.deliver", self._signed(items), label, acknowledged)

    def echo(self, effect: Effect) -> None:
        """What the agent sent comes back, soon or later; a fault may lose it."""
        items = [echo_item(self.account_id, effect.user_id, effect.mid, effect.text, self.clock())]
        self._send("meta.echo", self._signed(items), "echo", _nothing, self.rng.uniform(0.0, 1.5))

    def deliver_now(self, items: Sequence[Item], label: str, acknowledged: Callable[[], None] = _nothing) -> None:
        """A delivery that arrives this very moment."""
        self._start(self._deliver(self._signed(items), label, acknowledged, 0.0))

    def whatsapp(self, status: PhoneStatus) -> None:
        """A status of an alert, whenever it comes; a fault may delay, repeat or lose it."""
        at = (self.clock() + round(status.after * 1000)) // 1000
        item: dict[str, object] = {
            "id": status.wamid,
            "status": status.kind,
            "timestamp": str(at),
            "biz_opaque_callback_data": status.reference,
        }
        if status.code:
            item["errors"] = [{"code": status.code}]
        value = {"metadata": {"phone_number_id": "1"}, "statuses": [item]}
        change = {"field": "messages", "value": value}
        body = wire_bytes({"object": "whatsapp_business_account", "entry": [{"changes": [change]}]})
        headers = {"x-hub-signature-256": signature(body, APP_SECRET)}
        request = Request("POST", "/whatsapp", headers=headers, body=body)

        def acknowledged() -> None:
            self.statuses.setdefault(status.reference, set()).add(status.kind)
            self.first_status_at = min(self.first_status_at, self.loop.time())

        self._send("whatsapp.status", request, f"{status.kind} {status.reference[:6]}", acknowledged, status.after)

    def manager(self, message: Mapping[str, object], label: str, acknowledged: Callable[[], None]) -> None:
        """What the manager writes on WhatsApp; a fault may delay or repeat it."""
        value = {"metadata": {"phone_number_id": "1"}, "messages": [message]}
        change = {"field": "messages", "value": value}
        body = wire_bytes({"object": "whatsapp_business_account", "entry": [{"changes": [change]}]})
        headers = {"x-hub-signature-256": signature(body, APP_SECRET)}
        request = Request("POST", "/whatsapp", headers=headers, body=body)
        self._send("whatsapp.message", request, label, acknowledged)

    def callback(self, request: Request, label: str) -> None:
        """A compliance callback, repeated until it is answered with 200."""
        self._send("meta.deliver", request, label, _nothing)

    def _signed(self, items: Sequence[Item]) -> Request:
        body = wire_bytes(envelope(self.account_id, items, self.clock()))
        return Request("POST", "/", headers={"x-hub-signature-256": signature(body, APP_SECRET)}, body=body)

    def _send(
        self, site: str, request: Request, label: str, acknowledged: Callable[[], None], delay: float = 0.0
    ) -> None:
        fault = self.strike(site)
        kind, seconds = (fault.kind, fault.seconds) if fault else (None, 0.0)
        if kind is FaultKind.LOST:
            return
        self._begin(request, label, acknowledged, delay + (seconds if kind is FaultKind.DELAY else 0.0))
        if kind is FaultKind.TWICE:
            self._begin(request, f"{label} (again)", acknowledged, delay + seconds)

    def _begin(self, request: Request, label: str, acknowledged: Callable[[], None], delay: float) -> None:
        slow = self.rng.uniform(0.5, 6) if self.rng.random() < SLOW_SHARE else 0.0
        self._start(self._deliver(request, label, acknowledged, delay + slow + self.rng.uniform(0.03, 0.4)))

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = self.loop.create_task(work)
        self._running[task] = None
        task.add_done_callback(lambda done: self._running.pop(done))

    async def _deliver(self, request: Request, label: str, acknowledged: Callable[[], None], delay: float) -> None:
        await asyncio.sleep(delay)
        attempt = 0
        while True:
            answer = await self.instances.ask("webhook", request, TIMEOUT)
            status = answer.status if answer else 0
            self.journal.note("meta", f"{label} → {status or 'no answer'}")
            if status == 200:
                acknowledged()
                return
            if status not in (0, 500):
                self.journal.wrong("refused", f"the webhook answered {label} with {status}")
                return
            self.journal.states["webhook:redelivered"] += 1
            await asyncio.sleep(PAUSES[min(attempt, len(PAUSES) - 1)])
            attempt += 1
