"""WhatsApp's Cloud API: text and template messages, the 24-hour window, the pair limit, statuses, health.

Facts: docs/platforms/whatsapp.md#sending. Troubles are switched on and off by ``trouble``; single ones are scripted by
``faults``, as on every platform.
"""

import asyncio
import base64
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dm_core.clock import Clock, system_clock
from dm_core.messages import WINDOW_MS
from dm_core.settings.table import utf16_length
from dm_sandbox.platforms.faults import Fault, FaultKind
from dm_sandbox.platforms.graph import GraphError, graph_reply, scripted_error
from dm_sandbox.platforms.meta import Delivery, WebhookSender
from dm_sandbox.platforms.server import Call, Platform, Reply, as_list, as_object, bearer
from dm_sandbox.platforms.whatsapp_statuses import Statuses
from dm_sandbox.platforms.whatsapp_templates import ApprovedTemplate

MAX_TEXT_CHARS = 4_096

Trouble = Literal["throttled", "token_dead", "refusing", "uncertain", "unprocessed"]
"""Every send is throttled (130429); meets a dead token (190); is refused for good (131026); is processed, yet answered
with a server error; or is answered with one and not processed."""

_TROUBLES = {"throttled": (130429, 400), "token_dead": (190, 401), "refusing": (131026, 400)}


@dataclass(frozen=True, slots=True)
class Alert:
    """A message that WhatsApp accepted. ``template`` is its name, None for free text; ``at`` in ms.

    ``arrived``: it reached the phone; else its ``failed`` status says why not. ``buttons``: ids of its reply buttons.
    """

    id: str
    to: str
    text: str
    template: str | None
    reference: str
    at: int
    arrived: bool = True
    buttons: tuple[str, ...] = ()


class WhatsApp(Platform):
    """The simulator. ``accepted`` is what was answered with a message id, ``alerts`` what of it reached the phone.

    ``last_inbound_at`` opens the windows of people (by digits); ``windows_open`` is how they are before. With
    ``finds_out_late`` a text outside the window is accepted first, and fails by status. ``pair_seconds``: how soon a
    second message to one number is too many (0: never).
    """

    name = "whatsapp"

    def __init__(
        self,
        phone_number_id: str = "106540352242933",
        token: str = "EAAG-sandbox-whatsapp",  # noqa: S107
        templates: tuple[str, ...] = ("dm_alert",),
        port: int = 0,
        clock: Clock = system_clock,
    ) -> None:
        super().__init__(port, clock)
        self.phone_number_id, self.token, self.templates = phone_number_id, token, templates
        self.account_id = "102290129340398"
        self.approved = {name: ApprovedTemplate(name) for name in templates}
        self.accepted: list[Alert] = []
        self.last_inbound_at: dict[str, int] = {}
        self.windows_open = True
        self.finds_out_late = False
        self.pair_seconds = 0.0
        self.trouble: Trouble | None = None
        self.statuses = Statuses(phone_number_id, self.account_id, clock)
        self._numbers = itertools.count(1)

    @property
    def alerts(self) -> list[Alert]:
        """What reached the phone."""
        return [alert for alert in self.accepted if alert.arrived]

    def connect(self, webhook: WebhookSender | None) -> None:
        """Tell statuses there from now on (None: nowhere)."""
        self.statuses.webhook = webhook

    def hear(self, number: str) -> None:
        """This person wrote to the business: their window opens."""
        self.last_inbound_at[_digits(number)] = self.clock()

    async def says(self, number: str, text: str, quotes: str = "") -> Delivery | None:
        """This person writes to the business, quoting a message by its id or not; the webhook, if any, is told."""
        return await self._write(number, {"type": "text", "text": {"body": text}}, quotes)

    async def taps(self, number: str, button: str) -> Delivery | None:
        """This person taps a reply button, by its id, of a message that reached them."""
        shown = next(alert for alert in self.alerts if button in alert.buttons)
        title = button.partition(":")[0].capitalize()
        reply = {"type": "button_reply", "button_reply": {"id": button, "title": title}}
        return await self._write(number, {"type": "interactive", "interactive": reply}, shown.id)

    async def reads(self, wamid: str) -> None:
        """The message was looked at: WhatsApp says so."""
        alert = next((each for each in self.accepted if each.id == wamid), None)
        if alert is not None and self.statuses.webhook is not None:
            item = self.statuses.item("read", wamid, alert.to, alert.reference)
            await self.statuses.webhook.deliver(self.statuses.payload(statuses=[item]))

    async def _write(self, number: str, content: dict[str, object], quotes: str) -> Delivery | None:
        self.hear(number)
        if self.statuses.webhook is None:
            return None
        sender = _digits(number)
        message = {"from": sender, "id": self._wamid(sender), "timestamp": str(self.clock() // 1000)}
        quoted = {"context": {"from": self.phone_number_id, "id": quotes}} if quotes else {}
        payload = self.statuses.payload(messages=[{**message, **quoted, **content}], contacts=[{"wa_id": sender}])
        return await self.statuses.webhook.deliver(payload)

    async def stop(self) -> None:
        await self.statuses.settle()
        await super().stop()

    def operation(self, call: Call) -> str:
        if call.method == "GET":
            reads = {"message_templates": "templates", self.phone_number_id: "health"}
            return reads.get(call.path.rpartition("/")[2], "unknown")
        if not call.path.endswith("/messages") or call.method != "POST":
            return "unknown"
        if call.fields.get("status") == "read":
            return "mark_read"
        return "template" if call.fields.get("type") == "template" else "send"

    async def process(self, operation: str, call: Call) -> Reply:
        try:
            if bearer(call) != self.token or self.trouble == "token_dead":
                raise GraphError(190, 0, "Invalid OAuth access token - Cannot parse access token", 401)
            if operation in ("health", "templates"):
                return self._health() if operation == "health" else self._listed(call)
            if f"/{self.phone_number_id}/" not in call.path or operation == "unknown":
                raise GraphError(100, 33, "Unsupported post request. Object does not exist")
            if operation == "mark_read":
                return Reply({"success": True})
            return await self._accept(operation, call)
        except GraphError as error:
            return graph_reply(error, "OAuthException")

    def error(self, fault: Fault) -> Reply:
        usual = (130429, 0) if fault.kind is FaultKind.THROTTLE else (131000, 0)
        return scripted_error(fault, usual, "OAuthException", self.phone_number_id, "whatsapp")

    async def _accept(self, operation: str, call: Call) -> Reply:
        self._refuse_in_trouble()
        given = str(call.fields.get("to", ""))
        number = _digits(given)
        if call.fields.get("messaging_product") != "whatsapp" or not number:
            raise GraphError(100, 0, "(#100) Invalid parameter", details="messaging_product and to are required")
        self._check_pair(number)
        buttons: tuple[str, ...] = ()
        if operation == "template":
            text, template = self._template(call)
        elif call.fields.get("type") == "interactive":
            (text, buttons), template = interactive(as_object(call.fields.get("interactive"))), None
        else:
            text, template = self._text(call), None
        closed = template is None and not self._window_open(number)
        if closed and not self.finds_out_late:
            details = "Message failed to send because more than 24 hours have passed since the customer last replied"
            raise GraphError(131047, 0, "(#131047) Re-engagement message", details=details)
        reference = str(call.fields.get("biz_opaque_callback_data", ""))
        alert = Alert(self._wamid(number), number, text, template, reference, call.at, not closed, buttons)
        self.accepted.append(alert)
        self.statuses.tell(alert.id, number, reference, 131047 if closed else 0)
        if self.trouble == "uncertain":
            await asyncio.sleep(0)
            raise GraphError(131000, 0, "(#131000) Something went wrong", 500)
        body = {
            "messaging_product": "whatsapp",
            "contacts": [{"input": given, "wa_id": number}],
            "messages": [{"id": alert.id}],
        }
        return Reply(body, facts={"to": number, "text": text, "id": alert.id})

    def _refuse_in_trouble(self) -> None:
        if self.trouble == "unprocessed":
            raise GraphError(131000, 0, "(#131000) Something went wrong", 500)
        if self.trouble in _TROUBLES:
            code, status = _TROUBLES[self.trouble]
            raise GraphError(code, 0, f"(#{code}) {self.trouble}", status)

    def _check_pair(self, number: str) -> None:
        last = next((alert.at for alert in reversed(self.accepted) if alert.to == number), None)
        if last is not None and self.clock() - last < self.pair_seconds * 1000:
            raise GraphError(131056, 0, "(#131056) (Business Account, Consumer Account) pair rate limit hit")

    def _window_open(self, number: str) -> bool:
        last = self.last_inbound_at.get(number, self.clock() if self.windows_open else None)
        return last is not None and self.clock() - last < WINDOW_MS

    def _text(self, call: Call) -> str:
        text = as_object(call.fields.get("text")).get("body")
        if not isinstance(text, str) or not text or len(text) > MAX_TEXT_CHARS:
            raise GraphError(100, 0, "(#100) Invalid parameter", details="text.body must have 1 to 4096 characters")
        return text

    def _template(self, call: Call) -> tuple[str, str]:
        template = as_object(call.fields.get("template"))
        approved = self.approved.get(str(template.get("name", "")))
        language = as_object(template.get("language")).get("code")
        if approved is None or language != approved.language:
            raise GraphError(132001, 0, "(#132001) Template name does not exist in the translation", 404)
        return approved.filled(template)[0], approved.name

    def _health(self) -> Reply:
        """The number, its account and the app: what one question about the number is answered with."""
        blocked = self.trouble == "refusing"
        nodes = (("PHONE_NUMBER", self.phone_number_id), ("WABA", self.account_id), ("APP", "1"))
        entities: list[dict[str, object]] = [
            {"entity_type": kind, "id": node, "can_send_message": "AVAILABLE"} for kind, node in nodes
        ]
        if blocked:
            entities[0]["can_send_message"] = "BLOCKED"
            entities[0]["errors"] = [{"error_code": 141000, "error_description": "The number can't send"}]
        overall = "BLOCKED" if blocked else "AVAILABLE"
        return Reply({"health_status": {"can_send_message": overall, "entities": entities}, "id": self.phone_number_id})

    def _listed(self, call: Call) -> Reply:
        if f"/{self.account_id}/" not in call.path:
            raise GraphError(100, 33, "Unsupported get request. Object does not exist")
        name = call.query.get("name", "")
        return Reply({"data": [each.listed() for each in self.approved.values() if name in each.name]})

    def _wamid(self, number: str) -> str:
        raw = f"{number}/{self.clock()}/{next(self._numbers):06d}".encode()
        return "wamid.HBgL" + base64.b64encode(raw).decode()


def interactive(content: Mapping[str, object]) -> tuple[str, tuple[str, ...]]:
    """Text and button ids of a message with reply buttons, held to WhatsApp's limits."""
    text = str(as_object(content.get("body")).get("text", ""))
    buttons = [as_object(each) for each in as_list(as_object(content.get("action")).get("buttons"))]
    replies = [as_object(button.get("reply")) for button in buttons]
    ids, titles = ([str(reply.get(name, "")) for reply in replies] for name in ("id", "title"))
    fits = 1 <= utf16_length(text) <= 1_024 and 1 <= len(replies) <= 3 and len(set(ids)) == len(set(titles)) == len(ids)
    fits &= all(1 <= len(id_) <= 256 for id_ in ids) and all(1 <= len(title) <= 20 for title in titles)
    if content.get("type") != "button" or not fits or any(button.get("type") != "reply" for button in buttons):
        raise GraphError(131009, 0, "(#131009) Parameter value is not valid", details="interactive")
    return text, tuple(ids)


def _digits(number: str) -> str:
    return re.sub(r"\D", "", number)
