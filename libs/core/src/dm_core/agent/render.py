"""Messages and times as the model sees them: fields of one JSON line, so that no text can pass for anything else."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from dm_core.agent.texts import clean, cut
from dm_core.messages import Attachment, Direction, Message

MAX_SHOWN_CHARS: Final = 2_500
"""Longest text shown of one message, in characters; Instagram itself stops at 1,000 bytes."""

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
}


def data_line(value: object) -> str:
    """JSON on one line. Angle brackets are escaped: no text can close the block of lines it stands in."""
    line = json.dumps(value, ensure_ascii=False)
    return line.replace("<", "\\u003c").replace(">", "\\u003e")


def message_fields(message: Message, handles: Mapping[str, str], zone: ZoneInfo) -> dict[str, object]:
    """One message: handle (if it has one), author, local time, and what it says. ``handles`` maps mids to handles."""
    fields: dict[str, object] = {}
    if handle := handles.get(message.mid):
        fields["handle"] = handle
    fields["from"] = _AUTHORS[message.direction]
    fields["time"] = local_time(message.sent_at, zone)
    if message.unsent_at is not None or message.content.is_empty:
        return {**fields, "media": ["[message unsent]"]}
    return {**fields, **_said(message, handles)}


def _said(message: Message, handles: Mapping[str, str]) -> dict[str, object]:
    content = message.content
    said: dict[str, object] = {
        "text": content.text and cut(clean(content.text), MAX_SHOWN_CHARS),
        "media": _media(message),
        "tapped_quick_reply": content.quick_reply and _short(content.quick_reply),
        "tapped_button": content.postback and _short(content.postback),
        "came_from": content.referral and _short(content.referral),
        "edited": message.edited_at is not None,
    }
    if content.reply_to_mid:
        said["replies_to"] = handles.get(content.reply_to_mid, "an earlier message")
    return {name: value for name, value in said.items() if value}


def _media(message: Message) -> list[str]:
    """Short words for what is no text."""
    content = message.content
    media = ["[reply to your story]"] if content.reply_to_story else []
    media += [_attachment(attachment) for attachment in content.attachments]
    return [*media, "[unsupported message]"] if content.unsupported and not content.attachments else media


def _attachment(attachment: Attachment) -> str:
    word = _MEDIA.get(attachment.type)
    if word is None:
        return "[unsupported attachment]"
    return f"[{word}: {_short(attachment.title)}]" if attachment.title else f"[{word}]"


def _short(text: str) -> str:
    return cut(" ".join(clean(text).split()), 100)


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
    minutes = max(0, now - at) // 60_000
    for unit, length in (("day", 1_440), ("hour", 60), ("minute", 1)):
        if minutes >= length:
            count = minutes // length
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
