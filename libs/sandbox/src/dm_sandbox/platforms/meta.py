"""Meta's side of the wire: webhook payloads as Meta sends them, signed over their very bytes.

Shapes: docs/platforms/instagram.md#webhook-shapes; signature: docs/platforms/instagram.md#signatures. The JSON on the
wire is unicode-escaped, and that escaped form is what is signed.
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import itertools
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import httpx

from dm_core.clock import Clock, system_clock
from dm_sandbox.platforms.server import as_list, as_object

MID_PREFIX = "aWdfZAG1faXRlbToxOklHTWVzc2FnZAUlEOj"
"""How the message ids of Instagram begin; with the account and the thread they share some 120 characters."""

Manner = Literal["twice", "late", "reversed"]
"""How deliveries come: each twice, after ``LATE_SECONDS``, or two at a time in each other's place."""
LATE_SECONDS = 6.0
MAX_WAIT_SECONDS = 5.0

Item = Mapping[str, object]
"""One item of ``messaging[]`` or ``standby[]``."""


class Mids:
    """Message ids like Instagram's: about 160 characters of which only the last few differ in one thread."""

    def __init__(self, start: int | None = None) -> None:
        self._numbers = itertools.count(start if start is not None else int.from_bytes(os.urandom(5)) * 1000)

    def next(self, account_id: str, user_id: str) -> str:
        thread = int.from_bytes(hashlib.sha256(f"{account_id}/{user_id}".encode()).digest()[:15])
        item = f"{account_id}:{thread:037d}:{next(self._numbers):038d}"
        return MID_PREFIX + base64.b64encode(item.encode()).decode().replace("=", "ZD").replace("+", "Z").replace(
            "/", "Y"
        )


def envelope(account_id: str, items: Sequence[Item], now: int, key: str = "messaging") -> dict[str, object]:
    """The whole body for one entry; ``key`` is ``messaging``, ``standby`` or ``changes``. ``now`` in ms."""
    return {"object": "instagram", "entry": [{"id": account_id, "time": now, key: list(items)}]}


def described(payload: object) -> tuple[str, str]:
    """What a body is about, and the user id of the person of its first item."""
    first = as_object(next(iter(as_list(as_object(payload).get("entry"))), None))
    if first.get("changes"):
        value = as_object(as_object(as_list(first["changes"])[0]).get("value"))
        return ("a WhatsApp status" if value.get("statuses") else "a WhatsApp message"), ""
    items = [as_object(item) for item in as_list(first.get("messaging") or first.get("standby"))]
    if not items:
        return "a body", ""
    item = items[0]
    message = as_object(item.get("message"))
    sender, recipient = (str(as_object(item.get(party)).get("id", "")) for party in ("sender", "recipient"))
    if message.get("is_echo"):
        return "an echo", recipient
    if message.get("is_deleted"):
        return "an unsend", sender
    kinds = ("message_edit", "reaction", "read", "postback", "referral")
    named = next((kind for kind in kinds if item.get(kind)), "")
    words = {"message_edit": "an edit", "read": "a read receipt"}.get(named, f"a {named}" if named else "a DM")
    return (f"{len(items)} DMs" if len(items) > 1 else words), sender


def wire_bytes(payload: object) -> bytes:
    """The bytes Meta would send: escaped to ASCII, lower-case hex, no spaces, slashes escaped."""
    return json.dumps(payload, ensure_ascii=True, separators=(",", ":")).replace("/", "\\/").encode()


def signature(body: bytes, app_secret: str) -> str:
    """The value of ``X-Hub-Signature-256`` for these bytes."""
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()


def signed_request(payload: Mapping[str, object], app_secret: str) -> str:
    """The form field of the deauthorize and data-deletion callbacks (docs/platforms/instagram.md#signatures)."""
    encoded = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=")
    mac = hmac.new(app_secret.encode(), encoded, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode() + "." + encoded.decode()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook POST and its answer; ``status`` 0 when there was none. ``at`` in ms, ``took_ms`` its duration.

    ``what`` it was about, in words; ``person`` is the user id of its first item, empty where there is none.
    """

    at: int
    status: int
    text: str
    took_ms: float
    what: str = ""
    person: str = ""


class WebhookSender:
    """Posts signed payloads to a webhook, as Meta does; keeps its connections open until ``close``."""

    def __init__(self, url: str, app_secret: str, clock: Clock = system_clock) -> None:
        self.url, self.app_secret, self.clock = url, app_secret, clock
        self.persistence = 0
        self.manners: set[Manner] = set()
        self._held: asyncio.Future[None] | None = None
        self.deliveries: list[Delivery] = []
        self.on_delivery: Callable[[Delivery, object], None] = lambda _delivery, _payload: None
        self._client = httpx.AsyncClient(timeout=20, trust_env=False)

    async def post(self, payload: object) -> Delivery:
        """Deliver once; an unreachable webhook is a delivery of status 0."""
        body = wire_bytes(payload)
        headers = {
            "content-type": "application/json",
            "user-agent": "facebookexternalua",
            "x-hub-signature-256": signature(body, self.app_secret),
        }
        loop = asyncio.get_running_loop()
        at, begun = self.clock(), loop.time()
        try:
            answer = await self._client.post(self.url, content=body, headers=headers)
            status, text = answer.status_code, answer.text
        except httpx.HTTPError as error:
            status, text = 0, type(error).__name__
        what, person = described(payload)
        delivery = Delivery(at, status, text, (loop.time() - begun) * 1000, what, person)
        self.deliveries.append(delivery)
        self.on_delivery(delivery, payload)
        return delivery

    async def deliver(self, payload: object, attempts: int = 4, wait: float = 0.2) -> Delivery:
        """Deliver until it is acknowledged, at most ``attempts`` times (or ``persistence``, if that is more), waiting
        twice as long each time; in the ``manners`` that hold."""
        if "late" in self.manners:
            await asyncio.sleep(LATE_SECONDS)
        if "reversed" in self.manners:
            await self._change_places()
        delivery = await self.post(payload)
        for attempt in range(1, max(attempts, self.persistence)):
            if delivery.status == 200:
                break
            await asyncio.sleep(min(MAX_WAIT_SECONDS, wait * 2 ** (attempt - 1)))
            delivery = await self.post(payload)
        if "twice" in self.manners:
            await self.post(payload)
        return delivery

    async def _change_places(self) -> None:
        """One waits until the next has overtaken it, or for so long."""
        held, self._held = self._held, None
        if held is not None and not held.done():
            asyncio.get_running_loop().call_later(0.3, lambda: held.done() or held.set_result(None))
            return
        self._held = asyncio.get_running_loop().create_future()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._held), LATE_SECONDS)

    async def close(self) -> None:
        await self._client.aclose()
