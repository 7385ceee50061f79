"""The channel to the manager: WhatsApp's Cloud API (docs/platforms/whatsapp.md#sending).

Free text is allowed within 24 h of the manager's own last message; outside, only an approved template. Which of the
two is sent is the caller's decision; one call is one attempt, because a wait is the caller's too.

A 200 means accepted, not delivered: what became of a message comes by WhatsApp's webhook, with ``reference``.
"""

import re
from typing import Final

from dm_core.clients.graph_errors import OUTSIDE_WINDOW_WHATSAPP, classify, graph_root, unproven
from dm_core.clients.http import Call, HttpClient
from dm_core.clients.http_response import Response, fields, items, string
from dm_core.clients.owners import Operation
from dm_core.clients.port import MAX_BUTTONS_TEXT, WhatsAppHealth
from dm_core.clock import Clock
from dm_core.errors import PlatformError, Refused, Service
from dm_core.settings import Template, WhatsAppSettings
from dm_core.settings.table import utf16_length

MAX_TEXT_CHARS: Final = 4_096
MAX_REFERENCE_CHARS: Final = 512

_PLATFORM: Final = "WhatsApp"
_UNFINISHED: Final = re.compile("[\u0300-\u036f\u200d\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]+$")
"""What a cut text should not end with: marks, joiners and modifiers of a character that was cut off."""


class WhatsAppClient:
    """Writes to the manager; keeps ``clients.port.WhatsApp``. Errors as that port says."""

    def __init__(self, settings: WhatsAppSettings, clock: Clock, *, http: HttpClient | None = None) -> None:
        self._http = http or HttpClient(clock=clock)
        self._root = graph_root(settings.base_url, settings.version)
        self._number = settings.phone_number_id
        self._token = settings.access_token
        self._to = settings.manager_number
        self._template = settings.template

    @property
    def template_room(self) -> int | None:
        """How long a text may be for the template, in UTF-16 units; None without a template."""
        return self._template.room if self._template else None

    async def send_text(self, text: str, reference: str) -> str:
        """Free text; the message's id."""
        return await self._send({"type": "text", "text": {"body": cut(text, MAX_TEXT_CHARS)}}, reference)

    async def send_draft(self, text: str, reference: str) -> str:
        """Free text above the buttons *Send*, *Edit* and *Drop* (docs/platforms/whatsapp.md#buttons); the message's
        id."""
        buttons = [
            {"type": "reply", "reply": {"id": f"{title.lower()}:{reference}", "title": title}}
            for title in ("Send", "Edit", "Drop")
        ]
        body = {"text": cut(text, MAX_BUTTONS_TEXT)}
        content = {"type": "button", "body": body, "action": {"buttons": buttons}}
        return await self._send({"type": "interactive", "interactive": content}, reference)

    async def send_template(self, text: str, reference: str) -> str:
        """The template with the text in its variable; the message's id. Raises Refused when none is configured."""
        if self._template is None:
            raise Refused(f"{_PLATFORM}: WHATSAPP_TEMPLATE is not set", code=OUTSIDE_WINDOW_WHATSAPP)
        return await self._send({"type": "template", "template": _template(self._template, text)}, reference)

    async def answer(self, number: str, text: str, reference: str) -> str:
        """Free text to one of the managers; the message's id."""
        return await self._send({"type": "text", "text": {"body": cut(text, MAX_TEXT_CHARS)}}, reference, number)

    async def health(self) -> WhatsAppHealth:
        """Whether number and token can send, and whether the template is approved. Raises PlatformError."""
        reply = await self._get(self._number, fields="health_status")
        health = fields(fields(reply.body).get("health_status"))
        entities = [fields(entity) for entity in items(health.get("entities"))]
        blocked = tuple(_entity_error(entity) for entity in entities if entity.get("can_send_message") == "BLOCKED")
        account = next((string(each.get("id")) for each in entities if each.get("entity_type") == "WABA"), None)
        template = await self._template_status(account)
        return WhatsAppHealth(string(health.get("can_send_message"), 40) or "unknown", blocked, template)

    async def close(self) -> None:
        """Release connections."""
        await self._http.close()

    async def _template_status(self, account: str | None) -> str | None:
        """The template's state; None where that could not be read, which takes the permission
        ``whatsapp_business_management`` (sending does not)."""
        if self._template is None or account is None or not re.fullmatch(r"[0-9]{1,32}", account):
            return None
        query = {"name": self._template.name, "fields": "name,status,language", "limit": "100"}
        try:
            reply = await self._get(f"{account}/message_templates", **query)
        except PlatformError:
            return None
        found = [fields(each) for each in items(fields(reply.body).get("data"))]
        own = [each for each in found if each.get("name") == self._template.name]
        here = next((each for each in own if each.get("language") == self._template.language), None)
        if here is None:
            return "OTHER_LANGUAGE" if own else "MISSING"
        return string(here.get("status"), 40) or "unknown"

    async def _get(self, path: str, **query: str) -> Response:
        call = Call(Service.WHATSAPP, "GET", f"{self._root}/{path}", idempotent=True, token=self._token, query=query)
        return await self._http.request(call, _judge_read)

    async def _send(self, content: dict[str, object], reference: str, to: str | None = None) -> str:
        body = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": to or self._to,
            **content,
            "biz_opaque_callback_data": reference[:MAX_REFERENCE_CHARS],
        }
        url = f"{self._root}/{self._number}/messages"
        call = Call(Service.WHATSAPP, "POST", url, idempotent=False, token=self._token, body=body, attempts=1)
        return _message_id(await self._http.request(call, _judge))


def cut(text: str, limit: int) -> str:
    """The text in at most ``limit`` UTF-16 units, with an ellipsis where something is missing."""
    if utf16_length(text) <= limit:
        return text
    kept, room = 0, limit - 1
    for char in text:
        room -= 2 if char > "\uffff" else 1
        if room < 0:
            break
        kept += 1
    return _UNFINISHED.sub("", text[:kept]) + "…"


def _judge(reply: Response) -> PlatformError | None:
    error = classify(reply, Service.WHATSAPP, Operation.SEND)
    return error or (None if _message_id(reply) else unproven(Service.WHATSAPP, "a message id"))


def _judge_read(reply: Response) -> PlatformError | None:
    return classify(reply, Service.WHATSAPP, Operation.READ)


def _message_id(reply: Response) -> str:
    ids = (string(fields(message).get("id")) for message in items(fields(reply.body).get("messages")))
    return next((found for found in ids if found), "")


def _entity_error(entity: object) -> str:
    """The kind of thing that is blocked and WhatsApp's number for the reason; none of its words."""
    code = next((fields(each).get("error_code") for each in items(fields(entity).get("errors"))), None)
    kind = string(fields(entity).get("entity_type"), 40) or "unknown"
    return f"{kind} ({code})" if isinstance(code, int) else kind


def _template(template: Template, text: str) -> dict[str, object]:
    """The template with its one body parameter; a named variable must be named (code 100 otherwise)."""
    parameter = {"type": "text", "text": cut(_one_line(text) or "-", template.room)}
    if template.variable is not None:
        parameter["parameter_name"] = template.variable
    return {
        "name": template.name,
        "language": {"code": template.language},
        "components": [{"type": "body", "parameters": [parameter]}],
    }


def _one_line(text: str) -> str:
    """A parameter may hold no line break, tab or run of more than three blanks."""
    return re.sub(r"\s+", " ", text).strip()
