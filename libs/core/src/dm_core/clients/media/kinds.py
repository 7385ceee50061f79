"""What a file is, by its content, and what becomes of it: the table of types.

| content | to Gemini | because |
|---|---|---|
| JPEG, PNG, WebP | as it is, once it was decoded here | in its list of pictures |
| the same, animated, large or with EXIF; GIF | as JPEG or PNG, the first frame | not in the list; no place is told |
| WAV, MP3, AIFF, Ogg, FLAC, AAC | as it is | in its list of sound |
| AAC in mp4, m4a, mov without a picture | AAC with ADTS headers, not decoded | the container is not in the list |
| mp4, mov with a picture | as it is | in its list of video |
| HEIC, AVIF, PDF, everything else | in words | no decoder whose licence allows it, or of no use here |

Lists: https://ai.google.dev/gemini-api/docs/image-understanding, audio-understanding and video-understanding. The same
in docs/platforms/gemini.md#pictures-voice-and-video.
"""

from typing import Final, cast

from dm_core.clients.media.iso_media import brand_of
from dm_core.media import MediaKind

HEAD_BYTES: Final = 512
"""How much of a file says what it is."""
ISO: Final = "iso"
"""Of the ISO base media family: its tracks say whether it is voice or video."""

_PICTURES: Final = frozenset(("image/jpeg", "image/png", "image/apng", "image/webp", "image/gif"))
_SOUND: Final = {
    "audio/x-wav": "audio/wav",
    "audio/mpeg": "audio/mp3",
    "audio/x-aiff": "audio/aiff",
    "audio/aac": "audio/aac",
    "audio/ogg": "audio/ogg",
    "audio/x-flac": "audio/flac",
}
_STILL_BRANDS: Final = frozenset(
    (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis")
)


def type_of(head: bytes) -> str | None:
    """The type by the first bytes: a MIME type, ``ISO``, or None for what is not looked at."""
    brand = brand_of(head)
    if brand is not None:
        return None if brand in _STILL_BRANDS else ISO
    import filetype

    guessed = cast("str | None", filetype.guess_mime(head))  # pyright: ignore[reportUnknownMemberType]
    return guessed if guessed in _PICTURES or guessed in _SOUND else None


def kind_of(content_type: str) -> MediaKind:
    """Of a type that ``type_of`` gives; ``ISO`` counts as the larger of the two."""
    if content_type in _PICTURES:
        return MediaKind.PICTURE
    return MediaKind.VIDEO if content_type == ISO else MediaKind.VOICE


def sound_type(content_type: str) -> str:
    """As Gemini calls it."""
    return _SOUND[content_type]
