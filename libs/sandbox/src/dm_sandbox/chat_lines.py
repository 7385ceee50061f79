"""The lines of a conversation, without what makes them: ``make chat`` starts quickly."""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

STATE: Final = Path(__file__).parents[4] / ".state" / "dev"
PORT_FILE: Final = "port"
"""In the folder of the state: where the page was served last."""
DEFAULT_PORT: Final = 8080

_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

Who = Literal["person", "club", "owner", "manager", "note"]

HELP = (
    "type a DM, or: /photo  /voice  /post  /edit TEXT  /unsend  /react EMOJI"
    "  /human TEXT (the owner answers in the app)  /person NAME (somebody new)"
    "  /fault PLATFORM KIND [OPERATION]  /help"
)


def harmless(words: str) -> str:
    """What somebody wrote, without what a terminal obeys or can't be given; lines stay lines."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", words)


def clock_time(at: int) -> str:
    """A moment (ms since 1970) on this machine's clock."""
    return datetime.fromtimestamp(at / 1000).astimezone().strftime("%H:%M:%S")


@dataclass(frozen=True, slots=True)
class ChatLine:
    """One line of the conversation. ``at`` in ms since 1970; ``name`` is who is shown as its writer."""

    number: int
    at: int
    who: Who
    name: str
    words: str

    def __str__(self) -> str:
        words = f"{self.name}: {self.words}" if self.name else self.words
        return f"{clock_time(self.at)} {harmless(words)}"
