"""Files of the ISO base media family (mp4, m4a, mov), read as far as needed: which tracks, how long, and where the
sound's AAC frames are, which are then given an ADTS header each in place of the container (ISO/IEC 14496-12, -14, -3).

Gemini lists AAC (``audio/aac``) among the sound it takes, not the container in which Instagram records voice. The
frames stay as they are, so nothing is lost and nothing decoded. The wheels that could do it (``av``) bundle GPL code.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_BOXES: Final = 1_000
"""Most boxes looked at of a file, of a track, and side by side."""
MAX_FRAMES: Final = 20_000
"""Most AAC frames that are taken over: 7 minutes of 48 kHz, above any limit of what is listened to."""
_FRAME_SAMPLES: Final = 1_024
_ADTS_HEADER: Final = 7
_MAX_ADTS_FRAME: Final = 2**13 - 1
_RATES: Final = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350)
_EXTENDED: Final = (5, 29)
"""SBR and PS: the frames are those of the plain codec underneath, and a decoder finds the rest by itself."""
_INTO: Final = frozenset((b"moov", b"trak", b"mdia", b"minf", b"stbl"))
_DESCRIPTORS: Final = {0x03: 3, 0x04: 13, 0x05: 0}
"""ES, DecoderConfig, DecoderSpecificInfo: by tag, the bytes before what they hold."""


class BrokenContainer(ValueError):
    """Not a file of the family, or not whole."""


class NotAac(BrokenContainer):
    """Its sound is not AAC, or none that fits ADTS."""


@dataclass(frozen=True, slots=True)
class Track:
    """One track: its handler (``soun``, ``vide``), its boxes by name, the length in seconds."""

    handler: bytes
    boxes: dict[bytes, bytes]
    seconds: float


@dataclass(frozen=True, slots=True)
class Container:
    """What a file holds. ``brand`` is its major brand; ``fragmented``: its frames are in pieces of a stream."""

    brand: bytes
    tracks: tuple[Track, ...]
    seconds: float
    fragmented: bool

    def of(self, handler: bytes) -> Track | None:
        return next((track for track in self.tracks if track.handler == handler), None)


def brand_of(head: bytes) -> bytes | None:
    """The major brand of a file of the family, None for any other file."""
    return head[8:12] if len(head) >= 12 and head[4:8] == b"ftyp" else None


def read_container(data: bytes) -> Container:
    """Raises BrokenContainer."""
    try:
        return _container(data)
    except (struct.error, IndexError) as error:
        raise BrokenContainer("cut short") from error


def adts(data: bytes, track: Track) -> tuple[bytes, float]:
    """The sound of a track as ADTS, and its seconds. Raises BrokenContainer."""
    try:
        profile, rate, channels = _audio_config(track.boxes[b"stsd"])
        frames = [data[start:end] for start, end in _frames(track.boxes, len(data))]
    except (struct.error, IndexError, KeyError) as error:
        raise BrokenContainer("no table of its sound") from error
    if not frames:
        raise BrokenContainer("no sound in it")
    return b"".join(_header(profile, rate, channels, len(frame)) + frame for frame in frames), (
        len(frames) * _FRAME_SAMPLES / _RATES[rate]
    )


def adts_seconds(data: bytes) -> float:
    """How long a file of ADTS frames is, by counting them. Raises BrokenContainer where it is none."""
    at = frames = 0
    rate = 0
    while at + _ADTS_HEADER <= len(data):
        if data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0:
            raise BrokenContainer("not ADTS")
        rate = data[at + 2] >> 2 & 0xF
        size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        if size < _ADTS_HEADER or rate >= len(_RATES):
            raise BrokenContainer("not ADTS")
        at, frames = at + size, frames + 1
    if not frames or at > len(data):
        raise BrokenContainer("cut short")
    return frames * _FRAME_SAMPLES / _RATES[rate]


# -- boxes --------------------------------------------------------------------------------------------------


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, and where the content begins and ends."""
    for _ in range(MAX_BOXES):
        if start + 8 > end:
            return
        size, name = struct.unpack_from(">I4s", data, start)
        header = 8
        if size == 1:
            size, header = struct.unpack_from(">Q", data, start + 8)[0], 16
        size = size or end - start
        if size < header or start + size > end:
            raise BrokenContainer("a box is longer than the file")
        yield name, start + header, start + size
        start += size
    raise BrokenContainer("too many boxes")


def _container(data: bytes) -> Container:
    brand = brand_of(data)
    if brand is None:
        raise BrokenContainer("not of the family")
    tracks: list[Track] = []
    seconds, fragmented, whole = 0.0, False, False
    for name, start, end in _boxes(data, 0, len(data)):
        if name == b"moof":
            fragmented = True
        if name != b"moov":
            continue
        whole = True
        for inner, first, last in _boxes(data, start, end):
            if inner == b"mvhd":
                scale, length = _length(data[first:last])
                seconds = length / scale if scale else 0.0
            elif inner == b"mvex":
                fragmented = True
            elif inner == b"trak":
                tracks.append(_track(data, first, last))
    if not whole:
        raise BrokenContainer("no moov")
    return Container(brand, tuple(tracks), max((seconds, *(track.seconds for track in tracks))), fragmented)


def _track(data: bytes, start: int, end: int) -> Track:
    boxes: dict[bytes, bytes] = {}
    waiting, seen = [(start, end)], 0
    while waiting:
        for name, first, last in _boxes(data, *waiting.pop()):
            seen += 1
            if seen > MAX_BOXES:
                raise BrokenContainer("too many boxes")
            if name in _INTO:
                waiting.append((first, last))
            else:
                boxes.setdefault(name, data[first:last])
    return Track(boxes.get(b"hdlr", b"")[8:12], boxes, _track_seconds(boxes))


def _track_seconds(boxes: dict[bytes, bytes]) -> float:
    """What its header says, or what its frames take one by one, whichever is more."""
    if b"mdhd" not in boxes:
        return 0.0
    scale, length = _length(boxes[b"mdhd"])
    table = boxes.get(b"stts", bytes(8))
    runs = (struct.unpack_from(">II", table, 8 + 8 * number) for number in range(_entries(table)))
    return max(length, sum(count * each for count, each in runs)) / scale if scale else 0.0


def _length(header: bytes) -> tuple[int, int]:
    """Units a second, and how many, of ``mvhd`` and ``mdhd``, which begin alike."""
    scale, length = struct.unpack_from(">IQ" if header[0] == 1 else ">II", header, 20 if header[0] == 1 else 12)
    return scale, length


# -- sound --------------------------------------------------------------------------------------------------


def _audio_config(stsd: bytes) -> tuple[int, int, int]:
    """Profile, index of the rate and channels, as an ADTS header has them."""
    name = stsd[12:16]
    version = struct.unpack_from(">H", stsd, 24)[0]
    esds = stsd.find(b"esds", 44 + (16 if version == 1 else 0))
    if name != b"mp4a" or esds < 0:
        raise NotAac("its sound is not AAC")
    config = _specific_info(stsd[esds + 8 :])
    bits = int.from_bytes(config[:8].ljust(8, b"\0"))
    kind, rate, channels = bits >> 59 & 31, bits >> 55 & 15, bits >> 51 & 15
    if kind in _EXTENDED:
        kind = bits >> (18 if bits >> 47 & 15 == 15 else 42) & 31  # behind the extension's rate, by index or in Hz
    if not 1 <= kind <= 4 or rate >= len(_RATES) or not 1 <= channels <= 7:
        raise NotAac("its sound does not fit ADTS")
    return kind - 1, rate, channels


def _specific_info(descriptors: bytes) -> bytes:
    """What the decoder is told, from the nested descriptors of ``esds``."""
    at = 0
    for _ in range(8):
        tag, at = descriptors[at], at + 1
        size = 0
        for _ in range(4):
            byte, at = descriptors[at], at + 1
            size = size << 7 | byte & 0x7F
            if not byte & 0x80:
                break
        if tag == 0x05:
            return descriptors[at : at + size]
        at += _DESCRIPTORS.get(tag, size)
    raise BrokenContainer("no configuration of its sound")


def _frames(boxes: dict[bytes, bytes], length: int) -> Iterator[tuple[int, int]]:
    """Where each frame begins and ends: from the tables of sizes, of chunks, and of how many frames a chunk holds."""
    fixed, count = struct.unpack_from(">II", boxes[b"stsz"], 4)
    if count > MAX_FRAMES:
        raise BrokenContainer("too many frames")
    sizes = [fixed] * count if fixed else struct.unpack_from(f">{count}I", boxes[b"stsz"], 12)
    wide = b"co64" in boxes
    table = boxes[b"co64" if wide else b"stco"]
    chunks = struct.unpack_from(f">{_entries(table)}{'Q' if wide else 'I'}", table, 8)
    runs = [struct.unpack_from(">III", boxes[b"stsc"], 8 + 12 * n) for n in range(_entries(boxes[b"stsc"]))]
    number = run = inside = 0
    for index, offset in enumerate(chunks, start=1):
        if run < len(runs) and runs[run][0] <= index:
            inside, run = runs[run][1], run + 1
        for size in sizes[number : number + inside]:
            if offset + size > length or not 0 < size <= _MAX_ADTS_FRAME - _ADTS_HEADER:
                raise BrokenContainer("a frame is not in the file")
            yield offset, offset + size
            offset += size
        number += inside


def _entries(table: bytes) -> int:
    count = struct.unpack_from(">I", table, 4)[0]
    if count > MAX_FRAMES:
        raise BrokenContainer("too many entries")
    return count


def _header(profile: int, rate: int, channels: int, size: int) -> bytes:
    """An ADTS header without a checksum (ISO/IEC 14496-3, 1.A.2)."""
    size += _ADTS_HEADER
    return bytes(
        (
            0xFF,
            0xF1,
            profile << 6 | rate << 2 | channels >> 2,
            (channels & 3) << 6 | size >> 11,
            size >> 3 & 0xFF,
            (size & 7) << 5 | 0x1F,
            0xFC,
        )
    )
