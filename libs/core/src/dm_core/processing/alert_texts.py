"""The words of an alert: who it is about, one alert, several as one digest."""

from collections.abc import Sequence
from typing import Final

from dm_core.alerts import Alert
from dm_core.clients.port import WhatsApp
from dm_core.plain_text import shown
from dm_core.settings.table import utf16_length
from dm_core.threads import Profile

MAX_NAME_CHARS: Final = 60
MAX_TEXT_CHARS: Final = 4_096
"""What WhatsApp takes of free text."""


def who(profile: Profile | None, thread_id: str) -> str:
    """The person in words the manager can use; a profile is the person's own text, flattened and cut."""
    name = shown(f"@{profile.username}" if profile.username else profile.name or "", MAX_NAME_CHARS) if profile else ""
    return f"Instagram {name if name.strip('@ ') else f'…{thread_id.partition("_")[2][-6:]}'}"


def single(alert: Alert, person: str) -> str:
    """One alert as it is sent; ``person`` is empty where it is about nobody in particular."""
    prefix = "URGENT, " if alert.is_urgent else ""
    return f"{prefix}{person}: {alert.text}" if person else f"{prefix}{alert.text}"


def digest(lines: Sequence[str]) -> str:
    """Several alerts as one text."""
    return "\n".join((f"{len(lines)} alerts:", *(f"• {line}" for line in lines)))


def fitting(lines: Sequence[str], room: int) -> int:
    """How many of the first lines a digest of at most ``room`` UTF-16 units can have whole."""
    count = len(lines)
    while count and utf16_length(digest(lines[:count])) > room:
        count -= 1
    return count


def room_for(whatsapp: WhatsApp, *, window_open: bool) -> int:
    """How long a digest may be: it must fit the template too, unless the window is known to be open."""
    template = whatsapp.template_room
    return MAX_TEXT_CHARS if window_open or template is None else template
