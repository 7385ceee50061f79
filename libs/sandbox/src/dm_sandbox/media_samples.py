"""Pictures, voice notes and videos made here, byte for byte the same on every machine, for the sandbox and the tests.

A picture shows its words in a plain bitmap face. A voice note in m4a holds silence in AAC (nobody can speak here), one
in WAV a tone for each letter of its words. A video is one JPEG picture a second in mp4.
"""

import io
import struct
import wave
import zlib
from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Final

from PIL import Image, ImageDraw, ImageFont

SILENT_FRAME: Final = bytes.fromhex("00c800802380")
"""A frame of silence: AAC-LC, mono."""
_RATE: Final = 44_100
_FRAME: Final = 1_024
_UNITY: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def drawn(words: str, size: tuple[int, int] = (480, 320)) -> Image.Image:
    """A white picture with the words on it."""
    image = Image.new("L", (size[0] // 2, size[1] // 2), 255)
    lines = [line for part in words.splitlines() for line in wrap(part, 36) or [""]]
    ImageDraw.Draw(image).multiline_text((8, 8), "\n".join(lines), fill=0, font=ImageFont.load_default_imagefont())
    return image.resize(size, Image.Resampling.NEAREST)  # pyright: ignore[reportUnknownMemberType]


def picture(words: str = "") -> bytes:
    """A PNG whose bytes no version of a library changes: its pixels are not compressed."""
    image = drawn(words)
    width, height = image.size
    pixels = image.tobytes()
    rows = b"".join(b"\0" + pixels[at : at + width] for at in range(0, len(pixels), width))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", _stored(rows)) + _chunk(b"IEND", b"")


def jpeg(words: str = "", size: tuple[int, int] = (480, 320)) -> bytes:
    """A JPEG, as Instagram has them."""
    out = io.BytesIO()
    drawn(words, size).convert("RGB").save(out, "JPEG", quality=85)
    return out.getvalue()


def voice(seconds: float = 3.0) -> bytes:
    """A voice note as the app records them: AAC in m4a."""
    frames = [SILENT_FRAME] * max(1, round(seconds * _RATE / _FRAME))
    return mp4([sound(frames)], b"M4A ")


def spoken(words: str, rate: int = 8_000) -> bytes:
    """A WAV that stands for these words: a tone for each letter, 50 ms long."""
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setparams((1, 2, rate, 0, "NONE", "not compressed"))
        for letter in words.encode():
            half = max(1, rate // (100 + 4 * letter) // 2)
            samples = (6_000 if at // half % 2 else -6_000 for at in range(rate // 20))
            sound.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return out.getvalue()


def video(words: str = "", seconds: int = 3) -> bytes:
    """An mp4 with one picture a second."""
    return mp4([pictures([jpeg(words)] * seconds)], b"isom")


# -- mp4 ----------------------------------------------------------------------------------------------------


class Track:
    """A track to be written: its frames, how long each is in units, and what describes them."""

    def __init__(self, handler: bytes, entry: bytes, frames: Sequence[bytes], each: int, scale: int) -> None:
        self.handler, self.entry, self.frames, self.each, self.scale = handler, entry, frames, each, scale


def mp4(tracks: Sequence[Track], brand: bytes) -> bytes:
    """A progressive file: what describes the frames, then the frames, one chunk a track."""
    head = _box(b"ftyp", brand + bytes(4) + brand + b"mp42")
    placed = _moov(tracks, [0] * len(tracks))
    offsets: list[int] = []
    at = len(head) + len(placed) + 8
    for track in tracks:
        offsets.append(at)
        at += sum(map(len, track.frames))
    return head + _moov(tracks, offsets) + _box(b"mdat", b"".join(b"".join(track.frames) for track in tracks))


def _moov(tracks: Sequence[Track], offsets: Iterable[int]) -> bytes:
    length = max(len(track.frames) * track.each * 1_000 // track.scale for track in tracks)
    header = bytes(12) + struct.pack(">II", 1_000, length) + struct.pack(">IH", 0x10000, 0x100) + bytes(10)
    mvhd = _box(b"mvhd", header + _UNITY + bytes(24) + struct.pack(">I", len(tracks) + 1))
    return _box(b"moov", mvhd + b"".join(_trak(each, at) for each, at in zip(tracks, offsets, strict=True)))


def _trak(track: Track, offset: int) -> bytes:
    count, length = len(track.frames), len(track.frames) * track.each
    sizes = b"".join(struct.pack(">I", len(frame)) for frame in track.frames)
    stbl = _box(
        b"stbl",
        _box(b"stsd", struct.pack(">II", 0, 1) + track.entry)
        + _box(b"stts", struct.pack(">IIII", 0, 1, count, track.each))
        + _box(b"stsc", struct.pack(">IIIII", 0, 1, 1, count, 1))
        + _box(b"stsz", struct.pack(">III", 0, 0, count) + sizes)
        + _box(b"stco", struct.pack(">III", 0, 1, offset)),
    )
    media = _box(b"smhd", bytes(8)) if track.handler == b"soun" else _box(b"vmhd", struct.pack(">I", 1) + bytes(8))
    links = _box(b"dinf", _box(b"dref", struct.pack(">II", 0, 1) + _box(b"url ", struct.pack(">I", 1))))
    mdhd = _box(b"mdhd", bytes(12) + struct.pack(">IIHH", track.scale, length, 0x55C4, 0))
    hdlr = _box(b"hdlr", bytes(8) + track.handler + bytes(12) + b"dm\0")
    tkhd = _box(
        b"tkhd",
        struct.pack(">IIII", 7, 0, 0, 1)
        + bytes(4)
        + struct.pack(">I", length)
        + bytes(16)
        + _UNITY
        + struct.pack(">II", 480 << 16, 320 << 16),
    )
    return _box(b"trak", tkhd + _box(b"mdia", mdhd + hdlr + _box(b"minf", media + links + stbl)))


def sound(frames: Sequence[bytes], config: bytes = bytes.fromhex("1208")) -> Track:
    """A track of AAC frames. ``config`` is the AudioSpecificConfig: AAC-LC, 44.1 kHz, mono."""
    decoder = b"\x40\x15" + bytes(11) + b"\x05" + bytes([len(config)]) + config
    es = bytes(3) + b"\x04" + bytes([len(decoder)]) + decoder + b"\x06\x01\x02"
    esds = _box(b"esds", bytes(4) + b"\x03" + bytes([len(es)]) + es)
    entry = _box(b"mp4a", bytes(6) + struct.pack(">H8xHHI", 1, 1, 16, 0) + struct.pack(">I", _RATE << 16) + esds)
    return Track(b"soun", entry, frames, _FRAME, _RATE)


def pictures(frames: Sequence[bytes]) -> Track:
    """A track of JPEG pictures, one a second."""
    size = struct.pack(">HH", 480, 320) + struct.pack(">III", 0x480000, 0x480000, 0)
    entry = _box(b"jpeg", bytes(6) + struct.pack(">H16x", 1) + size + struct.pack(">H32xHh", 1, 24, -1))
    return Track(b"vide", entry, frames, 1_000, 1_000)


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content) + 8) + name + content


# -- png ----------------------------------------------------------------------------------------------------


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _stored(data: bytes) -> bytes:
    """A zlib stream that holds the data as it is."""
    blocks = [data[at : at + 65_535] for at in range(0, len(data), 65_535)]
    last = len(blocks) - 1
    packed = (struct.pack("<BHH", at == last, len(b), len(b) ^ 0xFFFF) + b for at, b in enumerate(blocks))
    return b"\x78\x01" + b"".join(packed) + struct.pack(">I", zlib.adler32(data))
