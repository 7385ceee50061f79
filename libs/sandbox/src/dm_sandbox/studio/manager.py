"""The manager's WhatsApp: alerts as they arrive, their ticks, and what the manager writes back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final, Literal, cast, get_args

from dm_sandbox.environment import MANAGER_NUMBER
from dm_sandbox.platforms.record import Record
from dm_sandbox.platforms.server import as_list, as_object
from dm_sandbox.platforms.whatsapp import Alert
from dm_sandbox.world import Sandbox

Ticks = Literal["accepted", "sent", "failed", "delivered", "read"]
TICKS: Final = get_args(Ticks)
"""In the order in which one may follow another."""


@dataclass(slots=True)
class ManagerMessage:
    """One message on the manager's phone. ``quotes`` is another's id, ``reference`` the alert's; ``buttons`` to tap."""

    id: str
    mine: bool
    text: str
    at: int
    ticks: Ticks = "sent"
    quotes: str = ""
    template: str = ""
    reference: str = ""
    buttons: list[dict[str, str]] = field(default_factory=list[dict[str, str]])


class ManagerPhone:
    """The phone of ``MANAGER_NUMBER``."""

    def __init__(self, sandbox: Sandbox, snapshot: Mapping[str, object] | None = None) -> None:
        self.sandbox = sandbox
        self._ticks: dict[str, Ticks] = {}
        kept = (cast("dict[str, str]", as_object(each)) for each in as_list((snapshot or {}).get("manager")))
        self.messages = [ManagerMessage(**fields) for fields in kept]  # pyright: ignore[reportArgumentType]
        for message in self.messages:
            if not message.mine:
                buttons = tuple(button["id"] for button in message.buttons)
                number, template = "".join(filter(str.isdecimal, MANAGER_NUMBER)), message.template or None
                alert = Alert(message.id, number, message.text, template, message.reference, message.at, True, buttons)
                sandbox.whatsapp.accepted.append(alert)
        sandbox.whatsapp.listen(self._arrived)
        sandbox.whatsapp.statuses.on_told = self._set_ticks

    def snapshot(self) -> dict[str, object]:
        """As JSON values, for a restart."""
        return {"manager": [asdict(message) for message in self.messages]}

    async def writes(self, text: str, quotes: str = "", button: str = "") -> None:
        """The manager writes, quoting a message or not, or taps a button of one."""
        number = len(self.messages)
        title = next((b["title"] for m in self.messages for b in m.buttons if b["id"] == button), text)
        self.messages.append(ManagerMessage(f"own-{number}", True, title, self.sandbox.clock(), quotes=quotes))
        if button:
            await self.sandbox.whatsapp.taps(MANAGER_NUMBER, button)
        else:
            await self.sandbox.whatsapp.says(MANAGER_NUMBER, text, quotes)

    async def reads(self) -> None:
        """The manager opens the conversation: what arrived is read."""
        for message in self.messages:
            if not message.mine and message.ticks == "delivered":
                message.ticks = "read"
                await self.sandbox.whatsapp.reads(message.id)

    def _arrived(self, record: Record) -> None:
        """A message that WhatsApp took, whatever its caller was told."""
        wamid = record.facts.get("id")
        if not record.processed or not wamid:
            return
        alert = next((each for each in self.sandbox.whatsapp.accepted if each.id == wamid), None)
        interactive = as_object(as_object(record.body).get("interactive"))
        replies = (
            as_object(as_object(b).get("reply")) for b in as_list(as_object(interactive.get("action")).get("buttons"))
        )
        buttons = [{"id": str(each.get("id")), "title": str(each.get("title"))} for each in replies]
        context = as_object(as_object(record.body).get("context"))
        shown = ManagerMessage(
            wamid,
            False,
            record.facts.get("text", ""),
            record.at,
            self._ticks.pop(wamid, "accepted"),
            str(context.get("message_id") or ""),
            (alert.template or "") if alert else "",
            alert.reference if alert else "",
            buttons,
        )
        self.messages.append(shown)

    def _set_ticks(self, wamid: str, status: str) -> None:
        """A status may come before the answer to the call, and so before the message shows."""
        if status not in TICKS:
            return
        ticks = cast("Ticks", status)
        message = next((each for each in self.messages if each.id == wamid and not each.mine), None)
        if message is None:
            self._ticks[wamid] = ticks
        elif TICKS.index(ticks) > TICKS.index(message.ticks):
            message.ticks = ticks
