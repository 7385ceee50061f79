"""Messages and times as the model sees them: fields of one JSON line, so that no text can pass for anything else."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from dm_core.agent.texts import cut, without_controls
from dm_core.durations import MINUTE_MS
from dm_core.messages import Attachment, Content, Direction, Disposition, Message

MAX_SHOWN_CHARS: Final = 2_500
"""Longest text shown of one message, in characters; Instagram itself stops at 1,000 bytes."""

MAX_SAID_CHARS: Final = 4_000
"""Most characters shown of all a message says: its text, and what titles, captions, cards and referrals hold."""

STORY_REPLY: Final = "reply to your story"
_MAX_TAP_CHARS: Final = 300
_AUTOMATIC: Final = "automatic message of the account"
_AUTHORS: Final[Mapping[Direction, str]] = {
    Direction.INBOUND: "person",
    Direction.OUTBOUND: "you",
    Direction.HUMAN: "colleague",
}
_MEDIA: Final[Mapping[str, str]] = {
    "image": "photo",
    "media": "photo or video",
    "video": "video",
    "audio": "voice message",
    "file": "file",
    "share": "shared post",
    "ig_post": "shared post",
    "post": "shared post",
    "ig_reel": "shared reel",
    "reel": "shared reel",
    "ig_story": "shared story",
    "story": "shared story",
    "story_mention": "story mention",
    "ephemeral": "view-once photo or video",
    "template": "shared card",
    "sticker": "sticker",
    "like_heart": "sticker",
    "fallback": "shared link",
    "product": "shared product",
    "link": "shared link",
}
HOSTED: Final = frozenset(_MEDIA) - {"share", "fallback", "product", "link", "post"}
"""Types whose address is a file on the platform's own servers, and says nothing."""


def data_line(value: object) -> str:
    """JSON on one line. Angle brackets are escaped: no text can close the block of lines it stands in."""
    line = json.dumps(value, ensure_ascii=False)
    return line.replace("<", "\\u003c").replace(">", "\\u003e")


def message_fields(message: Message, handles: Mapping[str, str], zone: ZoneInfo) -> dict[str, object]:
    """One message: handle (if it has one), author, local time, and what it says. ``handles`` maps mids to handles."""
    fields: dict[str, object] = {}
    if handle := handles.get(message.mid):
        fields["handle"] = handle
    automatic = message.disposition is Disposition.AUTOMATIC
    fields["from"] = _AUTOMATIC if automatic else _AUTHORS[message.direction]
    fields["time"] = local_time(message.sent_at, zone)
    if message.unsent_at is not None or message.content.is_empty:
        return {**fields, "media": ["[message unsent]"]}
    return {**fields, **_said(message, handles)}


def _said(message: Message, handles: Mapping[str, str]) -> dict[str, object]:
    content, budget = message.content, _Budget()
    said: dict[str, object] = {
        "text": content.text and budget.take(cut(without_controls(content.text), MAX_SHOWN_CHARS)),
        "tapped_quick_reply": budget.line(content.quick_reply, _MAX_TAP_CHARS),
        "tapped_button": budget.line(content.postback, _MAX_TAP_CHARS),
        "came_from": budget.line(content.referral),
        "media": _media(content, budget),
        "also_says": budget.line(" · ".join(content.words)),
        "edited": message.edited_at is not None,
    }
    if content.reply_to_mid:
        said["replies_to"] = handles.get(content.reply_to_mid, "an earlier message")
    return {name: value for name, value in said.items() if value}


class _Budget:
    """What is left of the characters one message may show."""

    def __init__(self) -> None:
        self._left = MAX_SAID_CHARS

    def take(self, text: str) -> str:
        shown = cut(text, self._left) if self._left else ""
        self._left -= len(shown)
        return shown

    def line(self, text: str | None, limit: int = MAX_SAID_CHARS) -> str:
        """The text cleaned, on one line and cut."""
        return self.take(cut(" ".join(without_controls(text or "").split()), limit))


def _media(content: Content, budget: _Budget) -> list[str]:
    """Short words for what is not text, each with the texts that came with it."""
    media = [f"[{STORY_REPLY}]"] if content.reply_to_story else []
    for attachment in content.attachments:
        words = budget.line(_words(attachment))
        media.append(f"[{kind(attachment)}: {words}]" if words else f"[{kind(attachment)}]")
    return [*media, "[unsupported message]"] if content.unsupported and not content.attachments else media


def kind(attachment: Attachment) -> str:
    """What it is. Of a type nobody knows here the platform's own word is shown, as data like all the rest."""
    known = _MEDIA.get(attachment.type)
    if known is not None:
        return known
    named = " ".join(without_controls(attachment.type).split())
    return "unsupported attachment" + ("" if named == "unsupported" else f" of type {named}")


def _words(attachment: Attachment) -> str:
    """Title and further texts; a title that was cut is left out, because it is whole among the others. What is shared
    by its address says at least where that leads."""
    title = attachment.title
    if title and any(words.startswith(title) for words in attachment.words):
        title = None
    said = [*filter(None, (title,)), *attachment.words]
    if attachment.url and attachment.type not in HOSTED:
        said.append(_address(attachment.url))
    return " · ".join(said)


def _address(url: str) -> str:
    """A link without scheme, and without what follows its path, which is for machines."""
    return cut(url.partition("://")[2].partition("?")[0].partition("#")[0], 100)


def from_ms(at: int, zone: ZoneInfo) -> datetime:
    """A time in ms since 1970, in a zone."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(zone)


def local_time(at: int, zone: ZoneInfo) -> str:
    """Such as "Tue 24 Nov 2026 18:05", in the club's zone."""
    return from_ms(at, zone).strftime("%a %-d %b %Y %H:%M")


def age(at: int | None, now: int) -> str:
    """How long ago, in words: just now, 5 minutes ago, 3 hours ago, 2 days ago."""
    if at is None:
        return "unknown"
    minutes = max(0, now - at) // MINUTE_MS
    for unit, length in (("day", 1_440), ("hour", 60), ("minute", 1)):
        if minutes >= length:
            count = minutes // length
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
