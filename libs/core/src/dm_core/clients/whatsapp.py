"""The channel to the manager: WhatsApp's Cloud API (facts/meta.md section 7).

Free text is allowed within 24 h of the manager's own last message; outside, only an approved template. We don't know
when the manager wrote last, so the free text is tried first and code 131047 turns it into the template.

Limit: a 200 means accepted, not delivered. When WhatsApp finds out about the window only after its 200, code 131047
comes by a status webhook, which this system doesn't receive: such a notification is lost to it. Who must be sure keeps
the window open (the manager writes to the number once a day) or watches the statuses, which carry ``reference``.
"""

import re
from typing import Final

from dm_core.clients.answers import Reply, clean, fields, items
from dm_core.clients.graph import OUTSIDE_WINDOW_WHATSAPP, classify, graph_root, unproven
from dm_core.clients.http import Call, HttpClient
from dm_core.clients.owners import Operation
from dm_core.clock import Clock
from dm_core.errors import PlatformError, Refused, Service
from dm_core.settings import WhatsAppSettings

MAX_TEXT_CHARS: Final = 4_096
MAX_PARAMETER_CHARS: Final = 1_024
MAX_REFERENCE_CHARS: Final = 512

_PLATFORM: Final = "WhatsApp"


class WhatsAppClient:
    """Writes to the manager; keeps ``clients.port.WhatsApp``. Errors as that port says."""

    def __init__(self, settings: WhatsAppSettings, clock: Clock, *, http: HttpClient | None = None) -> None:
        self._http = http or HttpClient(clock=clock)
        self._url = f"{graph_root(settings.base_url, settings.version)}/{settings.phone_number_id}/messages"
        self._token = settings.access_token
        self._to = _digits(settings.manager_number)
        self._template = settings.template

    async def notify(self, text: str, reference: str) -> str:
        """Free text, else the template when outside the 24 h window; the message's id.

        Raises Refused (code 131047) when outside the window and no template is set.
        """
        try:
            return await self._send({"type": "text", "text": {"body": _cut(text, MAX_TEXT_CHARS)}}, reference)
        except Refused as error:
            if error.code != OUTSIDE_WINDOW_WHATSAPP:
                raise
            if self._template is None:
                message = f"{_PLATFORM}: outside the 24 h window, and WHATSAPP_TEMPLATE is not set"
                raise Refused(message, service=Service.WHATSAPP, code=error.code) from error
        return await self._send({"type": "template", "template": _template(self._template, text)}, reference)

    async def close(self) -> None:
        """Release connections."""
        await self._http.close()

    async def _send(self, content: dict[str, object], reference: str) -> str:
        body = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "to": self._to,
            **content,
            "biz_opaque_callback_data": reference[:MAX_REFERENCE_CHARS],
        }
        call = Call(Service.WHATSAPP, "POST", self._url, idempotent=False, token=self._token, body=body)
        return _message_id(await self._http.request(call, _judge))


def _judge(reply: Reply) -> PlatformError | None:
    error = classify(reply, Service.WHATSAPP, Operation.SEND)
    return error or (None if _message_id(reply) else unproven(Service.WHATSAPP, "a message id"))


def _message_id(reply: Reply) -> str:
    ids = (clean(fields(message).get("id")) for message in items(fields(reply.body).get("messages")))
    return next((found for found in ids if found), "")


def _template(setting: str, text: str) -> dict[str, object]:
    """The template with one body parameter. ``setting`` is ``name`` or ``name:language`` (default ``en``)."""
    name, _, language = setting.partition(":")
    parameters = [{"type": "text", "text": _cut(_one_line(text), MAX_PARAMETER_CHARS)}]
    return {
        "name": name.strip(),
        "language": {"code": language.strip() or "en"},
        "components": [{"type": "body", "parameters": parameters}],
    }


def _one_line(text: str) -> str:
    """A parameter may hold no line break, tab or run of more than three blanks."""
    return re.sub(r"\s+", " ", text).strip()


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _digits(number: str) -> str:
    """The number as WhatsApp wants it: country code first, digits alone."""
    return re.sub(r"[^0-9]", "", number).removeprefix("00")
