"""Pictures, voice and video of a message as values: what may be looked at, and why something was not."""

from dataclasses import dataclass, field
from enum import StrEnum


class MediaKind(StrEnum):
    """What a file is, by its content."""

    PICTURE = "picture"
    VOICE = "voice"
    VIDEO = "video"


class NotShown(StrEnum):
    """Why the model is not shown a file; the value is what it is told in its place."""

    EXPIRED = "its link has expired"
    FOREIGN = "its address is not one of Instagram's"
    UNREACHABLE = "it could not be fetched just now"
    EMPTY = "the file is empty"
    TYPE = "a file of this type can't be looked at or listened to here"
    BROKEN = "the file is broken or incomplete"
    TOO_LARGE = "the file is too large"
    TOO_LONG = "it is too long to be listened to or watched here"
    NO_LENGTH = "its length can't be told, so it is neither listened to nor watched here"
    TOO_MANY = "more was sent than can be looked at in one go"
    OFF = "files of this kind are not looked at here"
    WITHHELD = "it was left out: it could not be processed"


@dataclass(frozen=True, slots=True)
class Media:
    """One file as the model is shown it: only ever in memory. ``digest`` is sha256 of ``data`` in hex."""

    kind: MediaKind
    mime_type: str
    digest: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MediaLook:
    """What became of one file, as it is kept: ``mid`` and ``place`` (from 1) say which; never an address or a byte of
    it. ``size`` in bytes, 0 where it was not shown, and then ``why`` says why not."""

    mid: str
    place: int
    mime_type: str = ""
    size: int = 0
    digest: str = ""
    why: str = ""
