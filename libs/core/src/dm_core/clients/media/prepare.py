"""A fetched file as the model is shown it, or why not. CPU only: run it in a thread.

Nothing is believed of a file but what was found in it. A picture is decoded once, within a limit of pixels that is
checked before: what a decoder here can't read, Gemini answers with 400 for the whole conversation ("Unable to process
input image", https://github.com/google-gemini/gemini-cli/issues/5064).
"""

import hashlib
import io
from typing import TYPE_CHECKING, Final

from dm_core.clients.media.iso_media import BrokenContainer, NotAac, adts, adts_seconds, read_container
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
MAX_SCANNED: Final = 1_500_000_000
"""Pixels of all the scans of a JPEG. A scan of a few bytes is decoded over the whole picture: of the largest ones,
200 KB took minutes (https://github.com/libjpeg-turbo/libjpeg-turbo/issues/284); cameras write about 10."""
_SCAN: Final = b"\xff\xda"
"""How a scan of a JPEG begins; within coded data, FF is followed by 00."""
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
_AS_IT_IS: Final = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_MODES: Final = frozenset(("RGB", "L", "RGBA", "P", "1", "LA"))
_ORIENTATION: Final = 0x0112
_NOTES: Final = frozenset(("exif", "xmp", "comment"))
"""Where a picture may say who took it, where and when."""


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
            pixels = image.width * image.height
            scanned = pixels * data.count(_SCAN) if image.format in ("JPEG", "MPO") else 0
            if pixels > MAX_PIXELS or scanned > MAX_SCANNED:
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
    from PIL import Image

    noted = _NOTES & image.info.keys()
    moving = getattr(image, "is_animated", False)
    known = _AS_IT_IS.get(image.format or "")
    if known and not noted and not moving and max(image.size) <= MAX_SIDE and image.mode in _MODES:
        return _media(MediaKind.PICTURE, known, data)
    still = _upright(image)
    if still.mode == "I;16":  # a conversion would take each of the upper 99 % of its greys for white
        still = Image.frombytes("L", still.size, still.tobytes()[1::2])
    has_alpha = "A" in still.getbands() or "transparency" in still.info
    still = still.convert("RGBA" if has_alpha else "RGB")
    still.info.pop("comment", None)
    still.thumbnail((MAX_SIDE, MAX_SIDE))
    out = io.BytesIO()
    if has_alpha:
        still.save(out, "PNG")
    else:
        still.save(out, "JPEG", quality=88)
    return _media(MediaKind.PICTURE, "image/png" if has_alpha else "image/jpeg", out.getvalue())


def _upright(image: "Image.Image") -> "Image.Image":
    """Turned as its EXIF says. Pillow's own way writes the rest of the EXIF anew, and fails where that is broken
    (https://github.com/python-pillow/Pillow/issues/8965)."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:
        turn = turns.get(int(image.getexif().get(_ORIENTATION, 1)))
    except Exception:  # as above
        turn = None
    return image if turn is None else image.transpose(turn)


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

    found = TinyTag.get(file_obj=io.BytesIO(data), tags=False, duration=True)
    if data[:4] == b"RIFF" and found.samplerate and found.channels and found.bitdepth:
        # The sizes that a WAV names are 0 or 2**32 - 1 where it was written as a stream.
        sound = len(data) - data.find(b"data") - 8
        return sound * 8 / (found.samplerate * found.channels * found.bitdepth)
    return found.duration


def _container(data: bytes) -> Media | NotShown:
    """Voice or video, by its tracks: the brand says ``isom`` for either."""
    try:
        container = read_container(data)
        sound, picture = container.of(b"soun"), container.of(b"vide")
        if container.fragmented:
            return NotShown.NO_LENGTH
        if picture is not None:
            too_long = container.seconds > MAX_SECONDS[MediaKind.VIDEO]
            mime_type = "video/quicktime" if container.brand == b"qt  " else "video/mp4"
            return NotShown.TOO_LONG if too_long else _media(MediaKind.VIDEO, mime_type, data)
        if sound is None:
            return NotShown.TYPE
        frames, seconds = adts(data, sound)
    except NotAac:
        return NotShown.TYPE
    except BrokenContainer:
        return NotShown.BROKEN
    if seconds > MAX_SECONDS[MediaKind.VOICE]:
        return NotShown.TOO_LONG
    if len(frames) > MAX_BYTES[MediaKind.VOICE]:
        return NotShown.TOO_LARGE
    return _media(MediaKind.VOICE, "audio/aac", frames)
