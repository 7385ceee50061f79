"""Files as the model is shown them: decoded within limits, remuxed, or refused."""

import io
import struct
import wave
import zlib

import pytest
from PIL import Image

from dm_core.clients.media.iso_media import BrokenContainer, Track, adts, adts_seconds, read_container
from dm_core.clients.media.kinds import HEAD_BYTES, type_of
from dm_core.clients.media.prepare import MAX_SIDE, prepare
from dm_core.media import Media, MediaKind, NotShown
from dm_sandbox.media_samples import SILENT_FRAME, jpeg, mp4, picture, pictures, sound, spoken, video, voice


def prepared(data: bytes) -> Media | NotShown:
    content_type = type_of(data[:HEAD_BYTES])
    return NotShown.TYPE if content_type is None else prepare(data, content_type)


def shown(data: bytes) -> Media:
    media = prepared(data)
    assert isinstance(media, Media)
    return media


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A PNG that says it is so large, and holds next to nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(50_000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "mime_type"),
    [
        (picture("flyer"), "image/png"),
        (jpeg("flyer"), "image/jpeg"),
        (saved(Image.new("RGB", (20, 20), "red"), "WEBP"), "image/webp"),
        (saved(Image.new("L", (1, 1)), "JPEG"), "image/jpeg"),
    ],
)
def test_a_picture_that_the_model_takes_goes_as_it_is(data: bytes, mime_type: str) -> None:
    media = shown(data)

    assert (media.kind, media.mime_type, media.data) == (MediaKind.PICTURE, mime_type, data)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_of_a_moving_picture_the_first_frame_is_shown(form: str) -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]

    media = shown(saved(frames[0], form, save_all=True, append_images=frames[1:], duration=100))

    with Image.open(io.BytesIO(media.data)) as still:
        red, _, blue = still.convert("RGB").tobytes()[:3]
        assert not getattr(still, "is_animated", False)
    assert media.mime_type in ("image/jpeg", "image/png")
    assert (red > 200, blue < 50) == (True, True)


@pytest.mark.parametrize(
    ("image", "form", "colour"),
    [
        (Image.new("I;16", (40, 40), 30_000), "PNG", (117, 117, 117)),
        (Image.new("CMYK", (40, 40), (0, 255, 255, 0)), "JPEG", (254, 0, 0)),
        (Image.new("LA", (40, 40), (90, 255)), "PNG", (90, 90, 90)),
        (Image.new("RGB", (40, 40), "blue"), "MPO", (0, 0, 254)),
    ],
)
def test_a_picture_in_another_mode_keeps_its_colours(
    image: Image.Image, form: str, colour: tuple[int, int, int]
) -> None:
    media = shown(saved(image, form, save_all=True, append_images=[image]) if form == "MPO" else saved(image, form))

    with Image.open(io.BytesIO(media.data)) as seen:
        assert (seen.format, seen.convert("RGB").getpixel((20, 20))) == (
            "PNG" if media.mime_type == "image/png" else "JPEG",
            colour,
        )


def entry(tag: int, kind: int, count: int, value: bytes) -> bytes:
    return struct.pack("<HHI", tag, kind, count) + value


TURNED = entry(0x112, 3, 1, b"\6\0\0\0")
BEHIND = struct.pack("<I", 38)
"""Where the first value stands that did not fit in one of two entries."""


@pytest.mark.filterwarnings("ignore:Tag data larger than file")
@pytest.mark.parametrize(
    ("odd", "prefix"),
    [
        (entry(0x11A, 10, 1, BEHIND) + struct.pack("<Iii", 0, -1, 0), b""),  # a fraction over nothing
        (entry(0x9286, 5, 1, BEHIND) + struct.pack("<III", 0, 1, 0), b""),  # and in a field of text
        (entry(0x11A, 7, 4, b"abcd") + bytes(4), b""),
        (entry(0x10F, 2, 2**31 - 1, BEHIND) + bytes(4), b""),  # 2 GB of text in a file of 700 bytes
        (entry(0x8769, 4, 1, b"\x08\0\0\0") + bytes(4), b""),  # points to itself
        (entry(0x10F, 2, 4, b"abc\0") + bytes(4), b"Exif\0\0"),  # begins twice
    ],
)
def test_odd_exif_does_not_keep_a_picture_from_standing_upright(odd: bytes, prefix: bytes) -> None:
    exif = b"Exif\0\0" + prefix + b"II*\0\x08\0\0\0\x02\0" + TURNED + odd
    data = saved(Image.new("RGB", (40, 20), "red"), "JPEG")
    media = shown(data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:])

    with Image.open(io.BytesIO(media.data)) as image:
        assert image.size == (20, 40)


def test_what_a_picture_says_in_words_stays_here() -> None:
    assert b"a place" not in shown(saved(Image.new("RGB", (9, 9)), "JPEG", comment=b"taken in a place")).data


def test_a_picture_of_scan_upon_scan_is_not_decoded() -> None:
    whole = saved(Image.new("L", (5_000, 5_000)), "JPEG", progressive=True, quality=20)
    last = whole[whole.rindex(b"\xff\xda") : -2]

    assert prepared(whole[:-2] + last * 2_000 + whole[-2:]) is NotShown.TOO_LARGE
    assert isinstance(prepared(whole), Media)


def test_a_large_picture_is_made_smaller() -> None:
    media = shown(saved(Image.new("RGB", (4_000, 1_000), "green"), "JPEG"))

    with Image.open(io.BytesIO(media.data)) as image:
        assert image.size == (MAX_SIDE, 768)


def test_what_a_camera_noted_stays_here_and_the_picture_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a secret camera"
    exif.get_ifd(0x8825)[1] = "N"
    media = shown(saved(Image.new("RGB", (40, 20), "red"), "JPEG", exif=exif))

    with Image.open(io.BytesIO(media.data)) as image:
        assert (image.size, dict(image.getexif())) == ((20, 40), {})
    assert b"secret" not in media.data


@pytest.mark.parametrize("size", [(5_001, 5_000), (20_000, 20_000), (100_000, 100_000), (2**31 - 1, 1)])
def test_a_picture_of_too_many_pixels_is_not_decoded(size: tuple[int, int]) -> None:
    assert prepared(png_of(*size)) is NotShown.TOO_LARGE


def test_a_gif_of_a_huge_canvas_is_not_decoded() -> None:
    head = b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + b"\x80\0\0" + bytes(6)

    assert prepared(head + b"," + struct.pack("<HHHH", 0, 0, 65_535, 65_535) + b"\0\x08" + bytes(20)) in (
        NotShown.TOO_LARGE,
        NotShown.BROKEN,
    )


@pytest.mark.parametrize("size", [(0, 10), (10, 0)])
def test_a_picture_without_pixels_is_broken(size: tuple[int, int]) -> None:
    assert prepared(png_of(*size)) is NotShown.BROKEN


def test_a_picture_cut_short_is_broken() -> None:
    for data in (picture("x"), jpeg("x"), saved(Image.new("RGB", (99, 99), "red"), "WEBP")):
        assert prepared(data[: len(data) // 2]) is NotShown.BROKEN


def test_aac_is_taken_out_of_its_container_frame_by_frame() -> None:
    media = shown(voice(3.0))

    assert (media.kind, media.mime_type) == (MediaKind.VOICE, "audio/aac")
    assert adts_seconds(media.data) == pytest.approx(3.0, abs=0.03)
    first = media.data[: 7 + len(SILENT_FRAME)]
    assert first == bytes.fromhex("fff1504001bffc") + SILENT_FRAME
    assert media.data == first * (len(media.data) // len(first))


@pytest.mark.parametrize("wide", [False, True])
def test_frames_are_found_over_several_chunks_and_the_gaps_between_them(wide: bool) -> None:
    frames = [bytes([n]) * (n + 1) for n in range(1, 12)]
    chunks = [frames[:4], frames[4:8], frames[8:]]
    data, offsets = b"", list[int]()
    for chunk in chunks:
        data += b"something else"
        offsets.append(len(data))
        data += b"".join(chunk)
    track = read_container(voice(1)).of(b"soun")
    assert track is not None
    sizes = struct.pack(">III11I", 0, 0, 11, *map(len, frames))
    runs = struct.pack(">IIIIIIII", 0, 2, 1, 4, 1, 3, 3, 1)
    boxes = {b"stsd": track.boxes[b"stsd"], b"stsz": sizes, b"stsc": runs}
    boxes[b"co64" if wide else b"stco"] = struct.pack(">II3Q" if wide else ">II3I", 0, 3, *offsets)

    found, seconds = adts(data, Track(b"soun", boxes, 0.0))

    at = 0
    for frame in frames:
        assert found[at + 7 : at + 7 + len(frame)] == frame
        at += 7 + len(frame)
    assert (at, seconds) == (len(found), pytest.approx(11 * 1_024 / 44_100))


@pytest.mark.parametrize(
    ("config", "header"),
    [
        ("1210", "fff15080"),  # LC, 44.1 kHz, stereo
        ("1188", "fff14c40"),  # LC, 48 kHz, mono
        ("1408", "fff16040"),  # LC, 16 kHz, mono
        ("2b920800", "fff15c80"),  # SBR over LC of 22.05 kHz, stereo
        ("eb8a0800", "fff15c40"),  # PS over LC of 22.05 kHz, mono
    ],
)
def test_the_headers_say_what_the_container_said(config: str, header: str) -> None:
    media = shown(mp4([sound([SILENT_FRAME] * 9, bytes.fromhex(config))], b"M4A "))

    assert media.data[:4].hex() == header


@pytest.mark.parametrize("config", ["", "00", "f8f8", "1200", "1780", "1278"])
def test_sound_that_adts_cannot_say_is_of_another_type(config: str) -> None:
    assert prepared(mp4([sound([SILENT_FRAME] * 9, bytes.fromhex(config))], b"M4A ")) is NotShown.TYPE


@pytest.mark.parametrize("codec", [b"samr", b"Opus", b"alac", b"ac-3"])
def test_sound_of_another_codec_is_of_another_type(codec: bytes) -> None:
    assert prepared(voice(1).replace(b"mp4a", codec)) is NotShown.TYPE


def test_a_video_goes_as_it_is_whatever_its_brand_says() -> None:
    data = mp4([sound([SILENT_FRAME] * 40), pictures([jpeg("x")] * 2)], b"M4A ")

    media = shown(data)

    assert (media.kind, media.mime_type, media.data) == (MediaKind.VIDEO, "video/mp4", data)


def test_what_is_too_long_is_not_shown() -> None:
    assert prepared(voice(181)) is NotShown.TOO_LONG
    assert prepared(video("x", 16)) is NotShown.TOO_LONG
    assert prepared(spoken("a" * 3_700, rate=1_000)) is NotShown.TOO_LONG
    assert isinstance(prepared(voice(179)), Media)
    assert isinstance(prepared(video("x", 15)), Media)


def test_a_header_that_says_less_than_the_frames_take_is_not_believed() -> None:
    data = video("x", 60)
    for box in (b"mvhd", b"mdhd"):
        at = data.index(box) + 4 + 16
        data = data[:at] + struct.pack(">I", 1_000) + data[at + 4 :]

    assert prepared(data) is NotShown.TOO_LONG


@pytest.mark.parametrize("whole", [voice(2), video("x", 2)])
def test_of_a_stream_in_pieces_it_is_said_that_its_length_cant_be_told(whole: bytes) -> None:
    assert prepared(whole + struct.pack(">I4s", 8, b"moof")) is NotShown.NO_LENGTH


def test_containers_with_nothing_to_see_or_hear_are_refused() -> None:
    assert prepared(mp4([sound([SILENT_FRAME])], b"M4A ").replace(b"soun", b"text")) is NotShown.TYPE
    assert prepared(struct.pack(">I4s4s4x", 16, b"ftyp", b"isom")) is NotShown.BROKEN
    with pytest.raises(BrokenContainer):
        read_container(b"RIFF" + bytes(100))


def test_no_cut_and_no_flipped_byte_of_a_container_is_more_than_refused() -> None:
    whole = voice(0.3)
    for at in range(len(whole)):
        assert prepared(whole[:at]) in (NotShown.BROKEN, NotShown.TYPE)
        for flipped in (0x00, 0xFF, whole[at] ^ 0x10):
            prepared(whole[:at] + bytes([flipped]) + whole[at + 1 :])


def test_tables_that_count_to_the_billions_cost_nothing() -> None:
    whole = voice(0.3)
    for name, field in ((b"stsz", 8), (b"stco", 4), (b"stsc", 4), (b"stts", 4)):
        at = whole.index(name) + 4 + field
        assert prepared(whole[:at] + b"\xff\xff\xff\xff" + whole[at + 4 :]) is NotShown.BROKEN


def test_boxes_in_boxes_end() -> None:
    nested = b""
    for _ in range(3_000):
        nested = struct.pack(">I4s", len(nested) + 8, b"mdia") + nested
    moov = struct.pack(">I4s", len(nested) + 16, b"moov") + struct.pack(">I4s", len(nested) + 8, b"trak") + nested

    assert prepared(struct.pack(">I4s4s4x", 16, b"ftyp", b"isom") + moov) is NotShown.BROKEN


def test_sound_in_other_forms_goes_as_it_is() -> None:
    media = shown(spoken("when are the nets"))

    assert (media.kind, media.mime_type) == (MediaKind.VOICE, "audio/wav")


@pytest.mark.parametrize("named", [0, 2**32 - 1, 100])
def test_the_length_of_a_wav_is_what_it_holds_whatever_it_names(named: int) -> None:
    for seconds, kind in ((170, Media), (190, NotShown)):
        out = io.BytesIO()
        with wave.open(out, "wb") as file:
            file.setparams((1, 2, 8_000, 0, "NONE", "not compressed"))
            file.writeframes(bytes(2 * 8_000 * seconds))
        data = bytearray(out.getvalue())
        data[40:44] = struct.pack("<I", named)
        assert isinstance(prepared(bytes(data)), kind)


def test_sound_without_a_length_is_broken() -> None:
    out = io.BytesIO()
    with wave.open(out, "wb") as empty:
        empty.setparams((1, 2, 8_000, 0, "NONE", "not compressed"))

    assert prepared(out.getvalue()) is NotShown.BROKEN
