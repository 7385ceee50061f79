"""A fetched file as the model is shown it, or why not. CPU only: run it in a thread.

Nothing is believed of a file but what was found in it. A picture is decoded once, within a limit of pixels that is
checked before: what a decoder here can't read, Gemini answers with 400 for the whole conversation ("Unable to process
input image", https://github.com/google-gemini/gemini-cli/issues/5064).
"""

import hashlib
import io
from typing import TYPE_CHECKING, Final

from dm_core.clients.media.iso_media import BrokenContainer, adts, adts_seconds, read_container
from dm_core.clients.media.kinds import ISO, kind_of, sound_type
from dm_core.clients.media.limits import MAX_BYTES, MAX_SECONDS
from dm_core.media import Media, MediaKind, NotShown

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS: Final = 25_000_000
"""Of a picture, all its frames' canvas: 100 MB decoded. Instagram's own are at most 1,440 pixels wide."""
MAX_SIDE: Final = 3_072
"""Longest side that is sent, in pixels: what is larger is made smaller there anyway
(https://ai.google.dev/gemini-api/docs/image-understanding)."""
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
_AS_IT_IS: Final = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_MODES: Final = frozenset(("RGB", "L", "RGBA", "P", "1", "LA"))


def prepare(data: bytes, content_type: str) -> Media | NotShown:
    """``content_type`` as ``kinds.type_of`` gives it. Never raises on any bytes."""
    match kind_of(content_type):
        case MediaKind.PICTURE:
            return _picture(data)
        case MediaKind.VIDEO if content_type == ISO:
            return _container(data)
        case _:
            return _sound(data, sound_type(content_type))


def _media(kind: MediaKind, mime_type: str, data: bytes) -> Media:
    return Media(kind, mime_type, hashlib.sha256(data).hexdigest(), data)


def _picture(data: bytes) -> Media | NotShown:
    from PIL import Image, ImageFile

    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise AssertionError("half a picture would be taken for a whole one")
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                return NotShown.TOO_LARGE
            image.load()
            return _as_shown(image, data)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return NotShown.TOO_LARGE
    except Exception:  # decoders raise all sorts on hostile bytes
        return NotShown.BROKEN


def _as_shown(image: "Image.Image", data: bytes) -> Media:
    """The file itself where that is what Gemini takes and nothing else is in it; else its first frame, upright, in RGB,
    small enough, and without what a camera notes (place, time, device)."""
    from PIL import ImageOps

    noted = bool(image.getexif()) or "xmp" in image.info
    moving = getattr(image, "is_animated", False)
    known = _AS_IT_IS.get(image.format or "")
    if known and not noted and not moving and max(image.size) <= MAX_SIDE and image.mode in _MODES:
        return _media(MediaKind.PICTURE, known, data)
    still = ImageOps.exif_transpose(image)
    has_alpha = "A" in still.getbands() or "transparency" in still.info
    still = still.convert("RGBA" if has_alpha else "RGB")
    still.thumbnail((MAX_SIDE, MAX_SIDE))
    out = io.BytesIO()
    if has_alpha:
        still.save(out, "PNG")
    else:
        still.save(out, "JPEG", quality=88)
    return _media(MediaKind.PICTURE, "image/png" if has_alpha else "image/jpeg", out.getvalue())


def _sound(data: bytes, mime_type: str) -> Media | NotShown:
    try:
        seconds = adts_seconds(data) if mime_type == "audio/aac" else _tagged_seconds(data)
    except Exception:  # as above
        return NotShown.BROKEN
    if not seconds:
        return NotShown.BROKEN
    if seconds > MAX_SECONDS[MediaKind.VOICE]:
        return NotShown.TOO_LONG
    return _media(MediaKind.VOICE, mime_type, data)


def _tagged_seconds(data: bytes) -> float | None:
    from tinytag import TinyTag

    return TinyTag.get(file_obj=io.BytesIO(data), tags=False, duration=True).duration


def _container(data: bytes) -> Media | NotShown:
    """Voice or video, by its tracks: the brand says ``isom`` for either."""
    try:
        container = read_container(data)
        sound, picture = container.of(b"soun"), container.of(b"vide")
        if container.fragmented or not (sound or picture):
            return NotShown.TYPE
        if picture is not None:
            too_long = container.seconds > MAX_SECONDS[MediaKind.VIDEO]
            mime_type = "video/quicktime" if container.brand == b"qt  " else "video/mp4"
            return NotShown.TOO_LONG if too_long else _media(MediaKind.VIDEO, mime_type, data)
        if sound is None:
            return NotShown.TYPE
        frames, seconds = adts(data, sound)
    except BrokenContainer:
        return NotShown.BROKEN
    if seconds > MAX_SECONDS[MediaKind.VOICE]:
        return NotShown.TOO_LONG
    if len(frames) > MAX_BYTES[MediaKind.VOICE]:
        return NotShown.TOO_LARGE
    return _media(MediaKind.VOICE, "audio/aac", frames)
