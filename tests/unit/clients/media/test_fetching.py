"""Files over real HTTPS: what is fetched, and what is not, with a reason in words."""

import asyncio
import hashlib
import time

import pytest

from dm_core.clients.media.fetcher import MAX_INSTANCE_BYTES, MediaClient, Times
from dm_core.clients.media.limits import MAX_BYTES
from dm_core.media import Media, MediaKind, NotShown
from dm_sandbox.media_samples import jpeg, picture, spoken, video, voice
from tests.unit.clients.media.conftest import HOST, PUBLIC, Cdn, Fetch, Handler

PNG = picture("Winter nets")
OK = b"HTTP/1.1 200 OK\r\n"


async def test_a_picture_is_fetched_from_the_checked_address_by_its_own_name(cdn: Cdn, fetch: Fetch) -> None:
    url = cdn.serves("/v/t1/photo.png?_nc_ht=x&oe=66", PNG)

    (file,) = await fetch(url)

    assert file == Media(MediaKind.PICTURE, "image/png", hashlib.sha256(PNG).hexdigest(), PNG)
    assert [(got.target, got.host, got.server_name) for got in cdn.requests] == [
        ("/v/t1/photo.png?_nc_ht=x&oe=66", HOST, HOST)
    ]
    assert cdn.dialled == [PUBLIC]
    assert cdn.lookups == [HOST], "asked once: there is no second answer to lead elsewhere"


async def test_files_come_in_order_each_by_its_content(cdn: Cdn, fetch: Fetch) -> None:
    urls = [
        cdn.serves("/1", jpeg("one"), content_type="text/html"),
        cdn.serves("/2", voice(2), content_type="video/mp4"),
        cdn.serves("/3", video("three"), content_type="application/octet-stream"),
        cdn.serves("/4", spoken("when are the nets"), content_type="image/jpeg"),
    ]

    files = await fetch(*urls)

    assert [file.mime_type for file in files if isinstance(file, Media)] == [
        "image/jpeg",
        "audio/aac",
        "video/mp4",
        "audio/wav",
    ]


@pytest.mark.parametrize(
    "url",
    [
        f"http://{HOST}/photo",
        "https://evilcdninstagram.com/photo",
        "https://cdninstagram.com.evil.example/photo",
        "https://scontent.cdninstagram.com@evil.example/photo",
        "https://evil.example\\@scontent.cdninstagram.com/photo",
        "https://evil.example#@scontent.cdninstagram.com/photo",
        "https://user:secret@scontent.cdninstagram.com/photo",
        "https://scontent.cdninstagram.com:8443/photo",
        "https://scontent.cdninstagram.com:99999/photo",
        "https://scontent.cdninstagram.com./photo",
        "https://.cdninstagram.com/photo",
        "https://scontent.cdninstagram.com%2eevil.example/photo",
        "https://127.0.0.1/photo",
        "https://2130706433/photo",
        "https://0x7f.1/photo",
        "https://[::ffff:127.0.0.1]/photo",
        "https://[::1%25lo]/photo",
        "https://169.254.169.254/computeMetadata/v1/",
        "https://metadata.google.internal/computeMetadata/v1/",
        "https://www.instagram.com/reel/abc/",
        "https://scontent.cdninstagram.com\t.evil.example/photo",
        "https://scontent.cdnınstagram.com/photo",
        "https://scontent.cdninstagram.com/a b",
        "ftp://scontent.cdninstagram.com/photo",
        "file:///etc/passwd",
        "//scontent.cdninstagram.com/photo",
        "https:/scontent.cdninstagram.com/photo",
        "https://[scontent.cdninstagram.com/photo",
        f"https://{HOST}/{'x' * 3_000}",
        "",
    ],
)
async def test_other_addresses_are_not_fetched(cdn: Cdn, fetch: Fetch, url: str) -> None:
    assert await fetch(url) == [NotShown.FOREIGN]
    assert (cdn.lookups, cdn.dialled) == ([], [])


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("10.1.2.3",),
        ("169.254.169.254",),
        ("100.100.100.200",),
        ("192.168.0.1",),
        ("0.0.0.0",),  # noqa: S104
        ("224.0.0.1",),
        ("255.255.255.255",),
        ("198.18.0.1",),
        ("::1",),
        ("::ffff:127.0.0.1",),
        ("::ffff:157.240.1.35",),
        ("::127.0.0.1",),
        ("2002:7f00:1::",),
        ("64:ff9b::a9fe:a9fe",),
        ("64:ff9b:1::a9fe:a9fe",),
        ("2001:0:53aa:64c:0:fbff:80ff:fefe",),
        ("fe80::1%eth0",),
        ("fd00::1",),
        ("2001:db8::1",),
        ("ff02::1",),
        (PUBLIC, "127.0.0.1"),
        (),
    ],
)
async def test_a_name_that_leads_to_no_public_address_is_not_connected_to(
    cdn: Cdn, fetch: Fetch, addresses: tuple[str, ...]
) -> None:
    url = cdn.serves("/photo", PNG)
    cdn.resolved[HOST] = addresses

    assert await fetch(url) == [NotShown.FOREIGN]
    assert (cdn.dialled, cdn.requests) == ([], [])


async def test_an_ipv6_address_of_the_public_internet_is_connected_to(cdn: Cdn, fetch: Fetch) -> None:
    cdn.resolved[HOST] = ("2a03:2880:f1ff:83:face:b00c:0:25de",)

    (file,) = await fetch(cdn.serves("/photo", PNG))

    assert isinstance(file, Media)
    assert cdn.dialled == ["2a03:2880:f1ff:83:face:b00c:0:25de"]


@pytest.mark.parametrize("up", [True, False])
async def test_a_host_has_more_than_one_address(cdn: Cdn, fetch: Fetch, *, up: bool) -> None:
    one, two = "157.240.1.1", "157.240.1.2"
    cdn.resolved[HOST], cdn.down = (one, two), frozenset((one,) if up else (one, two))

    (file,) = await fetch(cdn.serves("/photo", PNG))

    assert (isinstance(file, Media), cdn.dialled) == (up, [one, two] if up else [one, two] * 2)


@pytest.mark.parametrize("location", ["https://video.fbcdn.net/real", "//video.fbcdn.net/real", "/real"])
async def test_a_redirect_within_the_cdn_is_followed(cdn: Cdn, fetch: Fetch, location: str) -> None:
    cdn.serves("/real", PNG)

    (file,) = await fetch(cdn.serves("/photo", b"", 302, location=location))

    assert isinstance(file, Media)


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1/photo",
        "https://127.0.0.1/photo",
        "http://169.254.169.254/computeMetadata/v1/",
        "https://[::ffff:127.0.0.1]/",
        "https://2130706433/",
        f"http://{HOST}/real",
        "https://evil.example/",
        "https://notfbcdn.net/",
        "https://u:p@video.fbcdn.net/real",
        "https://video.fbcdn.net:444/real",
        "https://[broken",
        "",
    ],
)
async def test_a_redirect_off_the_cdn_is_not_followed(cdn: Cdn, fetch: Fetch, location: str) -> None:
    cdn.serves("/real", PNG)
    url = cdn.serves("/photo", b"", 302, location=location) if location else cdn.serves("/photo", b"", 302)

    assert await fetch(url) in ([NotShown.FOREIGN], [NotShown.UNREACHABLE])
    assert [got.target for got in cdn.requests if got.target != "/photo"] == []


async def test_a_redirect_to_a_name_that_leads_inside_is_not_followed(cdn: Cdn, fetch: Fetch) -> None:
    cdn.resolved["video.fbcdn.net"] = ("169.254.169.254",)

    assert await fetch(cdn.serves("/photo", b"", 302, location="https://video.fbcdn.net/x")) == [NotShown.FOREIGN]
    assert cdn.dialled == [PUBLIC]


async def test_redirects_end(cdn: Cdn, fetch: Fetch) -> None:
    url = cdn.serves("/photo", b"", 302, location="/photo")

    assert await fetch(url) == [NotShown.UNREACHABLE]
    assert len(cdn.requests) == 4


async def test_a_certificate_for_another_name_is_refused(cdn: Cdn, fetch: Fetch) -> None:
    cdn.serves("/photo", PNG)

    assert await fetch("https://other.fbsbx.com/photo") == [NotShown.UNREACHABLE]
    assert cdn.requests == []


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (403, NotShown.EXPIRED),
        (404, NotShown.EXPIRED),
        (410, NotShown.EXPIRED),
        (500, NotShown.UNREACHABLE),
        (429, NotShown.UNREACHABLE),
        (206, NotShown.UNREACHABLE),
        (204, NotShown.UNREACHABLE),
    ],
)
async def test_an_error_is_told_as_what_it_is(cdn: Cdn, fetch: Fetch, status: int, why: NotShown) -> None:
    body = b"" if status == 204 else b"URL signature expired"
    assert await fetch(cdn.serves("/photo", body, status)) == [why]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", NotShown.EMPTY),
        (b"<!DOCTYPE html><title>Log in</title>", NotShown.TYPE),
        (b"PK\x03\x04" + bytes(600), NotShown.TYPE),
        (b"%PDF-1.7" + bytes(600), NotShown.TYPE),
        (b"MZ" + bytes(600), NotShown.TYPE),
        (b"\x00\x00\x00\x18ftypheic" + bytes(600), NotShown.TYPE),
        (b"\x00\x00\x00\x18ftypmif1" + bytes(600), NotShown.TYPE),
        (b"\x00\x00\x00\x18ftypavif" + bytes(600), NotShown.TYPE),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", NotShown.TYPE),
        (PNG[:5_000], NotShown.BROKEN),
        (jpeg("x")[:1_000], NotShown.BROKEN),
        (b"\xff\xd8\xff\xe0" + bytes(700), NotShown.BROKEN),
        (voice(3)[:900], NotShown.BROKEN),
        (spoken("hello")[:20], NotShown.BROKEN),
        (b"GIF89a" + bytes(700), NotShown.BROKEN),
        (b"ID3\x04" + bytes(700), NotShown.BROKEN),
        (b"OggS" + bytes(700), NotShown.BROKEN),
    ],
)
async def test_what_is_no_file_that_can_be_looked_at_is_told(
    cdn: Cdn, fetch: Fetch, data: bytes, why: NotShown
) -> None:
    assert await fetch(cdn.serves("/file", data, content_type="image/jpeg")) == [why]


async def test_a_file_that_names_another_length_is_not_whole(cdn: Cdn, fetch: Fetch) -> None:
    longer = cdn.serves("/longer", PNG, content_length=str(len(PNG) + 10))
    shorter = cdn.serves("/shorter", PNG, content_length="9000")
    huge = cdn.serves("/huge", PNG, content_length=str(10**15))
    odd = cdn.serves("/odd", PNG, content_length="-5")

    assert await fetch(longer, shorter, huge, odd) == [
        NotShown.BROKEN,
        NotShown.BROKEN,
        NotShown.TOO_LARGE,
        NotShown.UNREACHABLE,
    ]


async def test_a_compressed_answer_is_not_unpacked(cdn: Cdn, fetch: Fetch) -> None:
    assert await fetch(cdn.serves("/file", PNG, content_encoding="gzip")) == [NotShown.TYPE]


async def test_an_endless_file_is_cut_at_its_limit(cdn: Cdn, client: MediaClient, fetch: Fetch) -> None:
    client._times = Times(read=30, file=60, run=60)  # pyright: ignore[reportPrivateUsage]
    sent = 0

    async def endless(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(OK + b"\r\n" + PNG[:100])
        while True:
            writer.write(bytes(65_536))
            sent += 65_536
            await writer.drain()

    assert await fetch(cdn.handles("/endless", endless)) == [NotShown.TOO_LARGE]
    assert sent < 3 * MAX_BYTES[MediaKind.PICTURE]


@pytest.mark.parametrize("pause", [0.1, 60.0])
async def test_a_slow_file_is_given_up(cdn: Cdn, fetch: Fetch, pause: float) -> None:
    async def drips(writer: asyncio.StreamWriter) -> None:
        writer.write(OK + f"content-length: {len(PNG)}\r\n\r\n".encode())
        for byte in PNG:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(pause)

    started = time.monotonic()

    assert await fetch(cdn.handles("/slow", drips)) == [NotShown.UNREACHABLE]
    assert time.monotonic() - started < 10


async def test_a_slow_file_does_not_cost_the_others(cdn: Cdn, fetch: Fetch) -> None:
    async def silent(_: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    slow, quick = cdn.handles("/slow", silent), cdn.serves("/quick", PNG)

    files = await fetch(slow, quick)

    assert [type(file) for file in files] == [NotShown, Media]


async def hangs_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def stops_half_way(writer: asyncio.StreamWriter) -> None:
    writer.write(OK + f"content-length: {len(PNG)}\r\n\r\n".encode() + PNG[:900])
    await writer.drain()


async def is_busy(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n")
    await writer.drain()


@pytest.mark.parametrize(
    ("trouble", "why"),
    [(hangs_up, NotShown.UNREACHABLE), (stops_half_way, NotShown.BROKEN), (is_busy, NotShown.UNREACHABLE)],
)
async def test_what_a_second_try_may_mend_is_tried_once_more(
    cdn: Cdn, fetch: Fetch, trouble: Handler, why: NotShown
) -> None:
    troubles = [trouble] * 3

    async def recovers(writer: asyncio.StreamWriter) -> None:
        if troubles:
            await troubles.pop()(writer)
        else:
            writer.write(OK + f"content-length: {len(PNG)}\r\n\r\n".encode() + PNG)
            await writer.drain()

    url = cdn.handles("/file", recovers)

    assert await fetch(url) == [why]
    (file,) = await fetch(url, most=len(PNG))
    assert isinstance(file, Media)
    assert len(cdn.requests) == 4


async def test_answers_that_are_no_http_are_told(cdn: Cdn, fetch: Fetch) -> None:
    async def garbage(writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x16\x03\x01" + bytes(5_000))
        await writer.drain()

    async def many_headers(writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"x: " + b"y" * 5_000_000 + b"\r\n\r\n")
        await writer.drain()

    assert await fetch(cdn.handles("/1", garbage), cdn.handles("/2", many_headers)) == [NotShown.UNREACHABLE] * 2


async def test_kinds_that_are_not_looked_at_are_not_read_to_their_end(cdn: Cdn, fetch: Fetch) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(OK + b"\r\n" + voice(60))
        await asyncio.sleep(60)

    only = frozenset((MediaKind.PICTURE,))

    assert await fetch(cdn.handles("/voice", endless), kinds=only) == [NotShown.OFF]


async def test_what_is_over_the_bytes_of_a_run_is_told(cdn: Cdn, fetch: Fetch) -> None:
    urls = [cdn.serves("/1", PNG), cdn.serves("/2", PNG)]

    files = await fetch(*urls, most=len(PNG) + 1_000)

    assert sorted(str(type(file).__name__) for file in files) == ["Media", "NotShown"]
    assert NotShown.TOO_MANY in files


async def test_an_instance_holds_so_much_and_gives_it_back(cdn: Cdn, client: MediaClient) -> None:
    url = cdn.serves("/1", PNG)
    room = client._room  # pyright: ignore[reportPrivateUsage]
    await room.take(MAX_INSTANCE_BYTES - 1)

    assert await client.fetch([url], frozenset(MediaKind), 10**7) == [NotShown.UNREACHABLE]

    room.give_back(MAX_INSTANCE_BYTES - 1)
    (file,) = await client.fetch([url], frozenset(MediaKind), 10**7)
    assert isinstance(file, Media)
    assert room.taken == len(PNG)
    client.release([file])
    assert room.taken == 0


async def test_a_fetch_that_is_cancelled_gives_its_room_back(cdn: Cdn, client: MediaClient) -> None:
    async def silent(_: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    task = asyncio.create_task(client.fetch([cdn.handles("/slow", silent)], frozenset(MediaKind), 10**7))
    await cdn.asked.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert client._room.taken == 0  # pyright: ignore[reportPrivateUsage]


async def test_a_base_address_takes_the_place_of_the_host_after_the_check(cdn: Cdn) -> None:
    requests: list[str] = []

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = (await reader.readline()).decode().split(" ")[1]
        requests.append(target)
        if target.startswith("/moved"):
            writer.write(b"HTTP/1.1 302 X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")
        else:
            writer.write(OK + f"content-length: {len(PNG)}\r\n\r\n".encode() + PNG)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    client = MediaClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    urls = [f"https://{HOST}/a?b=1", f"http://{HOST}/a", "https://evil.example/a", f"https://{HOST}/moved"]

    files = await client.fetch(urls, frozenset(MediaKind), 10**7)

    assert [file if isinstance(file, NotShown) else file.mime_type for file in files] == [
        "image/png",
        NotShown.FOREIGN,
        NotShown.FOREIGN,
        NotShown.FOREIGN,
    ]
    assert sorted(requests) == ["/a?b=1", "/moved"]
    await client.close()
    server.close()
