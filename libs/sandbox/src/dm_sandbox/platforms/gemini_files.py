"""Pictures, sound and video in a request, as Gemini takes and counts them
(docs/platforms/gemini.md#pictures-voice-and-video)."""

import io
from collections.abc import Iterable, Sequence
from typing import Final

from PIL import Image
from tinytag import TinyTag

from dm_core.clients.media.iso_media import adts_seconds, read_container
from dm_sandbox.platforms.model_request import InlineFile

_SUBTYPES: Final = {
    "image": ("png", "jpeg", "webp", "heic", "heif"),
    "audio": ("wav", "mp3", "aiff", "aac", "ogg", "flac"),
    "video": ("mp4", "mpeg", "mov", "quicktime", "avi", "x-flv", "webm", "wmv", "3gpp"),
}
_TAKEN: Final = frozenset(f"{kind}/{name}" for kind, names in _SUBTYPES.items() for name in names)
IMAGE_TOKENS: Final = 1_120
SOUND_TOKENS: Final = 32
FRAME_TOKENS: Final = 70
MAX_REQUEST_CHARS: Final = 20 * 1024 * 1024


def unreadable(files: Sequence[InlineFile]) -> str | None:
    """Why a request with these files is refused, or None."""
    if sum(file.size for file in files) > MAX_REQUEST_CHARS:
        return "Request payload size exceeds the limit: 20971520 bytes."
    for file in files:
        if file.mime_type not in _TAKEN:
            return f"Unsupported MIME type: {file.mime_type}"
        if not file.data or (file.mime_type.startswith("image/") and not _is_picture(file.data)):
            return "Unable to process input image. Please retry or report in https://developers.generativeai.google"
    return None


def file_tokens(files: Iterable[InlineFile]) -> dict[str, int]:
    """Tokens by modality: so many a picture, a second of sound, a second of video (of which it looks at one frame)."""
    counts: dict[str, int] = {}
    for file in files:
        modality = file.mime_type.partition("/")[0].upper()
        counts[modality] = counts.get(modality, 0) + _count(modality, file)
    return counts


def _count(modality: str, file: InlineFile) -> int:
    match modality:
        case "IMAGE":
            return IMAGE_TOKENS
        case "AUDIO":
            return round(SOUND_TOKENS * _seconds(file))
        case _:
            return round(FRAME_TOKENS * read_container(file.data).seconds)


def _seconds(file: InlineFile) -> float:
    if file.mime_type == "audio/aac":
        return adts_seconds(file.data)
    return TinyTag.get(file_obj=io.BytesIO(file.data), tags=False).duration or 0.0


def _is_picture(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except Exception:  # decoders raise all sorts
        return False
    return True
