"""What holds in a conversation beyond one run: handovers, the disclosure, and which media are looked at."""

from dataclasses import dataclass
from typing import Literal

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
    reminder = reader.number("HANDOVER_REMINDER_MINUTES", 30, 1, 1_440)
    release = reader.number("HANDOVER_HOURS", 24, 1, 168)
    return HandoverSettings(round(reminder * 60_000), round(release * 3_600_000))


def read_takeover(reader: Reader) -> float:
    """Minutes for which the bot leaves a thread to a human who wrote in it."""
    return reader.number("HUMAN_TAKEOVER_MINUTES", 60, 0, 10_080)


def read_disclosure_days(reader: Reader) -> int:
    """Days after which a person is told again that software answers; 0: never."""
    return reader.whole("DISCLOSURE_DAYS", 30, 0, 3_650)


def read_media(reader: Reader) -> MediaSettings:
    name = "INSTAGRAM_MEDIA_BASE_URL"
    return MediaSettings(
        kinds=reader.choice("MEDIA", "all", ("off", "images", "all")),
        base_url=reader.base_url(name, "") if reader.optional(name) else None,
    )
