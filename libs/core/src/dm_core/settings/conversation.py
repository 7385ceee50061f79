"""What holds in a conversation beyond one run: handovers, the disclosure, and which media are looked at."""

from dataclasses import dataclass
from typing import Literal

from dm_core.durations import HOUR_MS, MINUTE_MS
from dm_core.settings import table
from dm_core.settings.reader import Reader

MediaKinds = Literal["off", "images", "all"]


@dataclass(frozen=True, slots=True)
class HandoverSettings:
    """A thread that was handed over to a human, in ms: when the manager is reminded, and when the bot has it back."""

    reminder_ms: int
    release_ms: int


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """What the model is shown of pictures, voice and video. ``base_url`` (sandbox and tests) takes the place of the
    scheme and host of a media address, after its host was checked."""

    kinds: MediaKinds
    base_url: str | None


def read_handover(reader: Reader) -> HandoverSettings:
    reminder = reader.read(table.HANDOVER_REMINDER_MINUTES)
    release = reader.read(table.HANDOVER_HOURS)
    return HandoverSettings(round(reminder * MINUTE_MS), round(release * HOUR_MS))


def read_media(reader: Reader) -> MediaSettings:
    return MediaSettings(
        kinds=reader.read(table.MEDIA), base_url=reader.base_url(table.INSTAGRAM_MEDIA_BASE_URL) or None
    )
