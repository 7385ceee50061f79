"""WhatsApp's Cloud API: text and template messages, the 24-hour window (facts/meta.md section 7)."""

import base64
import itertools
import re
from dataclasses import dataclass

from dm_core.clock import Clock, system_clock
from dm_core.messages import WINDOW_MS
from dm_sandbox.platforms.faults import Fault, FaultKind
from dm_sandbox.platforms.graph import GraphError, graph_reply, scripted_error
from dm_sandbox.platforms.server import Call, Platform, Reply, as_list, as_object, bearer

MAX_TEXT_CHARS = 4_096


@dataclass(frozen=True, slots=True)
class Alert:
    """A message that reached a WhatsApp user. ``template`` is its name, None for free text; ``at`` in ms."""

    id: str
    to: str
    text: str
    template: str | None
    reference: str
    at: int


class WhatsApp(Platform):
    """The simulator. ``alerts`` is what was accepted; ``last_inbound_at`` opens the windows of people (by digits)."""

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
        self.alerts: list[Alert] = []
        self.last_inbound_at: dict[str, int] = {}
        self.windows_open = True
        self._numbers = itertools.count(1)

    def hear(self, number: str) -> None:
        """This person wrote to the business: their window opens."""
        self.last_inbound_at[_digits(number)] = self.clock()

    def operation(self, call: Call) -> str:
        if not call.path.endswith("/messages") or call.method != "POST":
            return "unknown"
        if call.fields.get("status") == "read":
            return "mark_read"
        return "template" if call.fields.get("type") == "template" else "send"

    async def process(self, operation: str, call: Call) -> Reply:
        try:
            if bearer(call) != self.token:
                raise GraphError(190, 0, "Invalid OAuth access token - Cannot parse access token", 401)
            if f"/{self.phone_number_id}/" not in call.path or operation == "unknown":
                raise GraphError(100, 33, "Unsupported post request. Object does not exist")
            if operation == "mark_read":
                return Reply({"success": True})
            return self._accept(operation, call)
        except GraphError as error:
            return graph_reply(error, "OAuthException")

    def error(self, fault: Fault) -> Reply:
        usual = (130429, 0) if fault.kind is FaultKind.THROTTLE else (131000, 0)
        return scripted_error(fault, usual, "OAuthException", self.phone_number_id, "whatsapp")

    def _accept(self, operation: str, call: Call) -> Reply:
        given = str(call.fields.get("to", ""))
        number = _digits(given)
        if call.fields.get("messaging_product") != "whatsapp" or not number:
            raise GraphError(100, 0, "(#100) Invalid parameter", details="messaging_product and to are required")
        text, template = self._template(call) if operation == "template" else (self._text(call, number), None)
        reference = str(call.fields.get("biz_opaque_callback_data", ""))
        alert = Alert(self._wamid(number), number, text, template, reference, call.at)
        self.alerts.append(alert)
        body = {
            "messaging_product": "whatsapp",
            "contacts": [{"input": given, "wa_id": number}],
            "messages": [{"id": alert.id}],
        }
        return Reply(body, facts={"to": number, "text": text, "id": alert.id})

    def _text(self, call: Call, number: str) -> str:
        text = as_object(call.fields.get("text")).get("body")
        if not isinstance(text, str) or not text or len(text) > MAX_TEXT_CHARS:
            raise GraphError(100, 0, "(#100) Invalid parameter", details="text.body must have 1 to 4096 characters")
        last = self.last_inbound_at.get(number, self.clock() if self.windows_open else None)
        if last is None or self.clock() - last >= WINDOW_MS:
            details = "Message failed to send because more than 24 hours have passed since the customer last replied"
            raise GraphError(131047, 0, "(#131047) Re-engagement message", details=details)
        return text

    def _template(self, call: Call) -> tuple[str, str]:
        template = as_object(call.fields.get("template"))
        name = str(template.get("name", ""))
        if name not in self.templates or not as_object(template.get("language")).get("code"):
            raise GraphError(132001, 0, "(#132001) Template name does not exist in the translation", 404)
        texts = [
            str(as_object(parameter).get("text", ""))
            for component in as_list(template.get("components"))
            for parameter in as_list(as_object(component).get("parameters"))
        ]
        if any("\n" in text or "\t" in text or "     " in text for text in texts):
            details = "Param text cannot have new-line/tab characters or more than 4 consecutive spaces"
            raise GraphError(100, 0, "(#100) Invalid parameter", details=details)
        return " ".join(texts), name

    def _wamid(self, number: str) -> str:
        raw = f"{number}/{self.clock()}/{next(self._numbers):06d}".encode()
        return "wamid.HBgL" + base64.b64encode(raw).decode()


def _digits(number: str) -> str:
    return re.sub(r"\D", "", number)
